"""The repository of drafts: what is to be read by others before it is published, and who read it.

Every transition is decided under the draft's row lock and recorded by exactly one event. The event states a digest of
the whole draft with its revisions and reviews, and a keyed code covers the same, so that no approval can be written
into the database.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, case, func, insert, or_, select, update

from policenotify.channel import Picture
from policenotify.errors import ApprovalMissing, DraftConflict, IdempotencyConflict, JournalError
from policenotify.findings import approval_missing
from policenotify.journal.audit import RUNNER, record
from policenotify.journal.database import schema
from policenotify.journal.database.transactions import Transactions
from policenotify.journal.drafts.record import MAC, STATED, last_stated, read_parts, record_of
from policenotify.journal.keys import Keys
from policenotify.journal.pictures import store_pictures
from policenotify.journal.records import TOLERANCE, NeededApproval, NewPublication, microseconds, moment, span
from policenotify.model.draft import Draft, DraftState, Review, ReviewVerdict, Revision, approvals, person
from policenotify.model.message import Message
from policenotify.model.message import read as read_message

_VERDICTS = {
    ReviewVerdict.APPROVE: ("approved", DraftState.APPROVED),
    ReviewVerdict.RETURN: ("returned", DraftState.RETURNED),
    ReviewVerdict.REJECT: ("rejected", DraftState.REJECTED),
}
_table, _revision, _review = schema.draft, schema.revision, schema.review

_WRITTEN = (*STATED, "mac")
_LOCKED = select(_table).where(_table.c.id == bindparam("draft")).with_for_update()
_WRITE = (
    update(_table)
    .where(_table.c.id == bindparam("new_id"))
    .values({name: bindparam(f"new_{name}") for name in _WRITTEN[1:]})
)


@dataclass(slots=True)
class _Stored:
    """A draft as it is in the tables, its row locked."""

    row: dict[str, Any]
    revisions: list[dict[str, Any]]
    reviews: list[dict[str, Any]]

    @property
    def state(self) -> DraftState:
        return DraftState(self.row["state"])

    @property
    def record(self) -> str:
        return record_of(self.row, self.revisions, self.reviews)

    @property
    def readers(self) -> tuple[str, ...]:
        return approvals(*_values(self), exercise=self.row["exercise"])

    def wrote(self, actor: str) -> bool:
        """Return True if the actor wrote a revision, or published it before it was read."""
        authors = {*(one["author"] for one in self.revisions), self.row["published_by"]} - {""}
        return person(actor) in set(map(person, authors))

    def has_expired(self, at: int) -> bool:
        expires = self.row["expires_at"]
        return self.state in {DraftState.SUBMITTED, DraftState.APPROVED} and expires is not None and expires <= at


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
            row = _new_row(draft, message, at, key=key, to=to, state=DraftState.DRAFT)
            if not schema.insert_new(connection, _table, [row]):
                known = connection.execute(select(_table).where(_table.c.key == key)).one()
                first = _draft(connection, known)
                if first.digest != message.digest():
                    raise IdempotencyConflict(key, first.id)
                return first
            stored = _Stored(row, [], [])
            store_pictures(connection, pictures, at)
            _add_revision(connection, stored, message, author, at)
            _store(connection, journal.keys, stored, now, author, "drafted", {"stage": message.stage})
            return _made(stored)

    def revise(self, draft: str, message: Message, *, author: str, pictures: Sequence[Picture] = ()) -> Draft:
        """Store a new revision. Approvals of the earlier ones do not count for it."""
        journal = self._journal
        with journal.write() as connection:
            now = journal.now()
            stored = _locked(connection, journal.keys, draft)
            _ensure_open(stored, now)
            same = stored.revisions[-1]["digest"] == message.digest()
            if same and stored.state is not DraftState.RETURNED:
                return _made(stored)
            if message.exercise != stored.row["exercise"]:
                raise DraftConflict(draft, "an exercise stays one, and a real message too. Write a new one.")
            store_pictures(connection, pictures, microseconds(now))
            _add_revision(connection, stored, message, author, microseconds(now))
            state = {"state": DraftState.DRAFT, "expires_at": None, "submitted_by": "", "reason": ""}
            stored.row |= {**state, "category": message.category, "revision": stored.row["revision"] + 1}
            _store(connection, journal.keys, stored, now, author, "revised", {"stage": message.stage})
            return _made(stored)

    def submit(self, draft: str, *, actor: str, digest: str, expires_at: datetime, reason: str = "") -> Draft:
        """Submit the newest revision to its readers. A repeated call changes nothing."""
        journal = self._journal
        with journal.write() as connection:
            now = journal.now()
            stored = _locked(connection, journal.keys, draft)
            _ensure_open(stored, now)
            _ensure_same(stored, digest)
            if stored.state in {DraftState.SUBMITTED, DraftState.APPROVED}:
                return _made(stored)
            if stored.state is DraftState.RETURNED:
                raise DraftConflict(draft, "a reader returned it. Change it first: policenotify draft --revises.")
            stored.row |= {
                "state": DraftState.SUBMITTED,
                "expires_at": microseconds(expires_at),
                "submitted_by": actor,
                "reason": reason,
            }
            _store(connection, journal.keys, stored, now, actor, "submitted", {"reason": reason})
            return _made(stored)

    def review(
        self, draft: str, verdict: ReviewVerdict, *, reader: str, digest: str, reason: str = "", readers: int = 1
    ) -> Draft:
        """Record what a reader decided about the newest revision.

        Args:
            draft: The draft.
            verdict: Approve, return or reject.
            reader: Who read it: no one who wrote any revision, except in an exercise.
            digest: The digest of what was read. If the draft was changed since, nothing is recorded.
            reason: In the reader's words.
            readers: How many must approve it.
        """
        journal = self._journal
        kind, state = _VERDICTS[verdict]
        with journal.write() as connection:
            now = journal.now()
            stored = _locked(connection, journal.keys, draft)
            _ensure_open(stored, now)
            _ensure_same(stored, digest)
            approves = verdict is ReviewVerdict.APPROVE
            if stored.state not in {DraftState.SUBMITTED, DraftState.APPROVED}:
                raise DraftConflict(draft, f"it is {stored.state}, and not submitted to readers.")
            if approves and person(reader) in set(map(person, stored.readers)):
                return _made(stored)  # a repeated call
            if approves and stored.wrote(reader) and not stored.row["exercise"]:
                raise DraftConflict(
                    draft, f"{reader!r} wrote it, and so cannot approve it. Let another person read it."
                )
            _add_review(connection, stored, verdict, reader, reason, microseconds(now))
            if approves and len(stored.readers) < readers:
                state = DraftState.SUBMITTED
            stored.row["state"] = state
            body = {"reason": reason, **({"of_the_author": True} if approves and stored.wrote(reader) else {})}
            _store(connection, journal.keys, stored, now, reader, kind, body)
            return _made(stored)

    def withdraw(self, draft: str, *, actor: str, reason: str = "") -> Draft:
        """Take a draft back that is not published."""
        journal = self._journal
        with journal.write() as connection:
            now = journal.now()
            stored = _locked(connection, journal.keys, draft)
            if stored.state is DraftState.WITHDRAWN:
                return _made(stored)
            _ensure_open(stored, now)
            stored.row["state"] = DraftState.WITHDRAWN
            _store(connection, journal.keys, stored, now, actor, "withdrawn", {"reason": reason})
            return _made(stored)

    def second_reading(self, draft: str, *, reader: str, objects: bool, reason: str = "") -> Draft:
        """Record the second reading of an urgent publication, by a person who neither wrote nor published it."""
        journal = self._journal
        with journal.write() as connection:
            now = journal.now()
            stored = _locked(connection, journal.keys, draft)
            if stored.row["due_at"] is None:
                raise DraftConflict(draft, "no second reading of it is owed.")
            if stored.wrote(reader) and not stored.row["exercise"]:
                raise DraftConflict(draft, f"{reader!r} wrote or published it. Let another person read it.")
            verdict = ReviewVerdict.SECOND_OBJECTION if objects else ReviewVerdict.SECOND_OK
            _add_review(connection, stored, verdict, reader, reason, microseconds(now))
            stored.row["due_at"] = None
            body = {"verdict": verdict, "reason": reason}
            _store(connection, journal.keys, stored, now, reader, "second_reading", body)
            return _made(stored)

    # --- deadlines

    def expire(self) -> tuple[Draft, ...]:
        """Expire the submitted drafts that no one approved in time. Return those that this call expired."""
        journal, expired = self._journal, []
        pending = _table.c.state.in_([DraftState.SUBMITTED, DraftState.APPROVED])
        with journal.read() as connection:
            late = _table.c.expires_at <= microseconds(journal.now())
            names = connection.execute(select(_table.c.id).where(pending, late).order_by(_table.c.id)).scalars().all()
        for name in names:
            with journal.write() as connection:
                now = journal.now()
                stored = _locked(connection, journal.keys, name)
                if stored.has_expired(microseconds(now)):
                    stored.row["state"] = DraftState.EXPIRED
                    _store(connection, journal.keys, stored, now, RUNNER, "expired", {})
                    expired.append(_made(stored))
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
        waits = (
            _table.c.state.in_([DraftState.SUBMITTED, DraftState.APPROVED]),
            _table.c.expires_at > microseconds(at),
        )
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
    if approval.draft is None:
        stored = _urgent(connection, new, approval)
    else:
        stored = _locked(connection, keys, approval.draft)
        _ensure_open(stored, new.at)
        _ensure_same(stored, new.digest)
        if stored.row["key"] != new.key:
            raise DraftConflict(approval.draft, f"it is published with its own key {stored.row['key']!r} only.")
        if sorted(json.loads(stored.row["to"])) != sorted(approval.to):
            raise DraftConflict(approval.draft, "it is for other channels than those named. Leave them out.")
        if stored.state is DraftState.RETURNED:
            raise DraftConflict(approval.draft, "a reader returned it. Change it first.")
        if len(stored.readers) >= approval.readers:
            stored.row |= {"urgent": "", "due_at": None}
        elif approval.urgent:
            stored.row |= _urgency(approval)
        else:
            raise ApprovalMissing([approval_missing(approval.readers - len(stored.readers))])
    stored.row |= {
        "state": DraftState.PUBLISHED,
        "publication": new.id,
        "published_by": new.actor,
        "changed_at": microseconds(new.at),
    }
    stated = stored.record
    _write_row(connection, keys, stored, stated)
    urgent = {"urgent": approval.urgent} if stored.row["urgent"] else {}
    return {"draft": [stored.row["id"], stated], "readers": list(stored.readers), **urgent}


def _urgent(connection: Connection, new: NewPublication, approval: NeededApproval) -> _Stored:
    if not approval.urgent:
        raise ApprovalMissing([approval_missing(approval.readers)])
    at, message = microseconds(new.at), new.typed or new.message
    # Its own id is free: no draft can have the id of a publication that is only being stored.
    row = _new_row(new.id, message, at, key=None, to=approval.to, state=DraftState.PUBLISHED)
    stored = _Stored({**row, **_urgency(approval)}, [], [])
    connection.execute(insert(_table), {**stored.row, "mac": ""})
    _add_revision(connection, stored, message, new.actor, at)
    return stored


def _urgency(approval: NeededApproval) -> dict[str, object]:
    due = approval.second_due_at
    return {"urgent": approval.urgent, "due_at": None if due is None else microseconds(due)}


# --- rows


def _new_row(
    draft: str, message: Message, at: int, *, key: str | None, to: Sequence[str], state: DraftState
) -> dict[str, Any]:
    return {
        "id": draft,
        "key": key,
        "to": json.dumps([*to], ensure_ascii=False),
        "category": message.category,
        "exercise": message.exercise,
        "state": state,
        "revision": 1,
        "reason": "",
        "submitted_by": "",
        "created_at": at,
        "changed_at": at,
        "expires_at": None,
        "publication": None,
        "published_by": "",
        "urgent": "",
        "due_at": None,
        "mac": "",
    }


def _add_revision(connection: Connection, stored: _Stored, message: Message, author: str, at: int) -> None:
    row = {
        "number": len(stored.revisions) + 1,
        "digest": message.digest(),
        "message": message.model_dump_json(exclude_none=True),
        "author": author,
        "at": at,
    }
    connection.execute(insert(_revision), {"draft": stored.row["id"], **row})
    stored.revisions.append(row)


def _add_review(
    connection: Connection, stored: _Stored, verdict: ReviewVerdict, reader: str, reason: str, at: int
) -> None:
    newest = stored.revisions[-1]
    row = {
        "number": len(stored.reviews) + 1,
        "revision": newest["number"],
        "digest": newest["digest"],
        "verdict": verdict,
        "reader": reader,
        "reason": reason,
        "at": at,
    }
    connection.execute(insert(_review), {"draft": stored.row["id"], **row})
    stored.reviews.append(row)


def _locked(connection: Connection, keys: Keys, draft: str) -> _Stored:
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


def _is_newest(connection: Connection, stored: _Stored, stated: str) -> bool:
    """Return True if the last event of an unpublished draft states it: it was not set back to an earlier state."""
    if stored.row["publication"] is not None:
        return True
    return last_stated(connection, stored.row["id"]) in {"", stated}


def _read(connection: Connection, row: Row[Any]) -> _Stored:
    return _Stored(row._asdict(), *read_parts(connection, row.id))


def _ensure_open(stored: _Stored, now: datetime) -> None:
    draft = stored.row["id"]
    if not stored.state.is_open:
        if stored.row["publication"]:
            raise DraftConflict(draft, f"it is published already as {stored.row['publication']}.")
        raise DraftConflict(draft, f"it is {stored.state} already. Write a new one if it is still needed.")
    if stored.has_expired(microseconds(now)):
        raise DraftConflict(draft, "it has expired: no one approved it in time. Write a new one if it is still true.")


def _ensure_same(stored: _Stored, digest: str) -> None:
    if stored.revisions[-1]["digest"] != digest:
        raise DraftConflict(
            stored.row["id"], "it was changed since you read it. Read it again: policenotify drafts DRAFT"
        )


def _store(
    connection: Connection,
    keys: Keys,
    stored: _Stored,
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


def _write_row(connection: Connection, keys: Keys, stored: _Stored, stated: str) -> None:
    stored.row["mac"] = keys.mac(MAC, stated)
    connection.execute(_WRITE, {f"new_{name}": stored.row[name] for name in _WRITTEN})


# --- values


def _level(row: Row[Any], now: int) -> int:
    """Return the level of the last reminder. One from the future does not count: the clock was ahead."""
    ahead = row.reminded_at is not None and row.reminded_at > now + span(TOLERANCE)
    return 0 if ahead else int(row.reminders)


def _values(stored: _Stored) -> tuple[tuple[Revision, ...], tuple[Review, ...]]:
    revisions = tuple(
        Revision(number=one["number"], digest=one["digest"], author=one["author"], at=moment(one["at"]))
        for one in stored.revisions
    )
    reviews = tuple(
        Review(
            revision=one["revision"],
            digest=one["digest"],
            verdict=ReviewVerdict(one["verdict"]),
            reader=one["reader"],
            reason=one["reason"],
            at=moment(one["at"]),
        )
        for one in stored.reviews
    )
    return revisions, reviews


def _draft(connection: Connection, row: Row[Any]) -> Draft:
    return _made(_read(connection, row))


def _made(stored: _Stored) -> Draft:
    row = stored.row
    revisions, reviews = _values(stored)
    return Draft(
        id=row["id"],
        key=row["key"],
        to=tuple(json.loads(row["to"])),
        state=stored.state,
        digest=revisions[-1].digest,
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
