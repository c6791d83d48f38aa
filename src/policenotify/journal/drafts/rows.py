"""A draft as it is stored: one document, the columns by which it is found, and a keyed code (HMAC) over both.

Who can write the database, but has no keys, can hold drafts back. He cannot write an approval that counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from pydantic import TypeAdapter
from sqlalchemy import Connection, Row, Select, and_, delete, func, or_, select, update

from policenotify.journal.database import schema
from policenotify.journal.database.columns import json_object
from policenotify.journal.keys import Keys
from policenotify.journal.pictures import forget_pictures
from policenotify.journal.records import DamagedRow, microseconds, stored
from policenotify.journal.tombstones import DIGEST, purged_key, tombstone_of
from policenotify.model.draft import Draft, DraftState
from policenotify.model.message import read_stored as read_message
from policenotify.translation import AnyText, Text

_MAC = "draft"  # the purpose of the code
_table = schema.draft
_COVERED = [column.name for column in _table.c if column.name not in {"mac", "reminders", "reminded_at"}]


@cache
def _document() -> TypeAdapter[Draft]:
    return TypeAdapter(Draft)


def columns_of(keys: Keys, draft: Draft, changed_at: int, *, authenticated: bool) -> dict[str, Any]:
    """Return the columns of a draft, where *authenticated* states that its second reader must be."""
    row = {
        "id": draft.id,
        "key": draft.key,
        "incident": draft.message.incident,
        "for_keys": draft.for_keys,
        "category": draft.message.category,
        "exercise": draft.message.exercise,
        "state": draft.state,
        "typed": draft.revisions[-1].digest,
        "submitted_by": draft.submitted_by,
        "created_at": microseconds(draft.created_at),
        "changed_at": changed_at,
        "expires_at": microseconds(draft.expires_at) if draft.expires_at else None,
        "publication": draft.publication,
        "due_at": microseconds(draft.second_due_at) if draft.second_due_at else None,
        "authenticated": authenticated,
        "content": _document().dump_json(draft, exclude={"reminders"}, exclude_computed_fields=True).decode(),
    }
    return {**row, "mac": keys.mac(_MAC, _covered(row))}


def read_draft(row: Row[Any], now: datetime) -> Draft:
    """Return a draft from its row. It is expired once its time is over, whatever is stored.

    Raises:
        DamagedRow: It cannot be read.
    """
    with stored(_table.name, row.id):
        content = json_object(row.content)
        draft = _document().validate_python({**content, "message": read_message(content.get("message", {}))})
    return replace(draft, state=draft.state.at(now, draft.expires_at))


def is_authentic(keys: Keys, row: Row[Any]) -> bool:
    """Return True if a draft is as this installation stored it.

    Raises:
        UnsupportedVersion: It was stored with newer keys.
    """
    return keys.is_mac(_MAC, _covered(row._asdict()), row.mac)


def _covered(row: dict[str, Any]) -> str:
    return json.dumps([row[name] for name in _COVERED], ensure_ascii=False)


def forged_drafts(connection: Connection, keys: Keys) -> Iterator[AnyText]:
    """Yield what is wrong with each draft that is not what this installation stored."""
    for row in connection.execute(select(_table).order_by(_table.c.id)):
        if not is_authentic(keys, row):
            yield Text("draft {id} is not what was stored", id=row.id)


class DraftCounts(NamedTuple):
    """How many drafts wait for a person.

    Attributes:
        waiting: How many wait for readers, or for a person who publishes them.
        oldest: When the oldest of them was last changed, in the journal's microseconds.
        readings_overdue: How many second readings are overdue.
    """

    waiting: int
    oldest: int | None
    readings_overdue: int


def count_drafts(connection: Connection, now: int) -> DraftCounts:
    """Return how many drafts wait for a person."""
    approved = and_(_table.c.state == DraftState.APPROVED, _table.c.for_keys == "")
    waits = and_(or_(_table.c.state == DraftState.SUBMITTED, approved), _table.c.expires_at > now)
    waiting, oldest = connection.execute(select(func.count(), func.min(_table.c.changed_at)).where(waits)).one()
    overdue = select(func.count()).select_from(_table).where(_table.c.due_at <= now)
    return DraftCounts(waiting, oldest, connection.execute(overdue).scalar_one())


# --- erasing


def erase_drafts(connection: Connection, keys: Keys, publications: Iterable[str], now: datetime) -> list[str]:
    """Erase the texts and reasons in the drafts of some publications, and return the drafts' ids.

    Who wrote and read them is kept, unless the draft cannot be read.
    """
    rows = connection.execute(select(_table).where(_table.c.publication.in_(publications))).all()
    for row in rows:
        try:
            draft = read_draft(row, now)
        except DamagedRow:
            connection.execute(delete(_table).where(_table.c.id == row.id))
            continue
        left = replace(
            draft,
            key=draft.key and purged_key(keys, draft.key),
            message=tombstone_of(draft.message, now),
            digest=keys.tag(DIGEST, draft.digest),
            revisions=tuple(replace(each, digest=keys.tag(DIGEST, each.digest)) for each in draft.revisions),
            reviews=tuple(replace(each, digest=keys.tag(DIGEST, each.digest), reason="") for each in draft.reviews),
            reason="",
            urgent="",
            second_due_at=None,
        )
        columns = columns_of(keys, left, row.changed_at, authenticated=row.authenticated)
        connection.execute(update(_table).where(_table.c.id == row.id).values(columns))
    return [row.id for row in rows]


def old_drafts(before: int, category: str | None) -> Select[Any]:
    """Return the query for the drafts that were never published and are old enough. None that readers may approve."""
    pending = and_(_table.c.state.in_([DraftState.SUBMITTED, DraftState.APPROVED]), _table.c.expires_at > before)
    old = select(_table.c.id).where(_table.c.publication.is_(None), _table.c.changed_at <= before, ~pending)
    return old if category is None else old.where(_table.c.category == category)


def drafts_to_erase(name: str, publications: Iterable[str]) -> Select[Any]:
    """Return the query for the drafts that were never published and have the texts to erase.

    They are of that name, about the incident of that name, or have the very words of one of the publications.
    """
    words = select(schema.publication.c.digest).where(schema.publication.c.id.in_(publications))
    named = or_(
        *(column == name for column in (_table.c.id, _table.c.key, _table.c.incident)), _table.c.typed.in_(words)
    )
    return select(_table.c.id).where(_table.c.publication.is_(None), named)


def remove_drafts(connection: Connection, selected: Select[Any]) -> list[str]:
    """Remove these drafts, and return their ids. What was done with them stays in their events, without content."""
    names = sorted(connection.execute(selected.order_by(_table.c.id).with_for_update()).scalars())
    forget_pictures(connection, names)
    connection.execute(delete(_table).where(_table.c.id.in_(names)))
    return names
