"""Events are append-only, and a changed sealed record is detected."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policenotify.errors import JournalError, SettingsError
from policenotify.journal import audit
from policenotify.journal.audit import end_of_events, events_after, place_of
from policenotify.journal.database import schema
from policenotify.model.lifecycle import Stage
from tests.support.journal import Desk

# --- the order


@pytest.fixture
def on_server(desk: Desk, new_journal: Callable[..., str]) -> Iterator[Desk]:
    """A desk on PostgreSQL: a file has one writer at a time."""
    made = Desk(desk.path.parent, keys=desk.keys, clock=desk.clock, url=new_journal(desk.keys))
    yield made
    made.journal.close()


@pytest.mark.postgres
def test_however_transactions_overlap_each_event_is_read_and_sealed_once(on_server: Desk) -> None:
    """A step begins a transaction that adds an event, or ends it. A reader looks after each step."""
    journal = on_server.journal

    @given(steps=st.lists(st.integers(0, 5), min_size=1, max_size=24))
    @settings(max_examples=15, deadline=None)
    def overlap(steps: list[int]) -> None:
        with journal.read() as connection:
            cursor = end_of_events(connection)
        read, added, open_ones = list[int](), 0, dict[int, ExitStack]()

        def look() -> None:
            nonlocal cursor
            with journal.read() as connection:
                for row in events_after(connection, cursor, 1):
                    cursor = place_of(row)
                    read.append(row.id)

        with ExitStack() as all_of_them:
            for step in steps:
                if (begun := open_ones.pop(step, None)) is None:
                    begun = open_ones[step] = all_of_them.enter_context(ExitStack())
                    connection = begun.enter_context(journal.write())
                    audit.record(connection, on_server.clock.now(), "adm", "added", {})
                    added += 1
                else:
                    begun.close()
                look()
        for _ in range(added):
            look()
        assert len(read) == len(set(read)) == added
        assert journal.audit.seal() == added

    overlap()
    assert journal.audit.verify() > 1


# --- seals


def _desk_with(desk: Desk, *, batches: int) -> Desk:
    for number in range(batches):
        desk.publish(Stage.STANDALONE)
        desk.journal.audit.record("adm", "settings_changed", {"number": number, "text": "é ’"})
        assert desk.journal.audit.seal() == 2
    return desk


@pytest.mark.databases
def test_batches_are_closed_and_verified(desk: Desk) -> None:
    assert desk.journal.audit.seal() == 0
    assert desk.journal.audit.verify() == 0
    assert desk.journal.audit.printed_seal() == ""
    _desk_with(desk, batches=3)
    assert desk.journal.audit.seal() == 0
    assert desk.journal.audit.verify() == 3
    rows = desk.dump("pn_seal")["pn_seal"]
    assert [(row[0], row[2]) for row in rows] == [(1, 2), (2, 4), (3, 6)]


def test_batches_of_earlier_keys_are_still_verified(desk: Desk) -> None:
    _desk_with(desk, batches=1)
    desk.journal.keys = desk.keys.rotated(os.urandom)
    _desk_with(desk, batches=1)
    assert desk.journal.audit.verify() == 2
    desk.journal.keys = desk.keys
    with pytest.raises(SettingsError, match="Copy the keys file"):
        desk.journal.audit.verify()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE pn_event SET actor = 'nobody' WHERE id = 3",
        "UPDATE pn_event SET at = at + 1 WHERE id = 3",
        "UPDATE pn_event SET delivery = 7 WHERE id = 4",
        "UPDATE pn_event SET body = '{}' WHERE id = 3",
        "UPDATE pn_event SET commitment = 'aa', body = '' WHERE id = 3",
        "DELETE FROM pn_event WHERE id = 3",
        "UPDATE pn_event SET id = -id WHERE id IN (1, 2); UPDATE pn_event SET id = 3 + id WHERE id < 0",
        "UPDATE pn_seal SET digest = 'aa' WHERE id = 2",
        "UPDATE pn_seal SET signature = (SELECT signature FROM pn_seal WHERE id = 1) WHERE id = 2",
        "UPDATE pn_seal SET last_event = 3 WHERE id = 2",
        "UPDATE pn_seal SET last_xid = last_xid - 9 WHERE id = 2",
        "UPDATE pn_event SET xid = xid - 9 WHERE id = 4",
        "DELETE FROM pn_seal WHERE id = 1",
        "UPDATE pn_event SET body = '{}' WHERE id = 7",
        # A batch is cut out, and the next one put in its place: each seal is a signed one.
        (
            "DELETE FROM pn_event WHERE id IN (3, 4); DELETE FROM pn_seal WHERE id = 2; "
            "UPDATE pn_seal SET id = 2 WHERE id = 3"
        ),
    ],
)
def test_sealed_records_cannot_be_changed_undetected(desk: Desk, change: str) -> None:
    _desk_with(desk, batches=3).journal.audit.record("adm", "not sealed yet", {})
    desk.change_directly(change)
    with pytest.raises(JournalError, match=r"^The journal was tampered with: (seal \d, or|the body of) .*event "):
        desk.journal.audit.verify()


def test_a_body_that_was_changed_before_sealing_is_seen_when_sealing(desk: Desk) -> None:
    desk.publish(Stage.STANDALONE)
    desk.change_directly("UPDATE pn_event SET body = '{}'")
    with pytest.raises(JournalError, match="tampered with: the body of event 1 does not match its commitment"):
        desk.journal.audit.seal()
    assert desk.dump("pn_seal")["pn_seal"] == []


def test_a_line_kept_elsewhere_shows_that_the_journal_was_set_back(desk: Desk) -> None:
    lines = []
    for _ in range(3):
        desk.journal.audit.record("adm", "counted", {})
        assert desk.journal.audit.seal() == 1
        lines.append(desk.journal.audit.printed_seal())
    for line in lines:
        assert desk.journal.audit.verify(f"{line}\n") == 3
    desk.change_directly("DELETE FROM pn_seal WHERE id = 3; DELETE FROM pn_event WHERE id = 3")
    assert desk.journal.audit.verify() == 2  # from within nothing shows it
    assert desk.journal.audit.verify(lines[1]) == 2
    with pytest.raises(JournalError, match=r"seal 3 is missing or another one: the journal was set back"):
        desk.journal.audit.verify(lines[2])
    desk.journal.audit.record("innocent", "counted", {})
    desk.journal.audit.seal()
    with pytest.raises(JournalError, match=r"seal 3 is missing or another one"):
        desk.journal.audit.verify(lines[2])
    with pytest.raises(JournalError, match="The line is of another journal"):
        desk.journal.audit.verify(f"0{lines[2]}")
    for wrong in ("x", "a:b:c", f"{lines[2].rpartition(':')[0]}:"):
        with pytest.raises(JournalError, match="That is not the line of a seal"):
            desk.journal.audit.verify(wrong)


@pytest.mark.databases
def test_processes_that_publish_deliver_and_seal_at_once_leave_one_chain(
    together: Callable[..., list[str]], desk: Desk
) -> None:
    done = together(
        """
desk = opened()
at_once()
for number in range(4):
    desk.publish(Stage.OPENING, f"{sys.argv[2]}-{number}", channels=("sky", "x"))
    desk.journal.audit.seal()
    for channel in ("sky", "x"):
        claimed = desk.claim(channel)
        if claimed is not None:
            desk.settle(desk.begin(claimed))
print("done")
""",
        processes=3,
    )
    assert done == ["done"] * 3
    desk.journal.audit.seal()
    assert desk.journal.audit.seal() == 0
    assert desk.journal.audit.verify() > 0
    events = sorted(row[0] for row in desk.dump("pn_event")["pn_event"])
    desk.change_directly(f"DELETE FROM pn_event WHERE id = {events[len(events) // 2]}")  # noqa: S608 - a number
    with pytest.raises(JournalError, match="tampered with"):
        desk.journal.audit.verify()


def test_the_publishers_of_these_tests_would_see_a_change(desk: Desk) -> None:
    with pytest.raises(AssertionError, match="UPDATE pn_event"), desk.journal.write() as connection:
        connection.execute(schema.event.update().values(actor="nobody"))
