# ruff: noqa: S608 - the names in all SQL here are those of the schema
"""A value that no column of the journal can hold is damage, and is reported as such."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, select

from policenotify.errors import JournalError
from policenotify.journal import clock_change
from policenotify.journal.database import schema
from policenotify.journal.database.columns import (
    Binary,
    DamagedValue,
    LongText,
    Microseconds,
    Name,
    RowNumber,
    Whole,
    YesNo,
    json_object,
    whole_number,
)
from policenotify.testing.fakes import FakeClock

if TYPE_CHECKING:
    from tests.support.journal import Desk

pytestmark = pytest.mark.sqlite

COLUMNS = [column for table in schema.metadata.sorted_tables for column in table.columns]
KINDS = (Binary, LongText, Microseconds, Name, RowNumber, Whole, YesNo)


@pytest.mark.parametrize("column", COLUMNS, ids=str)
def test_every_column_checks_what_it_reads(column: Column[Any]) -> None:
    assert isinstance(column.type, KINDS)


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("pn_delivery", "not_before", b"\0"),
        ("pn_delivery", "not_before", 2**62),
        ("pn_delivery", "not_before", -1),
        ("pn_delivery", "attempts", "many"),
        ("pn_delivery", "attempts", 2**40),
        ("pn_delivery", "in_doubt", 2),
        ("pn_delivery", "in_doubt", "yes"),
        ("pn_delivery", "part", 1.5),
        ("pn_delivery", "reply_to", b"[]"),
        ("pn_person", "sealed", 2**40),
        ("pn_person", "key_version", "[]"),
        ("pn_incident", "due_at", "null"),
        ("pn_incident", "due_at", 1e300),
        ("pn_event", "id", 2**62),
        ("pn_publication", "created_at", float("inf")),
    ],
)
def test_a_value_of_another_kind_is_damage(desk: Desk, table: str, column: str, value: object) -> None:
    desk.publish(channels=("sky", "mail"), people={"mail": ["a@b.example"]})
    assert not table.startswith("pn_person") or desk.expand()
    with closing(sqlite3.connect(desk.path)) as raw:
        assert raw.execute(f"UPDATE {table} SET {column} = ?", (value,)).rowcount
        raw.commit()
    with pytest.raises(JournalError, match="a stored value is damaged"), desk.journal.read() as connection:
        connection.execute(select(schema.metadata.tables[table])).all()
    with pytest.raises(JournalError, match="a stored value is damaged"), desk.journal.write() as connection:
        connection.execute(select(schema.metadata.tables[table])).all()


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
