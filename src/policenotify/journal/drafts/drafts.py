"""The repository of drafts: what is to be read by others before it is published, and who read it.

Every transition is decided under the draft's row lock and recorded by exactly one event.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, case, or_, select, update

from policenotify.channel import Picture
from policenotify.errors import ApprovalMissing, DraftConflict, IdempotencyConflict, JournalError
from policenotify.journal.audit import RUNNER, record
from policenotify.journal.database import schema
from policenotify.journal.database.transactions import Repository
from policenotify.journal.drafts.rows import columns_of, is_authentic, read_draft
from policenotify.journal.incidents import reminder_level, store_reminder
from policenotify.journal.keys import Keys
from policenotify.journal.pictures import store_pictures
from policenotify.journal.records import NeededApproval, NewPublication, microseconds, readable
from policenotify.model.draft import Draft, DraftState, Review, ReviewVerdict, Revision, approvals, person
from policenotify.model.message import Message
from policenotify.translation import Text

_VERDICTS = {
    ReviewVerdict.APPROVE: ("approved", DraftState.APPROVED),
    ReviewVerdict.RETURN: ("returned", DraftState.RETURNED),
    ReviewVerdict.REJECT: ("rejected", DraftState.REJECTED),
}
_OPEN = tuple(state for state in DraftState if state.is_open)
_NOT_AUTHENTICATED = Text(
    "only a reader who is authenticated counts, and on the command line a name is only stated. Read it "
    "in an application with a login."
)
_CHANGED = Text("it was changed since you read it. Read it again: policenotify drafts DRAFT")
_table = schema.draft
_LOCKED = select(_table).where(_table.c.id == bindparam("draft")).with_for_update()


class StoredDrafts(Repository):
    """Drafts with their revisions and reviews."""

    def get(self, name: str) -> Draft | None:
        """Return a draft by its id, its key or its publication."""
        query = select(_table).where(or_(_table.c.id == name, _table.c.key == name, _table.c.publication == name))
        with self._journal.read() as connection:
            row = connection.execute(query.order_by(_table.c.id).limit(1)).first()
            return read_draft(row, self._journal.now()) if row else None

    def approved_draft(self, key: str, digest: str, to: Sequence[str] = ()) -> Draft | None:
        """Return the open draft of a message whose approval counts for a key and channels, an approved one first."""
        approved = case((_table.c.state == DraftState.APPROVED, 0), else_=1)
        query = select(_table).where(_table.c.for_keys != "", _table.c.typed == digest, _table.c.state.in_(_OPEN))
        with self._journal.read() as connection:
            now = self._journal.now()
            for draft in _readable(connection.execute(query.order_by(approved, _table.c.id.desc())), now):
                if draft.state.is_open and key.startswith(draft.for_keys) and sorted(draft.to) == sorted(to):
                    return draft
        return None

    def list(self, *, only_open: bool = True) -> tuple[Draft, ...]:
        """Return the drafts, newest first: those that may still be published or owe a second reading, or all."""
        query = select(_table).order_by(_table.c.id.desc())
        if only_open:
            query = query.where(or_(_table.c.state.in_(_OPEN), _table.c.due_at.is_not(None)))
        with self._journal.read() as connection:
            now = self._journal.now()
            drafts = list(_readable(connection.execute(query), now))
        return tuple(draft for draft in drafts if not only_open or draft.state.is_open or draft.second_due_at)

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
            new = _new(draft, message, author, now, authenticated=authenticated)
            step = _Step(connection, journal.keys, now, replace(new, key=key, for_keys=for_keys, to=tuple(to)))
            if not step.insert():
                first = read_draft(connection.execute(select(_table).where(_table.c.key == key)).one(), now)
                if first.revisions[-1].digest != message.digest():
                    raise IdempotencyConflict(key, first.id)
                return first
            store_pictures(connection, draft, pictures)
            return step.record(author, "drafted", {"stage": message.stage, "authenticated": authenticated})

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
                raise DraftConflict(draft, Text("an exercise stays one, and a real message too. Write a new one."))
            revision = _revision(known.revision + 1, message, author, step.now, authenticated=authenticated)
            store_pictures(step.connection, draft, pictures)
            step.store(
                state=DraftState.DRAFT,
                message=message,
                digest=message.digest(),
                revisions=(*known.revisions, revision),
                expires_at=None,
                submitted_by="",
                reason="",
            )
            return step.record(author, "revised", {"stage": message.stage, "authenticated": authenticated})

    def submit(
        self, draft: str, *, actor: str, revision: int, digest: str, expires_at: datetime, reason: str = ""
    ) -> Draft:
        """Submit a revision to its readers. They read what has that digest: a repeated call with it changes nothing."""
        with self._step(draft) as step:
            known = step.draft
            if known.revision != revision:
                raise DraftConflict(draft, _CHANGED)
            if known.state.is_read and known.digest == digest:
                return known
            if known.state is DraftState.RETURNED:
                raise DraftConflict(draft, Text("a reader returned it. Change it: policenotify publish … --revises."))
            submitted = {"expires_at": expires_at, "submitted_by": actor, "reason": reason, "digest": digest}
            step.store(state=DraftState.SUBMITTED, **submitted)
            return step.record(actor, "submitted", {"reason": reason})

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
        """Record what a reader decided about the newest revision, if that is what has the *digest*.

        No one who wrote any revision approves it, except in an exercise. *needed* is the approval that it needs.
        """
        kind, state = _VERDICTS[verdict]
        approves = verdict is ReviewVerdict.APPROVE
        with self._step(draft) as step:
            known = step.draft
            if known.digest != digest:
                raise DraftConflict(draft, _CHANGED)
            if not known.state.is_read:
                raise DraftConflict(draft, Text("it is {state}, and not submitted to readers.", state=known.state))
            wrote = known.is_author(reader)
            if approves:
                if person(reader) in set(map(person, _readers(known, digest, needed))):
                    return known  # a repeated call
                if needed.authenticated and not authenticated:
                    raise DraftConflict(draft, _NOT_AUTHENTICATED)
                if wrote and not known.message.exercise:
                    raise DraftConflict(
                        draft,
                        Text(
                            "{reader!r} wrote it, and so cannot approve it. Let another person read it.", reader=reader
                        ),
                    )
            step.add_review(verdict, reader, reason, authenticated=authenticated)
            if approves and len(_readers(step.draft, digest, needed)) < needed.readers:
                state = DraftState.SUBMITTED
            step.store(state=state)
            body = {"reason": reason, "of_the_author": approves and wrote, "authenticated": authenticated}
            return step.record(reader, kind, body)

    def withdraw(self, draft: str, *, actor: str, reason: str = "") -> Draft:
        """Take a draft back that is not published."""
        with self._step(draft, is_open=False) as step:
            if step.draft.state is DraftState.WITHDRAWN:
                return step.draft
            step.ensure_open()
            step.store(state=DraftState.WITHDRAWN)
            return step.record(actor, "withdrawn", {"reason": reason})

    def second_reading(
        self, draft: str, *, reader: str, objects: bool, reason: str = "", authenticated: bool = False
    ) -> Draft:
        """Record the second reading of an urgent publication, by a person who neither wrote nor published it."""
        with self._step(draft, is_open=False) as step:
            known = step.draft
            if known.second_due_at is None:
                raise DraftConflict(draft, Text("no second reading of it is owed."))
            wrote = known.is_author(reader) or person(known.published_by) == person(reader)
            if wrote and not known.message.exercise:
                raise DraftConflict(
                    draft, Text("{reader!r} wrote or published it. Let another person read it.", reader=reader)
                )
            if step.authenticated and not authenticated:
                raise DraftConflict(draft, _NOT_AUTHENTICATED)
            verdict = ReviewVerdict.SECOND_OBJECTION if objects else ReviewVerdict.SECOND_OK
            step.add_review(verdict, reader, reason, authenticated=authenticated)
            step.store(second_due_at=None)
            body = {"verdict": verdict, "reason": reason, "authenticated": authenticated}
            return step.record(reader, "second_reading", body)

    # --- deadlines

    def owed(self, limit: int | None = None) -> tuple[Draft, ...]:
        """Return the urgent publications whose second reading is owed, the earliest deadline first."""
        with self._journal.read() as connection:
            now = self._journal.now()
            query = select(_table, reminder_level(_table, now)).where(_table.c.due_at.is_not(None))
            rows = connection.execute(query.order_by(_table.c.due_at, _table.c.id).limit(limit))
            return tuple(readable(rows, lambda row: replace(read_draft(row, now), reminders=row.level)))

    def record_reminder(self, draft: str, due_at: datetime, level: int) -> bool:
        """Record that a reminder of a second reading is raised, once for each level. Return whether to raise it."""
        with self._journal.write() as connection:
            now = self._journal.now()
            if not store_reminder(connection, _table, draft, due_at, level, now):
                return False
            body = {"draft": draft, "due_at": due_at.isoformat(), "level": level}
            record(connection, now, RUNNER, "second_reading_overdue", body, publication=draft)
            return True

    @contextmanager
    def _step(self, draft: str, *, is_open: bool = True) -> Iterator[_Step]:
        """Lock a draft for a transition, which is one transaction."""
        with self._journal.write() as connection:
            step = _lock(connection, self._journal.keys, draft, self._journal.now())
            if is_open:
                step.ensure_open()
            yield step


def _readable(rows: Iterable[Row[Any]], now: datetime) -> Iterator[Draft]:
    return readable(rows, lambda row: read_draft(row, now))


# --- transitions


@dataclass(slots=True)
class _Step:
    """A draft whose row is locked, and the time of the transition."""

    connection: Connection
    keys: Keys
    now: datetime
    draft: Draft
    authenticated: bool = False

    def ensure_open(self) -> None:
        """Ensure that it may still be published.

        Raises:
            DraftConflict: It may not.
        """
        known = self.draft
        if known.publication:
            raise DraftConflict(
                known.id, Text("it is published already as {publication}.", publication=known.publication)
            )
        if not known.state.is_open:
            raise DraftConflict(
                known.id, Text("it is {state} already. Write a new one if it is still needed.", state=known.state)
            )

    def add_review(self, verdict: ReviewVerdict, reader: str, reason: str, *, authenticated: bool) -> None:
        """Add what a reader decided about the newest revision, to be stored."""
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

    def insert(self) -> bool:
        """Store a new draft. Return False if there is one of its key."""
        return bool(schema.insert_new(self.connection, _table, [self._row()]))

    def store(self, **changes: Any) -> None:  # noqa: ANN401 - fields of a draft
        """Store the draft with some changes."""
        self.draft = replace(self.draft, **changes)
        self.connection.execute(update(_table).where(_table.c.id == self.draft.id).values(self._row()))

    def _row(self) -> dict[str, Any]:
        return columns_of(self.keys, self.draft, microseconds(self.now), authenticated=self.authenticated)

    def record(self, actor: str, kind: str, body: Mapping[str, object]) -> Draft:
        """Record the event of the transition. Return the draft as it is now."""
        draft = self.draft
        stated = {name: value for name, value in body.items() if value}
        about = {"revision": draft.revision, "digest": draft.revisions[-1].digest, "draft": draft.id}
        record(self.connection, self.now, actor, kind, stated | about, publication=draft.id)
        return draft


def _lock(connection: Connection, keys: Keys, draft: str, now: datetime) -> _Step:
    """Lock a draft as it is then.

    Raises:
        DraftConflict: There is none, or its text was purged.
        JournalError: It is not what this installation stored.
    """
    row = connection.execute(_LOCKED, {"draft": draft}).first()
    if row is None:
        raise DraftConflict(draft, Text("there is none of that id. To list them: policenotify drafts"))
    if not is_authentic(keys, row):
        raise JournalError(
            Text(
                "Draft {draft} is not what was stored: somebody changed the database. It is neither "
                "published nor changed. Find out who can write the database: policenotify journal verify",
                draft=draft,
            )
        )
    return _Step(connection, keys, now, read_draft(row, now), row.authenticated)


def _new(draft: str, message: Message, author: str, now: datetime, *, authenticated: bool = False) -> Draft:
    revisions = (_revision(1, message, author, now, authenticated=authenticated),)
    return Draft(id=draft, message=message, digest=message.digest(), revisions=revisions, created_at=now)


def _revision(number: int, message: Message, author: str, now: datetime, *, authenticated: bool) -> Revision:
    return Revision(number=number, digest=message.digest(), author=author, authenticated=authenticated, at=now)


def _readers(draft: Draft, digest: str, needed: NeededApproval) -> tuple[str, ...]:
    return approvals(draft, digest=digest, authenticated=needed.authenticated, reasons=needed.reasons)


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
        # Its own id is free: no draft has that of a new publication.
        draft = replace(_new(new.id, new.typed or new.message, new.actor, new.at), to=approval.to)
        step = _Step(connection, keys, new.at, draft)
        step.insert()
    else:
        step = _lock(connection, keys, approval.draft, new.at)
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
    step.store(**published, urgent=urgent, second_due_at=due)
    return stated | ({"urgent": urgent} if urgent else {})


def _ensure_named(known: Draft, new: NewPublication, approval: NeededApproval) -> None:
    """Ensure that a publication is that of a draft.

    Raises:
        DraftConflict: It is another message, or for another key or other channels.
    """
    if known.revisions[-1].digest != new.digest:
        raise DraftConflict(known.id, _CHANGED)
    many = known.for_keys
    if not (new.key.startswith(many) if many else known.key == new.key):
        its = Text("keys that begin with {many!r}", many=many) if many else Text("its own key {key!r}", key=known.key)
        raise DraftConflict(known.id, Text("it is published with {its} only.", its=its))
    if sorted(known.to) != sorted(approval.to):
        raise DraftConflict(known.id, Text("it is for other channels than those named. Leave them out."))
    if known.state is DraftState.RETURNED:
        raise DraftConflict(known.id, Text("a reader returned it. Change it first."))
