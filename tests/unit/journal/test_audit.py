"""Events are append-only, and a changed sealed record is detected."""

from __future__ import annotations

import ast
import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import policenotify
from policenotify.errors import JournalError, UnsupportedVersion
from policenotify.journal import meta
from policenotify.journal.database import schema
from policenotify.journal.keys import Keys
from policenotify.model.lifecycle import Stage

if TYPE_CHECKING:
    from tests.support.journal import Desk

_PACKAGE = Path(policenotify.__file__).parent


_in_sql = re.compile(r"(UPDATE|DELETE FROM|REPLACE INTO)\s+\"?pn_event", re.IGNORECASE)

# --- only added

_FORGETS = """    event = schema.event
    with_body = update(event).where(event.c.publication.in_(publications), event.c.body != "")
    return connection.execute(with_body.values(body="", salt="")).rowcount
"""
"""The only statement that changes events: a purge forgets body and salt; who, what, when and the commitment stay."""


def _changes_events(source: str) -> bool:
    """Return whether a function, or the module itself, refers to the events' table and updates or deletes rows."""
    if "schema" not in source or "event" not in source:  # who does not name it does not know it
        return False
    tree = ast.parse(source)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    inner = {part for function in functions for part in ast.walk(function)}
    scopes = [list(ast.walk(function)) for function in functions]
    scopes.append([node for node in ast.walk(tree) if node not in inner])
    # Statements at module level are not needed and would escape this proof.
    return _knows_events(scopes[-1]) or any(_knows_events(scope) and _changes(scope) for scope in scopes)


def _knows_events(scope: list[ast.AST]) -> bool:
    return any(isinstance(node, ast.Attribute) and ast.unparse(node) == "schema.event" for node in scope)


def _changes(scope: list[ast.AST]) -> bool:
    called = {ast.unparse(node.func) for node in scope if isinstance(node, ast.Call)}
    return bool(
        called & {"update", "delete", "schema.event.update", "schema.event.delete", "table.update", "table.delete"}
    )


def test_no_source_changes_or_removes_an_event() -> None:
    sources = {path: path.read_text(encoding="utf-8") for path in _PACKAGE.rglob("*.py")}
    retention = _PACKAGE / "journal" / "retention.py"
    before, _, after = sources[retention].partition(_FORGETS)
    assert after, "the one place that forgets what events held is not where it was"
    sources[retention] = before + after
    changing = [path for path, text in sources.items() if _changes_events(text) or _in_sql.search(text)]
    assert changing == []


@pytest.mark.parametrize(
    "source",
    [
        "def f(c):\n    c.execute(update(schema.event).values(body=''))",
        "def f(c):\n    table = schema.event\n    c.execute(delete(table))",
        "def f(c):\n    c.execute(schema.event.update())",
        "_table = schema.event\ndef f(c):\n    c.execute(update(_table))",
    ],
)
def test_the_proof_sees_what_it_is_to_see(source: str) -> None:
    assert _changes_events(source)


def test_events_are_reported_in_order(desk: Desk) -> None:
    first = desk.publish()
    desk.deliver()
    desk.journal.stop("cne Roux")
    rows = desk.dump("pn_event")["pn_event"]
    assert [(row[0], row[2], row[3], row[4]) for row in rows] == [
        (1, "cne Roux", "published", first),
        (2, "runner", "settled", first),
        (3, "cne Roux", "stopped", None),
    ]
    for row in rows:
        body, salt, commitment = row[7:10]
        assert commitment == hashlib.sha256(f"{salt}\n{body}".encode()).hexdigest()
        assert len(bytes.fromhex(salt)) == 16
    assert len({row[8] for row in rows}) == 3


# --- seals


def _desk_with(desk: Desk, *, batches: int) -> Desk:
    for number in range(batches):
        desk.publish(Stage.STANDALONE)
        desk.journal.audit.record("adm", "settings_changed", {"number": number, "text": "é ’"})
        assert desk.journal.audit.seal() == 2
    return desk


def test_batches_are_closed_and_verified(desk: Desk) -> None:
    assert desk.journal.audit.seal() == 0
    assert desk.journal.audit.verify() == 0
    _desk_with(desk, batches=3)
    assert desk.journal.audit.seal() == 0
    assert desk.journal.audit.verify() == 3
    seals = desk.dump("pn_seal")["pn_seal"]
    assert [(row[1], row[2]) for row in seals] == [(1, 2), (3, 4), (5, 6)]
    assert [row[3] for row in seals] == ["", seals[0][4], seals[1][4]]


def test_batches_of_earlier_keys_are_still_verified(desk: Desk) -> None:
    _desk_with(desk, batches=1)
    desk.journal.keys = desk.keys.rotated(os.urandom)
    _desk_with(desk, batches=1)
    assert desk.journal.audit.verify() == 2
    desk.journal.keys = desk.keys
    with pytest.raises(UnsupportedVersion, match="keys file"):
        desk.journal.audit.verify()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE pn_event SET actor = 'nobody' WHERE id = 3",
        "UPDATE pn_event SET at = at + 1 WHERE id = 3",
        "UPDATE pn_event SET kind = 'resumed' WHERE id = 3",
        "UPDATE pn_event SET publication = NULL WHERE id = 3",
        "UPDATE pn_event SET channel = 'mail' WHERE id = 4",
        "UPDATE pn_event SET delivery = 7 WHERE id = 4",
        "UPDATE pn_event SET body = '{}' WHERE id = 3",
        "UPDATE pn_event SET salt = 'aa' WHERE id = 3",
        "UPDATE pn_event SET commitment = 'aa', body = '' WHERE id = 3",
        "DELETE FROM pn_event WHERE id = 3",
        "DELETE FROM pn_event WHERE id = 6",
        "UPDATE pn_event SET id = 99 WHERE id = 3",
        "UPDATE pn_seal SET digest = 'aa' WHERE id = 2",
        "UPDATE pn_seal SET previous = '' WHERE id = 2",
        "UPDATE pn_seal SET signature = (SELECT signature FROM pn_seal WHERE id = 1) WHERE id = 2",
        "UPDATE pn_seal SET last_event = 7 WHERE id = 2",
        "UPDATE pn_seal SET first_event = 4 WHERE id = 2",
        "UPDATE pn_seal SET at = at - 1 WHERE id = 2",
        "DELETE FROM pn_seal WHERE id = 1",
        "DELETE FROM pn_seal WHERE id = 2",
        "UPDATE pn_seal SET id = 9 WHERE id = 1",
    ],
)
def test_sealed_records_cannot_be_changed_undetected(desk: Desk, change: str) -> None:
    _desk_with(desk, batches=3)
    desk.change_directly(change)
    with pytest.raises(JournalError, match=r"^The journal was tampered with: (event|sealed batch) \d"):
        desk.journal.audit.verify()


def test_two_events_that_changed_places_are_seen(desk: Desk) -> None:
    _desk_with(desk, batches=2)
    desk.change_directly(
        "UPDATE pn_event SET id = -id WHERE id IN (1, 2); UPDATE pn_event SET id = 3 + id WHERE id < 0"
    )
    with pytest.raises(JournalError, match="The journal was tampered with: event 1 is not what was recorded"):
        desk.journal.audit.verify()


def test_a_seal_of_other_keys_is_seen(desk: Desk) -> None:
    _desk_with(desk, batches=1)
    desk.journal.keys = Keys.create(os.urandom)
    with pytest.raises(JournalError, match="tampered with: event 1 "):
        desk.journal.audit.verify()


def test_a_body_is_erased_by_a_purge_only(desk: Desk) -> None:
    _desk_with(desk, batches=1)
    desk.change_directly("UPDATE pn_event SET body = '', salt = '' WHERE id = 2")
    with pytest.raises(JournalError, match="the content of event 2 was removed, and no purge states it"):
        desk.journal.audit.verify()


def test_a_change_before_sealing_is_seen_when_sealing(desk: Desk) -> None:
    desk.publish(Stage.STANDALONE)
    desk.change_directly("UPDATE pn_event SET body = '{}'")
    with pytest.raises(JournalError, match="tampered with: event 1 is not what was recorded"):
        desk.journal.audit.seal()
    assert desk.dump("pn_seal")["pn_seal"] == []


def test_the_number_of_a_removed_event_is_not_given_again(desk: Desk) -> None:
    desk.publish(Stage.STANDALONE)
    desk.change_directly("DELETE FROM pn_event")
    desk.journal.newest_event = meta.KnownEvent()  # as in a process that begins now
    desk.publish(Stage.STANDALONE)
    assert [row[0] for row in desk.dump("pn_event")["pn_event"]] == [2]
    assert desk.journal.audit.seal() == 1
    with pytest.raises(JournalError, match=r"tampered with: publication 0+1 is not what was published"):
        desk.journal.audit.verify()


def test_the_publishers_of_these_tests_would_see_a_change(desk: Desk) -> None:
    with pytest.raises(AssertionError, match="UPDATE pn_event"), desk.journal.write() as connection:
        connection.execute(schema.event.update().values(actor="nobody"))
