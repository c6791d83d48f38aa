"""Erase drafts: with their publication, or once they are old and were never published."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, delete, or_, select, update

from policenotify.journal.database import schema
from policenotify.journal.drafts.record import columns_of, read_draft
from policenotify.journal.keys import Keys
from policenotify.journal.tombstones import DIGEST, Selection, purged_key, tombstone_of
from policenotify.model.draft import DraftState

_table = schema.draft


def erase_drafts(connection: Connection, keys: Keys, publications: Iterable[str], now: datetime) -> None:
    """Erase the texts and reasons in the drafts of some publications. Who wrote and read them is kept."""
    for row in connection.execute(select(_table).where(_table.c.publication.in_(publications))).all():
        draft = read_draft(row)
        left = replace(
            draft,
            key=None if draft.key is None else purged_key(keys, draft.key),
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
    # Quotes in the texts are escaped.
    of_incident = _table.c.content.contains(f'"incident":"{name}"', autoescape=True)
    named = or_(_table.c.id == name, _table.c.key == name, of_incident, _table.c.typed.in_(words))
    return select(_table.c.id).where(_table.c.publication.is_(None), named)


def remove_drafts(connection: Connection, selected: Select[Any]) -> list[str]:
    """Remove these drafts, and return their ids. What was done with them stays in their events, without content."""
    names = sorted(connection.execute(selected.order_by(_table.c.id).with_for_update()).scalars())
    connection.execute(delete(schema.picture).where(schema.picture.c.owner.in_(names)))
    connection.execute(delete(_table).where(_table.c.id.in_(names)))
    return names
