"""Deliver in the background, in one daemon thread."""

from __future__ import annotations

import logging
import math
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from policenotify.channel import Clock
from policenotify.errors import JournalError, JournalTakenAway, PolicenotifyError

if TYPE_CHECKING:
    from policenotify.delivery.dispatcher import Dispatcher
    from policenotify.delivery.event_reader import EventReader
    from policenotify.journal.journal import Journal

_log = logging.getLogger("policenotify")

POLL_INTERVAL = 1.0
"""Seconds between two looks at what other processes have written."""

HEARTBEAT_INTERVAL = 30.0
"""Seconds after which the worker drains although nothing is due, so that other processes see it."""

_TURN = timedelta(seconds=5)  # for which it delivers before it looks for pending deliveries and reminders again
_LONGEST_PAUSE = 15.0  # seconds between two tries while the journal fails


class Work(Protocol):
    """The work of a worker, and how it learns that there is some."""

    def start(self) -> None:
        """Do what comes before the first drain. If that fails, it is done again."""
        ...

    def drain(self, enough: Callable[[], bool]) -> object:
        """Deliver what is due for some seconds, or until *enough* returns True."""
        ...

    def seconds_to_next(self) -> float | None:
        """Return the seconds until something is due, if anything waits."""
        ...

    def change_token(self) -> object:
        """Return a value that changes when any process has written something.

        It is cheap enough to be read every second.
        """
        ...

    def finish(self, timeout: float) -> bool:
        """Take nothing new, and return whether all that is under way ends in time."""
        ...


@dataclass(eq=False, slots=True)
class _Run:
    """The life of one thread, from a start to the next stop."""

    clock: Clock
    process: int = field(default_factory=os.getpid)
    woken: threading.Condition = field(default_factory=threading.Condition)
    wakes: int = 0
    over: bool = False
    alive_at: float = 0.0  # monotonic time of its last sign of life
    thread: threading.Thread | None = None
    failure: JournalTakenAway | None = None

    def wait(self, wakes: int, seconds: float) -> None:
        """Wait that long, or until the thread is woken after *wakes* was read."""
        self.alive_at = self.clock.monotonic()
        with self.woken:
            self.woken.wait_for(lambda: self.over or self.wakes != wakes, timeout=max(0.0, seconds))
        self.alive_at = self.clock.monotonic()

    def wake(self, *, over: bool = False) -> None:
        with self.woken:
            self.wakes += 1
            self.over = self.over or over
            self.woken.notify_all()


class Worker:
    """Delivers in the background, from `start` to `stop`, or as a context manager.

    ```python
    with publisher.worker():
        ...  # publish(wait=timedelta(0)) returns at once, and the worker delivers
    ```

    Its daemon thread sleeps until something is due. It is woken at once by what its own process publishes, and sees
    within a second what other processes publish. A journal that fails (locked, disk full, server away) is logged once
    and tried again. A journal that was deleted or replaced ends the worker; see `failure`.

    A forked child has no worker until it starts one.
    """

    def __init__(
        self,
        work: Work,
        *,
        clock: Clock,
        poll_interval: float = POLL_INTERVAL,
        heartbeat_interval: float = HEARTBEAT_INTERVAL,
    ) -> None:
        """Make a worker that is not running yet. See the defaults of the intervals."""
        self._work = work
        self._clock = clock
        self._poll_interval = poll_interval
        self._heartbeat_interval = heartbeat_interval
        self._current: _Run | None = None
        self._changing = threading.Lock()
        self.on_failure: Callable[[], object] = lambda: None
        """Called in the worker's thread when it ends because of a `failure`."""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether it delivers in this process, which must have started it."""
        run = self._run_of_this_process()
        return run is not None and run.failure is None and run.thread is not None and run.thread.is_alive()

    @property
    def failure(self) -> JournalTakenAway | None:
        """Why it ended without being stopped."""
        return self._current.failure if self._current is not None else None

    @property
    def unresponsive_for(self) -> float:
        """Seconds since its last sign of life, for a watchdog. More than 60 mean that it hangs."""
        run = self._run_of_this_process()
        return self._clock.monotonic() - run.alive_at if run else 0.0

    def start(self) -> Self:
        """Start, unless it is running already."""
        with self._changing:
            if not self.running:
                run = _Run(self._clock, alive_at=self._clock.monotonic())
                run.thread = threading.Thread(target=self._loop, args=(run,), name="policenotify worker", daemon=True)
                run.thread.start()
                self._current = run
        return self

    def stop(self, *, timeout: float = 5.0) -> bool:
        """Take nothing new, and wait for what is under way. May be called twice.

        Args:
            timeout: Seconds to wait. What is not finished by then goes on while the process lives. If the process
                exits, the post is in doubt, and the next drain reconciles it.

        Returns:
            Whether all of it has ended.
        """
        with self._changing:
            run, self._current = self._run_of_this_process(), None
        if run is None or run.thread is None:
            return True
        until = self._clock.monotonic() + timeout
        run.wake(over=True)
        if run.thread is not threading.current_thread():  # else a callback stops it, and it ends after that
            run.thread.join(timeout)
        return self._work.finish(max(0.0, until - self._clock.monotonic())) and not run.thread.is_alive()

    def wake(self) -> None:
        """Look for something to deliver at once."""
        if (run := self._run_of_this_process()) is not None:
            run.wake()

    def _run_of_this_process(self) -> _Run | None:
        """Return the current run, unless it is that of the parent of a forked child."""
        run = self._current
        if run is not None and run.process != os.getpid():
            _log.warning("The worker runs in process %s, not in its forked child. Start one here.", run.process)
            self._current = run = None
        return run

    # --- in its thread

    def _loop(self, run: _Run) -> None:
        trouble, pause = "", 0.0
        drained_at: float | None = None
        while not run.over:
            wakes, run.alive_at = run.wakes, self._clock.monotonic()
            try:
                drained_at = self._step(run, wakes, drained_at)
            except JournalTakenAway as error:  # the journal has raised the alarm
                run.failure = error
                self.on_failure()
                return
            except Exception as error:  # noqa: BLE001 - nothing above a thread would report it, and it must go on
                # Only the texts of our own errors: others may hold an address. A trace would hold values.
                text = str(error) if isinstance(error, PolicenotifyError) else f"{type(error).__name__} escaped."
                if text != trouble:
                    _log.error("The worker waits: %s", text)  # no trace, see above
                trouble, pause = text, min(_LONGEST_PAUSE, 2 * pause or self._poll_interval)
                if drained_at is not None:
                    drained_at = -math.inf  # it drains as soon as it can, which shows that it goes on
                run.wait(wakes, pause)
                continue
            if trouble:
                _log.warning("The worker goes on.")
                trouble, pause = "", 0.0

    def _step(self, run: _Run, wakes: int, drained_at: float | None) -> float:
        """Drain if something is due, else sleep until it is. Return when it last drained."""
        if drained_at is None:
            self._work.start()
        token = self._work.change_token()
        seconds = self._work.seconds_to_next()  # read after the token, which what is written from now on changes
        now = self._clock.monotonic()
        next_heartbeat = now if drained_at is None else drained_at + self._heartbeat_interval
        if drained_at is None or (seconds is not None and seconds <= 0) or next_heartbeat <= now:
            self._work.drain(lambda: run.over)
            return self._clock.monotonic()
        until = next_heartbeat if seconds is None else min(now + seconds, next_heartbeat)
        while not run.over and run.wakes == wakes and (left := until - self._clock.monotonic()) > 0:
            run.wait(wakes, min(left, self._poll_interval))
            if self._work.change_token() != token:
                break
        return drained_at


@dataclass(frozen=True, slots=True)
class JournalWork:
    """The work of a publisher's worker: what its journal holds."""

    journal: Journal
    dispatcher: Dispatcher
    events: EventReader
    retry_lists: Callable[[], None]
    prepare: Callable[[], None]
    tidy: Callable[[], object]
    next_at: Callable[[], datetime | None]

    def start(self) -> None:
        """See `Work.start`."""
        self.events.register()
        self.retry_lists()
        self.journal.workers.start_heartbeat()

    def drain(self, enough: Callable[[], bool]) -> None:
        """See `Work.drain`."""
        self.prepare()
        self.dispatcher.drain(_TURN, enough=enough, is_worker=True)
        self.tidy()

    def seconds_to_next(self) -> float | None:
        """See `Work.seconds_to_next`."""
        self.events.wake()  # something was written
        due = self.next_at()
        return None if due is None else (due - self.journal.now()).total_seconds()

    def change_token(self) -> object:
        """See `Work.change_token`."""
        self.events.register()  # who has subscribed since gets what is written from now on
        self.events.report_hangs()
        return self.journal.change_token()

    def finish(self, timeout: float) -> bool:
        """See `Work.finish`."""
        finished = self.dispatcher.finish(timeout=timeout)
        with suppress(JournalError):  # others will notice the missing heartbeat
            self.journal.workers.stop_heartbeat()
        return finished
