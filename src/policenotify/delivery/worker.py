"""Deliver in the background, in one daemon thread."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from policenotify.channel import Clock
from policenotify.errors import JournalTakenAway, PolicenotifyError

_log = logging.getLogger("policenotify")

_SHORTEST_PAUSE, _LONGEST_PAUSE = 1.0, 15.0  # seconds between two tries while the journal fails


@dataclass(eq=False, slots=True)
class _Life:
    """One thread of a worker, from a start to the next stop."""

    alive_at: float  # monotonic time of its last sign of life
    process: int = field(default_factory=os.getpid)
    over: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None


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

    Attributes:
        failure: Why it ended without being stopped.
        on_failure: Called in the worker's thread when it ends because of a `failure`.
    """

    def __init__(
        self,
        deliver: Callable[[Callable[[], bool]], object],
        *,
        wake: Callable[[], object],
        finish: Callable[[float], bool],
        clock: Clock,
        pause: float = _SHORTEST_PAUSE,
    ) -> None:
        """Make a worker that is not running yet.

        Args:
            deliver: Delivers until the function that it is given returns True. It asks at least once a second.
            wake: Lets it look at once.
            finish: Takes nothing new, and returns whether all that is under way ends within so many seconds.
            clock: Measures its silence.
            pause: Seconds after which it delivers again where that has failed, doubled up to 15.
        """
        self._deliver = deliver
        self._wake = wake
        self._finish = finish
        self._clock = clock
        self._pause = pause
        self._life: _Life | None = None
        self._changing = threading.Lock()
        self.failure: JournalTakenAway | None = None
        self.on_failure: Callable[[], object] = lambda: None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether it delivers in this process, which must have started it."""
        life = self._life_here()
        return life is not None and self.failure is None and life.thread is not None and life.thread.is_alive()

    @property
    def unresponsive_for(self) -> float:
        """Seconds since its last sign of life, for a watchdog. More than 60 mean that it hangs."""
        life = self._life_here()
        return self._clock.monotonic() - life.alive_at if life else 0.0

    def start(self) -> Self:
        """Start, unless it is running already."""
        with self._changing:
            if not self.running:
                self.failure = None
                life = self._life = _Life(self._clock.monotonic())
                name = "policenotify worker"
                life.thread = threading.Thread(target=self._run, args=(life,), name=name, daemon=True)
                life.thread.start()
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
            life, self._life = self._life_here(), None
        if life is None or life.thread is None:
            return True
        until = self._clock.monotonic() + timeout
        life.over.set()
        self._wake()
        if life.thread is not threading.current_thread():  # else a callback stops it, and it ends after that
            life.thread.join(timeout)
        return self._finish(max(0.0, until - self._clock.monotonic())) and not life.thread.is_alive()

    def wake(self) -> None:
        """Look for something to deliver at once."""
        if self._life_here() is not None:
            self._wake()

    def _life_here(self) -> _Life | None:
        """Return the thread's life, unless it is that of the parent of a forked child."""
        life = self._life
        if life is not None and life.process != os.getpid():
            _log.warning("The worker runs in process %s, not in its forked child. Start one here.", life.process)
            self._life = life = None
        return life

    def _run(self, life: _Life) -> None:
        trouble, pause, looks = "", self._pause, 0

        def is_over() -> bool:
            nonlocal trouble, pause, looks
            life.alive_at, looks = self._clock.monotonic(), looks + 1
            if trouble and looks > 1:  # the whole look before this one has succeeded
                _log.warning("The worker goes on.")
                trouble, pause = "", self._pause
            return life.over.is_set()

        while not life.over.is_set():
            looks = 0
            try:
                self._deliver(is_over)
            except JournalTakenAway as error:  # the journal has raised the alarm
                self.failure = error
                self.on_failure()
                return
            except Exception as error:  # noqa: BLE001 - nothing above a thread would report it, and it must go on
                # Only the texts of our own errors: others may hold an address. A trace would hold values.
                text = str(error) if isinstance(error, PolicenotifyError) else f"{type(error).__name__} escaped."
                if text != trouble:
                    _log.error("The worker waits: %s", text)  # no trace, see above
                trouble, life.alive_at = text, self._clock.monotonic()
                life.over.wait(pause)
                pause = min(_LONGEST_PAUSE, 2 * pause)
