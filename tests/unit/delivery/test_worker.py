"""The background worker: when it works, when it sleeps, and that only a stop ends it."""

from __future__ import annotations

import logging
import os
import secrets
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import cast
from unittest.mock import Mock

import pytest

from policenotify.channel import Clock
from policenotify.delivery import worker as worker_module
from policenotify.delivery.dispatcher import Dispatcher
from policenotify.delivery.worker import Worker
from policenotify.errors import JournalError
from policenotify.journal import open_journal
from policenotify.journal.clock import SystemClock
from policenotify.journal.keys import Keys
from policenotify.model.history import Outcome
from policenotify.publishing.installation import Installation
from policenotify.publishing.publisher import Publisher
from policenotify.testing.fakes import FakeClock
from policenotify.testing.samples import PARIS, SENDER
from tests.support.fake_network import Book, Hang, Scripted
from tests.support.installation import INCIDENT, accident
from tests.support.patience import LONG, PATIENCE

SOON = 0.005


@dataclass
class Script:
    """A dispatcher that counts the looks of its worker."""

    clock: Clock
    journal: Mock = field(default_factory=Mock)
    looks: int = 0
    error: Exception | None = None
    failures: int = 0
    hold: threading.Event | None = None
    woken: threading.Event = field(default_factory=threading.Event)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def drain(self, budget: None, *, stop: Callable[[], bool], duties: Callable[[], bool]) -> None:
        assert (budget, duties()) == (None, False)
        while not stop():
            if self.error is not None:
                self._count("failures")
                raise self.error
            self._count("looks")
            self.woken.wait(SOON)
            if self.hold is not None:
                self.hold.wait(PATIENCE)

    def _count(self, what: str) -> None:
        with self.changed:
            setattr(self, what, getattr(self, what) + 1)
            self.changed.notify_all()

    def wake(self) -> None:
        self.woken.set()

    def finish(self, *, timeout: float) -> bool:
        return timeout > 0

    def until(self, reached: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(reached, timeout=PATIENCE)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def script(clock: FakeClock) -> Script:
    return Script(clock)


@pytest.fixture
def worker(script: Script, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    monkeypatch.setattr(worker_module, "_PAUSE", SOON)
    made = Worker(cast("Dispatcher", script), begin=lambda: None, duties=lambda: False)
    yield made
    script.error = None
    assert made.stop()


def test_a_broken_journal_is_reported_once_and_stops_nothing(
    worker: Worker, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    script.error = JournalError("The disk is full.")
    worker.start()
    script.until(lambda: script.failures == 3)
    script.error = OSError("token=abc")
    script.until(lambda: script.failures == 5)
    script.error = None
    script.until(lambda: script.looks == 3)
    assert worker.running
    worker.stop()
    assert [record.getMessage() for record in caplog.records] == [
        "The worker waits: The disk is full.",
        "The worker waits: OSError escaped.",
        "The worker goes on.",
    ]


def test_its_silence_is_measured(worker: Worker, script: Script, clock: FakeClock) -> None:
    script.hold = threading.Event()
    worker.start()
    script.until(lambda: script.looks == 1)
    clock.pass_by(90)
    assert worker.unresponsive_for == 90
    script.hold.set()
    assert worker.stop()
    assert not worker.running


# --- with a journal


@pytest.fixture
def publishers(tmp_path: Path) -> Iterator[Callable[[], Publisher]]:
    """Makes publishers on one journal, as several processes have them, with a network in memory."""
    keys, opened = Keys.create(secrets.token_bytes), ExitStack()

    def make() -> Publisher:
        journal = open_journal(str(tmp_path / "journal.db"), keys=keys, create=True)
        made = Publisher(
            Installation(journal=journal, channels=[Scripted().configured("sky")], zone=PARIS, sender=SENDER)
        )
        return opened.enter_context(made)

    with opened:
        yield make


def _posted(publisher: Publisher, wanted: str) -> bool:
    told = publisher.operations.publication(wanted)
    return told is not None and all(receipt.outcome is Outcome.POSTED for receipt in told)


def _soon(reached: Callable[[], bool]) -> bool:
    until = time.monotonic() + PATIENCE
    while not reached() and time.monotonic() < until:
        time.sleep(0.02)
    return reached()


def test_it_delivers_what_this_and_another_process_publish(publishers: Callable[[], Publisher]) -> None:
    publisher, other = publishers(), publishers()
    with publisher.worker():
        told = publisher.publish(accident(), key="here", actor="desk", wait=timedelta(0))
        waiting = {receipt.note for receipt in told if not receipt.outcome.is_final}
        assert all(str(note).startswith(("A worker sends it; it ", "It is being sent now.")) for note in waiting)
        assert told.ok  # it waits for no person
        assert _soon(lambda: _posted(publisher, "here"))
        over = publisher.operations.incident(INCIDENT).end("Fin d'intervention", description="Circulation rétablie.")
        other.publish(over, key="there", actor="desk", wait=timedelta(0))
        assert _soon(lambda: _posted(other, "there"))
        assert publisher.worker().running
    assert not publisher.worker().running
    publisher.worker().start()
    publisher.close()
    assert not publisher.worker().running


def test_deliveries_under_way_have_time_to_finish_and_nothing_new_is_taken(tmp_path: Path) -> None:
    book = Book(tmp_path, SystemClock())
    with closing(book.journal):
        sky, hang = Scripted(), Hang()
        sky.sends.append(hang)
        first, second = book.publish("sky"), book.publish("sky")
        delivery = Dispatcher(journal=book.journal, channels={"sky": sky.configured("sky")}, clock=SystemClock())
        delivery.drain(timedelta(0))
        assert hang.begun.wait(PATIENCE)
        threading.Timer(0.05, hang.go.set).start()
        assert delivery.finish()
        assert (book.receipt(first).outcome, book.receipt(second).outcome) == (Outcome.POSTED, Outcome.WAITING)
        assert delivery.next_due() is not None
        delivery.drain(LONG, stop=lambda: True)
        assert book.receipt(second).outcome is Outcome.WAITING
        delivery.drain(LONG)  # it may be used again
        assert book.receipt(second).outcome is Outcome.POSTED
        sky.sends.append(again := Hang())
        third = book.publish("sky")
        delivery.drain(timedelta(0))
        assert again.begun.wait(PATIENCE)
        assert not delivery.finish(timeout=0.01)
        again.go.set()
        assert _soon(lambda: book.receipt(third).outcome is Outcome.POSTED)
        delivery.close()


def _of_child(publisher: Publisher, worker: Worker, caplog: pytest.LogCaptureFixture) -> int:
    """Return the exit code of a forked child that starts a worker: 0, or 3 if it refuses the journal."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads: it is what is tried here
        child = os.fork()
    if child == 0:
        code = 1
        try:
            said = worker.running, worker.running, [record.getMessage() for record in caplog.records]
            warned = f"The worker runs in process {os.getppid()}, not in its forked child. Start one here."
            publisher.publish(accident(lifecycle={"stage": "opening"}), key="child", actor="desk", wait=timedelta(0))
            with worker:
                sent = worker.running and _soon(lambda: _posted(publisher, "child"))
            code = 0 if sent and said == (False, False, [warned]) else 2
        except JournalError:
            code = 3
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_forked_child_has_no_worker_until_it_starts_its_own(
    publishers: Callable[[], Publisher], caplog: pytest.LogCaptureFixture
) -> None:
    publisher = publishers()
    worker = publisher.worker().start()
    publisher.publish(accident(), key="parent", actor="desk", wait=timedelta(0))
    assert _soon(lambda: _posted(publisher, "parent"))
    # A child forked while the worker just uses the journal refuses it.
    codes = iter(lambda: _of_child(publisher, worker, caplog), None)
    assert next(code for code in codes if code != 3) == 0
    assert worker.running
    assert worker.stop()
