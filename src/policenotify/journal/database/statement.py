"""Statements that are compiled once and run on the driver's cursor.

SQLAlchemy takes several times as long for a statement as SQLite takes to run it. That counts where a statement runs for
each person of a long list.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Dialect
from sqlalchemy.sql.elements import ClauseElement

_NAMED: Final = re.compile(r":(\w+)")  # a value's place in SQLite
_FORMATTED: Final = re.compile(r"%\((\w+)\)s")  # in PostgreSQL


class DriverStatement:
    """A statement for one database. Its values are texts and numbers, as the driver takes them.

    Args:
        statement: Its `bindparam` without a value get one at each run.
        dialect: Of the database, with named parameters.
    """

    def __init__(self, statement: ClauseElement, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self._fixed = {name: value for name, value in compiled.params.items() if value is not None}
        self._sql = (_NAMED if dialect.name == "sqlite" else _FORMATTED).sub(self._written, str(compiled))

    def _written(self, place: re.Match[str]) -> str:
        """Return a value that never changes as SQL, so that the driver has fewer to convert."""
        value = self._fixed.get(place[1])
        if value is None:
            return place[0]
        if isinstance(value, str):  # an enumeration, too
            text = str(value).replace("'", "''")
            return f"'{text.replace('%', '%%') if place[0].startswith('%') else text}'"
        return str(value).upper()  # a number, TRUE or FALSE

    def run(self, cursor: Any, values: Mapping[str, object]) -> Any:  # noqa: ANN401 - of the driver
        """Run it on a driver's cursor, and return the cursor."""
        return cursor.execute(self._sql, values)
