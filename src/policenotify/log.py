"""What the library's log records hold: fields for machines, and never a text, an address or a token.

Records are of the logger `policenotify`. Those about a publication, a delivery or a channel have the attributes named
in `LOG_FIELDS`, each `None` where it does not apply. The desk's own incident id is in none of them.
"""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime

__all__ = ["LOG_FIELDS", "JsonFormatter", "TextFormatter"]

LOGGER = "policenotify"
"""The name of the library's logger."""

LOG_FIELDS = ("event", "channel", "delivery", "publication", "outcome")
"""The attributes of a record that state what it is about, as passed in `extra`."""

_CODE = re.compile(r"[A-Za-z0-9_.:-]{1,32}")  # the longest known are names of errors: `platform_account_suspended`
_MANY_DIGITS = re.compile(r"[0-9]{6}")  # no known code has so many, and every telephone number has


def fields(
    event: str | None = None,
    *,
    channel: str | None = None,
    delivery: int | None = None,
    publication: str | None = None,
    outcome: str | None = None,
) -> dict[str, object]:
    """Return the `extra` of a record."""
    return dict(zip(LOG_FIELDS, (event, channel, delivery, publication, outcome), strict=True))


def shown_code(code: str) -> str:
    """Return a code that another program chose, or an empty text if it may be an address, a number or a token."""
    return code if _CODE.fullmatch(code) and not _MANY_DIGITS.search(code) else ""


def _at(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def _is_ours(record: logging.LogRecord) -> bool:
    return record.name.partition(".")[0] == LOGGER


def _message(record: logging.LogRecord) -> str:
    """Return the message of a record of this library. That of another library may quote anything."""
    return record.getMessage() if _is_ours(record) else "(withheld: it may hold values)"


class TextFormatter(logging.Formatter):
    """Formats each record as a line for people: time in UTC, level and message."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        return f"{_at(record)} {record.levelname} {_message(record)}"


class JsonFormatter(logging.Formatter):
    """Formats each record as one JSON object in one line.

    It has `at` (ISO 8601, UTC), `level`, `logger`, those of `LOG_FIELDS` that apply, and `message`. Of an exception
    only its type is named: a traceback may quote values. The messages of other libraries are withheld for the same
    reason.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        line: dict[str, object] = {"at": _at(record), "level": record.levelname, "logger": record.name}
        known = {name: getattr(record, name, None) for name in LOG_FIELDS if _is_ours(record)}
        line |= {name: value for name, value in known.items() if value is not None}
        line["message"] = _message(record)
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
        return json.dumps(line, ensure_ascii=False, default=str)
