"""Delivery threads side by side, and drains that wait for what can still happen."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pytest
from sqlalchemy import update

from policenotify.channel import CHUNK, Clock, PostRef, RecipientOutcome, Request
from policenotify.delivery.dispatcher import Dispatcher
from policenotify.errors import Blocked, JournalError, MissingExtra, Unavailable, Unconfirmed
from policenotify.journal.clock import SystemClock
from policenotify.journal.database import engine as database_engine
from policenotify.journal.database import schema
from policenotify.journal.lists.state import BATCH
from policenotify.journal.records import AttemptResult
from policenotify.model.cap import Severity
from policenotify.model.history import Outcome
from policenotify.model.rate import Rate
from policenotify.testing.fakes import FakeClock
from tests.support.clocks import PassingClock
from tests.support.fake_network import KEYED, MAIL, Book, Hang, Scripted, everybody
from tests.support.patience import LONG, PATIENCE, short, until

NOW = timedelta(0)
LEASE = timedelta(minutes=30)  # no drain waits for its end
FAR_LEASE = timedelta(days=1)  # no drain looks again for what was interrupted
OVER = LEASE + timedelta(seconds=1)

Made = Callable[..., Dispatcher]


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    opened = Book(tmp_path, PassingClock())
    yield opened
    opened.journal.close()


@pytest.fixture
def delivers(book: Book) -> Iterator[Made]:
    """Make dispatchers with a short poll interval. Afterwards none of their threads may be left."""
    made: list[Dispatcher] = []

    def make(*, into: Book = book, **given: Any) -> Dispatcher:
        networks = {name: one for name, one in given.items() if isinstance(one, Scripted)}
        settings = {name: one for name, one in given.items() if name not in networks}
        channels = {name: one.configured(name) for name, one in networks.items()}
        delivery = Dispatcher(
            journal=into.journal,
            channels=channels,
            **{
                "clock": into.clock if isinstance(into.clock, SystemClock) else SystemClock(),
                "backoff": lambda _age: timedelta(seconds=0.05),
                "poll_interval": 0.05,
                "lease": LEASE,
                **settings,
            },
        )
        made.append(delivery)
        return delivery

    yield make
    for delivery in made:
        delivery.close()
    assert worker_threads() == []


def threads_now() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name.startswith("policenotify ")]


def worker_threads() -> list[str]:
    """The channels on which threads deliver, once those at their end have gone."""
    ends = time.monotonic() + PATIENCE
    while (left := threads_now()) and time.monotonic() < ends:
        left[0].join(0.01)
    return sorted(one.name.removeprefix("policenotify ") for one in left)


class Timed:
    """Measures whether a drain with a long budget ended early."""

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self.took = time.monotonic() - self._began

    @property
    def quick(self) -> bool:
        return self.took < PATIENCE / 2


def in_thread(call: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    return thread


def pass_by(book: Book, time: timedelta) -> None:
    assert isinstance(book.clock, PassingClock)
    book.clock.pass_by(time)


# --- starting and ending


def test_due_deliveries_are_sent_and_the_threads_end(book: Book, delivers: Made) -> None:
    sky, sms = Scripted(), Scripted()
    published = [book.publish("sky", "sms") for _ in range(3)]
    delivery = delivers(sky=sky, sms=sms)
    with Timed() as drained:
        assert delivery.drain(LONG) is None
    assert drained.quick
    assert {receipt.outcome for one in published for receipt in book.publication(one)} == {Outcome.POSTED}
    assert worker_threads() == []
    assert (sky.opened, sky.closed, sms.opened, sms.closed) == (1, 1, 1, 1)
    assert book.journal.workers.last_heartbeat() is not None


def test_a_failing_goodbye_changes_nothing(book: Book, delivers: Made, caplog: pytest.LogCaptureFixture) -> None:
    sky = Scripted()
    sky.closes.append(OSError("token=xyz"))
    published = book.publish("sky")
    delivers(sky=sky).drain(LONG, publication=published)
    assert worker_threads() == []
    assert book.receipt(published).outcome is Outcome.POSTED
    assert [record.getMessage() for record in caplog.records] == ["Channel sky did not close: OSError"]


# --- channel beside channel


def test_channels_are_delivered_beside_one_another(book: Book, delivers: Made) -> None:
    both = threading.Barrier(2, timeout=PATIENCE)

    def together(request: Request) -> PostRef:
        both.wait()
        return PostRef(account=request.account, id="1")

    sky, sms = Scripted(), Scripted()
    sky.sends.append(together)
    sms.sends.append(together)
    published = book.publish("sky", "sms")
    delivers(sky=sky, sms=sms).drain(LONG, publication=published)
    assert {receipt.outcome for receipt in book.publication(published)} == {Outcome.POSTED}


def test_a_channel_that_hangs_does_not_delay_another(book: Book, delivers: Made) -> None:
    sky, sms, hang = Scripted(), Scripted(), Hang()
    sky.sends.append(hang)
    published = [book.publish("sky", "sms") for _ in range(2)]
    delivery = delivers(sky=sky, sms=sms)
    drain = in_thread(lambda: delivery.drain(LONG))
    assert hang.begun.wait(PATIENCE)
    only = book.publish("sms")
    with Timed() as drained:
        delivery.drain(LONG, publication=only)
    assert drained.quick
    assert [book.receipt(one, "sms").outcome for one in (*published, only)] == [Outcome.POSTED] * 3
    assert book.receipt(published[0]).outcome is Outcome.SENDING
    hang.go.set()
    drain.join(PATIENCE)
    assert not drain.is_alive()
    assert book.receipt(published[1]).outcome is Outcome.POSTED


def test_a_warning_passes_while_routine_hangs_and_no_third_thread_is_opened(book: Book, delivers: Made) -> None:
    sky, routine, urgent = Scripted(), Hang(), Hang()
    sky.sends.extend([routine, sky.ref, urgent])
    first = book.publish("sky")
    delivery = delivers(sky=sky)
    delivery.drain(NOW)
    assert routine.begun.wait(PATIENCE)
    warning = book.publish("sky", severity=Severity.SEVERE)
    delivery.drain(LONG, publication=warning)
    assert book.receipt(warning).outcome is Outcome.POSTED

    calm = book.publish("sky")
    delivery.drain(timedelta(seconds=0.15), publication=calm)
    assert book.receipt(calm).outcome is Outcome.WAITING

    stuck = book.publish("sky", severity=Severity.EXTREME)
    delivery.drain(NOW)
    assert urgent.begun.wait(PATIENCE)
    late = book.publish("sky", severity=Severity.EXTREME)
    delivery.drain(timedelta(seconds=0.15), publication=late)
    assert book.receipt(late).outcome is Outcome.WAITING
    assert len(sky.said) == 3
    assert len([one for one in threading.enumerate() if one.name == "policenotify sky"]) == 2

    routine.go.set()
    urgent.go.set()
    delivery.drain(LONG)
    assert {book.receipt(one).outcome for one in (first, warning, calm, stuck, late)} == {Outcome.POSTED}


def test_a_channel_keeps_its_rate_and_a_drain_does_not_wait_for_it(book: Book, delivers: Made) -> None:
    sky, sms = Scripted(), Scripted()
    delivery = delivers(sms=sms)
    delivery.channels["sky"] = sky.configured("sky", rate=Rate(2, timedelta(hours=1), 2))
    published = [book.publish("sky", "sms") for _ in range(3)]
    with Timed() as drained:
        again = delivery.drain(LONG)
    assert drained.quick
    assert again is not None
    assert again > book.clock.now() + timedelta(minutes=59)
    assert (len(sky.said), len(sms.said)) == (2, 3)
    assert book.receipt(published[2]).outcome is Outcome.WAITING


def test_what_has_expired_is_settled_together_and_nothing_else_is(book: Book, delivers: Made) -> None:
    short_lived = timedelta(minutes=10)
    sky, news = Scripted(capabilities=KEYED), Scripted(capabilities=MAIL)
    sky.sends.append(Unconfirmed("Cut."))
    doubtful = book.publish("sky", lives=short_lived)
    delivers(sky=sky, backoff=lambda _age: timedelta(minutes=5)).drain(NOW)
    assert worker_threads() == []
    stale = [book.publish("sky", lives=short_lived) for _ in range(3)]
    listed = book.publish("news", lives=short_lived, people=["a@press.example"])
    fresh = book.publish("sky")
    pass_by(book, timedelta(hours=1))
    assert [book.journal.deliveries.settle_expired() for _ in range(2)] == [3, 0]
    assert {book.receipt(one).outcome for one in stale} == {Outcome.SUPERSEDED}
    assert "expired" in str(book.receipt(stale[0]).reason)
    assert book.receipt(doubtful).outcome is Outcome.UNCONFIRMED
    delivers(sky=sky, news=news).drain(LONG)
    assert book.receipt(listed, "news").outcome is Outcome.SUPERSEDED
    assert book.receipt(fresh).outcome is Outcome.POSTED
    book.journal.audit.verify()


# --- how long a drain waits


def test_no_wake_up_is_lost(book: Book, delivers: Made) -> None:
    delivery = delivers(sky=Scripted(), sms=Scripted(), poll_interval=2 * PATIENCE)  # only the threads wake the drain
    with Timed() as drained:
        for _ in range(10):
            published = book.publish("sky", "sms")
            delivery.drain(LONG, publication=published)
            assert {receipt.outcome for receipt in book.publication(published)} == {Outcome.POSTED}
        delivery.drain(LONG)
    assert drained.quick


def test_a_drain_tries_again_within_its_budget(book: Book, delivers: Made) -> None:
    sky = Scripted()
    sky.sends.extend([Unavailable("Down.")] * 3)
    published = book.publish("sky")
    with Timed() as drained:
        assert delivers(sky=sky).drain(LONG) is None
    assert drained.quick
    assert (book.receipt(published).outcome, len(sky.said)) == (Outcome.POSTED, 4)


@pytest.mark.parametrize(
    "error",
    [
        Blocked("Revoked."),
        Unavailable("Down.", retry_at=datetime(2126, 1, 1, tzinfo=UTC)),
        Unavailable("Slow down.", retry_at=datetime(2126, 1, 1, tzinfo=UTC), whole_channel=True),
    ],
    ids=["blocked", "later", "paused"],
)
def test_a_drain_returns_when_its_publication_cannot_go_on(book: Book, delivers: Made, error: Exception) -> None:
    sky = Scripted()
    sky.sends.append(error)
    published = book.publish("sky", "sms")
    delivery = delivers(sky=sky, sms=Scripted())
    with Timed() as drained:
        assert delivery.drain(LONG, publication=published) is None
    assert drained.quick
    assert [receipt.outcome for receipt in book.publication(published)] == [Outcome.WAITING, Outcome.POSTED]
    assert delivery.next_due() == (None if isinstance(error, Blocked) else datetime(2126, 1, 1, tzinfo=UTC))


def test_a_drain_does_not_wait_for_channels_that_it_does_not_have(book: Book, delivers: Made) -> None:
    published = book.publish("sky", "sms")
    with Timed() as drained:
        delivers(sky=Scripted()).drain(LONG, publication=published)
    assert drained.quick
    assert book.receipt(published, "sms").outcome is Outcome.WAITING


def test_a_drain_waits_for_what_another_process_is_sending(book: Book, delivers: Made) -> None:
    sky = Scripted()
    published = book.publish("sky")
    claimed = book.claim()
    assert claimed is not None
    delivery = delivers(sky=sky)
    drain = in_thread(lambda: delivery.drain(LONG, publication=published))
    drain.join(0.15)
    assert drain.is_alive()
    book.journal.deliveries.record_result(claimed, AttemptResult(outcome=Outcome.POSTED))
    drain.join(PATIENCE)
    assert not drain.is_alive()
    assert sky.said == []


@pytest.mark.parametrize("which", [True, False])
def test_a_drain_keeps_to_its_budget(book: Book, delivers: Made, which: bool) -> None:  # noqa: FBT001 - a parameter
    sky, hang = Scripted(), Hang()
    sky.sends.append(hang)
    published = book.publish("sky")
    before, delivery = datetime.now(UTC), delivers(sky=sky)
    delivery.drain(NOW)
    assert hang.begun.wait(PATIENCE)
    with Timed() as drained:
        delivery.drain(timedelta(seconds=0.1), publication=published if which else None)
    assert 0.1 <= drained.took < PATIENCE / 2
    due = delivery.next_due()
    assert due is not None
    assert before - timedelta(seconds=1) <= due - LEASE <= datetime.now(UTC)  # when its lease runs out
    hang.go.set()


def test_waiting_is_not_a_busy_loop(book: Book, delivers: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    due = book.journal.deliveries.due

    def counted(channels: Iterable[str], **rates: Any) -> dict[str, datetime]:
        asked.append(time.monotonic())
        return due(channels, **rates)

    monkeypatch.setattr(book.journal.deliveries, "due", counted)
    sky, hang = Scripted(), Hang()
    sky.sends.append(hang)
    book.publish("sky")
    book.publish("sky")  # is due all the while
    delivers(sky=sky, poll_interval=0.1).drain(timedelta(seconds=1))
    hang.go.set()
    assert len(asked) <= 12  # ten glances, and the first looks; a machine that is busy makes fewer


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


def test_a_thread_that_was_replaced_takes_nothing_more(book: Book, delivers: Made) -> None:
    sky, hang, other, clock = Scripted(), Hang(), Hang(), FakeClock()
    sky.sends.extend([hang, other])
    first, second = book.publish("sky"), book.publish("sky")
    delivery = delivers(sky=sky, clock=clock)
    delivery.drain(NOW)
    assert hang.begun.wait(PATIENCE)
    [silent] = [one for one in threading.enumerate() if one.name == "policenotify sky"]
    clock.pass_by(LEASE.total_seconds())  # the journal's own clock has not moved: its lease still holds
    delivery.drain(NOW)
    assert other.begun.wait(PATIENCE)
    third = book.publish("sky")
    hang.go.set()
    silent.join(PATIENCE)
    assert [book.receipt(one).outcome for one in (first, second, third)] == [
        Outcome.POSTED,
        Outcome.SENDING,
        Outcome.WAITING,
    ]
    other.go.set()


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


def test_a_drain_that_returns_early_leaves_its_lists_the_rest_of_its_time(book: Book, delivers: Made) -> None:
    people = ["a@press.example", "b@press.example"]
    news, sky = Scripted(capabilities=MAIL, one_by_one=True, people=people), Scripted()
    begun, go_on = threading.Event(), threading.Event()

    def slow(person: Any) -> Any:
        begun.set()
        assert go_on.wait(PATIENCE)
        return next(everybody([person]))

    news.sends.append(slow)
    delivery = delivers(news=news, sky=sky)
    first = book.publish("news", people=people)
    delivery.drain(NOW)
    assert not begun.is_set()  # it had no time at all
    other = book.publish("sky")
    delivery.drain(LONG, publication=other, stop=begun.is_set)
    delivery.drain(LONG, publication=other)
    go_on.set()
    until(lambda: book.receipt(first, "news").outcome.is_final)
    assert book.receipt(first, "news").attempts == 1
    assert book.receipt(first, "news").outcome is Outcome.POSTED


@pytest.mark.parametrize("error", [asyncio.CancelledError(), SystemExit(1)])
def test_any_end_of_a_thread_is_logged_and_leaves_a_doubt(
    book: Book, delivers: Made, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    sky = Scripted(capabilities=KEYED)

    def leave(_request: Request) -> PostRef:
        raise error

    sky.sends.append(leave)
    published = book.publish("sky")
    delivers(sky=sky).drain(NOW)
    assert worker_threads() == []
    assert f"Channel sky: {type(error).__name__} escaped." in caplog.text
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
    assert len(caplog.records) <= 3
    delivery.drain(LONG, publication=published)
    assert book.receipt(published).outcome is Outcome.POSTED


# --- channels that cannot be opened


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MissingExtra("The network 'bluesky'", "bluesky"), "policenotify[bluesky]"),
        (ValueError("token=xyz"), "The channel 'sky' cannot be opened (ValueError)."),
    ],
)
def test_a_channel_that_cannot_be_opened_is_blocked_with_one_alarm(
    book: Book, delivers: Made, error: Exception, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    sky, opening = Scripted(), threading.Barrier(2, timeout=PATIENCE)

    def together() -> None:  # both threads find out at the same time
        opening.wait()
        raise error

    sky.opens.extend([together, together])
    published = [book.publish("sky", severity=Severity.EXTREME) for _ in range(2)]
    delivery = delivers(sky=sky)
    with Timed() as drained:
        assert delivery.drain(LONG) is None
    assert drained.quick
    for one in published:
        receipt = book.receipt(one)
        assert receipt.outcome is Outcome.WAITING
        assert said in str(receipt.reason)
        assert str(receipt.remedy) == "Then: policenotify doctor"
        assert "xyz" not in str(receipt.reason)
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage().startswith("Channel sky is blocked: nothing more is sent")
    assert "xyz" not in caplog.text
    book.journal.resume("desk", "sky")
    delivery.drain(LONG)
    assert {book.receipt(one).outcome for one in published} == {Outcome.POSTED}


def test_a_channel_that_is_replaced_is_opened_again_though_its_connection_is_kept(book: Book, delivers: Made) -> None:
    revoked, renewed = Scripted(), Scripted()
    revoked.sends.append(Blocked("Revoked."))
    published = book.publish("sky")
    delivery = delivers(sky=revoked)
    delivery.drain(LONG)
    delivery.channels["sky"] = renewed.configured("sky")
    book.journal.resume("desk", "sky")
    delivery.drain(LONG)
    assert book.receipt(published).outcome is Outcome.POSTED
    assert (len(revoked.said), len(renewed.said), revoked.closed) == (1, 1, 1)


def test_a_channel_that_is_unblocked_is_replaced_before_anything_is_sent_on_it(book: Book, delivers: Made) -> None:
    revoked, renewed = Scripted(), Scripted()
    book.journal.channels.block("sky", Blocked("Revoked."))
    published = book.publish("sky")

    def refresh() -> None:  # what a person unblocks while the drain looks
        if not book.journal.channels.blocked():
            delivery.channels["sky"] = renewed.configured("sky")

    delivery = delivers(sky=revoked, refresh=refresh)
    delivery.drain(LONG)
    assert book.receipt(published).outcome is Outcome.WAITING
    book.journal.resume("desk", "sky")
    delivery.drain(LONG)
    assert book.receipt(published).outcome is Outcome.POSTED
    assert (revoked.opened, len(renewed.said)) == (0, 1)


# --- closing


def test_closing_does_not_wait_for_what_hangs(book: Book, delivers: Made) -> None:
    sky, hang = Scripted(), Hang()
    sky.sends.append(hang)
    first, second = book.publish("sky"), book.publish("sky")
    delivery = delivers(sky=sky)
    delivery.drain(NOW)
    assert hang.begun.wait(PATIENCE)
    with Timed() as closed:
        delivery.close(timeout=0.1)
        delivery.close(timeout=0.1)
    assert closed.quick
    with Timed() as drained:
        delivery.drain(LONG, publication=second)
    assert drained.quick
    hang.go.set()
    assert worker_threads() == []
    assert [book.receipt(one).outcome for one in (first, second)] == [Outcome.POSTED, Outcome.WAITING]


# --- the journal fails


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


def test_records_of_a_newer_version_are_left_alone_without_a_busy_loop(
    book: Book, delivers: Made, caplog: pytest.LogCaptureFixture
) -> None:
    strange, other = book.publish("sky"), book.publish("sms")
    with book.journal.write() as connection:
        newer = '{"schema_version": 99}'
        connection.execute(update(schema.delivery).where(schema.delivery.c.channel == "sky").values(standalone=newer))
    delivery = delivers(sky=Scripted(), sms=Scripted())
    delivery.drain(timedelta(seconds=0.2), publication=strange)
    delivery.drain(LONG, publication=other)
    assert worker_threads() == []
    assert [record.getMessage() for record in caplog.records] == ["Channel sky: UnsupportedVersion escaped."]
    assert book.receipt(strange).outcome is Outcome.WAITING
    assert book.receipt(other, "sms").outcome is Outcome.POSTED


# --- stop, and time


class Jumping(FakeClock):
    """A wall clock that is set."""

    def jump(self, seconds: float) -> None:
        self._at += timedelta(seconds=seconds)


@pytest.fixture
def jumping(tmp_path: Path) -> Iterator[Book]:
    folder = tmp_path / "jumping"
    folder.mkdir()
    opened = Book(folder, Jumping())
    yield opened
    opened.journal.close()


def jump(clock: Clock, seconds: float) -> None:
    assert isinstance(clock, Jumping)
    clock.jump(seconds)


def test_a_clock_that_jumps_ahead_brings_forward_what_waits(jumping: Book, delivers: Made) -> None:
    sky, tried = Scripted(), threading.Event()

    def down(_request: Request) -> PostRef:
        tried.set()
        raise Unavailable("Down.", retry_at=jumping.clock.now() + timedelta(seconds=20))

    sky.sends.append(down)
    published = jumping.publish("sky")
    delivery = delivers(into=jumping, sky=sky, lease=FAR_LEASE)
    drain = in_thread(lambda: delivery.drain(LONG))
    assert tried.wait(PATIENCE)
    drain.join(0.5)
    assert drain.is_alive()
    jump(jumping.clock, 20)
    drain.join(PATIENCE)
    assert not drain.is_alive()
    assert jumping.receipt(published).outcome is Outcome.POSTED


@pytest.mark.parametrize(("days", "became"), [(2, Outcome.POSTED), (1, Outcome.HELD)])
def test_a_clock_that_jumps_back_causes_no_wait_spin_or_crash(
    jumping: Book, delivers: Made, days: int, became: Outcome
) -> None:
    """The size of the jump is unknown, so only a sufficiently long idempotency window still counts."""
    sky = Scripted(capabilities=replace(KEYED, idempotency_window=timedelta(days=days)))
    sky.sends.append(Unconfirmed("Cut."))
    published = jumping.publish("sky")
    delivery = delivers(into=jumping, sky=sky)
    delivery.drain(NOW)
    assert worker_threads() == []
    jump(jumping.clock, -3600)
    with Timed() as drained:
        due = delivery.drain(LONG)
    assert drained.quick
    assert due is None
    assert jumping.receipt(published).outcome is became
    assert sky.said == sky.said[:1] * (2 if became is Outcome.POSTED else 1)


def test_a_post_that_always_fails_unexpectedly_blocks_no_other_and_expires(jumping: Book, delivers: Made) -> None:
    sky = Scripted()

    def odd(request: Request) -> PostRef:
        if request.body["text"] == "post 1":
            raise KeyError("token=xyz")
        return sky.ref(request)

    sky.sends.extend([odd] * 9)
    poison = jumping.publish("sky", incident="I1", severity=Severity.EXTREME, lives=timedelta(hours=1))
    other, behind = jumping.publish("sky"), jumping.publish("sky", incident="I1")
    delivery = delivers(into=jumping, sky=sky, backoff=lambda _before: timedelta(minutes=10))  # no drain waits so long
    for attempts in (1, 2, 3):
        delivery.drain(LONG)
        assert jumping.receipt(poison).attempts == attempts
        assert jumping.receipt(other).outcome is Outcome.POSTED
        assert jumping.receipt(behind).outcome is Outcome.WAITING
        jump(jumping.clock, 600)
    jump(jumping.clock, 3600)
    delivery.drain(LONG)  # what may be out and is stale by now is for a person to look at
    assert jumping.receipt(poison).outcome is Outcome.HELD
    assert jumping.receipt(behind).outcome is Outcome.POSTED
    assert "xyz" not in str(jumping.publication(poison))


# --- a process is killed
