"""Threads that hang, fall silent or end, a journal that fails, and a post that always fails: nothing is lost."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from policenotify.channel import CHUNK, PostRef, RecipientOutcome, Request
from policenotify.errors import JournalError
from policenotify.journal.database import engine as database_engine
from policenotify.journal.lists.state import BATCH
from policenotify.model.cap import Severity
from policenotify.model.history import Outcome
from policenotify.testing.fakes import FakeClock
from tests.support.clocks import PassingClock
from tests.support.drains import LEASE, NOW, OVER, Made, in_thread, pass_by, threads_now, worker_threads
from tests.support.fake_network import KEYED, MAIL, Book, Hang, Scripted, everybody
from tests.support.patience import LONG, PATIENCE, short, until


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    opened = Book(tmp_path, PassingClock())
    yield opened
    opened.journal.close()


# --- threads that are lost


def test_a_silent_thread_is_replaced_and_changes_nothing_any_more(
    book: Book, delivers: Made, caplog: pytest.LogCaptureFixture
) -> None:
    sky, hang = Scripted(capabilities=KEYED), Hang()
    sky.sends.append(hang)
    published = book.publish("sky")
    delivery = delivers(sky=sky)
    drain = in_thread(lambda: delivery.drain(2 * LEASE, publication=published))
    assert hang.begun.wait(PATIENCE)
    pass_by(book, OVER)
    drain.join(PATIENCE)
    receipt = book.receipt(published)
    assert (receipt.outcome, receipt.attempts) == (Outcome.POSTED, 2)
    assert sky.said[0] == sky.said[1]
    hang.go.set()
    assert worker_threads() == []
    assert book.receipt(published) == receipt
    assert [record.getMessage() for record in caplog.records] == [
        f"Channel sky: Delivery {receipt.delivery} on 'sky' was taken over by another runner."
    ]


def test_a_long_mail_is_not_taken_for_a_silent_thread(book: Book, delivers: Made) -> None:
    news, clock = Scripted(capabilities=MAIL, people=[f"{number}@press.example" for number in range(60)]), FakeClock()
    delivery = delivers(news=news, clock=clock)

    def slow(people: Any) -> Any:
        clock.pass_by(LEASE.total_seconds() * 0.75)
        delivery.drain(NOW)
        return everybody(people)

    news.sends.extend([slow, slow, slow])
    first = book.publish("news", people=())
    second = book.publish("news", people=())
    over = threading.Event()
    worker = in_thread(lambda: delivery.drain(None, stop=over.is_set))  # its lists have time
    until(lambda: book.receipt(second, "news").outcome.is_final)
    over.set()
    delivery.wake()
    worker.join(PATIENCE)
    assert {book.receipt(one, "news").outcome for one in (first, second)} == {Outcome.POSTED}
    assert (news.opened, [len(chunk) for chunk in news.written_to]) == (1, [25, 25, 10] * 2)


@pytest.mark.parametrize("is_read", [False, True], ids=["being read", "read"])
def test_one_list_is_sent_by_one_thread_and_another_one_beside_it(
    book: Book,
    delivers: Made,
    is_read: bool,  # noqa: FBT001 - a parameter
) -> None:
    people = [f"{number}@press.example" for number in range(BATCH + CHUNK)]
    news, hang = Scripted(capabilities=MAIL, people=people), Hang()

    def hangs(reached: Any) -> Any:
        hang.begun.set()
        assert hang.go.wait(PATIENCE)
        return everybody(reached)

    def later(reached: Any) -> Any:
        return [RecipientOutcome(key=person.key, outcome="unavailable", reason="Later.") for person in reached]

    # In the second case all batches wait again after they were tried.
    news.sends.extend([*[later] * (len(people) // CHUNK if is_read else 0), hangs])
    delivery, over = delivers(news=news), threading.Event()
    worker = in_thread(lambda: delivery.drain(None, stop=over.is_set))  # its lists have time
    severe = book.publish("news", people=(), severity=Severity.SEVERE)
    assert hang.begun.wait(PATIENCE)
    until(lambda: book.journal.deliveries.is_ready("news", severe_only=True))  # for a second thread
    before = len(news.said)
    delivery.drain(NOW)
    assert len(threads_now()) == 1
    assert len(news.said) == before

    extreme = book.publish("news", people=(), severity=Severity.EXTREME)
    delivery.drain(LONG, publication=extreme)
    assert book.receipt(extreme, "news").outcome is Outcome.POSTED
    assert dict(book.receipt(severe, "news").recipients or {})[Outcome.SENDING] == CHUNK

    hang.go.set()
    delivery.drain(LONG, publication=severe)
    over.set()
    delivery.wake()
    worker.join(PATIENCE)
    assert book.receipt(severe, "news").recipients == {Outcome.POSTED: len(people)}


def test_any_end_of_a_thread_is_logged_and_leaves_a_doubt(
    book: Book, delivers: Made, caplog: pytest.LogCaptureFixture
) -> None:
    sky = Scripted(capabilities=KEYED)

    def leave(_request: Request) -> PostRef:
        raise asyncio.CancelledError

    sky.sends.append(leave)
    published = book.publish("sky")
    delivers(sky=sky).drain(NOW)
    assert worker_threads() == []
    assert "Channel sky: CancelledError escaped." in caplog.text
    pass_by(book, OVER)
    delivers(sky=sky).drain(LONG, publication=published)
    receipt = book.receipt(published)
    assert (receipt.outcome, receipt.attempts) == (Outcome.POSTED, 2)
    assert sky.said[0] == sky.said[1]


def test_a_post_whose_result_could_not_be_stored_is_looked_into_long_before_its_lease_ends(
    book: Book, delivers: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    sky, failed = Scripted(capabilities=KEYED), threading.Event()
    record = type(book.journal.deliveries).record_result

    def full(*given: Any, **named: Any) -> Any:
        if failed.is_set():
            return record(*given, **named)
        failed.set()
        raise JournalError("The disk is full.")

    monkeypatch.setattr(type(book.journal.deliveries), "record_result", full)
    published = book.publish("sky")
    delivery = delivers(sky=sky, rest=0.05)
    delivery.drain(NOW)
    assert failed.wait(PATIENCE)
    assert worker_threads() == []
    assert book.receipt(published).outcome is Outcome.SENDING
    delivery.drain(LONG, publication=published)
    receipt = book.receipt(published)
    assert (receipt.outcome, receipt.attempts) == (Outcome.POSTED, 2)
    assert sky.said[0] == sky.said[1]  # the network publishes it once


def test_a_machine_without_threads_does_not_crash(
    book: Book, delivers: Made, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    published = book.publish("sky")
    delivery = delivers(sky=Scripted(), rest=0.1)

    def none_left(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none_left)
        delivery.drain(timedelta(seconds=0.15), publication=published)
    assert {record.getMessage() for record in caplog.records} == {"Channel sky: can't start new thread"}
    delivery.drain(LONG, publication=published)
    assert book.receipt(published).outcome is Outcome.POSTED


def test_a_journal_that_is_locked_loses_nothing(
    tmp_path: Path, delivers: Made, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_engine, "BUSY", short(0.1))
    folder = tmp_path / "locked"
    folder.mkdir()
    book = Book(folder, PassingClock())
    other = sqlite3.connect(book.path, isolation_level=None, check_same_thread=False)
    sky = Scripted(capabilities=KEYED)

    def lock(request: Request) -> PostRef:
        other.execute("BEGIN IMMEDIATE")
        pass_by(book, LEASE / 2)  # so that the drain has to write, too
        return sky.ref(request)

    sky.sends.append(lock)
    published = book.publish("sky", people=None)
    with pytest.raises(JournalError):
        delivers(into=book, sky=sky).drain(2 * LEASE)
    assert worker_threads() == []
    [record] = caplog.records
    assert record.getMessage().startswith("Channel sky: The journal could not be written: another process")
    assert record.exc_info is None
    other.execute("ROLLBACK")
    other.close()
    pass_by(book, OVER)
    delivers(into=book, sky=sky).drain(LONG, publication=published)
    receipt = book.receipt(published)
    assert (receipt.outcome, receipt.attempts) == (Outcome.POSTED, 2)
    assert sky.said[0] == sky.said[1]
    book.journal.close()


def test_a_post_that_always_fails_unexpectedly_blocks_no_other_and_expires(book: Book, delivers: Made) -> None:
    sky = Scripted()

    def odd(request: Request) -> PostRef:
        if request.body["text"] == "post 1":
            raise KeyError("token=xyz")
        return sky.ref(request)

    sky.sends.extend([odd] * 9)
    poison = book.publish("sky", incident="I1", severity=Severity.EXTREME, lives=timedelta(hours=1))
    other, behind = book.publish("sky"), book.publish("sky", incident="I1")
    delivery = delivers(sky=sky, backoff=lambda _before: timedelta(minutes=10))  # no drain waits so long
    for attempts in (1, 2, 3):
        delivery.drain(LONG)
        assert book.receipt(poison).attempts == attempts
        assert book.receipt(other).outcome is Outcome.POSTED
        assert book.receipt(behind).outcome is Outcome.WAITING
        pass_by(book, timedelta(minutes=10))
    pass_by(book, timedelta(hours=1))
    delivery.drain(LONG)  # what may be out and is stale by now is for a person to look at
    assert book.receipt(poison).outcome is Outcome.HELD
    assert book.receipt(behind).outcome is Outcome.POSTED
    assert "xyz" not in str(book.publication(poison))
