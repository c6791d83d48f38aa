"""The event log: events are only added, and sealed in signed batches. Its verification."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from itertools import chain
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Insert,
    Row,
    Select,
    Text,
    Tuple,
    bindparam,
    func,
    insert,
    select,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy import tuple_ as row_of

from policenotify.errors import JournalError
from policenotify.journal import meta
from policenotify.journal.authentication import forged_deliveries
from policenotify.journal.database import schema
from policenotify.journal.database.columns import json_object
from policenotify.journal.drafts.record import forged_drafts
from policenotify.journal.keys import Keys
from policenotify.journal.leases import process_user
from policenotify.journal.records import ClaimedDelivery, microseconds, moment

RUNNER = "runner"
"""The actor of events that delivery itself records."""

PROCESS = "process"
"""The key of a body under which the user of the process is recorded."""

SALT_BYTES = 16
"""Length of a salt: 128 bits, so that an erased body cannot be guessed from its commitment."""

_BATCH = 10_000  # events of one seal
_LOCK = 0x706E_6576  # "pnev": an advisory lock that no other program uses in this database
_RECENT = 20_000  # recent events are found by number, not by time: an hour has fewer

_log = logging.getLogger("policenotify")
_seal = schema.seal
_sealed = attrgetter("id", "at", "actor", "kind", "publication", "delivery", "channel", "commitment")
_LAST = select(_seal).order_by(_seal.c.id.desc()).limit(1)


class EventCursor(NamedTuple):
    """A place in the order of events.

    A server gives numbers before the commit, so that a lower one may appear later. There the transaction's number comes
    first. It is 0 in a file, which has one writer at a time, and below 0 in events of before a move.
    """

    xid: int
    id: int


START = EventCursor(-(2**62), 0)
"""The cursor before all events."""


@cache
def _recorded() -> Select[Any]:
    event = schema.event
    of_publication = select(event.c.id).where(event.c.publication == bindparam("publication"))
    return of_publication.where(event.c.kind == bindparam("kind")).limit(1)


def is_recorded(connection: Connection, publication: str, kind: str) -> bool:
    """Return whether an event of a kind is about a publication."""
    return connection.execute(_recorded(), {"publication": publication, "kind": kind}).first() is not None


def recent_events(connection: Connection, kind: str, *, since: int = 0) -> Sequence[Row[Any]]:
    """Return the events of one kind after a time, newest first, of the last 20,000 of all kinds."""
    event = schema.event
    return connection.execute(
        select(event)
        .where(event.c.id > select(func.max(event.c.id) - _RECENT).scalar_subquery())
        .where(event.c.kind == kind, event.c.at > since)
        .order_by(event.c.id.desc())
    ).all()


def _whole(number: ColumnElement[Any]) -> ColumnElement[int]:
    return sql_cast(sql_cast(number, Text), BigInteger)  # xid8 has no other cast


def _open_from() -> ColumnElement[int]:
    """Return the expression for the first transaction that may still be open. All before it have ended."""
    return _whole(func.pg_snapshot_xmin(func.pg_current_snapshot()))


def _place() -> Tuple:
    return row_of(schema.event.c.xid, schema.event.c.id)


def _in_order() -> Select[Any]:
    return select(schema.event).order_by(schema.event.c.xid, schema.event.c.id)


def events_after(connection: Connection, cursor: EventCursor, limit: int) -> Sequence[Row[Any]]:
    """Return the next events behind a cursor, in an order that no later commit changes.

    On a server an event is returned once all transactions that began before its own have ended.
    """
    query = _in_order().where(_place() > row_of(*cursor)).limit(limit)
    if connection.dialect.name == "postgresql":
        query = query.where(schema.event.c.xid < _open_from())
    return connection.execute(query).all()


def place_of(event: Row[Any]) -> EventCursor:
    """Return the cursor behind which the next event follows."""
    return EventCursor(event.xid, event.id)


def exported(connection: Connection) -> Iterator[dict[str, object]]:
    """Yield each event, oldest first, as an object for JSON. The body of a purged one is empty."""
    cursor = START
    while rows := events_after(connection, cursor, _BATCH):
        cursor = place_of(rows[-1])
        for row in rows:
            yield {
                "id": row.id,
                "at": moment(row.at).isoformat(),
                "actor": row.actor,
                "kind": row.kind,
                "publication": row.publication,
                "delivery": row.delivery,
                "channel": row.channel,
                "body": json_object(row.body) if row.body else {},
            }


def end_of_events(connection: Connection) -> EventCursor:
    """Return the cursor behind which only events of transactions follow that have not ended yet."""
    if connection.dialect.name != "postgresql":
        return EventCursor(0, connection.execute(select(func.max(schema.event.c.id))).scalar() or 0)
    return EventCursor(connection.execute(select(_open_from())).scalar_one(), 0)


@cache
def _addition(dialect: str) -> Insert:
    addition = insert(schema.event)
    return addition.values(xid=_whole(func.pg_current_xact_id())) if dialect == "postgresql" else addition


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
    salt = connection.get_execution_options()["policenotify_entropy"](SALT_BYTES).hex()
    row = {
        "at": microseconds(at),
        "actor": actor,
        "kind": kind,
        "publication": publication,
        "delivery": delivery,
        "channel": channel,
        "body": text,
        "salt": salt,
        "commitment": _commitment(salt, text),
    }
    added = connection.execute(_addition(connection.dialect.name), row)
    [number] = added.inserted_primary_key or [0]
    meta.note(connection, meta.KnownEvent(number, row["commitment"]))


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


# --- seals


def seal(connection: Connection, keys: Keys, at: datetime) -> int:
    """Close and sign the events since the last seal. Return their number.

    Raises:
        JournalError: One of them has another body than was recorded.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))  # one process seals at a time
    last, count = connection.execute(_LAST).first(), 0
    number, previous = (last.id, last.digest) if last else (0, "")
    cursor, journal, sealed_at = _end_of(last), _journal_id(connection), microseconds(at)
    while rows := events_after(connection, cursor, _BATCH):
        cursor, number = place_of(rows[-1]), number + 1
        digest = _digest(previous, rows)
        version, signature = keys.sign(_signed(journal, sealed_at, digest))
        columns = {
            "id": number,
            "last_xid": cursor.xid,
            "last_event": cursor.id,
            "previous": previous,
            "digest": digest,
            "key_version": version,
            "signature": signature,
            "at": sealed_at,
        }
        connection.execute(insert(_seal), columns)
        previous, count = digest, count + len(rows)
        _log.info("Sealed %d events up to number %d: %s", len(rows), cursor.id, previous)
    return count


def printed_seal(connection: Connection) -> str:
    """Return the line of the last seal, to be kept elsewhere. Empty if nothing is sealed."""
    last = connection.execute(_LAST).first()
    return f"{_journal_id(connection)}:{last.id}:{last.digest}" if last else ""


def verify(connection: Connection, keys: Keys, against: str = "") -> int:
    """Check the chain of events, its seals, and the codes of what goes out. Return the number of sealed batches.

    What a purge has erased is passed over: the chain covers the commitments of events, which survive it.

    Args:
        connection: To the journal, in one transaction, so that all is of one state.
        keys: The installation's keys.
        against: A line of `printed_seal` that was kept elsewhere.

    Raises:
        JournalError: Something was changed or removed, or the journal was set back to before that line.
    """
    previous, cursor, journal = "", START, _journal_id(connection)
    seals = connection.execute(select(_seal).order_by(_seal.c.id)).all()
    for number, row in enumerate(seals, 1):
        events = connection.execute(_in_order().where(_place() > row_of(*cursor), _place() <= row_of(*_end_of(row))))
        same = (row.id, row.previous, row.digest) == (number, previous, _digest(previous, events))
        if not same or not keys.verify(row.key_version, _signed(journal, row.at, row.digest), row.signature):
            raise _tampered(f"seal {number}, or an event before it, is not what was sealed, or is missing")
        previous, cursor = row.digest, _end_of(row)
    while rows := events_after(connection, cursor, _BATCH):
        cursor = place_of(rows[-1])
        _digest("", rows)  # checks the bodies of those that are not sealed yet
    for forged in chain(forged_deliveries(connection, keys), forged_drafts(connection, keys)):
        raise _tampered(forged)
    if against:
        _compare(connection, against)
    return len(seals)


def _compare(connection: Connection, line: str) -> None:
    """Compare a line that was kept elsewhere with the seal of its number."""
    journal, _, rest = line.strip().partition(":")
    number, _, digest = rest.partition(":")
    if not number.isdecimal() or not digest:
        raise JournalError("That is not the line of a seal, as policenotify journal seal --print prints it.")
    if journal != _journal_id(connection):
        raise JournalError("The line is of another journal. Nothing was compared. Give the right one.")
    if connection.execute(select(_seal.c.digest).where(_seal.c.id == int(number))).scalar() != digest:
        raise _tampered(
            f"seal {number} is missing or another one: the journal was set back, or its newest part was cut off"
        )


def _digest(previous: str, events: Iterable[Row[Any]]) -> str:
    """Return the digest of a batch of events in their order, chained to the batch before it.

    Raises:
        JournalError: One of them has another body than was recorded.
    """
    digest = hashlib.sha256(previous.encode())
    for event in events:
        if event.body and _commitment(event.salt, event.body) != event.commitment:
            raise _tampered(f"the body of event {event.id} does not match its commitment: it was changed")
        digest.update(json.dumps(_sealed(event), ensure_ascii=False).encode() + b"\n")
    return digest.hexdigest()


def _commitment(salt: str, body: str) -> str:
    """Return the commitment of an event to its body. It survives the body, which a purge erases with its salt."""
    return hashlib.sha256(f"{salt}\n{body}".encode()).hexdigest()


def _signed(journal: str, at: int, digest: str) -> bytes:
    return b"policenotify seal\n" + f"{journal}\n{at}\n{digest}".encode()


def _end_of(last: Row[Any] | None) -> EventCursor:
    return EventCursor(last.last_xid, last.last_event) if last else START


def _journal_id(connection: Connection) -> str:
    return meta.get(connection, meta.ID) or ""


def _tampered(problem: str) -> JournalError:
    return JournalError(
        f"The journal was tampered with: {problem}. Keep this file or database as it is, for those who investigate. "
        "Restore a copy, and find out who can write to it."
    )
