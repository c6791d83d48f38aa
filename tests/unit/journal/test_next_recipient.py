"""The step from one person of a list to the next does in one short transaction what the general way does."""

from __future__ import annotations

import itertools
import sqlite3
from contextlib import closing
from typing import Any, Literal

import pytest
from sqlalchemy import event, func, select

from policenotify.channel import Recipient, RecipientOutcome
from policenotify.errors import JournalError, JournalTakenAway, LostLease
from policenotify.journal.bulk.next_recipient import NextRecipient
from policenotify.journal.database import schema
from policenotify.journal.records import ClaimedDelivery, microseconds, span
from policenotify.model.rate import Rate, RateReached
from tests.support.journal import LEASE, Desk

PEOPLE = tuple(f"p{number}@press.example" for number in range(6))
Word = Literal["posted", "refused", "unavailable", "unconfirmed"]


def taken(desk: Desk, incident: str = "I1") -> tuple[ClaimedDelivery, tuple[Recipient, ...]]:
    desk.publish(incident=incident, channels=("mail",), people={"mail": PEOPLE})
    claimed = desk.begin(desk.take("mail"))
    return claimed, desk.journal.deliveries.next_recipients(claimed, 25, hold_doubt=False)


def start(desk: Desk, claimed: ClaimedDelivery, person: Recipient, *outcomes: RecipientOutcome, **how: Any) -> bool:
    how = {"hold_doubt": False, "lease": LEASE, **how}
    return desk.journal.deliveries.start_recipient(claimed, person.key, outcomes, **how)


def rows(desk: Desk, delivery: int = 1) -> list[tuple[Any, ...]]:
    """Return the people and the pages of a delivery."""
    person, page = schema.recipient, schema.page
    people = select(person).where(person.c.delivery == delivery).order_by(person.c.person)
    pages = select(page.c.number, page.c.lease_until - func.max(page.c.lease_until).over(), page.c.attempt)
    with desk.journal.read() as connection:
        stored = [tuple(row[1:]) for row in connection.execute(people)]
        return [*stored, *map(tuple, connection.execute(pages.where(page.c.delivery == delivery)))]


@pytest.fixture
def general(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave every step to the general way."""
    monkeypatch.setattr(NextRecipient, "start", lambda *_given, **_named: False)


def _steps(desk: Desk, incident: str, *, hold: bool) -> tuple[list[tuple[Any, ...]], int]:
    """Start each person, with an outcome of every kind for those before. Return the rows, and the lease's time."""
    claimed, people = taken(desk, incident)
    words: tuple[Word, ...] = ("posted", "refused", "unavailable", "unconfirmed")
    before: list[RecipientOutcome] = []
    for person, word in zip(people, (*words, "posted", "posted"), strict=True):
        desk.clock.pass_by(1)
        assert start(desk, claimed, person, *before, hold_doubt=hold)
        before = [RecipientOutcome(key=person.key, outcome=word, code="250", reason="It is so.")]
    with desk.journal.read() as connection:
        page = schema.page
        until = connection.execute(select(page.c.lease_until).where(page.c.delivery == claimed.id)).scalar_one()
    return rows(desk, claimed.id), until - microseconds(desk.clock.now())


@pytest.mark.parametrize("hold", ["hold", ""])
def test_it_stores_what_the_general_way_stores(desk: Desk, hold: str, request: pytest.FixtureRequest) -> None:
    quick, lease = _steps(desk, "I1", hold=bool(hold))
    request.getfixturevalue("general")
    assert _steps(desk, "I2", hold=bool(hold)) == (quick, lease)
    assert lease == span(LEASE)
    states = [row[2] for row in quick[: len(PEOPLE)]]
    assert states == ["posted", "refused", "waiting", "held" if hold else "waiting", "posted", "sending"]


def test_a_step_is_one_transaction_that_sqlalchemy_does_not_see(desk: Desk) -> None:
    claimed, people = taken(desk)
    assert start(desk, claimed, people[0])  # on a server it reads once what it knows of clocks
    seen: list[str] = []
    event.listen(desk.journal._engine, "before_cursor_execute", lambda *given: seen.append(given[2]))
    assert start(desk, claimed, people[1])
    assert start(desk, claimed, people[2], RecipientOutcome(key=people[1].key, outcome="posted"))
    assert seen == []


def _passed_on(desk: Desk, incident: str) -> list[tuple[Any, ...]]:
    """Let each person get it, one after the other, without a new lease. Return the rows."""
    claimed, people = taken(desk, incident)
    assert start(desk, claimed, people[0])
    with desk.journal.keeping_connection():
        for person, after in itertools.pairwise(people):
            posted = RecipientOutcome(key=person.key, outcome="posted", code="250 2.0.0", reason="It's 100 % so.")
            assert start(desk, claimed, after, posted, renew=False)
    return rows(desk, claimed.id)


def test_a_message_that_was_taken_costs_one_statement_and_leaves_what_the_general_way_leaves(
    desk: Desk, request: pytest.FixtureRequest
) -> None:
    quick = _passed_on(desk, "I1")
    assert [row[2] for row in quick[: len(PEOPLE)]] == ["posted"] * 5 + ["sending"]
    request.getfixturevalue("general")
    assert _passed_on(desk, "I2") == quick


@pytest.mark.parametrize("halt", ["pause", "stop", "another owner"])
def test_whatever_another_connection_writes_is_noticed_before_the_next_person(desk: Desk, halt: str) -> None:
    claimed, people = taken(desk)

    def posted(number: int) -> RecipientOutcome:
        return RecipientOutcome(key=people[number].key, outcome="posted")

    assert start(desk, claimed, people[0])
    with desk.journal.keeping_connection():
        for number in (1, 2):
            assert start(desk, claimed, people[number], posted(number - 1), renew=False)
        if halt == "pause":
            desk.journal.sendings.pause(claimed.publication, "desk")
        elif halt == "stop":
            desk.journal.stop("desk")
        else:
            with desk.journal.write() as connection:
                connection.execute(schema.page.update().values(owner="runner B"))
        before = rows(desk)
        begin = desk.journal.deliveries._next.start
        assert not begin(claimed, people[3].key, (posted(2),), hold_doubt=False, lease=LEASE, renew=False)
    assert rows(desk) == before


def test_everything_unusual_is_left_to_the_general_way(desk: Desk) -> None:
    claimed, people = taken(desk)
    begin = desk.journal.deliveries._next.start
    gone = RecipientOutcome(key=people[0].key, outcome="refused", gone=True)
    before = rows(desk)
    assert not begin(claimed, people[1].key, (gone,), hold_doubt=True, lease=LEASE, renew=True)
    desk.journal.stop("desk")
    assert not begin(claimed, people[1].key, (), hold_doubt=True, lease=LEASE, renew=True)
    assert not start(desk, claimed, people[1])
    desk.journal.resume("desk")
    with desk.journal.write():
        assert not begin(claimed, people[1].key, (), hold_doubt=True, lease=LEASE, renew=True)
    assert rows(desk) == before
    assert begin(claimed, people[1].key, (), hold_doubt=True, lease=LEASE, renew=True)
    assert rows(desk) != before


def test_another_owner_of_the_page_ends_the_list(desk: Desk) -> None:
    claimed, people = taken(desk)
    with desk.journal.write() as connection:
        connection.execute(schema.page.update().values(owner="runner B"))
    before = rows(desk)
    with pytest.raises(LostLease):
        start(desk, claimed, people[0])
    assert rows(desk) == before


def test_a_rate_is_counted(desk: Desk) -> None:
    claimed, people = taken(desk)
    assert start(desk, claimed, people[0], rate=Rate.read("1 per hour"))
    with pytest.raises(RateReached):
        start(desk, claimed, people[1], rate=Rate.read("1 per hour"))


@pytest.mark.sqlite
def test_a_journal_that_is_locked_is_reported_and_nothing_is_done(desk: Desk) -> None:
    claimed, people = taken(desk)
    before = rows(desk)
    with closing(sqlite3.connect(desk.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with desk.journal._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout = 0")
        with pytest.raises(JournalError, match="another process keeps it locked"):
            start(desk, claimed, people[0])
        other.execute("ROLLBACK")
    assert rows(desk) == before
    assert start(desk, claimed, people[0])


@pytest.mark.sqlite
def test_a_journal_that_was_taken_away_ends_the_list(desk: Desk) -> None:
    claimed, people = taken(desk)
    assert start(desk, claimed, people[0])
    desk.path.rename(desk.path.with_suffix(".gone"))
    with pytest.raises(JournalTakenAway):
        start(desk, claimed, people[1])
