"""The audit log: append-only events with salted commitments, sealed in signed batches, and its export."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Connection, Insert, Label, Row, Select, Table, and_, cast, func, insert, select, true

from policenotify.errors import JournalError
from policenotify.journal import meta
from policenotify.journal.bulk.recipients import counts
from policenotify.journal.database import schema
from policenotify.journal.database.columns import json_object
from policenotify.journal.drafts.record import draft_lines, is_draft_selected
from policenotify.journal.keys import Keys
from policenotify.journal.leases import process_user
from policenotify.journal.records import ClaimedDelivery, microseconds, moment
from policenotify.journal.tombstones import Selection, is_selected, purged_at, stored_counts
from policenotify.journal.verify import (
    EVENT_FIELDS,
    FINAL,
    FORMAT_VERSION,
    Statements,
    commitment,
    fingerprint,
    post_digest,
    sealed_line,
    signed_text,
)
from policenotify.model.history import Outcome

RUNNER = "runner"
"""The actor of events that delivery itself records."""

PROCESS = "process"
"""The key of a body under which the user of the process is recorded."""
ERASED = "erased"
"""The kind of event that states what a purge has erased."""

SALT_BYTES = 16
"""Length of a salt: 128 bits, so that an erased body cannot be guessed from its commitment."""

EVENTS_LOCK = 0x706E_6576  # "pnev"
"""An advisory lock that no other program uses in this database. Who adds events shares it until the commit."""

_EVENT = "event"  # purpose of the code of an event
_LINKED = (*EVENT_FIELDS[1:], "follows")  # the number is not known before the row is stored
_SEARCHED = 64  # events on a server; of a transaction that others outran by so many, only a seal misses an event
_REMEMBERED = 10_000  # codes of events held in memory; an event follows recent ones as a rule
_RECENT = 20_000  # recent events are found by number, not by time: an hour has fewer
_DELIVERY_FIELDS = (
    "id",
    "post_key",
    "channel",
    "account",
    "language",
    "part",
    "operation",
    "attempts",
    "reason",
    "remedy",
    "code",
)
_BATCH = 200  # rows of an export held in memory

_log = logging.getLogger("policenotify")
_publication, _seal = schema.publication, schema.seal


@cache
def _ends(dialect: str) -> Select[Any]:
    """Return the query for the ends of the chain: the events that no other follows, which the next one follows.

    A file has one writer at a time, so its newest event is the only end. On a server each of several transactions adds
    an event that the others do not see. The query then also takes the lock that lets events be added while none seals.
    """
    table = schema.event
    end = select(table.c.id, table.c.mac)
    if dialect != "postgresql":
        return end.where(table.c.id == select(func.max(table.c.id)).scalar_subquery())
    lock = select(func.pg_advisory_xact_lock_shared(EVENTS_LOCK).label("taken")).cte("lock")
    recent = end.add_columns(table.c.follows).order_by(table.c.id.desc()).limit(_SEARCHED).cte("recent")
    followed = select(cast(func.unnest(func.string_to_array(recent.c.follows, " ")), BigInteger))
    ends = select(recent.c.id, recent.c.mac).where(recent.c.id.not_in(followed)).subquery()
    return select(ends).select_from(lock.outerjoin(ends, true())).order_by(ends.c.id.desc())


@cache
def _addition() -> Insert:
    return insert(schema.event)


@cache
def _newest() -> Select[Any]:
    return select(func.max(schema.event.c.id))


def newest_event(connection: Connection) -> int:
    """Return the number of the last event, or 0. It only rises, for events are never deleted."""
    return int(connection.execute(_newest()).scalar() or 0)


def recent_events(connection: Connection, kind: str, *, since: int = 0) -> Sequence[Row[Any]]:
    """Return the events of one kind after a time, newest first, of the last 20,000 of all kinds."""
    event = schema.event
    return connection.execute(
        select(event)
        .where(event.c.id > select(func.max(event.c.id) - _RECENT).scalar_subquery())
        .where(event.c.kind == kind, event.c.at > since)
        .order_by(event.c.id.desc())
    ).all()


def record(
    connection: Connection,
    at: datetime,
    actor: str,
    kind: str,
    body: Mapping[str, object],
    *,
    publication: str | None = None,
    delivery: int | None = None,
    channel: str | None = None,
) -> None:
    """Add an event. The body must not contain a secret, an address or a phone number.

    An actor is whom the caller names. The body also gets the user of the process, as the system knows it.
    """
    recorded = {**body, PROCESS: process_user()}
    text = json.dumps(recorded, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)
    options = connection.get_execution_options()
    salt = options["policenotify_entropy"](SALT_BYTES).hex()
    before = [end for end in connection.execute(_ends(connection.dialect.name)) if end.id is not None]
    row: dict[str, Any] = {
        "at": microseconds(at),
        "actor": actor,
        "kind": kind,
        "publication": publication,
        "delivery": delivery,
        "channel": channel,
        "commitment": commitment(salt, text),
        "follows": " ".join(str(end.id) for end in before),
    }
    code = options["policenotify_keys"].mac(_EVENT, _chained(row, [end.mac for end in before]))
    added = connection.execute(_addition(), {**row, "body": text, "salt": salt, "mac": code})
    [number] = added.inserted_primary_key or [0]
    meta.note(connection, meta.KnownEvent(number, row["commitment"]))


def _chained(row: Mapping[str, Any], before: list[str]) -> str:
    """Return an event as its keyed code covers it: together with the codes of the events that it follows."""
    return json.dumps([*(row[name] for name in _LINKED), before], ensure_ascii=False)


def last_settlement(delivery: Table) -> Label[Any]:
    """Return the expression for the body of the last event about the outcome of a delivery."""
    table = schema.event
    about = (table.c.publication == delivery.c.publication, table.c.delivery == delivery.c.id)
    kinds = table.c.kind.in_(("settled", "resolved", "deleted"))
    newest = select(table.c.body).where(*about, kinds).order_by(table.c.id.desc()).limit(1)
    return newest.scalar_subquery().label("last_settlement")


def is_settled(body: str | None) -> bool:
    """Return True if the last event about the outcome of a delivery states that nothing more is to be sent."""
    return body is not None and (not body or str(json_object(body).get("outcome", "deleted")) in FINAL)


def record_delivery(
    connection: Connection,
    delivery: Row[Any] | ClaimedDelivery,
    at: datetime,
    kind: str,
    body: Mapping[str, object],
    *,
    actor: str = RUNNER,
) -> None:
    """Add an event about a delivery."""
    publication, channel = delivery.publication, delivery.channel
    record(connection, at, actor, kind, body, publication=publication, delivery=delivery.id, channel=channel)


class _Chain:
    """The events, read in order, each compared with its own code and with those that it follows."""

    def __init__(self, connection: Connection, keys: Keys, statements: Statements | None = None) -> None:
        self._connection = connection
        self._keys = keys
        self._statements = statements
        self._codes: dict[int, str] = {}

    def digest(self, previous: str, first: int, last: int) -> tuple[str, int]:
        """Return the digest of a batch, chained to the one before it, and its number of events.

        Raises:
            JournalError: An event was changed, or one that it follows was removed.
        """
        table, digest, count = schema.event, hashlib.sha256(previous.encode()), 0
        for row in self._connection.execute(select(table).where(table.c.id.between(first, last)).order_by(table.c.id)):
            if (row.body and commitment(row.salt, row.body) != row.commitment) or not self._is_chained(row):
                raise _tampered(f"event {row.id} is not what was recorded, or one before it was removed")
            if self._statements is not None:
                self._note(row, self._statements)
            digest.update(sealed_line(getattr(row, name) for name in EVENT_FIELDS))
            count += 1
        return digest.hexdigest(), count

    def _is_chained(self, row: Row[Any]) -> bool:
        followed = [int(number) for number in row.follows.split()]
        if unknown := [number for number in followed if number not in self._codes]:
            event = schema.event
            found = self._connection.execute(select(event.c.id, event.c.mac).where(event.c.id.in_(unknown)))
            self._codes.update({link.id: link.mac for link in found})
        if any(number not in self._codes for number in followed):
            return False
        text = _chained(row._asdict(), [self._codes[number] for number in followed])
        self._codes[row.id] = row.mac
        while len(self._codes) > _REMEMBERED:
            del self._codes[next(iter(self._codes))]
        return self._keys.is_mac(_EVENT, text, row.mac)

    @staticmethod
    def _note(row: Row[Any], statements: Statements) -> None:
        if row.body:
            statements.add(row._asdict(), json_object(row.body))
        else:
            statements.add_emptied(row._asdict())


def _tampered(problem: str) -> JournalError:
    return JournalError(
        f"The journal was tampered with: {problem}. Keep this file or database as it is, for those who investigate. "
        "Restore a copy, and find out who can write to it."
    )


def seal(connection: Connection, keys: Keys, at: datetime) -> int:
    """Close and sign the events since the last seal. Return their number.

    Raises:
        JournalError: One of them was changed or removed since it was written.
    """
    batch = schema.seal
    if connection.dialect.name == "postgresql":  # numbers are assigned before the commit: no lower one may appear later
        connection.execute(select(func.pg_advisory_xact_lock(EVENTS_LOCK)))
    before = connection.execute(select(batch).order_by(batch.c.id.desc()).limit(1)).first()
    first, previous = (before.last_event + 1, before.digest) if before else (1, "")
    last = newest_event(connection)
    if last < first:
        return 0
    digest, count = _Chain(connection, keys).digest(previous, first, last)
    sealed_at = microseconds(at)
    version, signature = keys.sign(signed_text("seal", _journal_id(connection), sealed_at, digest))
    connection.execute(
        insert(batch).values(
            first_event=first,
            last_event=last,
            previous=previous,
            digest=digest,
            key_version=version,
            signature=signature,
            at=sealed_at,
        )
    )
    _log.info("Sealed %d events up to number %d: %s", count, last, digest)
    return count


def _journal_id(connection: Connection) -> str:
    return meta.get(connection, meta.ID) or ""


def verify(connection: Connection, keys: Keys) -> int:
    """Check every event and sealed batch, and that all that is stored is what the events state. Return the batches.

    An erased body is still proven by its commitment, and allowed only where a purge states it. Newest batches that
    were cut off with their seals, and all that they state, cannot be missed from within: pass the witness of the seals.

    Raises:
        JournalError: Something was changed, moved, added or removed. It names what.
    """
    batch, previous, first, count = schema.seal, "", 1, 0
    statements = Statements()
    chain, journal = _Chain(connection, keys, statements), _journal_id(connection)
    for row in connection.execute(select(batch).order_by(batch.c.id)).all():
        digest, _ = chain.digest(previous, row.first_event, row.last_event)
        text = signed_text("seal", journal, row.at, digest)
        same = (row.first_event, row.previous, row.digest) == (first, previous, digest)
        if not same or not keys.verify(row.key_version, text, row.signature):
            raise _tampered(f"sealed batch {row.id} (from event {row.first_event}) is not what was sealed")
        previous, first, count = digest, row.last_event + 1, count + 1
    chain.digest(previous, first, newest_event(connection))
    for line in _publications(connection, None, whole=True):
        if problem := statements.problem_of(line):
            raise _tampered(problem)
    for line in draft_lines(connection, true()):
        if problem := statements.problem_of_draft(line):
            raise _tampered(problem)
    if problem := statements.last_problem(whole=True) or _other_problem(connection, statements):
        raise _tampered(problem)
    return count


_WITNESSED = ("last_event", "at", "digest")


def witness(connection: Connection) -> dict[str, object] | None:
    """Return what another host keeps of the last seal, so that `check_witness` notices a journal that was set back."""
    row = connection.execute(select(_seal).order_by(_seal.c.id.desc()).limit(1)).first()
    if row is None:
        return None
    return {"journal": _journal_id(connection), "seal": row.id, **{name: getattr(row, name) for name in _WITNESSED}}


def check_witness(connection: Connection, lines: Iterable[Mapping[str, Any]]) -> None:
    """Check that the journal has every seal that another host has kept.

    Raises:
        JournalError: A seal is missing or another one, or it is of another journal.
    """
    journal = _journal_id(connection)
    seals = {row.id: [getattr(row, name) for name in _WITNESSED] for row in connection.execute(select(_seal))}
    for line in lines:
        if line["journal"] != journal:
            raise JournalError("The witness is of another journal. Nothing was compared. Give the right file.")
        if seals.get(line["seal"]) != [line[name] for name in _WITNESSED]:
            raise _tampered(
                f"seal {line['seal']} of {moment(line['at']):%Y-%m-%d %H:%M} UTC, which the witness has, is missing or "
                "another one: the journal was set back, or its newest part was cut off"
            )


def _other_problem(connection: Connection, statements: Statements) -> str:
    """Return how incidents, the stop or suppressions differ from what the events state."""
    incident = schema.incident
    for row in connection.execute(select(incident.c.id, incident.c.status, incident.c.due_at)):
        if statements.incidents.pop(row.id, [row.status, row.due_at]) != [row.status, row.due_at]:
            return f"incident {row.id} does not have the status or deadline that was published"
    if statements.incidents:
        return f"incident {min(statements.incidents)} was removed"
    stop = meta.stopped(connection)
    if (stop.by if stop else "") != statements.stopped_by:
        return "publishing was stopped or resumed without a command"
    listed = schema.suppression
    known = select(listed).where(listed.c.confirmed_at.is_not(None))
    stored = {(row.channel, row.key): (row.source, row.expires_at) for row in connection.execute(known)}
    if wrong := len(stored.items() ^ statements.suppressed.items()):
        return f"{wrong} suppressions were added, removed or changed"
    return ""


def export(connection: Connection, keys: Keys, selection: Selection | None = None) -> Iterator[bytes]:
    """Yield the journal as JSON Lines that others can verify: its sealed batches, signed as a whole.

    Every line is a JSON object with a `type`, in this order:

    - `journal`: the version of this format, and the fingerprints of the installation's public keys.
    - `event`: who did what and when, with the salted commitment to its body, and the body with its salt unless purged.
    - `seal`, after the last event of its batch: the signed digest that chains it to the batch before.
    - `publication`: a message, its deliveries and their outcomes. Recipients are only counted.
    - `draft`: a message that others read, its revisions and their reviews, as its last event states it.
    - `end`: the number of lines before it and their signed digest.

    The same journal gives the same bytes.

    Args:
        connection: To the journal, in one transaction, so that all lines show one state.
        keys: The installation's keys. The file names their public halves and is signed with the newest.
        selection: Which publications to export. Events of others are exported without their bodies, because the
            seals chain all events.
    """
    digest, number = hashlib.sha256(), 0
    for line in _unsigned(connection, keys, selection):
        encoded = _encode(line)
        digest.update(encoded)
        number += 1
        yield encoded
    at = connection.execute(select(func.max(schema.event.c.at))).scalar() or 0  # the same journal, the same bytes
    text = signed_text("export", _journal_id(connection), at, digest.hexdigest())
    version, signature = keys.sign(text)
    end = {"type": "end", "at": at, "lines": number, "digest": digest.hexdigest()}
    yield _encode({**end, "key_version": version, "signature": base64.b64encode(signature).decode()})


def _encode(line: dict[str, object]) -> bytes:
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _unsigned(connection: Connection, keys: Keys, selection: Selection | None) -> Iterator[dict[str, object]]:
    fingerprints = [
        {"version": version, "fingerprint": fingerprint(keys.public_key(version))}
        for version in range(1, keys.version + 1)
    ]
    versions = {"format_version": FORMAT_VERSION, "schema_version": schema.SCHEMA_VERSION}
    yield {"type": "journal", **versions, "journal": _journal_id(connection), "keys": fingerprints}
    newest = newest_event(connection)
    first, batch = 1, 0
    seal = select(_seal).order_by(_seal.c.id).limit(1)
    while (row := connection.execute(seal.where(_seal.c.id > batch)).first()) is not None:
        yield from _events(connection, row.first_event, row.last_event, selection)
        names = ("id", "first_event", "last_event", "previous", "digest", "key_version", "at")
        signature = base64.b64encode(row.signature).decode()
        yield {"type": "seal", **{name: getattr(row, name) for name in names}, "signature": signature}
        first, batch = row.last_event + 1, row.id
    yield from _events(connection, first, newest, selection)
    yield from _publications(connection, selection)
    yield from draft_lines(connection, is_draft_selected(selection))


def _events(connection: Connection, first: int, last: int, selection: Selection | None) -> Iterator[dict[str, object]]:
    event = schema.event
    selected = and_(_publication.c.id == event.c.publication, is_selected(selection))
    drafted = and_(schema.draft.c.id == event.c.publication, is_draft_selected(selection))
    found = func.coalesce(_publication.c.id, schema.draft.c.id).label("selected")
    query = select(event, found).outerjoin(_publication, selected).outerjoin(schema.draft, drafted)
    query = query.order_by(event.c.id).limit(_BATCH)
    while rows := connection.execute(query.where(event.c.id.between(first, last))).all():
        for row in rows:
            line = {"type": "event", **{name: getattr(row, name) for name in EVENT_FIELDS}}
            if not row.body:
                line["erased"] = True
            elif selection is None or row.selected or row.kind == ERASED or _is_selected(row, selection):
                line |= {"salt": row.salt, "body": row.body}
            yield line
        first = rows[-1].id + 1


def _is_selected(event: Row[Any], selection: Selection) -> bool:
    """Return True if an event is selected that is about no publication."""
    return event.publication is None and selection.category is None and bool(event.at <= selection.before)


def _publications(
    connection: Connection, selection: Selection | None, *, whole: bool = False
) -> Iterator[dict[str, object]]:
    table, after = _publication, ""
    query = select(table).where(is_selected(selection)).order_by(table.c.id).limit(_BATCH)
    while rows := connection.execute(query.where(table.c.id > after)).all():
        for row in rows:
            yield {
                "type": "publication",
                **publication_fields(row._asdict()),
                "purged": purged_at(row.rules),
                "deliveries": list(_deliveries(connection, row.id, whole=whole)),
            }
        after = rows[-1].id


def publication_fields(row: Mapping[str, Any]) -> dict[str, object]:
    """Return a publication's columns as they are exported and covered by its event."""
    return {
        "id": row["id"],
        "key": row["key"],
        "state": row["state"],
        "incident": row["incident"],
        "sequence": row["sequence"],
        "at": moment(row["created_at"]).isoformat(),
        "actor": row["actor"],
        "digest": row["digest"],
        "message": json.loads(row["message"]),
        "findings": json.loads(row["findings"]),
        "rules": json.loads(row["rules"]),
    }


def posts_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, object]:
    """Return what an event states of new deliveries: digests of their wordings, and outcomes of those settled."""
    posts, outcomes = {}, {}
    for row in rows:
        wordings = [json.loads(post) for post in (row["standalone"], row["reply"]) if post] or [None]
        posts[row["post_key"]] = [post_digest(row, post) for post in wordings]
        if row["state"] != Outcome.WAITING:
            outcomes[row["post_key"]] = row["state"]
    return {"posts": posts, "outcomes": outcomes}


def _deliveries(connection: Connection, publication: str, *, whole: bool) -> Iterator[dict[str, object]]:
    table = schema.delivery
    rows = connection.execute(select(table).where(table.c.publication == publication).order_by(table.c.id)).all()
    with_recipients = [row.id for row in rows if row.has_recipients]
    stored = stored_counts(connection, with_recipients)
    recipients = {**counts(connection, with_recipients), **stored}
    for row in rows:
        post = row.standalone if row.wording == "standalone" or row.reply is None else row.reply
        more: dict[str, object] = {}
        if whole:
            more["wordings"] = [json.loads(one) if one else None for one in (row.standalone, row.reply)]
            more["request"] = json.loads(row.request) if row.request and row.id not in stored else None
        yield {
            **{name: getattr(row, name) for name in _DELIVERY_FIELDS},
            **more,
            "outcome": row.state,
            "in_doubt": row.in_doubt,
            "halt": row.halt,
            "tried_at": _isoformat(row.last_tried_at),
            "settled_at": _isoformat(row.settled_at),
            "ref": json.loads(row.ref) if row.ref else None,
            "post": json.loads(post) if post else None,
            "recipients": recipients.get(row.id, {}) if row.has_recipients else None,
        }


def _isoformat(stored: int | None) -> str | None:
    return None if stored is None else moment(stored).isoformat()
