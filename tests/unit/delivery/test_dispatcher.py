"""Channels side by side, and drains that wait for what can still happen."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from policenotify.errors import Blocked, MissingExtra, Unavailable
from policenotify.journal.records import AttemptResult
from policenotify.model.cap import Severity
from policenotify.model.history import Outcome
from policenotify.model.rate import Rate
from tests.support.clocks import PassingClock
from tests.support.drains import LEASE, NOW, Made, Timed, in_thread, worker_threads
from tests.support.fake_network import Book, Hang, Scripted
from tests.support.patience import LONG, PATIENCE


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    opened = Book(tmp_path, PassingClock())
    yield opened
    opened.journal.close()


# --- starting and ending


def test_due_deliveries_are_sent_and_the_threads_end(
    book: Book, delivers: Made, caplog: pytest.LogCaptureFixture
) -> None:
    sky, sms = Scripted(), Scripted()
    sky.closes.append(OSError("token=xyz"))  # changes nothing
    published = [book.publish("sky", "sms") for _ in range(3)]
    delivery = delivers(sky=sky, sms=sms)
    with Timed() as drained:
        assert delivery.drain(LONG) is None
    assert drained.quick
    assert {receipt.outcome for one in published for receipt in book.publication(one)} == {Outcome.POSTED}
    assert worker_threads() == []
    assert (sky.opened, sky.closed, sms.opened, sms.closed) == (1, 1, 1, 1)
    assert [record.getMessage() for record in caplog.records] == ["Channel sky did not close: OSError"]
    assert book.journal.workers.last_heartbeat() is not None


# --- channel beside channel


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

    def counted(rates: Mapping[str, Rate | None], *, postponed: bool) -> dict[str, datetime]:
        asked.append(time.monotonic())
        return due(rates, postponed=postponed)

    monkeypatch.setattr(book.journal.deliveries, "due", counted)
    sky, hang = Scripted(), Hang()
    sky.sends.append(hang)
    book.publish("sky")
    book.publish("sky")  # is due all the while
    delivers(sky=sky, poll_interval=0.1).drain(timedelta(seconds=1))
    hang.go.set()
    assert len(asked) <= 12  # ten glances, and the first looks; a machine that is busy makes fewer


# --- channels that cannot be opened


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MissingExtra("The network 'bluesky'", "bluesky"), "policenotify[bluesky]"),
        (ValueError("token=xyz"), "The channel 'sky' cannot be opened: ValueError."),
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
