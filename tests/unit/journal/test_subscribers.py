"""Cursors of subscribers: which events each was handed, on both databases and from several processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import delete, select

from policenotify.errors import Blocked
from policenotify.events import Event, EventKind
from policenotify.findings import Finding, Level
from policenotify.journal import audit, meta, open_journal
from policenotify.journal.clock_change import follow
from policenotify.journal.database import schema
from policenotify.journal.database.migrate import empty
from policenotify.journal.journal import Journal
from policenotify.journal.keys import Keys
from policenotify.journal.subscribers import HANDING, LIMIT, EventBatch, SubscriberPlace
from policenotify.model.history import Outcome
from policenotify.testing.fakes import FakeClock
from tests.support.journal import Desk

NAME, OTHER_NAME = "back-office", "radio-log"


def _take(journal: Journal, name: str = NAME) -> tuple[SubscriberPlace, EventBatch]:
    place, batch = journal.subscribers.take(name)
    assert place
    return place, batch


def _release(journal: Journal, place: SubscriberPlace, name: str = NAME) -> None:
    journal.subscribers.advance(name, place, place.cursor, keep=False)


def _all(journal: Journal, name: str = NAME) -> list[Event]:
    """Return what is handed to a subscriber until nothing is left."""
    handed: list[Event] = []
    while batch := (taken := journal.subscribers.take(name))[1]:
        place, handed = taken[0], handed + _events(batch)
        assert place
        moved = journal.subscribers.advance(name, place, batch[-1][0])
        assert moved
        _release(journal, moved, name)
    return handed


def _events(batch: EventBatch) -> list[Event]:
    return [event for _, events in batch for event in events]


def _kinds(events: list[Event]) -> list[EventKind]:
    return [event.kind for event in events]


def test_a_new_subscriber_gets_what_happens_from_now_on(desk: Desk) -> None:
    desk.publish(incident="I1")
    desk.journal.subscribers.add(NAME)
    assert desk.journal.subscribers.take(NAME) == (None, [])
    publication = desk.publish(incident="I2")
    claimed = desk.deliver()
    desk.deliver()
    first, *posts = _all(desk.journal)
    assert first.kind is EventKind.PUBLISHED
    assert (first.publication, first.details) == (publication, {"category": "traffic_accident", "stage": "opening"})
    assert first.at == desk.clock.now()
    assert _kinds(posts) == [EventKind.POSTED, EventKind.POSTED]
    assert posts[0].kind is EventKind.POSTED
    assert (posts[0].channel, posts[0].delivery) == ("sky", claimed.id)
    assert _all(desk.journal) == []


@pytest.mark.databases
def test_every_outcome_that_an_operator_waits_for_is_told(desk: Desk) -> None:
    desk.journal.subscribers.add(NAME)
    for incident in ("I1", "I2", "I3"):
        desk.publish(incident=incident)
    desk.deliver(outcome=Outcome.REFUSED, reason="Too long.")
    held = desk.deliver(outcome=Outcome.HELD, reason="Nobody knows.")
    desk.deliver(outcome=Outcome.UNCONFIRMED)
    desk.journal.channels.block("sky", Blocked("The token was revoked.", code="401"))
    desk.journal.channels.block("sky", Blocked("Again.", code="401"))
    desk.journal.sendings.resolve(held.public_id, "desk", posted=True)
    told = _all(desk.journal)
    assert _kinds(told[3:]) == [EventKind.REFUSED, EventKind.HELD, EventKind.BLOCKED, EventKind.POSTED]
    assert told[-1].kind is EventKind.POSTED
    assert told[-1].delivery == held.id


def test_refused_and_overridden_findings_are_told_by_their_codes(desk: Desk) -> None:
    finding = Finding(
        code="PN101", level=Level.BLOCK, field="headline", reason="Names a person: Jean Dupont.", remedy="Leave it out."
    )
    strange = replace(finding, code="claire@police.example")
    desk.journal.subscribers.add(NAME)
    desk.journal.publications.add_refused(desk.draft(findings=(finding, strange)))
    new = desk.draft(incident="I2", findings=(finding, replace(finding, code="PN102", level=Level.ADVISE)))
    desk.journal.publications.add(new)
    refused, published, overridden = _all(desk.journal)
    assert refused.kind is EventKind.REFUSED_BY_CHECK
    assert refused.details == {"codes": ("PN101",)}
    assert published.kind is EventKind.PUBLISHED
    assert overridden.kind is EventKind.FINDING_OVERRIDDEN
    assert (overridden.number, overridden.details) == (published.number, {"codes": ("PN101",)})


def test_people_are_counted_and_never_named(desk: Desk) -> None:
    desk.journal.subscribers.add(NAME)
    for channel in ("mail", None):
        desk.journal.suppressions.add(["claire@mairie.example"], channel=channel, actor="desk", evidence="She asked.")
    told = _all(desk.journal)
    assert _kinds(told) == [EventKind.SUPPRESSED] * 2
    assert [(event.channel, event.details) for event in told] == [
        ("mail", {"people": 1, "source": "operator"}),
        ("", {"people": 1, "source": "operator"}),
    ]


@pytest.mark.databases
def test_only_one_process_hands_events_over_until_it_is_silent(desk: Desk) -> None:
    subscribers, other = desk.journal.subscribers, _other(desk)
    subscribers.add(NAME)
    for number in range(3):
        desk.publish(incident=f"I{number}")
        other.subscribers.add(NAME)  # which it is already
    place, batch = _take(desk.journal)
    assert other.subscribers.take(NAME) == (None, [])
    desk.clock.pass_by(HANDING.total_seconds() - 1)
    moved = subscribers.advance(NAME, place, batch[0][0])  # a sign of life
    assert moved
    desk.clock.pass_by(HANDING.total_seconds() - 1)
    assert other.subscribers.take(NAME) == (None, [])
    desk.clock.pass_by(1)
    others_place, others_batch = _take(other)
    assert _events(others_batch) == _events(batch)[1:]
    assert subscribers.advance(NAME, moved, batch[-1][0]) is None
    subscribers.advance(NAME, moved, moved.cursor, keep=False)  # which changes nothing
    assert subscribers.take(NAME) == (None, [])
    later = other.subscribers.advance(NAME, others_place, others_batch[0][0])
    assert later
    other.subscribers.advance(NAME, later, later.cursor, keep=False)
    assert _events(_take(desk.journal)[1]) == _events(batch)[2:]
    other.close()


@pytest.mark.databases
def test_a_place_that_vanished_is_made_again(desk: Desk) -> None:
    desk.journal.subscribers.add(NAME)
    with desk.journal.write() as connection:  # as an older copy of the journal
        connection.execute(delete(schema.meta).where(schema.meta.c.name.startswith("events ")))
    assert desk.journal.subscribers.take(NAME) == (None, [])
    desk.publish()
    assert _kinds(_all(desk.journal)) == [EventKind.PUBLISHED]


def test_an_emptied_journal_knows_no_subscriber_and_no_clock_of_a_test_before(desk: Desk) -> None:
    desk.journal.subscribers.add(NAME)
    desk.publish()
    _take(desk.journal)  # and keeps it, as a process that was killed
    with desk.journal.write() as connection:
        follow(connection, FakeClock(run="boot"))
    empty(desk.url, keys=desk.keys)
    with closing(_other(desk)) as other:
        with other.read() as connection:
            assert set(connection.execute(select(schema.meta.c.name)).scalars()) <= {*meta.INITIAL}
        other.subscribers.add(NAME)
        other.audit.record("runner", "blocked", {}, channel="sky")
        assert _kinds(_all(other)) == [EventKind.BLOCKED]


def test_what_an_event_of_the_journal_means_is_handed_over_as_a_whole(desk: Desk) -> None:
    finding = Finding(code="PN101", level=Level.BLOCK, field="headline", reason="A name.", remedy="Leave it out.")
    desk.journal.subscribers.add(NAME)
    desk.journal.publications.add(desk.draft(findings=(finding,)))
    place, [(_, events)] = _take(desk.journal)
    assert [event.kind for event in events] == ["published", "finding_overridden"]
    _release(desk.journal, place)
    assert _all(desk.journal) == [*events]
    assert _all(desk.journal) == []


def test_purged_and_damaged_events_stop_nothing(desk: Desk) -> None:
    desk.journal.subscribers.add(NAME)
    for number in range(4):
        desk.publish(incident=f"I{number}")
    desk.deliver()
    first = _events(_take(desk.journal)[1])[0].number
    for number, body in [(first, ""), (first + 1, "nothing"), (first + 2, '{"stage":"nothing"}')]:
        desk.change_directly(f"UPDATE pn_event SET body = '{body}' WHERE id = {number}")  # noqa: S608 - our own values
    desk.clock.pass_by(HANDING.total_seconds())
    assert [event.kind for event in _all(desk.journal)] == ["published", "posted"]


# --- transactions that end in another order than they began


class _Adder:
    """A transaction that has added an event, and is still open."""

    def __init__(self, desk: Desk) -> None:
        self._journal = _other(desk)  # within a transaction of the desk's own, all that it does would be part of it
        self._writing = self._journal.write()
        connection = self._writing.__enter__()
        audit.record(connection, desk.clock.now(), "runner", "blocked", {}, channel="late")

    def end(self, *, commits: bool) -> None:
        problem = None if commits else RuntimeError()
        with suppress(RuntimeError):
            self._writing.__exit__(type(problem) if problem else None, problem, None)
        self._journal.close()


@pytest.fixture
def on_server(tmp_path: Path, keys: Keys, clock: FakeClock, new_journal: Callable[[Keys], str]) -> Iterator[Desk]:
    """A desk on PostgreSQL: a file has one writer at a time."""
    desk = Desk(tmp_path, keys=keys, clock=clock, url=new_journal(keys))
    yield desk
    desk.journal.close()


@pytest.mark.postgres
@pytest.mark.parametrize("commits", [True, False])
def test_events_behind_an_open_transaction_wait_for_it(on_server: Desk, *, commits: bool) -> None:
    desk = on_server
    desk.journal.subscribers.add(NAME)
    late = _Adder(desk)
    desk.publish()
    assert _all(desk.journal) == []
    late.end(commits=commits)
    assert _kinds(_all(desk.journal)) == [EventKind.BLOCKED, EventKind.PUBLISHED][not commits :]
    assert _all(desk.journal) == []


@pytest.mark.postgres
def test_more_events_of_one_transaction_than_are_read_at_once_are_all_handed_over(on_server: Desk) -> None:
    desk = on_server
    desk.journal.subscribers.add(NAME)
    with desk.journal.write() as connection:
        for number in range(LIMIT + 5):
            audit.record(connection, desk.clock.now(), "runner", "blocked", {}, channel=f"c{number}")
        with closing(_other(desk)) as other:
            other.audit.record("desk", "blocked", {}, channel="later")
            assert _all(other) == []
    channels = [event.channel for event in _all(desk.journal) if event.kind is EventKind.BLOCKED]
    assert channels == [*(f"c{number}" for number in range(LIMIT + 5)), "later"]


def _other(desk: Desk) -> Journal:
    return open_journal(desk.url, keys=desk.keys, clock=desk.clock)
