"""A step on the way of a draft, decided under its row lock and recorded by one event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from policenotify.errors import DraftConflict, JournalError
from policenotify.journal.audit import record
from policenotify.journal.database import schema
from policenotify.journal.drafts.record import columns_of, is_authentic, read_draft
from policenotify.journal.keys import Keys
from policenotify.journal.records import TOLERANCE, microseconds, span
from policenotify.model.draft import Draft, DraftState, Review, ReviewVerdict

READ = (DraftState.SUBMITTED, DraftState.APPROVED)
"""The states in which readers decide."""

_table = schema.draft
_LOCKED = select(_table).where(_table.c.id == bindparam("draft")).with_for_update()


@dataclass(slots=True)
class DraftStep:
    """A draft whose row is locked, and the time of the transition."""

    connection: Connection
    keys: Keys
    now: datetime
    draft: Draft
    changed_at: int = 0
    authenticated: bool = False

    @property
    def has_expired(self) -> bool:
        """True if its time is over, or not to be known because the clock was ahead when it was last changed."""
        if self.draft.state not in READ or self.draft.expires_at is None:
            return False
        return self.draft.expires_at <= self.now or self.changed_at > microseconds(self.now) + span(TOLERANCE)

    def ensure_open(self) -> None:
        """Ensure that it may still be published.

        Raises:
            DraftConflict: It may not.
        """
        known = self.draft
        if known.publication:
            raise DraftConflict(known.id, f"it is published already as {known.publication}.")
        if not known.state.is_open:
            raise DraftConflict(known.id, f"it is {known.state} already. Write a new one if it is still needed.")
        if self.has_expired:
            raise DraftConflict(
                known.id, "it has expired: no one approved it in time. Write a new one if it is still true."
            )

    def with_review(self, verdict: ReviewVerdict, reader: str, reason: str, *, authenticated: bool) -> Draft:
        """Add what a reader decided about the newest revision."""
        review = Review(
            revision=self.draft.revision,
            digest=self.draft.digest,
            verdict=verdict,
            reader=reader,
            authenticated=authenticated,
            reason=reason,
            at=self.now,
        )
        self.draft = replace(self.draft, reviews=(*self.draft.reviews, review))
        return self.draft

    def write(self, **changes: Any) -> None:  # noqa: ANN401 - fields of a draft
        """Store the draft with some changes."""
        self.draft = replace(self.draft, **changes)
        row = columns_of(self.keys, self.draft, microseconds(self.now), authenticated=self.authenticated)
        self.connection.execute(update(_table).where(_table.c.id == self.draft.id).values(row))

    def store(self, actor: str, kind: str, body: Mapping[str, object], **changes: object) -> Draft:
        """Store the draft with some changes, and their event."""
        self.write(**changes)
        newest, stated = self.draft.revisions[-1], {name: value for name, value in body.items() if value}
        about = {"revision": newest.number, "digest": newest.digest, "draft": self.draft.id}
        record(self.connection, self.now, actor, kind, {**stated, **about}, publication=self.draft.id)
        return self.draft


def lock_draft(connection: Connection, keys: Keys, draft: str, now: datetime) -> DraftStep:
    """Lock a draft as it is then.

    Raises:
        DraftConflict: There is none, or its text was purged.
        JournalError: It is not what this installation stored.
    """
    row = connection.execute(_LOCKED, {"draft": draft}).first()
    if row is None:
        raise DraftConflict(draft, "there is none of that id. To list them: policenotify drafts")
    if not is_authentic(keys, row):
        raise JournalError(
            f"Draft {draft} is not what was stored: somebody changed the database. It is neither published nor "
            "changed. Find out who can write the database: policenotify journal verify"
        )
    return DraftStep(connection, keys, now, read_draft(row), row.changed_at, row.authenticated)
