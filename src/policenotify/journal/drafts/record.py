"""A draft as it is stored, and what an event states of it: the digest of its row, its revisions and its reviews."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, insert, select

from policenotify.journal.database import schema
from policenotify.journal.database.columns import json_object
from policenotify.journal.keys import Keys
from policenotify.journal.records import TOLERANCE, NeededApproval, moment, span, word
from policenotify.journal.verify import digest_of
from policenotify.model.draft import Draft, DraftState, Review, ReviewVerdict, Revision, approvals, person
from policenotify.model.message import Message
from policenotify.model.message import read as read_message

MAC = "draft"
"""The purpose of the code of a draft, over its record."""

DRAFT_FIELDS = (
    "id", "key", "for_keys", "to", "category", "exercise", "state", "revision", "reason", "digest",
    "submitted_by", "created_at", "changed_at", "expires_at", "publication", "published_by", "urgent", "due_at",
    "authenticated",
)  # fmt: skip
"""The columns of a draft that its code covers."""

_REVISION_FIELDS = ("number", "digest", "message", "author", "authenticated", "at")
_REVIEW_FIELDS = ("number", "revision", "digest", "verdict", "reader", "authenticated", "reason", "at")

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
    parts = ((revisions, _REVISION_FIELDS), (reviews, _REVIEW_FIELDS))
    return digest_of(
        [[row[name] for name in DRAFT_FIELDS], *([[one[name] for name in names] for one in of] for of, names in parts)]
    )


def read_parts(connection: Connection, draft: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the revisions and the reviews of a draft, in order."""
    return (
        [one._asdict() for one in connection.execute(_REVISIONS, {"draft": draft})],
        [one._asdict() for one in connection.execute(_REVIEWS, {"draft": draft})],
    )


def forged_drafts(connection: Connection, keys: Keys) -> Iterator[str]:
    """Yield what is wrong with each draft that is not what this installation stored."""
    for row in connection.execute(select(_table).order_by(_table.c.id)).all():
        if not keys.is_mac(MAC, record_of(row._asdict(), *read_parts(connection, row.id)), row.mac):
            yield f"draft {row.id}, or a revision or review of it, is not what was stored"


@dataclass(slots=True)
class StoredDraft:
    """A draft as it is in the tables, its row locked."""

    row: dict[str, Any]
    revisions: list[dict[str, Any]]
    reviews: list[dict[str, Any]]

    @property
    def state(self) -> DraftState:
        """Its state."""
        return word(DraftState, self.row["state"])

    @property
    def record(self) -> str:
        """What its event states of it."""
        return record_of(self.row, self.revisions, self.reviews)

    def readers(self, digest: str, needed: NeededApproval) -> tuple[str, ...]:
        """Return the readers whose approval counts; see [`approvals`][policenotify.model.draft.approvals]."""
        return approvals(
            *_values(self),
            digest=digest,
            exercise=self.row["exercise"],
            authenticated=needed.authenticated,
            reasons=needed.reasons,
        )

    def wrote(self, actor: str) -> bool:
        """Return True if the actor wrote a revision, or published it before it was read."""
        authors = {*(one["author"] for one in self.revisions), self.row["published_by"]} - {""}
        return person(actor) in set(map(person, authors))

    def has_expired(self, at: int) -> bool:
        """Return True if its time is over, or not to be known because the clock was ahead when it was last changed."""
        expires = self.row["expires_at"]
        if self.state not in {DraftState.SUBMITTED, DraftState.APPROVED} or expires is None:
            return False
        return bool(expires <= at or self.row["changed_at"] > at + span(TOLERANCE))


def new_row(
    draft: str,
    message: Message,
    at: int,
    *,
    key: str | None,
    to: Sequence[str],
    state: DraftState,
    for_keys: str = "",
) -> dict[str, Any]:
    """Return the row of a new draft."""
    return {
        "id": draft,
        "key": key,
        "for_keys": for_keys,
        "to": json.dumps([*to], ensure_ascii=False),
        "category": message.category,
        "exercise": message.exercise,
        "state": state,
        "revision": 1,
        "reason": "",
        "digest": message.digest(),
        "submitted_by": "",
        "created_at": at,
        "changed_at": at,
        "expires_at": None,
        "publication": None,
        "published_by": "",
        "urgent": "",
        "due_at": None,
        "authenticated": False,
        "mac": "",
    }


def add_revision(
    connection: Connection, stored: StoredDraft, message: Message, author: str, at: int, *, authenticated: bool = False
) -> None:
    """Store another version of a draft."""
    row = {
        "number": len(stored.revisions) + 1,
        "digest": message.digest(),
        "message": message.model_dump_json(exclude_none=True),
        "author": author,
        "authenticated": authenticated,
        "at": at,
    }
    connection.execute(insert(_revision), {"draft": stored.row["id"], **row})
    stored.revisions.append(row)


def add_review(
    connection: Connection,
    stored: StoredDraft,
    verdict: ReviewVerdict,
    reader: str,
    reason: str,
    at: int,
    *,
    authenticated: bool,
) -> None:
    """Store what a reader decided about the newest version."""
    newest = stored.revisions[-1]
    row = {
        "number": len(stored.reviews) + 1,
        "revision": newest["number"],
        "digest": stored.row["digest"],
        "verdict": verdict,
        "reader": reader,
        "authenticated": authenticated,
        "reason": reason,
        "at": at,
    }
    connection.execute(insert(_review), {"draft": stored.row["id"], **row})
    stored.reviews.append(row)


def _values(stored: StoredDraft) -> tuple[tuple[Revision, ...], tuple[Review, ...]]:
    revisions = tuple(
        Revision(**{name: one[name] for name in ("number", "digest", "author", "authenticated")}, at=moment(one["at"]))
        for one in stored.revisions
    )
    reviews = tuple(
        Review(
            revision=one["revision"],
            digest=one["digest"],
            verdict=word(ReviewVerdict, one["verdict"]),
            reader=one["reader"],
            authenticated=one["authenticated"],
            reason=one["reason"],
            at=moment(one["at"]),
        )
        for one in stored.reviews
    )
    return revisions, reviews


def made(stored: StoredDraft) -> Draft:
    """Return a draft from its rows."""
    row = stored.row
    revisions, reviews = _values(stored)
    return Draft(
        id=row["id"],
        key=row["key"],
        for_keys=row["for_keys"],
        to=tuple(json.loads(row["to"])),
        state=stored.state,
        digest=row["digest"],
        message=read_message(stored.revisions[-1]["message"]),
        revisions=revisions,
        reviews=reviews,
        reason=row["reason"],
        submitted_by=row["submitted_by"],
        created_at=moment(row["created_at"]),
        expires_at=None if row["expires_at"] is None else moment(row["expires_at"]),
        publication=row["publication"],
        published_by=row["published_by"],
        urgent=row["urgent"],
        second_due_at=None if row["due_at"] is None else moment(row["due_at"]),
    )
