"""Signals that end deliveries in order, and a worker as a service of systemd."""

from __future__ import annotations

import math
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from policenotify.errors import JournalError

if TYPE_CHECKING:
    from policenotify.delivery.worker import Worker
    from policenotify.errors import JournalTakenAway

GRACE = 30.0
"""Seconds for posts to finish: above most networks' timeouts, below systemd's 90."""

_ENDS = (signal.SIGTERM, signal.SIGINT)
_before: dict[signal.Signals, Any] = {}  # the handlers from before, while signals are collected
_CHECK_EVERY = 30.0  # seconds between two checks of the worker, unless a watchdog asks for more
_SILENT = 90.0  # seconds of silence until the watchdog is no longer notified: a locked journal takes 30


def end_at_once(number: int, _frame: FrameType | None) -> NoReturn:
    """End the process as the signal would by default, with the exit code that shells report."""
    os._exit(128 + number)


class Signals:
    """Signals that arrived; see `ended_by_signals`."""

    def __init__(self, arrived: int, note: int) -> None:
        self._arrived = arrived
        self._note = note

    def wake(self) -> None:
        """End a `wait` from another thread."""
        with suppress(OSError):
            os.write(self._note, b"\0")

    def wait(self, seconds: float) -> str:
        """Return the name of the signal that arrived, or an empty text after a time."""
        ready, _, _ = select.select([self._arrived], [], [], seconds)
        for number in os.read(self._arrived, 64) if ready else b"":
            if number in _ENDS:
                return signal.Signals(number).name
        return ""


@contextmanager
def ended_by_signals() -> Iterator[Signals]:
    """Collect SIGTERM and SIGINT; the second one ends the process at once.

    Each is written into a pipe as it arrives, in any thread, without a lock: a handler that sets a `threading.Event`
    waits for ever if the signal arrives while its own thread begins to wait for that event.
    """

    def end_with_next(_number: int, _frame: FrameType | None) -> None:
        """Let a second signal end the process, whatever it is doing then. The pipe has the first."""
        for ending in _ENDS:
            # For process 1, as in a container, the default is to ignore it.
            signal.signal(ending, end_at_once if os.getpid() == 1 else signal.SIG_DFL)

    arrived, note = os.pipe()
    os.set_blocking(note, False)
    wakeup = signal.set_wakeup_fd(note, warn_on_full_buffer=False)  # first: what is handled must be in the pipe
    try:
        for number in _ENDS:
            _before[number] = signal.getsignal(number)
            signal.signal(number, end_with_next)
        yield Signals(arrived, note)
    finally:
        _restore_handlers()
        signal.set_wakeup_fd(wakeup)
        os.close(arrived)
        os.close(note)


@contextmanager
def ends_deliveries(interrupt: Callable[[], bool]) -> Iterator[None]:
    """Let the first SIGTERM or Ctrl-C end deliveries in order. Others, and a second one, have their usual effect.

    Args:
        interrupt: Ends the deliveries that are under way, and returns whether there were any. It runs in a handler.
    """
    before: dict[signal.Signals, Any] = {}

    def restore() -> None:
        while before:
            signal.signal(*before.popitem())

    def end(number: int, _frame: FrameType | None) -> None:
        restore()
        if not interrupt():
            os.kill(os.getpid(), number)

    if threading.current_thread() is threading.main_thread():  # no other may set a handler
        for number in _ENDS:
            if (handler := signal.getsignal(number)) is not signal.SIG_IGN:  # as in the background of a shell
                before[number] = handler
                signal.signal(number, end)
    try:
        yield
    finally:
        restore()


def _restore_handlers() -> None:
    while _before:
        signal.signal(*_before.popitem())


def _leave_parent() -> None:
    """End a forked child by its own signals, which would be written into the pipe of its parent."""
    if _before:
        signal.set_wakeup_fd(-1)
        _restore_handlers()


if hasattr(os, "register_at_fork"):  # pragma: no branch  # POSIX
    os.register_at_fork(after_in_child=_leave_parent)


@dataclass(frozen=True, slots=True)
class End:
    """How a worker ended.

    Attributes:
        signal: The name of the signal that ended it; empty if none did.
        failure: Why it ended without a signal.
        finished: Whether the posts under way have finished.
    """

    signal: str
    failure: JournalTakenAway | None
    finished: bool


class Supervisor:
    """The service manager, if there is one: the protocol of sd_notify(3)."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        ours = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        usec = environ.get("WATCHDOG_USEC", "")
        self.timeout: float | None = int(usec) / 1_000_000 if ours and usec.isdecimal() and self._address else None
        """Seconds between notifications that the watchdog expects; `None`: no watchdog."""

    def notify(self, state: str) -> None:
        """Send `READY=1`, `WATCHDOG=1`, `STATUS=…` or `STOPPING=1`. Failures are ignored."""
        if self._address:
            with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
                out.settimeout(0)  # a manager that does not read must not block the worker
                out.connect(self._address)
                out.send(state.encode())

    @contextmanager
    def showing(self, line: Callable[[], str]) -> Iterator[None]:
        """Show a line in `systemctl status`, and renew it every half a minute.

        It has a thread of its own: a journal that hangs must not keep the watchdog from being notified.
        """
        ended = threading.Event()

        def show() -> None:
            while not ended.is_set():
                with suppress(JournalError):
                    text = line()
                    if not ended.is_set():
                        self.notify(f"STATUS={text}")
                ended.wait(_CHECK_EVERY)

        if self._address:
            threading.Thread(target=show, daemon=True).start()
        try:
            yield
        finally:
            ended.set()

    def watch(self, running: Worker, signals: Signals, seconds: float = math.inf) -> str:
        """Wait for a signal, and notify the watchdog while the worker is alive.

        Returns:
            The signal's name; empty after so many seconds, or if the worker has ended.
        """
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if name := signals.wait(min(left, _CHECK_EVERY, (self.timeout or _CHECK_EVERY) / 3)):
                return name
            if not running.running:
                return ""
            if running.unresponsive_for < _SILENT:
                self.notify("WATCHDOG=1")
        return ""

    def serve(self, running: Worker, signals: Signals, line: Callable[[], str], grace: float = GRACE) -> End:
        """Let a started worker deliver until a signal or its failure, then stop it.

        Args:
            running: The worker; its `on_failure` is `signals.wake`.
            signals: What ends it.
            line: Its state, for `systemctl status`.
            grace: Seconds for posts under way to finish.
        """
        self.notify("READY=1")
        with self.showing(line):
            name = self.watch(running, signals)
        self.notify("STOPPING=1")
        failure = running.failure
        return End(name, failure, running.stop(timeout=grace))
