"""The chain of events while several transactions add to it: nothing that was committed can be removed unseen."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing, suppress

import pytest
from sqlalchemy import Connection, create_engine, select

from policenotify.errors import JournalError
from policenotify.journal import audit, open_journal
from policenotify.journal.database import schema
from tests.support.journal import Desk

_AT_ONCE = 12


class _Undone(Exception):
    pass


def _record(desk: Desk, connection: Connection, kind: str) -> None:
    audit.record(connection, desk.clock.now(), "desk", kind, {})


def _links(desk: Desk) -> dict[int, list[int]]:
    """Return which events each event follows."""
    event = schema.event
    with desk.journal.read() as connection:
        rows = connection.execute(select(event.c.id, event.c.follows).order_by(event.c.id)).all()
    return {row.id: [int(number) for number in row.follows.split()] for row in rows}


def _loose_ends(desk: Desk) -> set[int]:
    links = _links(desk)
    return links.keys() - {number for followed in links.values() for number in followed}


@pytest.mark.postgres
@pytest.mark.sqlite  # which has one writer at a time
def test_an_event_follows_all_that_were_added_at_once(desk: Desk, new_journal: Callable[..., str]) -> None:
    desk = Desk(desk.path.parent, keys=desk.keys, clock=desk.clock, url=new_journal(desk.keys))
    desk.journal.audit.record("desk", "first", {})
    with ExitStack() as together:
        for number in range(_AT_ONCE):
            journal = together.enter_context(closing(open_journal(desk.url, keys=desk.keys, clock=desk.clock)))
            _record(desk, together.enter_context(journal.write()), f"at once {number}")
    assert len(_loose_ends(desk)) == _AT_ONCE
    desk.journal.audit.record("desk", "last", {})
    assert _loose_ends(desk) == {max(_links(desk))}
    desk.change_directly("DELETE FROM pn_event WHERE kind = 'at once 0'")
    with pytest.raises(JournalError, match="tampered with"):
        desk.journal.audit.verify()
    desk.journal.close()


def test_each_event_follows_only_what_no_other_does(desk: Desk) -> None:
    for number in range(9):
        desk.journal.audit.record("desk", str(number), {})
    assert _links(desk) == {1: [], **{number: [number - 1] for number in range(2, 10)}}


def test_events_of_one_transaction_follow_each_other(desk: Desk) -> None:
    with desk.journal.write() as connection:
        for number in range(3):
            _record(desk, connection, str(number))
    assert list(_links(desk).values()) == [[], [1], [2]]
    desk.journal.audit.verify()


def test_what_was_undone_is_followed_by_nothing(desk: Desk) -> None:
    desk.journal.audit.record("desk", "kept", {})
    with suppress(_Undone), desk.journal.write() as connection:
        _record(desk, connection, "undone")
        raise _Undone
    with desk.journal.write() as connection:
        with suppress(_Undone), connection.begin_nested():
            _record(desk, connection, "undone to a savepoint")
            raise _Undone
        _record(desk, connection, "kept too")
    desk.journal.audit.record("desk", "last", {})
    first, second, last = _links(desk).items()
    assert (first[1], second[1], last[1]) == ([], [first[0]], [second[0]])
    desk.journal.audit.verify()
    assert desk.journal.audit.seal() == 3


def test_a_callers_transaction_adds_to_the_chain(desk: Desk) -> None:
    desk.journal.audit.record("desk", "before", {})
    host = create_engine(desk.journal._engine.url)
    with host.begin() as caller, desk.journal.joined(caller):
        desk.journal.audit.record("desk", "joined", {})
        with suppress(_Undone), desk.journal.write() as connection:
            _record(desk, connection, "undone")
            raise _Undone
        desk.journal.audit.record("desk", "joined too", {})
    host.dispose()
    desk.journal.audit.record("desk", "after", {})
    first, second, third, last = _links(desk).items()
    assert (first[1], second[1], third[1], last[1]) == ([], [first[0]], [second[0]], [third[0]])
    desk.journal.audit.verify()


def test_processes_that_publish_and_deliver_at_once_leave_one_chain(
    together: Callable[..., list[str]], desk: Desk
) -> None:
    told = together(
        """
desk = opened()
at_once()
incidents = [f"{sys.argv[2]}-{number}" for number in range(6)]
for incident in incidents:
    desk.publish(Stage.OPENING, incident, channels=("sky", "x"))
    desk.journal.audit.seal()
    for channel in ("sky", "x"):
        claimed = desk.claim(channel)
        if claimed is not None:
            desk.settle(desk.begin(claimed))
print("done")
""",
        processes=4,
    )
    assert told == ["done"] * 4
    desk.journal.audit.record("desk", "last", {})
    links = _links(desk)
    assert _loose_ends(desk) == {max(links)}
    assert all(number < event for event, followed in links.items() for number in followed)
    desk.journal.audit.verify()
    desk.journal.audit.seal()
    desk.journal.audit.verify()
    desk.change_directly(f"DELETE FROM pn_event WHERE id = {sorted(links)[len(links) // 2]}")  # noqa: S608 - a number
    with pytest.raises(JournalError, match="tampered with"):
        desk.journal.audit.verify()
