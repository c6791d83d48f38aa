"""Statements that are compiled once and run on the driver's cursor.

SQLAlchemy takes several times as long for a statement as SQLite takes to run it. That counts where a statement runs for
each person of a long list.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from sqlalchemy import Dialect
from sqlalchemy.sql.elements import ClauseElement


class DriverStatement:
    """A statement for one database. Its values are texts and numbers, as the driver takes them.

    Args:
        statement: Its `bindparam` without a value get one at each run.
        dialect: Of the database, with named parameters.
    """

    def __init__(self, statement: ClauseElement, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self._sql = str(compiled)
        self._values = {
            name: value.value if isinstance(value, Enum) else value for name, value in compiled.params.items()
        }

    def run(self, cursor: Any, values: Mapping[str, object]) -> Any:  # noqa: ANN401 - of the driver
        """Run it on a driver's cursor, and return the cursor."""
        return cursor.execute(self._sql, {**self._values, **values})
