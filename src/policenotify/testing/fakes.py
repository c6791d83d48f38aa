"""A fake clock and an in-memory state store for a channel under test."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Lock

from policenotify.channel import StoredValue
from policenotify.errors import JournalError


class FakeClock:
    """A clock that only moves on request. Sleeping moves it, too.

    Args:
        at: The start, aware.
        run: Identifies the monotonic clock, so that a journal detects a `jump`. Empty: it cannot.

    Attributes:
        slept: Seconds of each `sleep`, in order.
    """

    def __init__(self, at: datetime = datetime(2026, 3, 2, 6, 30, tzinfo=UTC), *, run: str = "") -> None:
        if at.tzinfo is None:
            raise ValueError("at: must have a time zone")
        self._at = at.astimezone(UTC)
        self._start = self._at
        self._offset = timedelta(0)
        self._run = run
        self.slept: list[float] = []

    def now(self) -> datetime:
        """Return the time in UTC."""
        return self._at + self._offset

    def monotonic(self) -> float:
        """Return the seconds since the clock was made, unaffected by `jump`."""
        return (self._at - self._start).total_seconds()

    def boot(self) -> str:
        """Return the id of the monotonic clock."""
        return self._run

    def sleep(self, seconds: float) -> None:
        """Move forward and record the call."""
        self.slept.append(seconds)
        self.pass_by(seconds)

    def pass_by(self, seconds: float) -> None:
        """Let time pass."""
        if seconds < 0:
            raise ValueError("seconds: time does not go back")
        self._at += timedelta(seconds=seconds)

    def jump(self, seconds: float) -> None:
        """Set the clock forward or back, without time passing."""
        self._offset += timedelta(seconds=seconds)


class InMemoryStateStore:
    """A state store in memory, shared by channel objects and threads."""

    def __init__(self) -> None:
        self._values: dict[str, StoredValue] = {}
        self._lock = Lock()
        self._leased: defaultdict[str, Lock] = defaultdict(Lock)

    def load(self, name: str) -> StoredValue | None:
        """Return the value of *name*, or `None`."""
        with self._lock:
            return self._values.get(name)

    def compare_and_swap(self, name: str, value: str, *, version: int | None) -> bool:
        """Replace the value if its version is still *version*."""
        with self._lock:
            stored = self._values.get(name)
            if (stored.version if stored else None) != version:
                return False
            self._values[name] = StoredValue(value, (version or 0) + 1)
            return True

    @contextmanager
    def lease(self, name: str, *, seconds: float) -> Iterator[None]:
        """Hold an exclusive lock on *name*.

        Raises:
            JournalError: Another process held it for all of *seconds*.
        """
        with self._lock:
            lock = self._leased[name]
        if not lock.acquire(timeout=seconds):
            raise JournalError(f"{name!r} was leased by another process for more than {seconds} s")
        try:
            yield
        finally:
            lock.release()
