"""A journal that was restored from a copy is marked: all that is open in it is in doubt."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from sqlalchemy import event, select

from policenotify.errors import JournalTakenAway
from policenotify.events import EventKind
from policenotify.journal.audit import record
from policenotify.journal.database import schema
from policenotify.model.history import Outcome
from tests.support import journal as bench
from tests.support.journal import Desk

AS_OWNER = True  # on a server the order of events begins again
A, B = "a@x.example", "b@x.example"


@pytest.fixture
def desk(desk: Desk) -> Desk:
    """A desk that may change events: on a server their order begins again."""
    event.remove(desk.journal._engine, "before_cursor_execute", bench._only_added)
    return desk


@pytest.mark.databases
def test_all_that_is_open_is_put_in_doubt_and_nothing_else(desk: Desk) -> None:
    settled, claimed, waiting = (desk.publish(incident=f"I{number}") for number in range(3))
    desk.deliver()
    desk.begin(desk.take())
    assert desk.journal.mark_restored("adj Petit") == 2
    assert desk.outcome(settled) is Outcome.POSTED
    assert desk.outcome(claimed) is Outcome.UNCONFIRMED
    assert desk.outcome(waiting) is Outcome.UNCONFIRMED
    with desk.journal.read() as connection:
        [open_attempts] = connection.execute(
            select(schema.attempt.c.code).where(schema.attempt.c.outcome == Outcome.UNCONFIRMED)
        ).all()
        assert open_attempts.code == "restored"
    assert desk.journal.audit.events("restored", desk.clock.now()) == ({"deliveries": 2},)
    doubtful = desk.take()
    assert doubtful.in_doubt
    assert doubtful.first_tried_at is not None
    desk.journal.audit.verify()


@pytest.mark.databases
def test_the_order_of_events_outlives_each_restore(desk: Desk) -> None:
    desk.journal.subscribers.add("radio-log")
    publications = []
    for number in range(3):
        publications.append(desk.publish(incident=f"I{number}"))
        if number == 1:
            assert desk.journal.audit.seal() == 3
        desk.journal.mark_restored("adj Petit")
    exported = [each["id"] for each in desk.journal.audit.export()]
    assert exported == sorted(set(exported))
    assert len(exported) == 6
    _, batch = desk.journal.subscribers.take("radio-log")
    told = [each.publication for _, events in batch for each in events if each.kind is EventKind.PUBLISHED]
    assert told == publications
    assert desk.journal.audit.seal() == 3
    assert desk.journal.audit.verify() == 2


@pytest.mark.parametrize("does", ["publish", "claim", "begin"])
def test_an_older_state_is_noticed_whatever_was_written_to_it_since(desk: Desk, does: str) -> None:
    for number in range(3):
        desk.publish(incident=f"I{number}")
    claimed = desk.take()
    newest = "(SELECT max(id) FROM pn_event)"
    desk.change_directly(f"UPDATE pn_event SET commitment = '{'0' * 64}' WHERE id = {newest}")  # noqa: S608 - ours
    ways: dict[str, Callable[[], object]] = {
        "publish": lambda: desk.publish(incident="I9"),
        "claim": desk.claim,
        "begin": lambda: desk.begin(claimed),
    }
    with pytest.raises(JournalTakenAway, match="set back to an older state"):
        ways[does]()
    with pytest.raises(JournalTakenAway, match="set back to an older state"):
        desk.journal.stopped()


def test_what_was_rolled_back_was_never_known(desk: Desk) -> None:
    desk.publish()

    def add_and_fail() -> None:
        with desk.journal.write() as connection:
            record(connection, desk.clock.now(), "adm", "counted", {})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        add_and_fail()
    with desk.journal.write() as connection, suppress(RuntimeError), connection.begin_nested():
        record(connection, desk.clock.now(), "adm", "counted", {})
        raise RuntimeError
    assert desk.publish(incident="I2")
    assert desk.claim() is not None
