"""The repository of publications: a message, its deliveries and its receipts."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CompoundSelect, Connection, and_, bindparam, insert, literal, or_, select, text, update

from policenotify.channel import Operation, Picture
from policenotify.errors import InvalidImage, InvalidTransition
from policenotify.findings import Level
from policenotify.journal import meta, tombstones
from policenotify.journal.audit import record
from policenotify.journal.authentication import new_delivery
from policenotify.journal.database import schema
from policenotify.journal.database.transactions import Repository
from policenotify.journal.drafts.drafts import publish_draft
from policenotify.journal.incidents import NAMES, lock_incident, state_columns, store_state
from policenotify.journal.keys import Keys
from policenotify.journal.lists.receipts import publication_of, stored_findings
from policenotify.journal.lists.state import StoredCursor
from policenotify.journal.order import (
    cancel_stale,
    inherit_priority,
    lock,
    make_way,
    opening_not_posted,
)
from policenotify.journal.pictures import store_pictures
from policenotify.journal.queue import OPENING_MISSING, POSTPONED
from policenotify.journal.records import (
    NewPublication,
    microseconds,
    moment,
    priority,
    span,
)
from policenotify.journal.takedown import take_down
from policenotify.journal.workers import Runner, enqueue
from policenotify.log import fields, shown_code
from policenotify.model.cap import Severity
from policenotify.model.history import Outcome, Target
from policenotify.model.lifecycle import IncidentStatus, Stage
from policenotify.model.message import Message
from policenotify.model.receipt import Publication
from policenotify.translation import Text

_log = logging.getLogger("policenotify")
_CLOSING = {Stage.END, Stage.CANCELLATION}

_table, _delivery = schema.publication, schema.delivery
_PUBLISHED = select(_table).where(_table.c.state == "published")
_NAMED = _PUBLISHED.where(
    or_(_table.c.id == bindparam("name"), _table.c.key.in_([bindparam("name"), bindparam("purged")]))
)
_PLACE = ("publication", "channel", "account", "part")
_CHANGED = select(_delivery.c.id).where(
    *(_delivery.c[name] == bindparam(name) for name in _PLACE), _delivery.c.operation == Operation.POST
)
_PENDING = (
    select(_delivery.c.channel, _delivery.c.state, _delivery.c.not_before, _delivery.c.in_doubt)
    .where(_delivery.c.publication == bindparam("publication"))
    .where(
        or_(
            _delivery.c.state == Outcome.SENDING,
            and_(
                _delivery.c.state == Outcome.WAITING,
                ~POSTPONED,
                or_(_delivery.c.has_recipients.is_(False), _delivery.c.reading),  # else its batches count
            ),
        )
    )
    .order_by(_delivery.c.not_before.desc())
)
# Plain text, as in the index: SQLite does not match a bound value with it.
_HELD_RECIPIENTS = select(_delivery.c.publication, literal(Outcome.HELD)).where(text("held > 0"))
_UNFINISHED: CompoundSelect[tuple[str, str]] = (
    select(_delivery.c.publication, _delivery.c.state)
    .where(_delivery.c.state.in_([Outcome.WAITING, Outcome.SENDING, Outcome.HELD]))
    .union(_HELD_RECIPIENTS)
)


class IncidentChanged(InvalidTransition):
    """Another process published on the incident first. Read its history again and decide again."""


class Publications(Repository):
    """Messages as published, with their deliveries and receipts."""

    def add(self, new: NewPublication, runners: Iterable[Runner] = ()) -> str:
        """Store a publication with all its deliveries, and notify the *runners* inside the transaction.

        Returns:
            Its id, or that of the publication that its key already names.

        Raises:
            IdempotencyConflict: The key names another message.
            InvalidTransition: It follows a publication that was purged.
            IncidentChanged: The incident changed since its history was read.
            ApprovalMissing: Too few others have read it.
            DraftConflict: Its draft is not open, or was changed since.
            PublishingStopped: Everything is stopped.
        """
        journal = self._journal
        try:
            with journal.write() as connection:
                if (error := meta.stopped(connection, journal.id)) is not None:
                    raise error
                if (first := tombstones.repeated(connection, journal.keys, new.key, new.digest)) is not None:
                    return first
                _write(connection, new, journal.keys)
                if new.message.incident is not None and new.expected_sequence > 1:
                    store_state(connection, new.message.incident)
                # Only now is the incident locked. A purge may have come first while the lock was waited for.
                tombstones.ensure_not_purged(connection, new.message)
                enqueue(connection, runners)
        except IncidentChanged:
            # The other process may have published this very message.
            if (first := self.find_repeated(new.key, new.digest)) is None:
                raise
            return first
        channels = sorted({target.channel for target, *_ in new.deliveries})
        _log.info(
            "Publication %s: %s of %s for %s",
            new.id,
            new.message.stage,
            new.message.category,
            ", ".join(channels),
            extra=fields("published", publication=new.id),
        )
        return new.id

    def add_refused(self, new: NewPublication) -> None:
        """Record that a message was refused, and why. Only a draft of it keeps its text, and its key stays free."""
        with self._journal.write() as connection:
            columns = _columns(new, state="refused_by_check", key=None)
            columns |= tombstones.without_content(
                new.message, self._journal.keys, new.digest, new.at, headline=tombstones.REFUSED
            )
            connection.execute(insert(_table).values(**columns))
            body = {"codes": [finding.code for finding in new.findings if finding.blocks]}
            record(connection, new.at, new.actor, "refused_by_check", body, publication=new.id)
        codes = ", ".join(filter(None, (shown_code(finding.code) for finding in new.findings if finding.blocks)))
        about = fields("refused_by_check", publication=new.id, outcome="refused")
        _log.info("Publication %s: refused by the checks [%s]", new.id, codes, extra=about)

    def refused_at(self, name: str) -> datetime | None:
        """Return when the checks refused the message of this id. None if they did not."""
        query = select(_table.c.created_at).where(_table.c.id == name, _table.c.state == "refused_by_check")
        with self._journal.read() as connection:
            at = connection.execute(query).scalar()
            return None if at is None else moment(at)

    def find_repeated(self, key: str, digest: str) -> str | None:
        """Return the publication that the key already names; see `tombstones.repeated`."""
        with self._journal.read() as connection:
            return tombstones.repeated(connection, self._journal.keys, key, digest)

    def ensure_not_purged(self, message: Message) -> None:
        """Check that a message follows no purged publication; see `tombstones.ensure_not_purged`."""
        with self._journal.read() as connection:
            tombstones.ensure_not_purged(connection, message)

    def take_down(self, publication: str, *, actor: str, reason: str, deletes: Collection[str]) -> None:
        """Delete the posts of a publication on some channels; see [`take_down`][policenotify.journal.takedown]."""
        take_down(self._journal, publication, actor=actor, reason=reason, deletes=deletes)

    def get(self, name: str) -> Publication | None:
        """Return a publication with its receipts, by its id or the caller's key.

        The message of a purged one only states when it was purged. Category, stage and outcomes are kept.
        """
        with self._journal.read() as connection:
            names = {"name": name, "purged": tombstones.purged_key(self._journal.keys, name)}
            row = connection.execute(_NAMED, names).first()
            return publication_of(connection, row) if row else None

    def latest(self, count: int) -> tuple[Publication, ...]:
        """Return the last publications, newest first."""
        query = _PUBLISHED.order_by(_table.c.id.desc()).limit(count)
        with self._journal.read() as connection:
            rows = connection.execute(query).all()
            return tuple(publication_of(connection, row) for row in rows)

    def unfinished_ids(self) -> Mapping[str, bool]:
        """Return the publications with a delivery that is pending or held, by id, and whether a person must settle it.

        The oldest comes first.
        """
        unfinished: dict[str, bool] = {}
        with self._journal.read() as connection:
            for row in sorted(connection.execute(_UNFINISHED)):
                unfinished[row.publication] = unfinished.get(row.publication, False) or row.state == Outcome.HELD
        return unfinished

    def by_key_prefix(self, prefix: str, since: datetime) -> tuple[Publication, ...]:
        """Return the publications since a time whose key starts with *prefix*, oldest first."""
        begins = _table.c.key.startswith(prefix, autoescape=True)
        query = _PUBLISHED.where(begins, _table.c.created_at >= microseconds(since))
        with self._journal.read() as connection:
            rows = connection.execute(query.order_by(_table.c.created_at, _table.c.id)).all()
            # SQLite's LIKE ignores case.
            return tuple(publication_of(connection, row) for row in rows if row.key.startswith(prefix))

    def pending(self, publication: str, *, patience: timedelta) -> Mapping[str, datetime | None]:
        """Return the channels with pending deliveries: when each is due at the earliest, None if it is being sent.

        Deliveries that wait until their list is tried again are left out, and those that are tried again only later
        than *patience*, unless they are in doubt.
        """
        now = microseconds(self._journal.now())
        latest = now + span(patience)
        with self._journal.read() as connection:
            rows = connection.execute(_PENDING, {"publication": publication, "now": now}).all()
            due: dict[str, datetime | None] = {
                row.channel: moment(row.not_before) for row in rows if row.in_doubt or row.not_before <= latest
            }
            return {**due, **{row.channel: None for row in rows if row.state == Outcome.SENDING}}

    def picture(self, digest: str, alt: str) -> Picture:
        """Return an image that was published before.

        Raises:
            InvalidImage: The journal does not have it.
        """
        blob = schema.blob
        with self._journal.read() as connection:
            row = connection.execute(select(blob).where(blob.c.digest == digest)).first()
        if row is None:
            raise InvalidImage(
                Text("The journal has no picture {digest}. Give the picture itself, by path or data.", digest=digest)
            )
        return Picture(**row._asdict(), alt=alt)


# --- writing


def _write(connection: Connection, new: NewPublication, keys: Keys) -> None:
    """Store a publication after deciding its place again under the incident's row lock.

    Raises:
        IncidentChanged: The incident changed since its history was read.
    """
    message, at = new.message, microseconds(new.at)
    if message.incident is not None:
        _advance_incident(connection, new, message.incident)
    elif message.lifecycle.corrects is not None:
        _ensure_not_cancelled(connection, message.lifecycle.corrects)
    columns = _columns(new, state="published", key=new.key)
    if not schema.insert_new(connection, _table, [columns]):
        raise IncidentChanged(
            Text("Another desk is publishing with the key {key!r}. Try again.", key=new.key), incident=message.incident
        )
    store_pictures(connection, new.id, new.pictures)
    deliveries, urgency = new.deliveries, priority(message.severity or Severity.UNKNOWN)
    first = message.incident or message.lifecycle.corrects or new.id
    # An opening has no deliveries before it.
    follows = new.expected_sequence > 1 or message.lifecycle.corrects is not None
    begun = lock(connection, *{f"{first} {target.channel}" for target, *_ in deliveries}) if follows else set()
    rows = []
    for target, standalone, reply in deliveries:
        channel, closing, missing = target.channel, message.stage in _CLOSING, False
        ordering_key, skips = f"{first} {channel}", channel in new.skips_without_opening
        if closing and opening_not_posted(connection, ordering_key):
            cancel_stale(connection, ordering_key, at)
            missing = skips
        skip = target.skip or (OPENING_MISSING if missing else "")
        state = Outcome.REFUSED if target.refused else Outcome.SKIPPED if skip else Outcome.WAITING
        to_people = standalone is not None and channel in new.with_recipients
        row = new_delivery(
            keys,
            target,
            new.id,
            target=_changed_by(connection, target),
            post_key=standalone.key if standalone else target.post_key(new.id),
            ordering_key=ordering_key,
            sequence=new.expected_sequence,
            priority=urgency,
            needs_opening=closing and skips,
            not_before=at,
            not_after=microseconds(new.not_after) if new.not_after else None,
            standalone=standalone.model_dump_json() if standalone else None,
            reply=reply.model_dump_json() if reply else None,
            state=state,
            reason=target.refused or skip,
            settled_at=None if state is Outcome.WAITING else at,
            has_recipients=to_people,
            reading=to_people,  # none of them is stored yet
            cursor=StoredCursor(earlier=ordering_key in begun).to_text() if to_people else None,
        )
        rows.append(row)
    for ordering_key in begun:
        inherit_priority(connection, ordering_key, urgency)
    if rows:
        connection.execute(insert(_delivery), rows)
    for ordering_key in begun:
        make_way(connection, ordering_key, at, closed_by=new.id if message.stage in _CLOSING else "")
    body: dict[str, object] = {"stage": message.stage, "category": message.category, "digest": new.digest, **new.rules}
    if overridden := sorted({finding.code for finding in new.findings if finding.level is Level.BLOCK}):
        body["overridden"] = overridden
    body |= publish_draft(connection, keys, new)
    record(connection, new.at, new.actor, "published", body, publication=new.id)


def _changed_by(connection: Connection, target: Target) -> int | None:
    """Return the delivery whose post a target edits or deletes, if it does."""
    if not target.target:
        return None
    place = (target.target, target.channel, target.account, target.target_part)
    return connection.execute(_CHANGED, dict(zip(_PLACE, place, strict=True))).scalar()


def _columns(new: NewPublication, *, state: str, key: str | None) -> dict[str, Any]:
    lifecycle, published = new.message.lifecycle, state == "published"
    return {
        "id": new.id,
        "key": key,
        "state": state,
        # A refused draft must not take a place in an incident.
        "incident": lifecycle.incident if published else None,
        "sequence": new.expected_sequence if published and lifecycle.incident else None,
        "stage": lifecycle.stage,
        "category": new.message.category,
        "severity": new.message.severity or Severity.UNKNOWN,
        "corrects": lifecycle.corrects,
        "narrowed_to": None if new.narrowed_to is None else NAMES.dump_json(new.narrowed_to).decode(),
        "digest": new.digest,
        "message": new.message.model_dump_json(exclude_none=True),
        "findings": stored_findings(new.findings),
        "rules": tombstones.RULES.dump_json(dict(new.rules)).decode(),
        "actor": new.actor,
        "created_at": microseconds(new.at),
    }


def _ensure_not_cancelled(connection: Connection, corrected: str) -> None:
    """Check that a standalone publication was not cancelled, which is final."""
    connection.execute(select(_table.c.id).where(_table.c.id == corrected).with_for_update(key_share=True)).all()
    query = select(_table.c.id).where(_table.c.corrects == corrected, _table.c.stage == Stage.CANCELLATION)
    if connection.execute(query.where(_table.c.state == "published")).first() is not None:
        raise IncidentChanged(
            Text("Another desk has cancelled publication {corrected}, which is final.", corrected=corrected),
            incident=None,
        )


def _advance_incident(connection: Connection, new: NewPublication, incident: str) -> None:
    at, table = microseconds(new.at), schema.incident
    due = microseconds(new.due_at) if new.due_at else None
    columns: dict[str, object] = {"status": new.status, "next_sequence": new.expected_sequence + 1}
    if new.expected_sequence == 1:
        columns |= {"id": incident, "follows": new.message.lifecycle.follows, "opened_at": at, "due_at": due}
        if not schema.insert_new(connection, table, [columns | state_columns(new.begun.state)]):
            raise _changed(incident)
        return
    row = lock_incident(connection, incident)
    if row is None or row.next_sequence != new.expected_sequence:
        raise _changed(incident)
    if new.message.stage is not Stage.CORRECTION or new.message.lifecycle.reopens:  # any other keeps the deadline
        closed = at if new.status in {IncidentStatus.ENDED, IncidentStatus.CANCELLED} else None
        columns |= {"due_at": due, "closed_at": closed, "reminders": 0, "reminded_at": None}
    connection.execute(update(table).where(table.c.id == incident).values(**columns))


def _changed(incident: str) -> IncidentChanged:
    return IncidentChanged(
        Text(
            "Other desks keep publishing on incident {incident!r}. Look at it, then publish again.", incident=incident
        ),
        incident=incident,
    )
