# ruff: noqa: S608 - the names in all SQL here are those of the schema
"""A value that no column of the journal can hold is damage, and is reported as such."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Table

from policenotify.journal.database import schema

if TYPE_CHECKING:
    from tests.support.journal import Desk


@pytest.mark.parametrize("table", schema.metadata.sorted_tables, ids=str)
def test_every_table_of_a_file_is_strict(desk: Desk, table: Table) -> None:
    with closing(sqlite3.connect(desk.path)) as raw:
        [strict] = raw.execute("SELECT strict FROM pragma_table_list WHERE name = ?", (table.name,)).fetchone()
    assert strict == 1


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("pn_delivery", "not_before", b"\0"),
        ("pn_delivery", "part", 1.5),
        ("pn_publication", "created_at", float("inf")),
    ],
)
def test_a_value_of_another_kind_is_never_stored(desk: Desk, table: str, column: str, value: object) -> None:
    desk.publish()
    with closing(sqlite3.connect(desk.path)) as raw, pytest.raises(sqlite3.IntegrityError, match="cannot store"):
        raw.execute(f"UPDATE {table} SET {column} = ?", (value,))


def test_a_fault_of_the_program_is_not_reported_as_damage(desk: Desk) -> None:
    with pytest.raises(ValueError, match="invalid literal"), desk.journal.read():
        int("a")
    with pytest.raises(ValueError, match="invalid literal"), desk.journal.write():
        int("a")
