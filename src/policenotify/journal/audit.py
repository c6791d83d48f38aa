"""The event log: events are only added, and read in one order that no later commit changes."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Insert,
    Row,
    Text,
    func,
    insert,
    select,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy import tuple_ as row_of

from policenotify.journal import meta
from policenotify.journal.database import schema
from policenotify.journal.leases import process_user
from policenotify.journal.records import ClaimedDelivery, microseconds

RUNNER = "runner"
"""The actor of events that delivery itself records."""

PROCESS = "process"
"""The key of a body under which the user of the process is recorded."""

_SALT_BYTES = 16  # 128 bits, so that an erased body cannot be guessed from its commitment


class EventCursor(NamedTuple):
    """A place in the order of events.

    A server gives numbers before the commit, so that a lower one may appear later. There the transaction's number comes
    first. It is 0 in a file, which has one writer at a time, and below 0 in events of before a move.
    """

    xid: int
    id: int


START = EventCursor(-(2**62), 0)
"""The cursor before all events."""


def newest_event(connection: Connection) -> int:
    """Return the number of the last event, or 0. It only rises, for events are never deleted."""
    return int(connection.execute(select(func.max(schema.event.c.id))).scalar() or 0)


def _whole(number: ColumnElement[Any]) -> ColumnElement[int]:
    return sql_cast(sql_cast(number, Text), BigInteger)  # xid8 has no other cast


def _open_from() -> ColumnElement[int]:
    """Return the expression for the first transaction that may still be open. All before it have ended."""
    return _whole(func.pg_snapshot_xmin(func.pg_current_snapshot()))


def events_after(
    connection: Connection, cursor: EventCursor, limit: int | None = None, *, until: EventCursor | None = None
) -> Sequence[Row[Any]]:
    """Return the next events behind a cursor, and up to another, in an order that no later commit changes.

    On a server an event is returned once all transactions that began before its own have ended.
    """
    event = schema.event
    place = row_of(event.c.xid, event.c.id)
    query = select(event).where(place > row_of(*cursor)).order_by(event.c.xid, event.c.id).limit(limit)
    if until is not None:
        query = query.where(place <= row_of(*until))
    elif connection.dialect.name == "postgresql":
        query = query.where(event.c.xid < _open_from())
    return connection.execute(query).all()


def place_of(event: Row[Any]) -> EventCursor:
    """Return the cursor behind which the next event follows."""
    return EventCursor(event.xid, event.id)


def end_of_events(connection: Connection) -> EventCursor:
    """Return the cursor behind which only events of transactions follow that have not ended yet."""
    if connection.dialect.name != "postgresql":
        return EventCursor(0, newest_event(connection))
    return EventCursor(connection.execute(select(_open_from())).scalar_one(), 0)


@cache
def _addition(dialect: str) -> Insert:
    addition = insert(schema.event)
    return addition.values(xid=_whole(func.pg_current_xact_id())) if dialect == "postgresql" else addition


def commitment(salt: str, body: str) -> str:
    """Return the commitment of an event to its body. It survives the body, which a purge erases with its salt."""
    return hashlib.sha256(f"{salt}\n{body}".encode()).hexdigest()


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
    salt = secrets.token_hex(_SALT_BYTES)
    committed = commitment(salt, text)
    row = {
        "at": microseconds(at),
        "actor": actor,
        "kind": kind,
        "publication": publication,
        "delivery": delivery,
        "channel": channel,
        "body": text,
        "salt": salt,
        "commitment": committed,
    }
    added = connection.execute(_addition(connection.dialect.name), row)
    [number] = added.inserted_primary_key or [0]
    meta.note(connection, meta.KnownEvent(number, committed))


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
