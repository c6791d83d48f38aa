"""Who delivers in the background: one daemon thread, started and stopped by those who want it."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

from policenotify.channel import Clock
from policenotify.errors import JournalTakenAway, PolicenotifyError

_log = logging.getLogger("policenotify")

POLL_INTERVAL = 1.0
"""Seconds between two looks at what other processes have written."""

HEARTBEAT_INTERVAL = 30.0
"""Seconds after which it drains although nothing is due: so others see that somebody delivers."""

_PAUSE = 15.0  # seconds, at most, between two tries while the journal fails


class Work(Protocol):
    """What a worker does, and how it learns that there is something to do."""

    def drain(self, enough: Callable[[], bool]) -> object:
        """Deliver what is due for some seconds, or until that is *enough*."""
        ...

    def seconds_to_next(self) -> float | None:
        """For how many seconds nothing will be due; `None`: nothing is waiting."""
        ...

    def change_token(self) -> object:
        """Another value than before, if anybody has written something meanwhile. It must cost next to nothing."""
        ...

    def finish(self, timeout: float) -> bool:
        """Take nothing new, and give what is under way that many seconds; whether all has come to its end."""
        ...


@dataclass(eq=False, slots=True)
class _Shift:
    """One thread's time of work, from a start to the next stop."""

    clock: Clock
    process: int = field(default_factory=os.getpid)
    woken: threading.Condition = field(default_factory=threading.Condition)
    wakes: int = 0
    over: bool = False
    round_at: float = 0.0  # when it last gave a sign of life
    thread: threading.Thread | None = None
    failure: JournalTakenAway | None = None

    def wait(self, wakes: int, seconds: float) -> None:
        """Wait until somebody calls, or the seconds have passed; not at all if somebody has called since *wakes*."""
        self.round_at = self.clock.monotonic()
        with self.woken:
            self.woken.wait_for(lambda: self.over or self.wakes != wakes, timeout=max(0.0, seconds))
        self.round_at = self.clock.monotonic()

    def call(self, *, over: bool = False) -> None:
        """Wake the thread."""
        with self.woken:
            self.wakes += 1
            self.over = self.over or over
            self.woken.notify_all()


class Worker:
    """Delivers in the background, from `start` to `stop`, or as a context manager.

    ```python
    with publisher.worker():
        ...  # publish(wait=timedelta(0)) returns at once; the worker delivers
    ```

    It is one daemon thread, which sleeps until something is due, is woken at once by what is published in its own
    process, and sees within a second what other processes publish. A journal that fails (locked, disk full, server
    away) never ends it: it says so once, waits, and tries again. A journal that was deleted or replaced ends it at
    once; see `failure`.

    Nothing starts by itself. A forked child has no worker until it starts its own; see `running`.
    """

    def __init__(
        self,
        work: Work,
        *,
        clock: Clock,
        poll_interval: float = POLL_INTERVAL,
        heartbeat_interval: float = HEARTBEAT_INTERVAL,
    ) -> None:
        """Make a worker that is not running yet.

        Args:
            work: What it does.
            clock: Tells how much time passes.
            poll_interval: Seconds between two looks at what other processes have written.
            heartbeat_interval: Seconds after which it drains although nothing is due.
        """
        self._work = work
        self._clock = clock
        self._poll_interval = poll_interval
        self._heartbeat_interval = heartbeat_interval
        self._shift: _Shift | None = None
        self.on_failure: Callable[[], object] = _nothing
        """Called in the worker's thread when it ends because of a `failure`."""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether it delivers, in this very process: what a process has started does not run in its forked child."""
        shift = self._here()
        return shift is not None and shift.failure is None and shift.thread is not None and shift.thread.is_alive()

    @property
    def failure(self) -> JournalTakenAway | None:
        """Why it ended without being stopped; `None`: it has not."""
        shift = self._shift
        return shift.failure if shift is not None else None

    @property
    def unresponsive_for(self) -> float:
        """For how many seconds it has not come round, for a watchdog; more than a minute means that it hangs."""
        shift = self._here()
        return self._clock.monotonic() - shift.round_at if shift else 0.0

    def start(self) -> Self:
        """Begin, or do nothing if it is running already."""
        if not self.running:
            shift = _Shift(self._clock, round_at=self._clock.monotonic())
            name = "policenotify worker"
            shift.thread = threading.Thread(target=self._run, args=(shift,), name=name, daemon=True)
            shift.thread.start()
            self._shift = shift
        return self

    def stop(self, *, timeout: float = 5.0) -> bool:
        """Take nothing new, and give what is under way some seconds to finish. May be called twice, and begun anew.

        Args:
            timeout: How many seconds. What is not finished by then goes on by itself while the process lives; if it
                ends, the post is in doubt, and whoever delivers next finds out.

        Returns:
            Whether all has come to its end.
        """
        shift, self._shift = self._here(), None
        if shift is None or shift.thread is None:
            return True
        until = self._clock.monotonic() + timeout
        shift.call(over=True)
        shift.thread.join(timeout)
        return self._work.finish(max(0.0, until - self._clock.monotonic())) and not shift.thread.is_alive()

    def wake(self) -> None:
        """Something was published: look at once."""
        if (shift := self._here()) is not None:
            shift.call()

    def _here(self) -> _Shift | None:
        """The shift of this process. A forked child has the parent's, but neither its thread nor use of its locks."""
        shift = self._shift
        if shift is not None and shift.process != os.getpid():
            _log.warning("The worker runs in process %s, not in its forked child. Start one here.", shift.process)
            self._shift = shift = None
        return shift

    # --- in its thread

    def _run(self, shift: _Shift) -> None:
        trouble, pause = "", 0.0
        signed_at: float | None = None
        while not shift.over:
            wakes, shift.round_at = shift.wakes, self._clock.monotonic()
            try:
                signed_at = self._round(shift, wakes, signed_at)
            except JournalTakenAway as error:  # the journal has raised the alarm
                shift.failure = error
                self.on_failure()
                return
            except Exception as error:  # noqa: BLE001 - nobody is above a thread, and it must go on
                # Its own words only where they are ours: others may hold an address. A trace would hold values.
                told = str(error) if isinstance(error, PolicenotifyError) else f"{type(error).__name__} escaped."
                if told != trouble:
                    _log.error("The worker waits: %s", told)  # the trace tells nothing
                trouble, pause = told, min(_PAUSE, 2 * pause or self._poll_interval)
                shift.wait(wakes, pause)
                continue
            if trouble:
                _log.warning("The worker goes on.")
                trouble, pause = "", 0.0

    def _round(self, shift: _Shift, wakes: int, signed_at: float | None) -> float:
        """Drain if something is due, else sleep until it is; returns when it drained last."""
        mark = self._work.change_token()
        rest = self._work.seconds_to_next()  # asked after the mark: what is written from now on changes the mark
        now = self._clock.monotonic()
        if signed_at is None or (rest is not None and rest <= 0) or signed_at + self._heartbeat_interval <= now:
            self._work.drain(lambda: shift.over)
            return self._clock.monotonic()
        until = (
            signed_at + self._heartbeat_interval
            if rest is None
            else min(now + rest, signed_at + self._heartbeat_interval)
        )
        while not shift.over and shift.wakes == wakes and (left := until - self._clock.monotonic()) > 0:
            shift.wait(wakes, min(left, self._poll_interval))
            if self._work.change_token() != mark:
                break
        return signed_at


def _nothing() -> None:
    """Do nothing: the default of `Worker.on_failure`."""
