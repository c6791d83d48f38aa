"""Types of columns that check what is read: SQLite stores any value in any column, whatever the column's type.

PostgreSQL checks its columns itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, ClassVar, Final, TypeAlias

from sqlalchemy import BigInteger, Boolean, Dialect, Integer, LargeBinary, String, Text

_LARGEST: Final = 2**62  # a number can still be added to it
_LATEST: Final = 2**57  # microseconds since 1970, until the year 6537: any interval can still be added
_Check: TypeAlias = Callable[[Any], Any]


class DamagedValue(ValueError):
    """A stored value is none that policenotify stores there."""


def whole_number(stored: str) -> int:
    """Return a number that is stored as text.

    Raises:
        DamagedValue: It is none, or out of range.
    """
    try:
        number = int(stored)
    except ValueError:
        raise DamagedValue from None
    if not -_LARGEST <= number < _LARGEST:
        raise DamagedValue
    return number


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


def _is_between(first: int, end: int) -> _Check:
    def check(value: Any) -> Any:  # noqa: ANN401 - whatever is stored
        if value is None or (type(value) is int and first <= value < end):
            return value
        raise DamagedValue

    return check


def _is(kind: type) -> _Check:
    def check(value: Any) -> Any:  # noqa: ANN401 - whatever is stored
        if value is None or type(value) is kind:
            return value
        raise DamagedValue

    return check


def _is_bool(value: Any) -> bool | None:  # noqa: ANN401 - whatever is stored
    if value is None or (isinstance(value, int) and value in {0, 1}):
        return None if value is None else bool(value)
    raise DamagedValue


class _Checked:
    """A type of column that reads its values through a check."""

    cache_ok: ClassVar[bool] = True
    check: ClassVar[staticmethod[[Any], Any]]

    def result_processor(self, dialect: Dialect, coltype: object) -> _Check:  # noqa: ARG002 - the parent's
        return type(self).check


class Whole(_Checked, Integer):
    """A whole number, in the range of PostgreSQL's `integer`."""

    check: ClassVar[staticmethod[[Any], Any]] = staticmethod(_is_between(-(2**31), 2**31))


class RowNumber(_Checked, BigInteger):
    """The number of a row."""

    check: ClassVar[staticmethod[[Any], Any]] = staticmethod(_is_between(0, _LARGEST))


class SqliteRowNumber(_Checked, Integer):
    """The number of a row on SQLite, which counts rows itself only in a column of type INTEGER."""

    check: ClassVar[staticmethod[[Any], Any]] = staticmethod(_is_between(0, _LARGEST))


class Microseconds(_Checked, BigInteger):
    """A time since 1970, or an interval."""

    check: ClassVar[staticmethod[[Any], Any]] = staticmethod(_is_between(0, _LATEST))


class YesNo(_Checked, Boolean):
    """True or false."""

    check: ClassVar[staticmethod[[Any], Any]] = staticmethod(_is_bool)


class Name(_Checked, String):
    """A text of limited length."""

    check: ClassVar[staticmethod[[Any], Any]] = staticmethod(_is(str))


class LongText(_Checked, Text):
    """A text of any length."""

    check: ClassVar[staticmethod[[Any], Any]] = staticmethod(_is(str))


class Binary(_Checked, LargeBinary):
    """Bytes."""

    check: ClassVar[staticmethod[[Any], Any]] = staticmethod(_is(bytes))
