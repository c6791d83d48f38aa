"""Erase drafts: with their publication, or once they are old and were never published."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, delete, or_, select, update

from policenotify.journal.database import schema
from policenotify.journal.drafts.record import MAC, read_parts, record_of
from policenotify.journal.keys import Keys
from policenotify.journal.tombstones import DIGEST, Selection, purged_key, tombstone_of
from policenotify.model.draft import DraftState
from policenotify.model.message import read as read_message

_table, _revision, _review = schema.draft, schema.revision, schema.review


def erase_drafts(connection: Connection, keys: Keys, publications: Iterable[str], now: datetime) -> set[str]:
    """Erase the texts and reasons in the drafts of some publications. Who wrote and read them is kept.

    Returns:
        The ids of the drafts.
    """
    erased: set[str] = set()
    for row in connection.execute(select(_table).where(_table.c.publication.in_(publications))).all():
        revisions, reviews = read_parts(connection, row.id)
        for one in revisions:
            kept = tombstone_of(read_message(one["message"]), now).model_dump_json(exclude_none=True)
            one |= {"message": kept, "digest": keys.tag(DIGEST, one["digest"])}
            this = (_revision.c.draft == row.id, _revision.c.number == one["number"])
            connection.execute(update(_revision).where(*this).values(message=one["message"], digest=one["digest"]))
        for one in reviews:
            one |= {"reason": "", "digest": keys.tag(DIGEST, one["digest"])}
            this = (_review.c.draft == row.id, _review.c.number == one["number"])
            connection.execute(update(_review).where(*this).values(reason="", digest=one["digest"]))
        values: dict[str, Any] = {
            "key": None if row.key is None else purged_key(keys, row.key),
            "reason": "",
            "digest": keys.tag(DIGEST, row.digest),
            "urgent": "",
            "due_at": None,
        }
        values["mac"] = keys.mac(MAC, record_of({**row._asdict(), **values}, revisions, reviews))
        erased.add(row.id)
        connection.execute(update(_table).where(_table.c.id == row.id).values(**values))
    return erased


def old_drafts(selection: Selection) -> Select[Any]:
    """Return the query for the drafts that were never published and are old enough. None that readers may approve."""
    pending = and_(
        _table.c.state.in_([DraftState.SUBMITTED, DraftState.APPROVED]), _table.c.expires_at > selection.before
    )
    old = select(_table.c.id).where(_table.c.publication.is_(None), _table.c.changed_at <= selection.before, ~pending)
    return old if selection.category is None else old.where(_table.c.category == selection.category)


def drafts_to_erase(name: str, publications: Iterable[str]) -> Select[Any]:
    """Return the query for the drafts that were never published and have the texts to erase.

    They are of that name, about the incident of that name, or have the very words of one of the publications.
    """
    words = select(schema.publication.c.digest).where(schema.publication.c.id.in_(publications))
    with_text = or_(_revision.c.digest.in_(words), names_incident(_revision, name))
    named = or_(_table.c.id == name, _table.c.key == name, _table.c.id.in_(select(_revision.c.draft).where(with_text)))
    return select(_table.c.id).where(_table.c.publication.is_(None), named)


def names_incident(table: Table, incident: str) -> ColumnElement[bool]:
    """Return the condition that a stored message is of an incident. Quotes in its texts are escaped."""
    return table.c.message.contains(f'"incident":"{incident}"', autoescape=True)


def remove_drafts(connection: Connection, selected: Select[Any]) -> list[str]:
    """Remove these drafts, and return their ids. What was done with them stays in their events, without content."""
    names = sorted(connection.execute(selected.order_by(_table.c.id).with_for_update()).scalars())
    for part in (_review, _revision):
        connection.execute(delete(part).where(part.c.draft.in_(names)))
    connection.execute(delete(_table).where(_table.c.id.in_(names)))
    return names
