"""Deliver in the background, in one daemon thread."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self

from policenotify.delivery.log_lines import shown_error
from policenotify.errors import JournalError, JournalTakenAway
from policenotify.log import fields

if TYPE_CHECKING:
    from policenotify.delivery.dispatcher import Dispatcher

_log = logging.getLogger("policenotify")

_PAUSE = 5.0  # seconds between two tries while the journal fails


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
    """

    def __init__(self, dispatcher: Dispatcher, *, begin: Callable[[], object], duties: Callable[[], bool]) -> None:
        """Make a worker that is not running yet: it calls *begin* before it delivers, and *duties* at each look."""
        self._dispatcher = dispatcher
        self._begin = begin
        self._duties = duties
        self._clock = dispatcher.clock
        self._thread: threading.Thread | None = None
        self._over = threading.Event()  # of the thread
        self._alive_at = 0.0  # monotonic time of its last sign of life
        self._process = 0  # in which it runs
        self._changing = threading.Lock()
        self.failure: JournalTakenAway | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether it delivers in this process, which must have started it."""
        thread = self._own_thread()
        return thread is not None and thread.is_alive() and self.failure is None

    @property
    def unresponsive_for(self) -> float:
        """Seconds since its last sign of life, for a watchdog. More than 60 mean that it hangs."""
        return self._clock.monotonic() - self._alive_at if self._own_thread() else 0.0

    def start(self) -> Self:
        """Start, unless it is running already."""
        with self._changing:
            if not self.running:
                self.failure = None
                self._process, self._alive_at, self._over = os.getpid(), self._clock.monotonic(), threading.Event()
                name, over = "policenotify worker", self._over
                self._thread = threading.Thread(target=self._run, args=(over,), name=name, daemon=True)
                self._thread.start()
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
            thread, self._thread = self._own_thread(), None
            self._over.set()
        if thread is None:
            return True
        until = self._clock.monotonic() + timeout
        self._dispatcher.wake()
        if thread is not threading.current_thread():  # else a callback stops it, and it ends after that
            thread.join(timeout)
        finished = self._dispatcher.finish(timeout=max(0.0, until - self._clock.monotonic()))
        with suppress(JournalError):  # others will notice the missing heartbeat
            self._dispatcher.journal.workers.heartbeat(is_worker=False)
        return finished and not thread.is_alive()

    def wake(self) -> None:
        """Look for something to deliver at once."""
        if self._own_thread() is not None:
            self._dispatcher.wake()

    def _own_thread(self) -> threading.Thread | None:
        """Return the thread, unless it is that of the parent of a forked child."""
        if self._thread is not None and self._process != os.getpid():
            _log.warning("The worker runs in process %s, not in its forked child. Start one here.", self._process)
            self._thread = None
        return self._thread

    def _run(self, over: threading.Event) -> None:
        trouble, looks = "", 0

        def is_over() -> bool:
            nonlocal trouble, looks
            self._alive_at, looks = self._clock.monotonic(), looks + 1
            if trouble and looks > 1:  # the whole look before this one has succeeded
                _log.warning("The worker goes on.")
                trouble = ""
            return over.is_set()

        while not over.is_set():
            looks = 0
            try:
                self._begin()
                self._dispatcher.journal.workers.heartbeat(is_worker=True)
                _log.info("A worker runs.", extra=fields("worker_started"))
                self._dispatcher.drain(None, stop=is_over, duties=self._duties)
            except JournalTakenAway as error:  # the journal has raised the alarm
                self.failure = error
                return
            except Exception as error:  # noqa: BLE001 - nothing above a thread would report it, and it must go on
                text = shown_error(error)
                if text != trouble:
                    _log.error("The worker waits: %s", text)
                trouble, self._alive_at = text, self._clock.monotonic()
                over.wait(_PAUSE)
