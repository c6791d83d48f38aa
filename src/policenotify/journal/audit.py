"""The audit log: append-only events with salted commitments, sealed in signed batches, and its export."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, insert, select
from sqlalchemy import text as sql

from policenotify.errors import JournalError
from policenotify.journal import schema
from policenotify.journal.keys import Keys
from policenotify.journal.leases import process_user
from policenotify.journal.recipients import counts
from policenotify.journal.records import ClaimedDelivery, microseconds, moment
from policenotify.journal.tombstones import Selection, is_selected, purged_at, stored_counts
from policenotify.journal.verify import EVENT_FIELDS, FORMAT_VERSION, commitment, fingerprint, sealed_line

RUNNER = "runner"
"""The actor of events that delivery itself records."""

PROCESS = "process"
"""The key of a body under which the user of the process is recorded."""

SALT_BYTES = 16
"""Length of a salt: 128 bits, so that an erased body cannot be guessed from its commitment."""


_BATCH = 200  # rows of an export held in memory

_publication, _seal = schema.publication, schema.seal


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
    """Add an event. The body must not contain a secret, an address or a phone number.

    An actor is whom the caller names. The body also gets the user of the process, as the system knows it.
    """
    recorded = {**body, PROCESS: process_user()}
    text = json.dumps(recorded, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)
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


def export(connection: Connection, keys: Keys, selection: Selection | None = None) -> Iterator[bytes]:
    """Yield the journal as JSON Lines that others can verify: its sealed batches, signed as a whole.

    Every line is a JSON object with a `type`, in this order:

    - `journal`: the version of this format, and the fingerprints of the installation's public keys.
    - `event`: who did what and when, with the salted commitment to its body, and the body with its salt unless purged.
    - `seal`, after the last event of its batch: the signed digest that chains it to the batch before.
    - `publication`: a message, its deliveries and their outcomes. Recipients are only counted.
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
    version, signature = keys.sign(digest.hexdigest().encode())
    end = {"type": "end", "lines": number, "digest": digest.hexdigest()}
    yield _encode({**end, "key_version": version, "signature": base64.b64encode(signature).decode()})


def _encode(line: dict[str, object]) -> bytes:
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _unsigned(connection: Connection, keys: Keys, selection: Selection | None) -> Iterator[dict[str, object]]:
    fingerprints = [
        {"version": version, "fingerprint": fingerprint(keys.public_key(version))}
        for version in range(1, keys.version + 1)
    ]
    versions = {"format_version": FORMAT_VERSION, "schema_version": schema.SCHEMA_VERSION}
    yield {"type": "journal", **versions, "keys": fingerprints}
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


def _events(connection: Connection, first: int, last: int, selection: Selection | None) -> Iterator[dict[str, object]]:
    event = schema.event
    selected = and_(_publication.c.id == event.c.publication, is_selected(selection))
    query = select(event, _publication.c.id.label("selected")).outerjoin(_publication, selected)
    query = query.order_by(event.c.id).limit(_BATCH)
    while rows := connection.execute(query.where(event.c.id.between(first, last))).all():
        for row in rows:
            line = {"type": "event", **{name: getattr(row, name) for name in EVENT_FIELDS}}
            if row.body and (row.selected or (row.publication is None and _is_selected(row, selection))):
                line |= {"salt": row.salt, "body": row.body}
            yield line
        first = rows[-1].id + 1


def _is_selected(event: Row[Any], selection: Selection | None) -> bool:
    """Return True if an event that is about no publication is selected."""
    return selection is None or (selection.category is None and event.at <= selection.before)


def _publications(connection: Connection, selection: Selection | None) -> Iterator[dict[str, object]]:
    table, after = _publication, ""
    query = select(table).where(is_selected(selection)).order_by(table.c.id).limit(_BATCH)
    while rows := connection.execute(query.where(table.c.id > after)).all():
        for row in rows:
            yield {
                "type": "publication",
                "id": row.id,
                "key": row.key,
                "state": row.state,
                "incident": row.incident,
                "sequence": row.sequence,
                "at": moment(row.created_at).isoformat(),
                "actor": row.actor,
                "digest": row.digest,
                "purged": purged_at(row.rules),
                "message": json.loads(row.message),
                "findings": json.loads(row.findings),
                "rules": json.loads(row.rules),
                "deliveries": list(_deliveries(connection, row.id)),
            }
        after = rows[-1].id


def _deliveries(connection: Connection, publication: str) -> Iterator[dict[str, object]]:
    table = schema.delivery
    rows = connection.execute(select(table).where(table.c.publication == publication).order_by(table.c.id)).all()
    with_recipients = [row.id for row in rows if row.has_recipients]
    recipients = {**counts(connection, with_recipients), **stored_counts(connection, with_recipients)}
    for row in rows:
        names = ("id", "channel", "account", "language", "part", "operation", "attempts", "reason", "remedy", "code")
        post = row.standalone if row.wording == "standalone" or row.reply is None else row.reply
        yield {
            **{name: getattr(row, name) for name in names},
            "outcome": row.state,
            "in_doubt": row.in_doubt,
            "tried_at": _isoformat(row.last_tried_at),
            "settled_at": _isoformat(row.settled_at),
            "ref": json.loads(row.ref) if row.ref else None,
            "post": json.loads(post) if post else None,
            "recipients": recipients.get(row.id, {}) if row.has_recipients else None,
        }


def _isoformat(stored: int | None) -> str | None:
    return None if stored is None else moment(stored).isoformat()
