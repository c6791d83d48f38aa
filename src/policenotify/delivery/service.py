"""Signals that end deliveries in order, and a worker as a service of systemd."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from policenotify.delivery.worker import Worker

GRACE = 30.0
"""Seconds for posts to finish: above most networks' timeouts, below systemd's 90."""

_ENDS = (signal.SIGTERM, signal.SIGINT)
_LOOK = 0.1  # seconds between two looks for a signal
_CHECK_EVERY = 30.0  # seconds between two checks of the worker, unless a watchdog asks for more
_SILENT = 90.0  # seconds of silence until the watchdog is no longer notified: a locked journal takes 30


def end_at_once(number: int, _frame: FrameType | None) -> NoReturn:
    """End the process as the signal would by default, with the exit code that shells report."""
    os._exit(128 + number)


class Signals:
    """What arrived; see `ended_by_signals`."""

    def __init__(self) -> None:
        self.arrived: str = ""

    def wait(self, seconds: float, *, during: Callable[[], bool] = lambda: True) -> str:
        """Return the name of the signal that arrived, or an empty text after a time, or once *during* returns False.

        It looks again and again: a handler that sets a `threading.Event` waits for ever if the signal arrives while its
        own thread begins to wait for that event.
        """
        until = time.monotonic() + seconds
        while not self.arrived and (left := until - time.monotonic()) > 0 and during():
            time.sleep(min(left, _LOOK))
        if name := self.arrived:
            self.arrived = ""
        return name


@contextmanager
def ended_by_signals(interrupt: Callable[[], bool] = lambda: True) -> Iterator[Signals]:
    """Note the first SIGTERM or SIGINT. The second one ends the process at once.

    Args:
        interrupt: Called in the handler of the first one. It returns whether there is anything to end in order. If not,
            the signal has its usual effect.
    """
    signals, process = Signals(), os.getpid()
    before: dict[signal.Signals, Any] = {}

    def restore() -> None:
        while before:
            signal.signal(*before.popitem())

    def note(number: int, _frame: FrameType | None) -> None:
        if os.getpid() != process or not interrupt():  # a forked child ends by its own signals
            restore()
            os.kill(os.getpid(), number)
            return
        for ending in before:
            # For process 1, as in a container, the default is to ignore it.
            signal.signal(ending, end_at_once if process == 1 else signal.SIG_DFL)
        signals.arrived = signal.Signals(number).name

    if threading.current_thread() is threading.main_thread():  # no other may set a handler
        for number in _ENDS:
            if (handler := signal.getsignal(number)) is not signal.SIG_IGN:  # as in the background of a shell
                before[number] = handler
                signal.signal(number, note)
    try:
        yield signals
    finally:
        restore()


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
        """Send `READY=1`, `WATCHDOG=1` or `STOPPING=1`. Failures are ignored."""
        if self._address:
            with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
                out.settimeout(0)  # a manager that does not read must not block the worker
                out.connect(self._address)
                out.send(state.encode())

    def serve(self, running: Worker, signals: Signals) -> str:
        """Wait until a started worker must be stopped, and notify the watchdog while it is alive.

        Returns:
            The name of the signal that ends it. Empty if it has failed.
        """
        self.notify("READY=1")
        name, pause = "", min(_CHECK_EVERY, (self.timeout or _CHECK_EVERY) / 3)
        while running.running and not (name := signals.wait(pause, during=lambda: running.running)):
            if running.unresponsive_for < _SILENT:
                self.notify("WATCHDOG=1")
        self.notify("STOPPING=1")
        return name
