"""The repository of drafts: what is to be read by others before it is published, and who read it.

Every transition is decided under the draft's row lock and recorded by exactly one event. The event states a digest of
the whole draft with its revisions and reviews, and a keyed code covers the same, so that no approval can be written
into the database.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, case, func, insert, or_, select, update

from policenotify.channel import Picture
from policenotify.errors import ApprovalMissing, DraftConflict, IdempotencyConflict, JournalError
from policenotify.journal.audit import RUNNER, record
from policenotify.journal.database import schema
from policenotify.journal.database.transactions import Transactions
from policenotify.journal.drafts.record import (
    DRAFT_FIELDS,
    MAC,
    StoredDraft,
    add_review,
    add_revision,
    last_stated,
    made,
    new_row,
    read_parts,
)
from policenotify.journal.keys import Keys
from policenotify.journal.pictures import store_pictures
from policenotify.journal.records import TOLERANCE, NeededApproval, NewPublication, microseconds, moment, span
from policenotify.model.draft import Draft, DraftState, ReviewVerdict, person
from policenotify.model.message import Message

_VERDICTS = {
    ReviewVerdict.APPROVE: ("approved", DraftState.APPROVED),
    ReviewVerdict.RETURN: ("returned", DraftState.RETURNED),
    ReviewVerdict.REJECT: ("rejected", DraftState.REJECTED),
}
_NOT_AUTHENTICATED = (
    "only a reader who is authenticated counts, and on the command line a name is only stated. Read it in an "
    "application with a login."
)
_CHANGED = "it was changed since you read it. Read it again: policenotify drafts DRAFT"
_table, _revision, _review = schema.draft, schema.revision, schema.review

_WRITTEN = (*DRAFT_FIELDS, "mac")
_LOCKED = select(_table).where(_table.c.id == bindparam("draft")).with_for_update()
_WRITE = (
    update(_table)
    .where(_table.c.id == bindparam("new_id"))
    .values({name: bindparam(f"new_{name}") for name in _WRITTEN[1:]})
)


class StoredDrafts:
    """Drafts with their revisions and reviews."""

    def __init__(self, journal: Transactions) -> None:
        self._journal = journal

    def get(self, name: str) -> Draft | None:
        """Return a draft by its id, its key or its publication."""
        with self._journal.read() as connection:
            query = select(_table).where(or_(_table.c.id == name, _table.c.key == name, _table.c.publication == name))
            row = connection.execute(query.order_by(_table.c.id).limit(1)).first()
            return _draft(connection, row) if row else None

    def standing(self, key: str, digest: str, to: Sequence[str] = ()) -> Draft | None:
        """Return the open draft of a message whose approval counts for a key and channels, an approved one first."""
        newest = and_(_revision.c.draft == _table.c.id, _revision.c.number == _table.c.revision)
        query = select(_table).join(_revision, newest).where(_table.c.for_keys != "", _revision.c.digest == digest)
        states = [state for state in DraftState if state.is_open]
        approved = case((_table.c.state == DraftState.APPROVED, 0), else_=1)
        with self._journal.read() as connection:
            rows = connection.execute(query.where(_table.c.state.in_(states)).order_by(approved, _table.c.id.desc()))
            for row in rows.all():
                lasts = row.expires_at is None or row.expires_at > microseconds(self._journal.now())
                if lasts and key.startswith(row.for_keys) and sorted(json.loads(row.to)) == sorted(to):
                    return _draft(connection, row)
        return None

    def list(self, *, only_open: bool = True, limit: int | None = None) -> tuple[Draft, ...]:
        """Return the drafts, newest first: those that may still be published or owe a second reading, or all."""
        pending = or_(
            _table.c.state.in_([state for state in DraftState if state.is_open]), _table.c.due_at.is_not(None)
        )
        query = select(_table).order_by(_table.c.id.desc()).limit(limit)
        with self._journal.read() as connection:
            rows = connection.execute(query.where(pending) if only_open else query).all()
            return tuple(_draft(connection, row) for row in rows)

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
        pictures: Sequence[Picture],
    ) -> Draft:
        """Store a new draft.

        Returns:
            It, or the one that the key already names.

        Raises:
            IdempotencyConflict: The key names a draft of another message.
        """
        journal = self._journal
        with journal.write() as connection:
            now = journal.now()
            at = microseconds(now)
            row = new_row(draft, message, at, key=key, to=to, state=DraftState.DRAFT, for_keys=for_keys)
            if not schema.insert_new(connection, _table, [row]):
                known = connection.execute(select(_table).where(_table.c.key == key)).one()
                first = _draft(connection, known)
                if first.revisions[-1].digest != message.digest():
                    raise IdempotencyConflict(key, first.id)
                return first
            stored = StoredDraft(row, [], [])
            store_pictures(connection, pictures, at)
            add_revision(connection, stored, message, author, at, authenticated=authenticated)
            body = {"stage": message.stage, "authenticated": authenticated}
            _store(connection, journal.keys, stored, now, author, "drafted", body)
            return made(stored)

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
        journal = self._journal
        with journal.write() as connection:
            now = journal.now()
            stored = _locked(connection, journal.keys, draft)
            _ensure_open(stored, now)
            same = stored.revisions[-1]["digest"] == message.digest()
            if same and stored.state is not DraftState.RETURNED:
                return made(stored)
            if message.exercise != stored.row["exercise"]:
                raise DraftConflict(draft, "an exercise stays one, and a real message too. Write a new one.")
            store_pictures(connection, pictures, microseconds(now))
            add_revision(connection, stored, message, author, microseconds(now), authenticated=authenticated)
            state = {
                "state": DraftState.DRAFT,
                "expires_at": None,
                "submitted_by": "",
                "reason": "",
                "digest": message.digest(),
            }
            stored.row |= {**state, "category": message.category, "revision": stored.row["revision"] + 1}
            body = {"stage": message.stage, "authenticated": authenticated}
            _store(connection, journal.keys, stored, now, author, "revised", body)
            return made(stored)

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
        journal = self._journal
        with journal.write() as connection:
            now = journal.now()
            stored = _locked(connection, journal.keys, draft)
            _ensure_open(stored, now)
            _ensure_same(stored.row, revision=revision)
            if stored.state in {DraftState.SUBMITTED, DraftState.APPROVED} and stored.row["digest"] == digest:
                return made(stored)
            if stored.state is DraftState.RETURNED:
                raise DraftConflict(draft, "a reader returned it. Change it first: policenotify draft --revises.")
            stored.row |= {
                "state": DraftState.SUBMITTED,
                "expires_at": microseconds(expires_at),
                "submitted_by": actor,
                "reason": reason,
                "digest": digest,
            }
            _store(connection, journal.keys, stored, now, actor, "submitted", {"reason": reason})
            return made(stored)

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
        journal = self._journal
        kind, state = _VERDICTS[verdict]
        with journal.write() as connection:
            now = journal.now()
            stored = _locked(connection, journal.keys, draft)
            _ensure_open(stored, now)
            _ensure_same(stored.row, digest=digest)
            approves = verdict is ReviewVerdict.APPROVE
            if stored.state not in {DraftState.SUBMITTED, DraftState.APPROVED}:
                raise DraftConflict(draft, f"it is {stored.state}, and not submitted to readers.")
            if approves and person(reader) in set(map(person, stored.readers(digest, needed))):
                return made(stored)  # a repeated call
            if approves and needed.authenticated and not authenticated:
                raise DraftConflict(draft, _NOT_AUTHENTICATED)
            if approves and stored.wrote(reader) and not stored.row["exercise"]:
                raise DraftConflict(
                    draft, f"{reader!r} wrote it, and so cannot approve it. Let another person read it."
                )
            add_review(connection, stored, verdict, reader, reason, microseconds(now), authenticated=authenticated)
            if approves and len(stored.readers(digest, needed)) < needed.readers:
                state = DraftState.SUBMITTED
            stored.row["state"] = state
            of_the_author = approves and stored.wrote(reader)
            body = {"reason": reason, "of_the_author": of_the_author, "authenticated": authenticated}
            _store(connection, journal.keys, stored, now, reader, kind, body)
            return made(stored)

    def withdraw(self, draft: str, *, actor: str, reason: str = "") -> Draft:
        """Take a draft back that is not published."""
        journal = self._journal
        with journal.write() as connection:
            now = journal.now()
            stored = _locked(connection, journal.keys, draft)
            if stored.state is DraftState.WITHDRAWN:
                return made(stored)
            _ensure_open(stored, now)
            stored.row["state"] = DraftState.WITHDRAWN
            _store(connection, journal.keys, stored, now, actor, "withdrawn", {"reason": reason})
            return made(stored)

    def second_reading(
        self, draft: str, *, reader: str, objects: bool, reason: str = "", authenticated: bool = False
    ) -> Draft:
        """Record the second reading of an urgent publication, by a person who neither wrote nor published it."""
        journal = self._journal
        with journal.write() as connection:
            now = journal.now()
            stored = _locked(connection, journal.keys, draft)
            if stored.row["due_at"] is None:
                raise DraftConflict(draft, "no second reading of it is owed.")
            if stored.wrote(reader) and not stored.row["exercise"]:
                raise DraftConflict(draft, f"{reader!r} wrote or published it. Let another person read it.")
            if stored.row["authenticated"] and not authenticated:
                raise DraftConflict(draft, _NOT_AUTHENTICATED)
            verdict = ReviewVerdict.SECOND_OBJECTION if objects else ReviewVerdict.SECOND_OK
            add_review(connection, stored, verdict, reader, reason, microseconds(now), authenticated=authenticated)
            stored.row["due_at"] = None
            body = {"verdict": verdict, "reason": reason, "authenticated": authenticated}
            _store(connection, journal.keys, stored, now, reader, "second_reading", body)
            return made(stored)

    # --- deadlines

    def expire(self) -> tuple[Draft, ...]:
        """Expire the submitted drafts that no one approved in time. Return those that this call expired."""
        journal, expired = self._journal, []
        pending = _table.c.state.in_([DraftState.SUBMITTED, DraftState.APPROVED])
        with journal.read() as connection:
            at = microseconds(journal.now())
            late = or_(_table.c.expires_at <= at, _table.c.changed_at > at + span(TOLERANCE))
            names = connection.execute(select(_table.c.id).where(pending, late).order_by(_table.c.id)).scalars().all()
        for name in names:
            with journal.write() as connection:
                now = journal.now()
                stored = _locked(connection, journal.keys, name)
                if stored.has_expired(microseconds(now)):
                    stored.row["state"] = DraftState.EXPIRED
                    _store(connection, journal.keys, stored, now, RUNNER, "expired", {})
                    expired.append(made(stored))
        return tuple(expired)

    def owed(self, limit: int | None = None, *, exercise: bool | None = None) -> tuple[Draft, ...]:
        """Return the urgent publications whose second reading is owed, the earliest deadline first."""
        query = select(_table).where(_table.c.due_at.is_not(None)).order_by(_table.c.due_at, _table.c.id).limit(limit)
        if exercise is not None:
            query = query.where(_table.c.exercise.is_(exercise))
        with self._journal.read() as connection:
            return tuple(
                replace(_draft(connection, row), reminders=_level(row, microseconds(self._journal.now())))
                for row in connection.execute(query).all()
            )

    def count_owed(self, at: datetime) -> int:
        """Return how many second readings were due by *at*."""
        query = select(func.count()).select_from(_table).where(_table.c.due_at <= microseconds(at))
        with self._journal.read() as connection:
            return int(connection.execute(query).scalar() or 0)

    def count_submitted(self, at: datetime) -> int:
        """Return how many drafts wait for their readers, or for who publishes them."""
        read = and_(_table.c.state == DraftState.APPROVED, _table.c.for_keys == "")
        waits = (or_(_table.c.state == DraftState.SUBMITTED, read), _table.c.expires_at > microseconds(at))
        query = select(func.count()).select_from(_table).where(*waits)
        with self._journal.read() as connection:
            return int(connection.execute(query).scalar() or 0)

    def next_at(self) -> datetime | None:
        """Return when the next submitted draft expires."""
        query = select(func.min(_table.c.expires_at))
        pending = _table.c.state.in_([DraftState.SUBMITTED, DraftState.APPROVED])
        with self._journal.read() as connection:
            at = connection.execute(query.where(pending)).scalar()
        return None if at is None else moment(at)

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
        stored = _urgent(connection, new, approval)
    else:
        stored = _locked(connection, keys, approval.draft)
        _ensure_open(stored, new.at)
        if stored.revisions[-1]["digest"] != new.digest:
            raise DraftConflict(approval.draft, _CHANGED)
        readers = stored.readers(new.read_digest, approval)
        standing = stored.row["for_keys"]
        if not (new.key.startswith(standing) if standing else stored.row["key"] == new.key):
            its = f"keys that begin with {standing!r}" if standing else f"its own key {stored.row['key']!r}"
            raise DraftConflict(approval.draft, f"it is published with {its} only.")
        if sorted(json.loads(stored.row["to"])) != sorted(approval.to):
            raise DraftConflict(approval.draft, "it is for other channels than those named. Leave them out.")
        if stored.state is DraftState.RETURNED:
            raise DraftConflict(approval.draft, "a reader returned it. Change it first.")
        if standing and stored.state is DraftState.APPROVED and len(readers) >= approval.readers:
            return {"draft": [stored.row["id"], stored.record], "readers": list(readers)}  # and it stays approved
        if len(readers) >= approval.readers and not standing:
            stored.row |= {"urgent": "", "due_at": None}
        elif approval.urgent and not standing:
            stored.row |= _urgency(approval)
        else:
            raise ApprovalMissing([approval.finding(len(readers))])
    stored.row |= {
        "state": DraftState.PUBLISHED,
        "publication": new.id,
        "published_by": new.actor,
        "changed_at": microseconds(new.at),
    }
    stated = stored.record
    _write_row(connection, keys, stored, stated)
    urgent = {"urgent": approval.urgent} if stored.row["urgent"] else {}
    return {"draft": [stored.row["id"], stated], "readers": list(readers), **urgent}


def _urgent(connection: Connection, new: NewPublication, approval: NeededApproval) -> StoredDraft:
    if not approval.urgent:
        raise ApprovalMissing([approval.finding()])
    at, message = microseconds(new.at), new.typed or new.message
    # Its own id is free: no draft can have the id of a publication that is only being stored.
    row = new_row(new.id, message, at, key=None, to=approval.to, state=DraftState.PUBLISHED)
    stored = StoredDraft({**row, **_urgency(approval)}, [], [])
    connection.execute(insert(_table), {**stored.row, "mac": ""})
    add_revision(connection, stored, message, new.actor, at)
    return stored


def _urgency(approval: NeededApproval) -> dict[str, object]:
    due = approval.second_due_at
    return {
        "urgent": approval.urgent,
        "due_at": None if due is None else microseconds(due),
        "authenticated": approval.authenticated,
    }


# --- rows


def _locked(connection: Connection, keys: Keys, draft: str) -> StoredDraft:
    """Lock a draft and return it as it is then.

    Raises:
        DraftConflict: There is none, or its text was purged.
        JournalError: It is not what this installation stored.
    """
    row = connection.execute(_LOCKED, {"draft": draft}).first()
    if row is None:
        raise DraftConflict(draft, "there is none of that id. To list them: policenotify drafts")
    stored = _read(connection, row)
    stated = stored.record
    if not keys.is_mac(MAC, stated, row.mac) or not _is_newest(connection, stored, stated):
        raise JournalError(
            f"Draft {draft} is not what was stored: somebody changed the database. It is neither published nor "
            "changed. Find out who can write the database: policenotify journal verify"
        )
    return stored


def _is_newest(connection: Connection, stored: StoredDraft, stated: str) -> bool:
    """Return True if the last event of an unpublished draft states it: it was not set back to an earlier state."""
    if stored.row["publication"] is not None:
        return True
    return last_stated(connection, stored.row["id"]) in {"", stated}


def _read(connection: Connection, row: Row[Any]) -> StoredDraft:
    return StoredDraft(row._asdict(), *read_parts(connection, row.id))


def _ensure_open(stored: StoredDraft, now: datetime) -> None:
    draft = stored.row["id"]
    if not stored.state.is_open:
        if stored.row["publication"]:
            raise DraftConflict(draft, f"it is published already as {stored.row['publication']}.")
        raise DraftConflict(draft, f"it is {stored.state} already. Write a new one if it is still needed.")
    if stored.has_expired(microseconds(now)):
        raise DraftConflict(draft, "it has expired: no one approved it in time. Write a new one if it is still true.")


def _ensure_same(row: Mapping[str, Any], **read: object) -> None:
    if any(row[name] != value for name, value in read.items()):
        raise DraftConflict(row["id"], _CHANGED)


def _store(
    connection: Connection,
    keys: Keys,
    stored: StoredDraft,
    now: datetime,
    actor: str,
    kind: str,
    body: Mapping[str, object],
) -> None:
    stored.row["changed_at"] = microseconds(now)
    stated, newest = stored.record, stored.revisions[-1]
    _write_row(connection, keys, stored, stated)
    said = {name: value for name, value in body.items() if value}
    about = {"record": stated, "revision": newest["number"], "digest": newest["digest"], "draft": stored.row["id"]}
    record(connection, now, actor, kind, {**said, **about}, publication=stored.row["id"])


def _write_row(connection: Connection, keys: Keys, stored: StoredDraft, stated: str) -> None:
    stored.row["mac"] = keys.mac(MAC, stated)
    connection.execute(_WRITE, {f"new_{name}": stored.row[name] for name in _WRITTEN})


# --- values


def _level(row: Row[Any], now: int) -> int:
    """Return the level of the last reminder. One from the future does not count: the clock was ahead."""
    ahead = row.reminded_at is not None and row.reminded_at > now + span(TOLERANCE)
    return 0 if ahead else int(row.reminders)


def _draft(connection: Connection, row: Row[Any]) -> Draft:
    return made(_read(connection, row))
