"""Types of columns that one definition gives both databases, and the reading of texts that hold more than text.

A file's tables are strict: SQLite stores no value of another type there (sqlite.org/stricttables.html), and knows the
types INTEGER, TEXT and BLOB alone.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import BigInteger, Boolean, Integer, String, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.types import TypeDecorator, TypeEngine

from policenotify.journal.records import DamagedValue
from policenotify.translation import AnyText, read_text, stored_text


class YesNo(Boolean):
    """True or false."""


@compiles(YesNo, "sqlite")
def _number(_type: YesNo, _compiler: object, **_options: object) -> str:
    return "INTEGER"


RowNumber: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")
"""The number of a row. SQLite counts rows itself in a column of type INTEGER."""

Microseconds: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")
"""A time since 1970, or an interval."""


def Name(length: int) -> TypeEngine[str]:  # noqa: N802 - stands where types stand
    """Return the type of a text of limited length."""
    return String(length).with_variant(Text(), "sqlite")


class OfficerText(TypeDecorator[AnyText]):
    """A text for officers: in English, and behind it, after U+001E, its template and arguments as JSON."""

    impl: type[TypeEngine[Any]] = Text
    cache_ok: bool | None = True

    def process_bind_param(self, value: AnyText | None, _dialect: Dialect) -> str | None:
        """Return what is stored."""
        return None if value is None else stored_text(value)

    def process_result_value(self, value: str | None, _dialect: Dialect) -> AnyText | None:
        """Return what was stored."""
        return None if value is None else read_text(value)


def json_object(stored: str) -> dict[str, Any]:
    """Return a JSON object that is stored as text.

    Raises:
        DamagedValue: It is other JSON, or none.
    """
    try:
        value = json.loads(stored)
    except (ValueError, RecursionError):
        raise DamagedValue from None
    if not isinstance(value, dict):
        raise DamagedValue
    return value
