# ruff: noqa: S608 - the names in all SQL here are those of the schema
"""A value that no column of the journal can hold is damage, and is reported as such."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Table

from policenotify.errors import JournalError
from policenotify.journal import clock_change
from policenotify.journal.database import schema
from policenotify.journal.database.columns import json_object, whole_number
from policenotify.journal.records import DamagedValue
from policenotify.testing.fakes import FakeClock

if TYPE_CHECKING:
    from tests.support.journal import Desk

pytestmark = pytest.mark.sqlite


@pytest.mark.parametrize("table", schema.metadata.sorted_tables, ids=str)
def test_every_table_of_a_file_is_strict(desk: Desk, table: Table) -> None:
    with closing(sqlite3.connect(desk.path)) as raw:
        [strict] = raw.execute("SELECT strict FROM pragma_table_list WHERE name = ?", (table.name,)).fetchone()
    assert strict == 1


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("pn_delivery", "not_before", b"\0"),
        ("pn_delivery", "attempts", "many"),
        ("pn_delivery", "in_doubt", "yes"),
        ("pn_delivery", "part", 1.5),
        ("pn_delivery", "reply_to", b"[]"),
        ("pn_publication", "created_at", float("inf")),
    ],
)
def test_a_value_of_another_kind_is_never_stored(desk: Desk, table: str, column: str, value: object) -> None:
    desk.publish()
    with closing(sqlite3.connect(desk.path)) as raw, pytest.raises(sqlite3.IntegrityError, match="cannot store"):
        raw.execute(f"UPDATE {table} SET {column} = ?", (value,))


@pytest.mark.parametrize("change", ["opened_at = -(1 << 61)", "due_at = 1 << 61", "opened_at = 1 << 61"])
def test_a_value_that_is_never_stored_is_damage(desk: Desk, change: str) -> None:
    desk.publish()
    desk.change_directly(f"UPDATE pn_incident SET {change}")
    with pytest.raises(JournalError, match="a stored value is damaged"):
        desk.journal.incidents.list()


def test_a_fault_of_the_program_is_not_reported_as_damage(desk: Desk) -> None:
    with pytest.raises(ValueError, match="invalid literal"), desk.journal.read():
        int("a")
    with pytest.raises(ValueError, match="invalid literal"), desk.journal.write():
        int("a")


@pytest.mark.parametrize("mark", ["", "1 2", "x", f"{2**80}", "1.5"])
def test_a_damaged_mark_of_a_clock_is_reported(desk: Desk, mark: str) -> None:
    desk.change_directly(f"INSERT INTO pn_meta VALUES ('{clock_change.FACTS}boot', '{mark}')")
    with pytest.raises(JournalError, match="a stored value is damaged"), desk.journal.write() as connection:
        clock_change.follow(connection, FakeClock(run="boot"))


def test_a_damaged_request_to_drain_is_reported(desk: Desk) -> None:
    assert desk.journal.workers.request_drain("celery")
    desk.change_directly("UPDATE pn_meta SET value = 'soon' WHERE name LIKE 'drain%'")
    with pytest.raises(JournalError, match="a stored value is damaged"):
        desk.journal.workers.request_drain("celery")


@given(st.integers(-(2**80), 2**80))
def test_a_number_stored_as_text_is_read_within_its_range(number: int) -> None:
    if -(2**62) <= number < 2**62:
        assert whole_number(str(number)) == number
    else:
        with pytest.raises(DamagedValue):
            whole_number(str(number))


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "[" * 100_000, '{"a": 1}x'])
def test_other_json_is_no_object(text: str) -> None:
    with pytest.raises(DamagedValue):
        json_object(text)
    assert json_object('{"a": [1]}') == {"a": [1]}


def test_an_outcome_that_is_never_stored_is_damage(desk: Desk) -> None:
    publication = desk.publish()
    desk.change_directly("UPDATE pn_delivery SET state = 'lost'")
    with pytest.raises(JournalError, match="a stored value is damaged"):
        desk.outcome(publication)
