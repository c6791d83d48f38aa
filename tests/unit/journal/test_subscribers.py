"""Cursors of subscribers: which events each was handed, on both databases and from several processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from subprocess import Popen

import pytest

from policenotify.errors import Blocked
from policenotify.findings import Finding, Level
from policenotify.journal import audit, open_journal
from policenotify.journal.journal import Journal
from policenotify.journal.keys import Keys
from policenotify.journal.leases import this_process
from policenotify.journal.records import AttemptResult
from policenotify.journal.subscribers import HANDING, LIMIT, HandedEvents
from policenotify.model.event import (
    ChannelBlocked,
    DeliveryHeld,
    DeliveryPosted,
    DeliveryRefused,
    FindingOverridden,
    IncidentOverdue,
    JournalEvent,
    MessagePublished,
    PeopleSuppressed,
    PublicationRefused,
    SecondReadingOverdue,
)
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Stage
from policenotify.testing.fakes import FakeClock
from tests.support.journal import Desk

NAME, OTHER_NAME = "back-office", "radio-log"
HOLDER, OTHER = (f"{name} {this_process()}" for name in ("one", "other"))


def _take(journal: Journal, name: str = NAME, holder: str = HOLDER) -> HandedEvents:
    taken = journal.subscribers.take(name, holder)
    assert taken
    return taken


def _all(journal: Journal, name: str = NAME) -> list[JournalEvent]:
    """Return what is handed to a subscriber until nothing is left."""
    handed: list[JournalEvent] = []
    while taken := journal.subscribers.take(name, HOLDER):
        handed += _events(taken)
        assert journal.subscribers.advance(name, HOLDER, taken[-1][0], release=True)
    return handed


def _events(taken: HandedEvents) -> list[JournalEvent]:
    return [event for _, events in taken for event in events]


def _kinds(events: list[JournalEvent]) -> list[type[JournalEvent]]:
    return [type(event) for event in events]


def test_a_new_subscriber_gets_what_happens_from_now_on(desk: Desk) -> None:
    desk.publish(incident="I1")
    desk.journal.subscribers.add(NAME)
    assert desk.journal.subscribers.take(NAME, HOLDER) == []
    publication = desk.publish(incident="I2")
    claimed = desk.deliver()
    desk.deliver()
    first, *posts = _all(desk.journal)
    assert isinstance(first, MessagePublished)
    assert (first.publication, first.category, first.stage) == (publication, "traffic_accident", Stage.OPENING)
    assert first.at == desk.clock.now()
    assert _kinds(posts) == [DeliveryPosted, DeliveryPosted]
    assert isinstance(posts[0], DeliveryPosted)
    assert (posts[0].channel, posts[0].delivery) == ("sky", claimed.id)
    assert _all(desk.journal) == []


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
    assert _kinds(told[3:]) == [DeliveryRefused, DeliveryHeld, ChannelBlocked, DeliveryPosted]
    assert isinstance(told[-1], DeliveryPosted)
    assert told[-1].delivery == held.id


def test_people_of_a_list_who_are_held_are_told_until_they_are_settled(desk: Desk) -> None:
    people = [f"{name}@mairie.example" for name in "ab"]
    for name in (NAME, "late"):
        desk.journal.subscribers.add(name)
    desk.publish(channels=("mail",), people={"mail": people})
    held = desk.claim("mail")
    assert held is not None
    desk.journal.deliveries.record_result(held, AttemptResult(outcome=Outcome.WAITING))
    desk.mail({people[0]: "unconfirmed"})
    told = _all(desk.journal)
    assert [event.event for event in told] == ["published", "posted", "held"]
    assert told[1].number == told[2].number
    desk.journal.sendings.resolve(held.public_id, "desk", posted=True)
    assert [event.event for event in _all(desk.journal, "late")] == ["published", "posted", "posted"]


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
    assert isinstance(refused, PublicationRefused)
    assert refused.codes == ("PN101",)
    assert isinstance(published, MessagePublished)
    assert isinstance(overridden, FindingOverridden)
    assert (overridden.number, overridden.codes) == (published.number, ("PN101",))


def test_an_overdue_incident_is_told_without_its_id(desk: Desk) -> None:
    desk.journal.subscribers.add(NAME)
    opening = desk.publish(incident="I1")
    [line] = desk.journal.incidents.list()
    assert line.due_at is not None
    assert desk.journal.incidents.record_reminder("I1", line.due_at, 2)
    overdue = _all(desk.journal)[-1]
    assert isinstance(overdue, IncidentOverdue)
    assert (overdue.publication, overdue.level) == (opening, 2)
    assert "I1" not in overdue.model_dump_json()


def test_an_owed_second_reading_is_told(desk: Desk) -> None:
    desk.journal.subscribers.add(NAME)
    with desk.journal.write() as connection:
        audit.record(
            connection, desk.clock.now(), "runner", "second_reading_overdue", {"level": 3}, publication="0" * 26
        )
    [told] = _all(desk.journal)
    assert isinstance(told, SecondReadingOverdue)
    assert (told.publication, told.level) == ("0" * 26, 3)


def test_people_are_counted_and_never_named(desk: Desk) -> None:
    desk.journal.subscribers.add(NAME)
    for channel in ("mail", None):
        desk.journal.suppressions.add("claire@mairie.example", channel=channel, actor="desk", evidence="She asked.")
    told = _all(desk.journal)
    assert [(event.channel, event.people, event.source) for event in told if isinstance(event, PeopleSuppressed)] == [
        ("mail", 1, "operator"),
        ("", 1, "operator"),
    ]


def test_only_one_process_hands_events_over_until_it_is_silent(desk: Desk) -> None:
    subscribers, other = desk.journal.subscribers, _other(desk)
    subscribers.add(NAME)
    for number in range(2):
        desk.publish(incident=f"I{number}")
        other.subscribers.add(NAME)  # which it is already
    batch = _take(desk.journal)
    assert other.subscribers.take(NAME, OTHER) == []
    desk.clock.pass_by(HANDING.total_seconds() - 1)
    assert subscribers.advance(NAME, HOLDER, batch[0][0])  # a sign of life
    desk.clock.pass_by(HANDING.total_seconds() - 1)
    assert other.subscribers.take(NAME, OTHER) == []
    desk.clock.pass_by(1)
    taken = _take(other, holder=OTHER)
    assert _events(taken) == _events(batch)[1:]
    assert not subscribers.advance(NAME, HOLDER, batch[-1][0], release=True)
    assert other.subscribers.advance(NAME, OTHER, taken[-1][0], release=True)
    assert subscribers.take(NAME, HOLDER) == []
    other.close()


def test_a_process_that_could_not_record_what_it_handed_over_goes_on_at_once(desk: Desk) -> None:
    desk.journal.subscribers.add(NAME)
    desk.publish()
    assert _events(_take(desk.journal)) == _events(_take(desk.journal))


def test_a_process_that_was_killed_is_followed_at_once(desk: Desk, program: Callable[..., Popen[str]]) -> None:
    desk.journal.subscribers.add(NAME)
    publication = desk.publish()
    killed = program(
        "from policenotify.journal.leases import this_process\n"
        "desk = opened(); batch = desk.journal.subscribers.take('back-office', f'killed {this_process()}')\n"
        "print(batch[0][1][0].publication, flush=True); sys.stdin.readline()"
    )
    assert killed.stdout is not None
    assert killed.stdout.readline().strip() == publication
    assert desk.journal.subscribers.take(NAME, HOLDER) == []
    killed.kill()
    killed.wait()
    [event] = _all(desk.journal)
    assert isinstance(event, MessagePublished)
    assert event.publication == publication


def test_a_clock_that_was_ahead_keeps_nothing_back(desk: Desk) -> None:
    desk.journal.subscribers.add(NAME)
    desk.publish()
    desk.clock.jump(86_400)
    batch = _take(desk.journal)
    desk.clock.jump(-86_400)
    assert _take(desk.journal, holder=OTHER) == batch


def test_what_was_handed_over_is_not_handed_over_again(desk: Desk) -> None:
    subscribers = desk.journal.subscribers
    subscribers.add(NAME)
    publications = [desk.publish(incident=f"I{number}") for number in range(3)]
    batch = _take(desk.journal)
    assert subscribers.advance(NAME, HOLDER, batch[0][0], release=True)
    left = [event.publication for event in _all(desk.journal) if isinstance(event, MessagePublished)]
    assert left == publications[1:]


def test_what_an_event_of_the_journal_means_is_handed_over_as_a_whole(desk: Desk) -> None:
    finding = Finding(code="PN101", level=Level.BLOCK, field="headline", reason="A name.", remedy="Leave it out.")
    desk.journal.subscribers.add(NAME)
    desk.journal.publications.add(desk.draft(findings=(finding,)))
    for handed in (False, True):
        [(cursor, events)] = _take(desk.journal)
        assert [event.event for event in events] == ["published", "finding_overridden"]
        assert desk.journal.subscribers.advance(NAME, HOLDER, cursor if handed else None, release=True)
    assert _all(desk.journal) == []


def test_many_events_come_in_batches(desk: Desk) -> None:
    desk.journal.subscribers.add(NAME)
    for number in range(LIMIT + 1):
        desk.journal.audit.record("desk", "remarked", {"number": number})
    publication = desk.publish()
    batch = _take(desk.journal)
    assert _events(batch) == []
    assert desk.journal.subscribers.advance(NAME, HOLDER, batch[-1][0], release=True)
    [event] = _all(desk.journal)
    assert isinstance(event, MessagePublished)
    assert event.publication == publication


def test_purged_and_damaged_events_stop_nothing(desk: Desk) -> None:
    desk.journal.subscribers.add(NAME)
    for number in range(4):
        desk.publish(incident=f"I{number}")
    desk.deliver()
    first = _events(_take(desk.journal))[0].number
    settled = first + 4
    for numbers, body in [((first, settled), ""), ((first + 1,), "nothing"), ((first + 2,), '{"stage":"nothing"}')]:
        desk.change_directly(f"UPDATE pn_event SET body = '{body}' WHERE id IN ({', '.join(map(str, numbers))})")  # noqa: S608
    desk.clock.pass_by(HANDING.total_seconds())
    erased, published, posted = _all(desk.journal)
    assert isinstance(erased, MessagePublished)
    assert (erased.category, erased.stage) == ("", None)
    assert isinstance(published, MessagePublished)
    assert isinstance(posted, DeliveryPosted)


def test_a_cursor_that_is_missing_is_made_again(desk: Desk) -> None:
    desk.publish()
    assert desk.journal.subscribers.take(NAME, HOLDER) == []
    assert not desk.journal.subscribers.advance(OTHER_NAME, HOLDER, None)
    desk.publish(incident="I2")
    assert _kinds(_all(desk.journal)) == [MessagePublished]


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
    assert _kinds(_all(desk.journal)) == [ChannelBlocked, MessagePublished][not commits :]
    assert _all(desk.journal) == []


@pytest.mark.postgres
def test_a_subscriber_that_comes_while_a_transaction_is_open_gets_its_event(on_server: Desk) -> None:
    late = _Adder(on_server)
    on_server.journal.subscribers.add(NAME)
    late.end(commits=True)
    assert _kinds(_all(on_server.journal)) == [ChannelBlocked]


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
    channels = [event.channel for event in _all(desk.journal) if isinstance(event, ChannelBlocked)]
    assert channels == [*(f"c{number}" for number in range(LIMIT + 5)), "later"]


def _other(desk: Desk) -> Journal:
    return open_journal(desk.url, keys=desk.keys, clock=desk.clock)
