"""Setting the machine's clock forward or back changes no interval."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing
from copy import copy
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from policenotify.channel import Capabilities
from policenotify.delivery.attempt import DeliveryAttempt
from policenotify.errors import JournalError, Unavailable, Unconfirmed
from policenotify.journal import open_journal
from policenotify.journal.database import schema
from policenotify.journal.keys import Keys
from policenotify.model.history import Outcome
from policenotify.testing.fakes import FakeClock
from tests.support.fake_network import READABLE, Book, Scripted
from tests.support.journal import LEASE, Desk

JUMPS = (-3 * 86_400, -60, 65, 3600)  # seconds


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(run="the machine")


@pytest.fixture
def book(tmp_path: Path, clock: FakeClock) -> Iterator[Book]:
    opened = Book(tmp_path, clock)
    opened.journal.deliveries.recover()  # a worker has been delivering
    yield opened
    opened.journal.close()


def attempt(book: Book, network: Scripted) -> bool:
    claimed = book.claim()
    if claimed is None:
        return False
    how = network.configured("sky")
    channel = network.open(book.clock, book.journal.channels.state_store("sky"))
    DeliveryAttempt(journal=book.journal, channel=channel, config=how, clock=book.clock, lease=LEASE).run(claimed)
    return True


def doubted(book: Book, capabilities: Capabilities) -> tuple[Scripted, str]:
    """A publication whose first attempt was cut off just now."""
    network = Scripted(capabilities=capabilities)
    network.sends.append(Unconfirmed("Cut."))
    published = book.publish("sky")
    assert attempt(book, network)
    book.pass_by(2)
    return network, published


# --- what waits


@pytest.mark.parametrize("seconds", JUMPS)
def test_a_delivery_waits_as_long_as_requested(book: Book, clock: FakeClock, seconds: float) -> None:
    network = Scripted()
    network.sends.append(lambda _request: later(book, 300))
    published = book.publish("sky")
    attempt(book, network)
    book.pass_by(100)
    clock.jump(seconds)
    assert not attempt(book, network)
    book.pass_by(199)
    assert not attempt(book, network)
    book.pass_by(1)
    assert attempt(book, network)
    assert book.receipt(published).outcome is Outcome.POSTED


def later(book: Book, seconds: float) -> Any:
    raise Unavailable("Down.", retry_at=book.clock.now() + timedelta(seconds=seconds))


@pytest.mark.parametrize("seconds", JUMPS)
def test_a_pause_lasts_as_long_as_the_network_requests(book: Book, clock: FakeClock, seconds: float) -> None:
    book.publish("sky")
    book.journal.channels.pause("sky", clock.now() + timedelta(seconds=300))
    book.pass_by(100)
    clock.jump(seconds)
    assert not attempt(book, Scripted())
    book.pass_by(199)
    assert not attempt(book, Scripted())
    book.pass_by(1)
    assert attempt(book, Scripted())


# --- what is in doubt


@pytest.mark.parametrize("seconds", [65, 3600])
def test_set_on_within_the_delay_of_a_look_up_not_there_is_not_believed_too_early(
    book: Book, clock: FakeClock, seconds: float
) -> None:
    network, published = doubted(book, READABLE)
    clock.jump(seconds)
    for passing in (0, 5, 54):
        book.pass_by(passing)
        attempt(book, network)
        assert (book.receipt(published).outcome, len(network.said)) == (Outcome.UNCONFIRMED, 1)
    network.finds.append(network.ref)
    book.pass_by(1)
    attempt(book, network)
    assert (book.receipt(published).outcome, len(network.said)) == (Outcome.POSTED, 1)


@pytest.mark.parametrize("seconds", JUMPS)
def test_absence_is_believed_of_two_look_ups_of_any_processes_far_enough_apart(
    book: Book, clock: FakeClock, seconds: float
) -> None:
    network, published = doubted(book, READABLE)
    attempt(book, network)
    clock.jump(seconds)
    with closing(open_journal(f"sqlite:///{book.path}", keys=book.keys, clock=clock)) as cron:
        beside = copy(book)
        beside.journal = cron
        book.pass_by(59)
        attempt(beside, network)
        assert (len(network.asked), len(network.said)) == (1, 1)
        book.pass_by(1)
        attempt(beside, network)
    assert (book.receipt(published).outcome, len(network.said)) == (Outcome.POSTED, 2)


# --- what is left alone, and what is written down


@pytest.mark.parametrize("seconds", [-3600, 3600])
def test_the_expiry_of_a_message_follows_the_wall_clock(book: Book, clock: FakeClock, seconds: float) -> None:
    published = book.publish("sky", lives=timedelta(minutes=30))
    clock.jump(seconds)
    attempt(book, Scripted())
    assert book.receipt(published).outcome is (Outcome.SUPERSEDED if seconds > 0 else Outcome.POSTED)


def test_each_step_is_raised_once_by_any_process_and_recorded(
    book: Book, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    network = Scripted()
    network.sends.append(lambda _request: later(book, 300))
    book.publish("sky")
    attempt(book, network)
    until = book.journal.deliveries.due({"sky": None})["sky"]
    with closing(open_journal(f"sqlite:///{book.path}", keys=book.keys, clock=clock)) as other:
        clock.jump(3600)
        for each in (other, book.journal, other, book.journal):
            each.deliveries.recover()
            assert each.deliveries.due({"sky": None}) == {"sky": until + timedelta(hours=1)}
    with book.journal.read() as connection:
        kinds = list(connection.execute(select(schema.event.c.kind)).scalars())
    assert kinds.count("clock_set") == 1
    [line] = [record.getMessage() for record in caplog.records if getattr(record, "event", "") == "clock_set"]
    assert "set forward by 3600 s" in line
    assert "timedatectl" in line
    clock.jump(-60)
    book.journal.deliveries.recover()
    assert "set back by 60 s" in caplog.text


@pytest.mark.databases
@pytest.mark.parametrize("seconds", [-3600, 3600])
def test_either_database_follows_the_clock(tmp_path: Path, place: str, keys: Keys, seconds: float) -> None:
    """Deliveries written after the clock was set, and before it was noticed, wait no longer for it."""
    clock = FakeClock(run="the machine")
    desk = Desk(tmp_path, keys=keys, clock=clock, url=place)
    with closing(desk.journal):
        desk.journal.deliveries.recover()
        doubtful = desk.publish(incident="I1")
        desk.settle(desk.begin(desk.take()), Outcome.UNCONFIRMED, not_before=clock.now() + timedelta(seconds=300))
        desk.journal.channels.pause("sea", clock.now() + timedelta(seconds=300))
        began = clock.now()
        clock.pass_by(100)
        clock.jump(seconds)
        desk.publish(channels=("sea",), incident="I2")
        assert desk.claim() is None
        assert desk.claim("sea") is None
        clock.pass_by(200)
        assert desk.take("sea").first_tried_at is None
        claimed = desk.take()
        assert claimed.publication == doubtful
        assert claimed.first_tried_at == min(began, began + timedelta(seconds=seconds))
        assert desk.journal.deliveries.due({"sky": None, "sea": None}).keys() == {"sky", "sea"}


# --- a clock that was ahead, and is set right while no process sees it


AHEAD = (3 * 3600, 365 * 86_400, 500 * 365 * 86_400)  # seconds


@pytest.fixture
def unseen(tmp_path: Path) -> Iterator[Desk]:
    """A journal whose clock cannot tell that it was set."""
    opened = Desk(tmp_path, keys=Keys.create(secrets.token_bytes), clock=FakeClock())
    yield opened
    opened.journal.close()


@pytest.mark.parametrize("seconds", AHEAD[1:])
def test_a_pause_from_the_future_is_void(unseen: Desk, seconds: float) -> None:
    unseen.clock.jump(seconds)
    unseen.journal.channels.pause("sky", unseen.clock.now() + timedelta(minutes=15))
    unseen.clock.jump(-seconds)
    assert unseen.journal.channels.opens_at({"sky": None}) == {}
    soon = unseen.clock.now() + timedelta(minutes=5)
    unseen.journal.channels.pause("sky", soon)
    assert unseen.journal.channels.opens_at({"sky": None}) == {"sky": soon}


@pytest.mark.parametrize("seconds", AHEAD)
def test_a_lock_from_the_future_is_void(unseen: Desk, seconds: float) -> None:
    unseen.clock.jump(seconds)
    assert unseen.journal._acquire("session", "dead", 30)
    unseen.clock.jump(-seconds)
    with unseen.journal.lock("session", seconds=30):
        pass
    assert unseen.clock.slept == []


@pytest.mark.parametrize("seconds", AHEAD[1:])
def test_a_claim_from_the_future_is_void(unseen: Desk, seconds: float) -> None:
    unseen.publish(channels=("sky",))
    unseen.clock.jump(seconds)
    unseen.take(owner="another machine")
    unseen.clock.jump(-seconds)
    assert unseen.journal.deliveries.recover() == 1
    assert unseen.claim() is not None


@pytest.mark.parametrize("stored", ["", "x", "1.5", "9" * 19, "-" + "9" * 5000])
def test_a_damaged_offset_is_reported_as_damage(book: Book, stored: str) -> None:
    facts = schema.meta.c
    with book.journal.write() as connection:
        connection.execute(schema.meta.update().where(facts.name.startswith("clock ")).values(value=stored))
    with pytest.raises(JournalError, match=r"pn_meta clock .* cannot be read"):
        book.journal.deliveries.recover()
