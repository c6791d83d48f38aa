"""The repository of drafts: what is to be read by others before it is published, and who read it.

Every transition is decided under the draft's row lock and recorded by exactly one event.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, case, func, or_, select, update

from policenotify.channel import Picture
from policenotify.errors import ApprovalMissing, DraftConflict, IdempotencyConflict
from policenotify.journal.audit import RUNNER, record
from policenotify.journal.database import schema
from policenotify.journal.database.transactions import Transactions
from policenotify.journal.drafts.record import columns_of, read_draft
from policenotify.journal.drafts.step import READ, DraftStep, lock_draft
from policenotify.journal.keys import Keys
from policenotify.journal.pictures import store_pictures
from policenotify.journal.records import TOLERANCE, NeededApproval, NewPublication, microseconds, span
from policenotify.model.draft import Draft, DraftState, ReviewVerdict, Revision, approvals, person
from policenotify.model.message import Message

_VERDICTS = {
    ReviewVerdict.APPROVE: ("approved", DraftState.APPROVED),
    ReviewVerdict.RETURN: ("returned", DraftState.RETURNED),
    ReviewVerdict.REJECT: ("rejected", DraftState.REJECTED),
}
_OPEN = tuple(state for state in DraftState if state.is_open)
_NOT_AUTHENTICATED = (
    "only a reader who is authenticated counts, and on the command line a name is only stated. Read it in an "
    "application with a login."
)
_CHANGED = "it was changed since you read it. Read it again: policenotify drafts DRAFT"
_table = schema.draft
_ISREAD = _table.c.state.in_(READ)


class StoredDrafts:
    """Drafts with their revisions and reviews."""

    def __init__(self, journal: Transactions) -> None:
        self._journal = journal

    def get(self, name: str) -> Draft | None:
        """Return a draft by its id, its key or its publication."""
        query = select(_table).where(or_(_table.c.id == name, _table.c.key == name, _table.c.publication == name))
        with self._journal.read() as connection:
            row = connection.execute(query.order_by(_table.c.id).limit(1)).first()
        return read_draft(row) if row else None

    def approved_draft(self, key: str, digest: str, to: Sequence[str] = ()) -> Draft | None:
        """Return the open draft of a message whose approval counts for a key and channels, an approved one first."""
        approved = case((_table.c.state == DraftState.APPROVED, 0), else_=1)
        query = select(_table).where(_table.c.for_keys != "", _table.c.typed == digest, _table.c.state.in_(_OPEN))
        with self._journal.read() as connection:
            now = self._journal.now()
            found = map(read_draft, connection.execute(query.order_by(approved, _table.c.id.desc())).all())
        for draft in found:
            lasts = draft.expires_at is None or draft.expires_at > now
            if lasts and key.startswith(draft.for_keys) and sorted(draft.to) == sorted(to):
                return draft
        return None

    def list(self, *, only_open: bool = True, limit: int | None = None) -> tuple[Draft, ...]:
        """Return the drafts, newest first: those that may still be published or owe a second reading, or all."""
        query = select(_table).order_by(_table.c.id.desc()).limit(limit)
        if only_open:
            query = query.where(or_(_table.c.state.in_(_OPEN), _table.c.due_at.is_not(None)))
        with self._journal.read() as connection:
            return tuple(map(read_draft, connection.execute(query).all()))

    def create(
        self,
        draft: str,
        message: Message,
        *,
        key: str,
        author: str,
        authenticated: bool = False,
        for_keys: str = "",
        to: Sequence[str] = (),
        pictures: Sequence[Picture] = (),
    ) -> Draft:
        """Store a new draft. A repeated call with its key returns the first one.

        Raises:
            IdempotencyConflict: The key names the draft of another message.
        """
        journal = self._journal
        with journal.write() as connection:
            now = journal.now()
            new = _new(draft, message, now, author, authenticated=authenticated)
            new = replace(new, key=key, for_keys=for_keys, to=tuple(to))
            row = columns_of(journal.keys, new, microseconds(now), authenticated=False)
            if not schema.insert_new(connection, _table, [row]):
                first = read_draft(connection.execute(select(_table).where(_table.c.key == key)).one())
                if first.revisions[-1].digest != message.digest():
                    raise IdempotencyConflict(key, first.id)
                return first
            store_pictures(connection, draft, pictures, microseconds(now))
            body = {"stage": message.stage, "authenticated": authenticated}
            return DraftStep(connection, journal.keys, now, new).store(author, "drafted", body)

    def revise(
        self,
        draft: str,
        message: Message,
        *,
        author: str,
        authenticated: bool = False,
        pictures: Sequence[Picture] = (),
    ) -> Draft:
        """Store a new revision. Approvals of the earlier ones do not count for it."""
        with self._step(draft) as step:
            known = step.draft
            if known.revisions[-1].digest == message.digest() and known.state is not DraftState.RETURNED:
                return known
            if message.exercise != known.message.exercise:
                raise DraftConflict(draft, "an exercise stays one, and a real message too. Write a new one.")
            store_pictures(step.connection, draft, pictures, microseconds(step.now))
            return step.store(
                author,
                "revised",
                {"stage": message.stage, "authenticated": authenticated},
                state=DraftState.DRAFT,
                message=message,
                digest=message.digest(),
                revisions=(*known.revisions, _revision(known.revision + 1, message, author, step.now, authenticated)),
                expires_at=None,
                submitted_by="",
                reason="",
            )

    def submit(
        self,
        draft: str,
        *,
        actor: str,
        revision: int,
        digest: str,
        expires_at: datetime,
        reason: str = "",
    ) -> Draft:
        """Submit a revision to its readers. They read what has that digest: a repeated call with it changes nothing."""
        with self._step(draft) as step:
            known = step.draft
            if known.revision != revision:
                raise DraftConflict(draft, _CHANGED)
            if known.state in READ and known.digest == digest:
                return known
            if known.state is DraftState.RETURNED:
                raise DraftConflict(draft, "a reader returned it. Change it first: policenotify draft --revises.")
            return step.store(
                actor,
                "submitted",
                {"reason": reason},
                state=DraftState.SUBMITTED,
                expires_at=expires_at,
                submitted_by=actor,
                reason=reason,
                digest=digest,
            )

    def review(
        self,
        draft: str,
        verdict: ReviewVerdict,
        *,
        reader: str,
        digest: str,
        reason: str = "",
        authenticated: bool = False,
        needed: NeededApproval = NeededApproval(readers=1),  # noqa: B008 - frozen
    ) -> Draft:
        """Record what a reader decided about the newest revision.

        Args:
            draft: The draft.
            verdict: Approve, return or reject.
            reader: Who read it: no one who wrote any revision, except in an exercise.
            digest: The digest of what was read. If the draft was changed since, nothing is recorded.
            reason: In the reader's words.
            authenticated: The caller has verified who the reader is.
            needed: The approval that it needs.
        """
        kind, state = _VERDICTS[verdict]
        approves = verdict is ReviewVerdict.APPROVE
        with self._step(draft) as step:
            known = step.draft
            if known.digest != digest:
                raise DraftConflict(draft, _CHANGED)
            if known.state not in READ:
                raise DraftConflict(draft, f"it is {known.state}, and not submitted to readers.")
            if approves and person(reader) in set(map(person, _readers(known, digest, needed))):
                return known  # a repeated call
            if approves and needed.authenticated and not authenticated:
                raise DraftConflict(draft, _NOT_AUTHENTICATED)
            wrote = _wrote(known, reader)
            if approves and wrote and not known.message.exercise:
                raise DraftConflict(
                    draft, f"{reader!r} wrote it, and so cannot approve it. Let another person read it."
                )
            reviewed = step.with_review(verdict, reader, reason, authenticated=authenticated)
            waits = approves and len(_readers(reviewed, digest, needed)) < needed.readers
            body = {"reason": reason, "of_the_author": approves and wrote, "authenticated": authenticated}
            return step.store(reader, kind, body, state=DraftState.SUBMITTED if waits else state)

    def withdraw(self, draft: str, *, actor: str, reason: str = "") -> Draft:
        """Take a draft back that is not published."""
        with self._step(draft, is_open=False) as step:
            if step.draft.state is DraftState.WITHDRAWN:
                return step.draft
            step.ensure_open()
            return step.store(actor, "withdrawn", {"reason": reason}, state=DraftState.WITHDRAWN)

    def second_reading(
        self, draft: str, *, reader: str, objects: bool, reason: str = "", authenticated: bool = False
    ) -> Draft:
        """Record the second reading of an urgent publication, by a person who neither wrote nor published it."""
        with self._step(draft, is_open=False) as step:
            if step.draft.second_due_at is None:
                raise DraftConflict(draft, "no second reading of it is owed.")
            if _wrote(step.draft, reader) and not step.draft.message.exercise:
                raise DraftConflict(draft, f"{reader!r} wrote or published it. Let another person read it.")
            if step.authenticated and not authenticated:
                raise DraftConflict(draft, _NOT_AUTHENTICATED)
            verdict = ReviewVerdict.SECOND_OBJECTION if objects else ReviewVerdict.SECOND_OK
            step.with_review(verdict, reader, reason, authenticated=authenticated)
            body = {"verdict": verdict, "reason": reason, "authenticated": authenticated}
            return step.store(reader, "second_reading", body, second_due_at=None)

    # --- deadlines

    def expire(self) -> tuple[Draft, ...]:
        """Expire the submitted drafts that no one approved in time. Return those that this call expired."""
        journal, expired = self._journal, []
        with journal.read() as connection:
            at = microseconds(journal.now())
            late = or_(_table.c.expires_at <= at, _table.c.changed_at > at + span(TOLERANCE))
            names = connection.execute(select(_table.c.id).where(_ISREAD, late).order_by(_table.c.id)).scalars().all()
        for name in names:
            with self._step(name, is_open=False) as step:
                if step.has_expired:
                    expired.append(step.store(RUNNER, "expired", {}, state=DraftState.EXPIRED))
        return tuple(expired)

    def owed(self, limit: int | None = None, *, exercise: bool | None = None) -> tuple[Draft, ...]:
        """Return the urgent publications whose second reading is owed, the earliest deadline first."""
        query = select(_table).where(_table.c.due_at.is_not(None)).order_by(_table.c.due_at, _table.c.id).limit(limit)
        if exercise is not None:
            query = query.where(_table.c.exercise.is_(exercise))
        with self._journal.read() as connection:
            now = microseconds(self._journal.now())
            return tuple(
                replace(read_draft(row), reminders=_level(row, now)) for row in connection.execute(query).all()
            )

    def count_owed(self, at: datetime) -> int:
        """Return how many second readings were due by *at*."""
        return self._count(_table.c.due_at <= microseconds(at))

    def count_submitted(self, at: datetime) -> int:
        """Return how many drafts wait for their readers, or for who publishes them."""
        read = and_(_table.c.state == DraftState.APPROVED, _table.c.for_keys == "")
        waits = or_(_table.c.state == DraftState.SUBMITTED, read)
        return self._count(and_(waits, _table.c.expires_at > microseconds(at)))

    def _count(self, condition: ColumnElement[bool]) -> int:
        with self._journal.read() as connection:
            return int(connection.execute(select(func.count()).select_from(_table).where(condition)).scalar() or 0)

    def record_reminder(self, draft: str, due_at: datetime, level: int) -> bool:
        """Record that a reminder of a second reading is raised, once for each level. Return whether to raise it."""
        with self._journal.write() as connection:
            now = self._journal.now()
            ahead = _table.c.reminded_at > microseconds(now) + span(TOLERANCE)
            raised: ColumnElement[int] = case((ahead, 0), else_=_table.c.reminders)
            due = (_table.c.id == draft, _table.c.due_at == microseconds(due_at), raised < level)
            changed = connection.execute(
                update(_table).where(*due).values(reminders=level, reminded_at=microseconds(now))
            )
            if changed.rowcount:
                body = {"draft": draft, "due_at": due_at.isoformat(), "level": level}
                record(connection, now, RUNNER, "second_reading_overdue", body, publication=draft)
            return bool(changed.rowcount)

    @contextmanager
    def _step(self, draft: str, *, is_open: bool = True) -> Iterator[DraftStep]:
        """Lock a draft for a transition, which is one transaction."""
        with self._journal.write() as connection:
            step = lock_draft(connection, self._journal.keys, draft, self._journal.now())
            if is_open:
                step.ensure_open()
            yield step


# --- publishing


def publish_draft(connection: Connection, keys: Keys, new: NewPublication) -> dict[str, object]:
    """Decide under the locks of incident and draft that enough others have read a new publication.

    Returns:
        What its event states of the draft. Nothing if it needs no approval, which costs no statement.

    Raises:
        ApprovalMissing: They have not, and it is not published urgently.
        DraftConflict: The draft is not open, or was changed since.
    """
    approval = new.approval
    if approval is None:
        return {}
    readers: tuple[str, ...] = ()
    if approval.draft is None:
        step = _urgent(connection, keys, new, approval)
    else:
        step = lock_draft(connection, keys, approval.draft, new.at)
        step.ensure_open()
        _ensure_named(step.draft, new, approval)
        readers = _readers(step.draft, new.read_digest, approval)
    known, enough = step.draft, len(readers) >= approval.readers
    stated: dict[str, object] = {"draft": known.id, "readers": list(readers)}
    if known.for_keys and enough and known.state is DraftState.APPROVED:
        return stated  # and it stays approved
    if known.for_keys or not (enough or approval.urgent):
        raise ApprovalMissing([approval.finding(len(readers))])
    urgent, due = ("", None) if enough else (approval.urgent, approval.second_due_at)
    step.authenticated = approval.authenticated
    published = {"state": DraftState.PUBLISHED, "publication": new.id, "published_by": new.actor}
    step.write(**published, urgent=urgent, second_due_at=due)
    return stated | ({"urgent": urgent} if urgent else {})


def _urgent(connection: Connection, keys: Keys, new: NewPublication, approval: NeededApproval) -> DraftStep:
    """Store what is published without a draft as one. Its own id is free: no draft has that of a new publication."""
    draft = replace(_new(new.id, new.typed or new.message, new.at, new.actor), to=approval.to)
    row = columns_of(keys, draft, microseconds(new.at), authenticated=False)
    schema.insert_new(connection, _table, [row])
    return DraftStep(connection, keys, new.at, draft)


def _ensure_named(known: Draft, new: NewPublication, approval: NeededApproval) -> None:
    """Ensure that a publication is that of a draft.

    Raises:
        DraftConflict: It is another message, or for another key or other channels.
    """
    if known.revisions[-1].digest != new.digest:
        raise DraftConflict(known.id, _CHANGED)
    many = known.for_keys
    if not (new.key.startswith(many) if many else known.key == new.key):
        its = f"keys that begin with {many!r}" if many else f"its own key {known.key!r}"
        raise DraftConflict(known.id, f"it is published with {its} only.")
    if sorted(known.to) != sorted(approval.to):
        raise DraftConflict(known.id, "it is for other channels than those named. Leave them out.")
    if known.state is DraftState.RETURNED:
        raise DraftConflict(known.id, "a reader returned it. Change it first.")


# --- values


def _new(draft: str, message: Message, now: datetime, author: str, *, authenticated: bool = False) -> Draft:
    return Draft(
        id=draft,
        key=None,
        to=(),
        state=DraftState.DRAFT,
        digest=message.digest(),
        message=message,
        revisions=(_revision(1, message, author, now, authenticated),),
        reviews=(),
        reason="",
        submitted_by="",
        created_at=now,
        expires_at=None,
        publication=None,
        published_by="",
        urgent="",
        second_due_at=None,
    )


def _revision(number: int, message: Message, author: str, now: datetime, authenticated: bool) -> Revision:  # noqa: FBT001 - of one file
    return Revision(number=number, digest=message.digest(), author=author, authenticated=authenticated, at=now)


def _readers(draft: Draft, digest: str, needed: NeededApproval) -> tuple[str, ...]:
    """Return the readers whose approval counts; see [`approvals`][policenotify.model.draft.approvals]."""
    return approvals(
        draft.revisions,
        draft.reviews,
        digest=digest,
        exercise=draft.message.exercise,
        authenticated=needed.authenticated,
        reasons=needed.reasons,
    )


def _wrote(draft: Draft, actor: str) -> bool:
    """Return True if the actor wrote a revision, or published it before it was read."""
    return person(actor) in {person(author) for author in (*draft.authors, draft.published_by) if author}


def _level(row: Row[Any], now: int) -> int:
    """Return the level of the last reminder. One from the future does not count: the clock was ahead."""
    ahead = row.reminded_at is not None and row.reminded_at > now + span(TOLERANCE)
    return 0 if ahead else int(row.reminders)
