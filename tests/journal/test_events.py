"""Events are only ever added, and what was sealed cannot be changed unseen."""

from __future__ import annotations

import ast
import hashlib
import os
import re
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import policenotify
from policenotify.errors import JournalError, SettingsError
from policenotify.journal import schema
from policenotify.keys import Keys
from policenotify.lifecycle import Stage

if TYPE_CHECKING:
    from journal.bench import Desk

SOURCES = sorted(Path(policenotify.__file__).parent.rglob("*.py"))


# --- only added


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: "-".join(path.parts[-2:]))
def test_no_source_changes_or_removes_an_event(source: Path) -> None:
    """Every `update` and `delete` in the package names its table; none names the events'."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    tables = {
        target.id: node.value.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Attribute)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"update", "delete"}:
            [table] = node.args
            name = table.attr if isinstance(table, ast.Attribute) else ast.unparse(table)
            assert tables.get(name, name) != "event", f"{source.name}:{node.lineno}"
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert not re.search(r"(UPDATE|DELETE FROM|REPLACE INTO)\s+\"?pn_event", node.value), source.name


def test_the_proof_would_see_it() -> None:
    from policenotify.journal import lanes, settle  # noqa: PLC0415  # two that do update

    used = [Path(module.__file__ or "").read_text(encoding="utf-8") for module in (lanes, settle)]
    assert all("update(" in text for text in used)


def test_what_happens_is_told_in_order(desk: Desk) -> None:
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
        desk.journal.record("adm", "settings_changed", {"number": number, "text": "é ’"})
        assert desk.journal.seal() == 2
    return desk


def test_batches_are_closed_and_verified(desk: Desk) -> None:
    assert desk.journal.seal() == 0
    assert desk.journal.verify() == 0
    _desk_with(desk, batches=3)
    assert desk.journal.seal() == 0
    assert desk.journal.verify() == 3
    seals = desk.dump("pn_seal")["pn_seal"]
    assert [(row[1], row[2]) for row in seals] == [(1, 2), (3, 4), (5, 6)]
    assert [row[3] for row in seals] == ["", seals[0][4], seals[1][4]]


def test_batches_of_earlier_keys_are_still_verified(desk: Desk) -> None:
    _desk_with(desk, batches=1)
    desk.journal.keys = desk.keys.rotated(os.urandom)
    _desk_with(desk, batches=1)
    assert desk.journal.verify() == 2
    desk.journal.keys = desk.keys
    with pytest.raises(SettingsError, match="Key version 2 is asked for"):
        desk.journal.verify()


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
        "UPDATE pn_seal SET signature = X'00' WHERE id = 2",
        "UPDATE pn_seal SET last_event = 7 WHERE id = 2",
        "UPDATE pn_seal SET first_event = 4 WHERE id = 2",
        "DELETE FROM pn_seal WHERE id = 1",
        "DELETE FROM pn_seal WHERE id = 2",
        "UPDATE pn_seal SET id = 9 WHERE id = 1",
    ],
)
def test_what_was_sealed_cannot_be_changed_unseen(desk: Desk, change: str) -> None:
    _desk_with(desk, batches=3)
    _as_a_stranger(desk, change)
    with pytest.raises(JournalError, match=r"(Event|Sealed batch) \d of the journal .*was tampered with\.$"):
        desk.journal.verify()


def _as_a_stranger(desk: Desk, change: str) -> None:
    """Change the file behind the journal's back."""
    raw = sqlite3.connect(desk.path)
    raw.executescript(change)
    raw.close()


def test_two_events_that_changed_places_are_seen(desk: Desk) -> None:
    _desk_with(desk, batches=2)
    _as_a_stranger(
        desk, "UPDATE pn_event SET id = -id WHERE id IN (1, 2); UPDATE pn_event SET id = 3 + id WHERE id < 0"
    )
    with pytest.raises(JournalError, match=r"Sealed batch 1 of the journal \(from event 1\) was tampered with"):
        desk.journal.verify()


def test_a_seal_of_other_keys_is_seen(desk: Desk) -> None:
    _desk_with(desk, batches=1)
    desk.journal.keys = Keys.create(os.urandom)
    with pytest.raises(JournalError, match="Sealed batch 1"):
        desk.journal.verify()


def test_a_body_may_be_erased_and_stays_proven(desk: Desk) -> None:
    _desk_with(desk, batches=1)
    _as_a_stranger(desk, "UPDATE pn_event SET body = '', salt = ''")
    assert desk.journal.verify() == 1


def test_a_change_before_sealing_is_seen_when_sealing(desk: Desk) -> None:
    desk.publish(Stage.STANDALONE)
    _as_a_stranger(desk, "UPDATE pn_event SET body = '{}'")
    with pytest.raises(JournalError, match="Event 1 of the journal was tampered with"):
        desk.journal.seal()
    assert desk.dump("pn_seal")["pn_seal"] == []


def test_the_number_of_a_removed_event_is_not_given_again(desk: Desk) -> None:
    desk.publish(Stage.STANDALONE)
    _as_a_stranger(desk, "DELETE FROM pn_event")
    desk.publish(Stage.STANDALONE)
    assert [row[0] for row in desk.dump("pn_event")["pn_event"]] == [2]
    assert desk.journal.seal() == 1
    assert desk.journal.verify() == 1


def test_the_desks_of_these_tests_would_see_a_change(desk: Desk) -> None:
    with pytest.raises(AssertionError, match="UPDATE pn_event"), desk.journal.writing() as connection:
        connection.execute(schema.event.update().values(actor="nobody"))
