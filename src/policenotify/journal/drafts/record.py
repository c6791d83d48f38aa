"""What an event states of a draft: the digest of its row, its revisions and its reviews."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, select

from policenotify.journal.database import schema
from policenotify.journal.database.columns import json_object
from policenotify.journal.verify import digest_of

MAC = "draft"
"""The purpose of the code of a draft, over its record."""

STATED = (
    "id", "key", "to", "category", "exercise", "state", "revision", "reason", "submitted_by", "created_at",
    "changed_at", "expires_at", "publication", "published_by", "urgent", "due_at",
)  # fmt: skip
"""The columns of a draft that its event covers, the id first."""

_REVISION = ("number", "digest", "message", "author", "at")
_REVIEW = ("number", "revision", "digest", "verdict", "reader", "reason", "at")
_table, _revision, _review = schema.draft, schema.revision, schema.review
_REVISIONS = select(_revision).where(_revision.c.draft == bindparam("draft")).order_by(_revision.c.number)
_REVIEWS = select(_review).where(_review.c.draft == bindparam("draft")).order_by(_review.c.number)

_KINDS = ("drafted", "revised", "submitted", "approved", "returned", "rejected", "withdrawn", "expired")


@cache
def _last() -> Select[Any]:
    """Return the query for the last event of an unpublished draft."""
    event = schema.event
    of_draft = (event.c.publication == bindparam("draft"), event.c.kind.in_(_KINDS))
    return select(event.c.body).where(*of_draft).order_by(event.c.id.desc()).limit(1)


def last_stated(connection: Connection, draft: str) -> str | None:
    """Return the record that the last event of an unpublished draft states: empty if purged, None without one."""
    body = connection.execute(_last(), {"draft": draft}).scalar()
    return body and str(json_object(body).get("record"))


def record_of(
    row: Mapping[str, Any], revisions: Sequence[Mapping[str, Any]], reviews: Sequence[Mapping[str, Any]]
) -> str:
    """Return the digest of a draft as stored."""
    return digest_of(
        [
            [row[name] for name in STATED],
            [[one[name] for name in _REVISION] for one in revisions],
            [[one[name] for name in _REVIEW] for one in reviews],
        ]
    )


def read_parts(connection: Connection, draft: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the revisions and the reviews of a draft, in order."""
    return (
        [one._asdict() for one in connection.execute(_REVISIONS, {"draft": draft})],
        [one._asdict() for one in connection.execute(_REVIEWS, {"draft": draft})],
    )


def problem_of(connection: Connection, stated: dict[str, str]) -> str:
    """Return how the drafts differ from the digests that the events state, or an empty text."""
    for row in connection.execute(select(_table).order_by(_table.c.id)).all():
        if stated.pop(row.id, None) != record_of(row._asdict(), *read_parts(connection, row.id)):
            return f"draft {row.id}, or a revision or review of it, is not what was recorded"
    return f"draft {min(stated)} was removed" if stated else ""
