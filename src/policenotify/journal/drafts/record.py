"""A draft as it is stored: one document, the columns by which it is found, and a keyed code (HMAC) over both.

Who can write the database, but has no keys, can hold drafts back. He cannot write an approval that counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, Row, select

from policenotify.journal.database import schema
from policenotify.journal.keys import Keys
from policenotify.journal.records import microseconds
from policenotify.model.draft import Draft
from policenotify.model.message import read as read_message

_MAC = "draft"  # the purpose of the code
_table = schema.draft


@cache
def _document() -> TypeAdapter[Draft]:
    return TypeAdapter(Draft)


def columns_of(keys: Keys, draft: Draft, changed_at: int, *, authenticated: bool) -> dict[str, Any]:
    """Return the columns of a draft.

    Args:
        keys: The installation's keys.
        draft: The draft.
        changed_at: When it was last changed.
        authenticated: Who reads it after an urgent publication must be authenticated.
    """
    row = {
        "id": draft.id,
        "key": draft.key,
        "for_keys": draft.for_keys,
        "category": draft.message.category,
        "exercise": draft.message.exercise,
        "state": draft.state,
        "typed": draft.revisions[-1].digest,
        "submitted_by": draft.submitted_by,
        "created_at": microseconds(draft.created_at),
        "changed_at": changed_at,
        "expires_at": None if draft.expires_at is None else microseconds(draft.expires_at),
        "publication": draft.publication,
        "due_at": None if draft.second_due_at is None else microseconds(draft.second_due_at),
        "authenticated": authenticated,
        "content": _document().dump_json(draft, exclude={"reminders"}).decode(),
    }
    return {**row, "mac": keys.mac(_MAC, _covered(row))}


def read_draft(row: Row[Any]) -> Draft:
    """Return a draft from its row."""
    content = json.loads(row.content)
    return _document().validate_python({**content, "message": read_message(content["message"])})


def is_authentic(keys: Keys, row: Row[Any]) -> bool:
    """Return True if a draft is as this installation stored it.

    Raises:
        UnsupportedVersion: It was stored with newer keys.
    """
    return keys.is_mac(_MAC, _covered(row._asdict()), row.mac)


def _covered(row: dict[str, Any]) -> str:
    return json.dumps([row[name] for name in _COVERED], ensure_ascii=False)


_COVERED = [column.name for column in _table.c if column.name not in {"mac", "reminders", "reminded_at"}]


def forged_drafts(connection: Connection, keys: Keys) -> Iterator[str]:
    """Yield what is wrong with each draft that is not what this installation stored."""
    for row in connection.execute(select(_table).order_by(_table.c.id)):
        if not is_authentic(keys, row):
            yield f"draft {row.id} is not what was stored"
