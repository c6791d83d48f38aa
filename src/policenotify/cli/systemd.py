"""Whoever runs the process: it is told how it fares (systemd), and tells it to end (a signal)."""

from __future__ import annotations

import math
import os
import select
import signal
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policenotify.delivery.worker import Worker

GRACE = 30.0
"""Seconds for which posts may finish at the end: longer than most networks' timeouts, shorter than systemd's patience
(90)."""

_ENDS = (signal.SIGTERM, signal.SIGINT)
_LOOKS = 30.0  # seconds between two looks at the worker, where no watchdog asks for more
_HANGS = 90.0  # seconds without a sign of life, after which the watchdog hears nothing: a locked journal takes 30


class Signals:
    """What arrived; see `ended_by_signals`."""

    def __init__(self, arrived: int, note: int) -> None:
        self._arrived = arrived
        self._note = note

    def wake(self) -> None:
        """End a `wait` that is under way, from another thread."""
        with suppress(OSError):
            os.write(self._note, b"\0")

    def wait(self, seconds: float) -> str:
        """The name of the signal that wants an end, waited for at most so long; empty: none came."""
        ready, _, _ = select.select([self._arrived], [], [], seconds)
        for number in os.read(self._arrived, 64) if ready else b"":
            if number in _ENDS:
                for one in _ENDS:  # who asks again does not want to wait
                    signal.signal(one, signal.SIG_DFL)
                return signal.Signals(number).name
        return ""


@contextmanager
def ended_by_signals() -> Iterator[Signals]:
    """SIGTERM and SIGINT are waited for; the second one ends the process at once.

    Each is written into a pipe as it arrives, in whatever thread that is; no lock can be in its way.
    """

    def noted(_number: int, _frame: FrameType | None) -> None:
        """The pipe has it."""

    arrived, note = os.pipe()
    os.set_blocking(note, False)
    before = {one: signal.signal(one, noted) for one in _ENDS}
    wakes = signal.set_wakeup_fd(note, warn_on_full_buffer=False)
    try:
        yield Signals(arrived, note)
    finally:
        signal.set_wakeup_fd(wakes)
        for one, handler in before.items():
            signal.signal(one, handler)
        os.close(arrived)
        os.close(note)


class Supervisor:
    """The service manager, if there is one that listens: the protocol of sd_notify(3)."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        place = environ.get("NOTIFY_SOCKET", "")
        self._place = f"\0{place[1:]}" if place.startswith("@") else place
        ours = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        usec = environ.get("WATCHDOG_USEC", "")
        self.watches: float | None = int(usec) / 1_000_000 if ours and usec.isdecimal() and self._place else None
        """For how many seconds it waits for a sign of life; `None`: it does not."""

    def tell(self, state: str) -> None:
        """Tell it: `READY=1`, `WATCHDOG=1`, `STOPPING=1`. One that is gone, or asleep, changes nothing."""
        if self._place:
            with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
                out.settimeout(0)  # one that does not listen must not hold us up
                out.connect(self._place)
                out.send(state.encode())

    def watch(self, running: Worker, signals: Signals, seconds: float = math.inf) -> str:
        """Wait for a signal, and tell the watchdog meanwhile that the worker comes round.

        Returns:
            The signal's name; empty: none came for so many seconds, or the worker has ended.
        """
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if name := signals.wait(min(left, _LOOKS, (self.watches or _LOOKS) / 3)):
                return name
            if not running.running:
                return ""
            if running.unresponsive_for < _HANGS:
                self.tell("WATCHDOG=1")
        return ""
