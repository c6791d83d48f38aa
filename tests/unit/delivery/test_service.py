"""A worker as a service: it ends with signals, and its manager is notified."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from policenotify.delivery.service import Supervisor, end_at_once, ended_by_signals
from tests.support.patience import PATIENCE


@pytest.mark.parametrize(("process", "handler"), [(1, end_at_once), (4711, signal.SIG_DFL)])
def test_a_second_signal_ends_any_process(process: int, handler: object, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: process)
    with ended_by_signals() as signals:
        os.kill(ours, signal.SIGTERM)  # also before it waits
        assert signal.getsignal(signal.SIGTERM) is signal.getsignal(signal.SIGINT) is handler
        assert signals.wait(PATIENCE) == "SIGTERM"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of a fork beside threads
def test_a_signal_to_a_forked_child_ends_the_child_alone() -> None:
    with ended_by_signals() as signals:
        if (child := os.fork()) == 0:
            os.kill(os.getpid(), signal.SIGTERM)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
        assert signals.wait(0) == ""
        os.kill(os.getpid(), signal.SIGTERM)
        assert signals.wait(PATIENCE) == "SIGTERM"


def test_where_there_is_nothing_to_end_a_signal_has_its_usual_effect() -> None:
    with pytest.raises(KeyboardInterrupt), ended_by_signals(lambda: False):
        os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("arrives_at", range(1, 10))
def test_no_signal_is_lost_while_it_begins_to_collect_them(arrives_at: int) -> None:
    lines, earlier = 0, list[int]()

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal lines
        if event == "line" and frame.f_code.co_name == "ended_by_signals":
            lines += 1
            if lines == arrives_at:
                os.kill(os.getpid(), signal.SIGTERM)
        return trace

    handler = signal.signal(signal.SIGTERM, lambda number, _frame: earlier.append(number))
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        with ended_by_signals() as signals:
            sys.settrace(before)
            assert lines < arrives_at or earlier or signals.wait(PATIENCE) == "SIGTERM"
    finally:
        sys.settrace(before)
        signal.signal(signal.SIGTERM, handler)


def test_a_worker_that_hangs_is_not_reported_alive(manager: socket.socket) -> None:
    class Hanging:
        running = True
        unresponsive_for = 91.0

    class Once:
        waited = 0

        def wait(self, seconds: float, *, during: Callable[[], bool]) -> str:
            assert during()
            self.waited += 1
            assert seconds == 10.0
            return "SIGTERM" if self.waited == 3 else ""

    supervisor = Supervisor({"NOTIFY_SOCKET": os.environ["NOTIFY_SOCKET"], "WATCHDOG_USEC": "30000000"})
    assert supervisor.serve(Hanging(), Once()) == "SIGTERM"  # type: ignore[arg-type]  # as they look
    assert [manager.recv(99), manager.recv(99)] == [b"READY=1", b"STOPPING=1"]
    manager.settimeout(0)
    with pytest.raises(BlockingIOError):
        manager.recv(9)


def test_an_unresponsive_service_manager_delays_nothing(manager: socket.socket) -> None:
    supervisor = Supervisor({"NOTIFY_SOCKET": str(manager.getsockname())})
    for _ in range(1000):  # more than fits into it
        supervisor.notify("WATCHDOG=1")
    assert manager.recv(99) == b"WATCHDOG=1"


def test_without_a_manager_nothing_is_notified() -> None:
    for environ in ({}, {"NOTIFY_SOCKET": "@nobody-listens-here"}, {"WATCHDOG_USEC": "5000000"}):
        supervisor = Supervisor(environ)
        supervisor.notify("READY=1")
        assert supervisor.timeout is None
    assert Supervisor({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "5000000", "WATCHDOG_PID": "1"}).timeout is None
