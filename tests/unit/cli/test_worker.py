"""`worker`: it delivers until it is stopped, and reports its state."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from policenotify.cli import end_at_once
from policenotify.cli.systemd import Supervisor, ended_by_signals
from policenotify.errors import JournalError
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.testing.servers.http import NoResponse, RecordedRequest
from tests.support.installation import Desk, accident
from tests.support.shell import ACCIDENT, Run

UNDER_WAY = ("A worker sends it; it ", "It is being sent now.")


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A service manager that listens, as systemd does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listening


def _end_when(reached: object) -> None:
    """Send the signal once it is so."""

    def wait() -> None:
        until = time.monotonic() + 20
        try:
            while not reached() and time.monotonic() < until:  # type: ignore[operator]  # a function
                time.sleep(0.02)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def test_it_delivers_until_a_signal_and_notifies_its_manager(
    run: Run, desk: Desk, manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "150000")
    told: list[bytes] = []

    def listen() -> None:
        while told[-1:] != [b"STOPPING=1"]:
            told.append(manager.recv(99))

    listener = threading.Thread(target=listen)
    before = signal.getsignal(signal.SIGTERM)
    with desk.publisher([desk.on_bluesky("sky")]) as earlier:
        lifecycle = Lifecycle(stage=Stage.OPENING, incident="old")
        earlier.publish(accident(lifecycle=lifecycle), key="old", actor="desk")
    listener.start()
    with desk.publisher() as other:
        other.publish(accident(), key="waits", actor="desk", to=["bluesky"], wait=timedelta(0))
        notes: list[str] = []
        noted = threading.Event()

        def answer_once_noted(_: RecordedRequest) -> None:
            noted.wait(10)

        desk.bluesky.disturb(answer_once_noted)

        def delivered() -> bool:
            publication = other.publication("waits")
            assert publication is not None
            notes.extend(receipt.note for receipt in publication if not receipt.outcome.is_final)
            if notes and notes[-1].startswith(UNDER_WAY):
                noted.set()
            return publication.ok and b"WATCHDOG=1" in told

        _end_when(delivered)
        ran = run("worker", "--json")
        assert ran.code == 0, ran.err
        assert ran.document == {"ended_by": "SIGTERM", "finished": True}
        assert ran.err.startswith(
            "Delivering on bluesky, presse.\nsky is no longer in the settings, and its readers know of old,"
        )
        assert noted.is_set(), notes
        assert other.journal.workers.last_worker_heartbeat() is None
    listener.join(10)
    shown = {note for note in told if note.startswith(b"STATUS=waiting ")}
    assert shown
    assert (told[0], set(told[1:-1]) - shown) == (b"READY=1", {b"WATCHDOG=1"})
    assert len(desk.bluesky.posts) == 2
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(("process", "handler"), [(1, end_at_once), (4711, signal.SIG_DFL)])
def test_a_second_signal_ends_any_process(process: int, handler: object, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = os.getpid()
    with ended_by_signals() as signals:
        os.kill(ours, signal.SIGTERM)
        monkeypatch.setattr(os, "getpid", lambda: process)
        assert signals.wait(5) == "SIGTERM"
        assert signal.getsignal(signal.SIGTERM) is signal.getsignal(signal.SIGINT) is handler


def test_unfinished_work_is_reported(run: Run, desk: Desk) -> None:
    run("publish", *ACCIDENT, "--wait", "0", "--to", "bluesky")
    desk.bluesky.always(NoResponse(1.5))
    _end_when(lambda: desk.bluesky.requests)
    ran = run("worker", "--grace", "0")
    assert ran.code == 3
    assert "Ended by SIGTERM. A post was still under way after 0 s." in ran.words


def test_a_worker_that_hangs_is_not_reported_alive(manager: socket.socket) -> None:
    class Hanging:
        running = True
        unresponsive_for = 91.0

    class Once:
        waited = 0

        def wait(self, seconds: float) -> str:
            self.waited += 1
            assert seconds == 10.0
            return "SIGTERM" if self.waited == 3 else ""

    supervisor = Supervisor({"NOTIFY_SOCKET": os.environ["NOTIFY_SOCKET"], "WATCHDOG_USEC": "30000000"})
    assert supervisor.watch(Hanging(), Once()) == "SIGTERM"  # type: ignore[arg-type]  # as they look
    manager.settimeout(0)
    with pytest.raises(BlockingIOError):
        manager.recv(9)


def test_a_journal_that_fails_shows_no_state_and_ends_nothing(manager: socket.socket) -> None:
    def fails() -> str:
        raise JournalError("The journal is away.")

    supervisor = Supervisor({"NOTIFY_SOCKET": str(manager.getsockname())})
    with supervisor.showing(fails):
        supervisor.notify("WATCHDOG=1")
        assert manager.recv(99) == b"WATCHDOG=1"
    with supervisor.showing(lambda: "waiting 2, blocked x"):
        assert manager.recv(99) == b"STATUS=waiting 2, blocked x"


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


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of a fork beside threads
def test_a_second_signal_ends_it_at_once() -> None:
    if (child := os.fork()) == 0:
        with ended_by_signals() as signals:
            os.kill(os.getpid(), signal.SIGINT)
            if signals.wait(10) == "SIGINT" and signals.wait(0) == "":
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(10)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
