"""`worker`: it delivers until it is stopped, and reports its state."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.testing.servers.http import NoResponse, RecordedRequest
from tests.support.installation import Desk, accident
from tests.support.patience import PATIENCE, until
from tests.support.shell import ACCIDENT, Run

UNDER_WAY = ("A worker sends it; it ", "It is being sent now.")


def _end_when(reached: Callable[[], object]) -> None:
    """Send the signal once it is so."""

    def wait() -> None:
        try:
            until(reached)
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
            noted.wait(PATIENCE)

        desk.bluesky.disturb(answer_once_noted)

        def delivered() -> bool:
            publication = other.operations.publication("waits")
            assert publication is not None
            notes.extend(str(receipt.note) for receipt in publication if not receipt.outcome.is_final)
            if notes and notes[-1].startswith(UNDER_WAY):
                noted.set()
            return publication.ok and b"WATCHDOG=1" in told

        _end_when(delivered)
        ran = run("worker", "--json")
        assert ran.code == 0, ran.err
        assert ran.document == {"ended_by": "SIGTERM", "finished": True}
        assert ran.err.startswith(
            "Delivering on bluesky, presse.\nsky: It is no longer in the settings, and its readers know of old,"
        )
        assert noted.is_set(), notes
        assert other.journal.workers.running() == ()
    listener.join(PATIENCE)
    assert (told[0], set(told[1:-1])) == (b"READY=1", {b"WATCHDOG=1"})
    assert len(desk.bluesky.posts) == 2
    assert signal.getsignal(signal.SIGTERM) is before


def test_unfinished_work_is_reported(run: Run, desk: Desk) -> None:
    run("publish", *ACCIDENT, "--wait", "0", "--to", "bluesky")
    desk.bluesky.always(NoResponse())
    _end_when(lambda: desk.bluesky.requests)
    ran = run("worker", "--grace", "0")
    assert ran.code == 3
    assert "Ended by SIGTERM. A post was still under way after 0 s." in ran.words


def test_a_signal_ends_a_drain_between_two_people(run: Run, desk: Desk) -> None:
    desk.addresses = tuple(f"lecteur{number:03d}@journal.example" for number in range(100))
    desk.write_settings()
    desk.mail.delay("DATA", 0.1)
    assert run("publish", *ACCIDENT, "--to", "presse", "--key", "waits", "--wait", "0").code in {0, 3}
    _end_when(lambda: desk.mail.mails)
    ran = run("drain")
    assert (ran.code, ran.err) == (130, "")
    with desk.publisher() as other:
        publication = other.operations.publication("waits")
        assert publication is not None
        posted = len(desk.mail.mails)
        assert 0 < posted < len(desk.addresses)
        counts = {Outcome.POSTED: posted, Outcome.WAITING: len(desk.addresses) - posted}
        assert publication.on("presse").recipients == counts
    desk.mail.recover()
    assert run("drain").code == 0
    assert sorted(mail.recipient for mail in desk.mail.mails) == sorted(desk.addresses)
