"""Time and memory for a channel under test: a clock that stands still, and a keep in memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Lock

from policenotify.channel import StoredValue
from policenotify.errors import JournalError


class FakeClock:
    """A [`Clock`][policenotify.channel.Clock] that moves only when told to; sleeping moves it, and takes no time.

    Args:
        at: What time it is, aware.
        run: Names what it counts from, so that a journal sees a `jump`; empty: nobody can see one.

    Attributes:
        slept: How many seconds each `sleep` asked for, in order.
    """

    def __init__(self, at: datetime = datetime(2026, 3, 2, 6, 30, tzinfo=UTC), *, run: str = "") -> None:
        if at.tzinfo is None:
            raise ValueError("at: must have a time zone")
        self._at = at.astimezone(UTC)
        self._start = self._at
        self._set_on = timedelta(0)
        self._run = run
        self.slept: list[float] = []

    def now(self) -> datetime:
        """The time, in UTC."""
        return self._at + self._set_on

    def monotonic(self) -> float:
        """Seconds since the clock was made, however often it was set."""
        return (self._at - self._start).total_seconds()

    def boot(self) -> str:
        """Names what `monotonic` counts from."""
        return self._run

    def sleep(self, seconds: float) -> None:
        """Let this much time pass at once."""
        self.slept.append(seconds)
        self.pass_by(seconds)

    def pass_by(self, seconds: float) -> None:
        """Let time pass."""
        if seconds < 0:
            raise ValueError("seconds: time does not go back")
        self._at += timedelta(seconds=seconds)

    def jump(self, seconds: float) -> None:
        """Set the clock on, or back, in no time."""
        self._set_on += timedelta(seconds=seconds)


class InMemoryStateStore:
    """A [`StateStore`][policenotify.channel.StateStore] in memory.

    Channel objects and threads may share it, as processes do.

    Attributes:
        leases: How often each name has been leased.
    """

    def __init__(self) -> None:
        self._kept: dict[str, StoredValue] = {}
        self._lock = Lock()
        self._leased: defaultdict[str, Lock] = defaultdict(Lock)
        self.leases: defaultdict[str, int] = defaultdict(int)

    def load(self, name: str) -> StoredValue | None:
        """The value under *name*, or `None`."""
        with self._lock:
            return self._kept.get(name)

    def compare_and_swap(self, name: str, value: str, *, version: int | None) -> bool:
        """Replace the value if its version is still *version*."""
        with self._lock:
            kept = self._kept.get(name)
            if (kept.version if kept else None) != version:
                return False
            self._kept[name] = StoredValue(value, (version or 0) + 1)
            return True

    @contextmanager
    def lease(self, name: str, *, seconds: float) -> Iterator[None]:
        """Be the only one who renews *name*.

        Raises:
            JournalError: Somebody else held it for all of *seconds*.
        """
        with self._lock:
            lock = self._leased[name]
        if not lock.acquire(timeout=seconds):
            raise JournalError(f"{name!r} has been leased by another for more than {seconds} s")
        try:
            with self._lock:
                self.leases[name] += 1
            yield
        finally:
            lock.release()
