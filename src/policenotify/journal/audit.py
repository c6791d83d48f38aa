"""The event log: rows are only added, each with a salted commitment to its body. `seals` chains and signs them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Connection, Insert, Row, Select, Text, func, insert, select
from sqlalchemy import cast as sql_cast
from sqlalchemy import tuple_ as row_of

from policenotify.journal.database import schema
from policenotify.journal.leases import process_user
from policenotify.journal.records import ClaimedDelivery, microseconds
from policenotify.journal.verify import commitment

RUNNER = "runner"
"""The actor of events that delivery itself records."""

PROCESS = "process"
"""The key of a body under which the user of the process is recorded."""

SALT_BYTES = 16
"""Length of a salt: 128 bits, so that an erased body cannot be guessed from its commitment."""

_RECENT = 20_000  # recent events are found by number, not by time: an hour has fewer


class Cursor(NamedTuple):
    """A place in the order of events.

    A server gives numbers before the commit, so that a lower one may appear later. There the transaction's number comes
    first. It is 0 in a file, which has one writer at a time, and after a move.
    """

    xid: int = 0
    id: int = 0


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


def _whole(number: ColumnElement[Any]) -> ColumnElement[int]:
    return sql_cast(sql_cast(number, Text), BigInteger)  # xid8 has no other cast


def _open_from() -> ColumnElement[int]:
    """Return the expression for the first transaction that may still be open. All before it have ended."""
    return _whole(func.pg_snapshot_xmin(func.pg_current_snapshot()))


def is_behind(cursor: Cursor) -> ColumnElement[bool]:
    """Return the condition that an event follows a cursor."""
    event = schema.event
    behind: ColumnElement[bool] = row_of(event.c.xid, event.c.id) > row_of(*cursor)
    return behind


def events_after(connection: Connection, cursor: Cursor, limit: int, *, closed: bool = False) -> Sequence[Row[Any]]:
    """Return the next events behind a cursor, in an order that no later commit changes.

    On a server an event is returned once all transactions that began before its own have ended. With *closed* all are
    returned, because no other process can add one.
    """
    event, query = schema.event, select(schema.event).limit(limit)
    if connection.dialect.name != "postgresql" and not closed:
        return connection.execute(query.where(event.c.id > cursor.id).order_by(event.c.id)).all()
    query = query.where(is_behind(cursor)).order_by(event.c.xid, event.c.id)
    return connection.execute(query if closed else query.where(event.c.xid < _open_from())).all()


def place_of(event: Row[Any]) -> Cursor:
    """Return the cursor behind which the next event follows."""
    return Cursor(event.xid, event.id)


def end_of_events(connection: Connection) -> Cursor:
    """Return the cursor behind which only events of transactions follow that have not ended yet."""
    if connection.dialect.name != "postgresql":
        return Cursor(0, newest_event(connection))
    return Cursor(connection.execute(select(_open_from())).scalar_one(), 0)


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
        "commitment": commitment(salt, text),
    }
    connection.execute(_addition(connection.dialect.name), row)


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
