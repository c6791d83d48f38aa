"""The audit log: events are only added, each with a salted commitment to its body, and sealed in signed batches."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, select
from sqlalchemy import text as sql

from policenotify.errors import JournalError
from policenotify.journal import schema
from policenotify.journal.keys import Keys
from policenotify.journal.records import ClaimedDelivery, microseconds
from policenotify.journal.verify import EVENT_FIELDS, commitment, sealed_line

RUNNER = "runner"
"""The actor of events that delivery itself records."""

SALT_BYTES = 16
"""Length of a salt: 128 bits, so that an erased body cannot be guessed from its commitment."""


@cache
def _newest() -> Select[Any]:
    return select(func.max(schema.event.c.id))


def newest_event(connection: Connection) -> int:
    """Return the number of the last event, or 0. It only rises, for events are never deleted."""
    return int(connection.execute(_newest()).scalar() or 0)


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
    """Add an event. The body must not contain a secret, an address or a phone number."""
    text = json.dumps(dict(body), ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)
    salt = connection.get_execution_options()["policenotify_entropy"](SALT_BYTES).hex()
    connection.execute(
        insert(schema.event),
        {
            "at": microseconds(at),
            "actor": actor,
            "kind": kind,
            "publication": publication,
            "delivery": delivery,
            "channel": channel,
            "body": text,
            "salt": salt,
            "commitment": commitment(salt, text),
        },
    )


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


def _digest(connection: Connection, previous: str, first: int, last: int) -> tuple[str, int]:
    """Return the digest of a batch, chained to the one before it, and its number of events."""
    table, digest, count = schema.event, hashlib.sha256(previous.encode()), 0
    for row in connection.execute(select(table).where(table.c.id.between(first, last)).order_by(table.c.id)):
        if row.body and commitment(row.salt, row.body) != row.commitment:
            raise JournalError(f"Event {row.id} of the journal was tampered with.")
        digest.update(sealed_line(getattr(row, name) for name in EVENT_FIELDS))
        count += 1
    return digest.hexdigest(), count


def seal(connection: Connection, keys: Keys, at: datetime) -> int:
    """Close and sign the events since the last seal. Return their number.

    Raises:
        JournalError: One of them was changed since it was written.
    """
    table, batch = schema.event, schema.seal
    if connection.dialect.name == "postgresql":
        # Numbers are assigned before the commit: a lower one must not appear after the seal.
        connection.execute(sql(f"LOCK TABLE {table.name} IN SHARE ROW EXCLUSIVE MODE"))
    before = connection.execute(select(batch).order_by(batch.c.id.desc()).limit(1)).first()
    first, previous = (before.last_event + 1, before.digest) if before else (1, "")
    last = newest_event(connection)
    if last < first:
        return 0
    digest, count = _digest(connection, previous, first, last)
    version, signature = keys.sign(digest.encode())
    connection.execute(
        insert(batch).values(
            first_event=first,
            last_event=last,
            previous=previous,
            digest=digest,
            key_version=version,
            signature=signature,
            at=microseconds(at),
        )
    )
    return count


def verify(connection: Connection, keys: Keys) -> int:
    """Check every sealed batch. Return their number.

    An erased body is still proven by its commitment. Newest batches that were cut off with their seals cannot be
    missed from within: keep the last seal's digest elsewhere.

    Raises:
        JournalError: A sealed event was changed, moved or removed. It names the event or the batch.
    """
    batch, previous, first, count = schema.seal, "", 1, 0
    for row in connection.execute(select(batch).order_by(batch.c.id)).all():
        digest, _ = _digest(connection, previous, row.first_event, row.last_event)
        chain = (row.first_event, row.previous, row.digest)
        if chain != (first, previous, digest) or not keys.verify(row.key_version, digest.encode(), row.signature):
            raise JournalError(
                f"Sealed batch {row.id} of the journal (from event {row.first_event}) was tampered with."
            )
        previous, first, count = digest, row.last_event + 1, count + 1
    return count
