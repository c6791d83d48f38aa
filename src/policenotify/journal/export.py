"""The journal as a file that strangers can read and prove: JSON Lines, with its sealed batches, signed as a whole.

Every line is a JSON object with a `type`, in this order:

- `journal`: the version of this form, and the fingerprints of the installation's public keys.
- `event`: who did what and when, with the salted commitment to what was said, and this with its salt unless purged.
- `seal`, after the last event of its batch: the digest that chains it to the batch before, signed.
- `publication`: what was said, and what became of it. Of recipients only how many had which outcome.
- `end`: how many lines there are before it, and their digest, signed.

The same journal gives the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, select, true

from policenotify.journal import audit, schema
from policenotify.journal.keys import Keys
from policenotify.journal.recipients import counts
from policenotify.journal.records import moment
from policenotify.journal.retention import Wanted, about
from policenotify.journal.tombstones import forgotten, purged_at
from policenotify.journal.verify import FORM, fingerprint

_AT_ONCE = 200
"""How many rows are held in memory."""

_said, _seal = schema.publication, schema.seal


def lines(connection: Connection, keys: Keys, wanted: Wanted | None = None) -> Iterator[bytes]:
    """The lines of the file, each with its line feed.

    Args:
        connection: To the journal; in one transaction, so that all lines are of one moment.
        keys: The installation's; the file names their public halves and is signed with the newest.
        wanted: Only what was published by then, and of that category. All events stand in the file nevertheless,
            but those of other publications without what they said: the seals chain all of them.
    """
    digest, number = hashlib.sha256(), 0
    for line in _unsigned(connection, keys, wanted):
        written = _written(line)
        digest.update(written)
        number += 1
        yield written
    version, signature = keys.sign(digest.hexdigest().encode())
    end = {"type": "end", "lines": number, "digest": digest.hexdigest()}
    yield _written({**end, "key_version": version, "signature": base64.b64encode(signature).decode()})


def _written(line: dict[str, object]) -> bytes:
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _unsigned(connection: Connection, keys: Keys, wanted: Wanted | None) -> Iterator[dict[str, object]]:
    known = [
        {"version": version, "fingerprint": fingerprint(keys.public_key(version))}
        for version in range(1, keys.version + 1)
    ]
    yield {"type": "journal", "form": FORM, "schema_version": schema.SCHEMA_VERSION, "keys": known}
    newest = audit.newest_event(connection)
    first, batch = 1, 0
    seal = select(_seal).order_by(_seal.c.id).limit(1)
    while (row := connection.execute(seal.where(_seal.c.id > batch)).first()) is not None:
        yield from _events(connection, row.first_event, row.last_event, wanted)
        yield _sealed(row)
        first, batch = row.last_event + 1, row.id
    yield from _events(connection, first, newest, wanted)
    yield from _publications(connection, wanted)


def _events(connection: Connection, first: int, last: int, wanted: Wanted | None) -> Iterator[dict[str, object]]:
    event = schema.event
    mine = and_(_said.c.id == event.c.publication, _of(wanted))
    query = select(event, _said.c.id.label("told")).outerjoin(_said, mine).order_by(event.c.id).limit(_AT_ONCE)
    while rows := connection.execute(query.where(event.c.id.between(first, last))).all():
        for row in rows:
            names = ("id", "at", "actor", "kind", "publication", "delivery", "channel", "commitment")
            line = {"type": "event", **{name: getattr(row, name) for name in names}}
            if row.body and (row.told or (row.publication is None and _general(row, wanted))):
                line |= {"salt": row.salt, "body": row.body}
            yield line
        first = rows[-1].id + 1


def _of(wanted: Wanted | None) -> ColumnElement[bool]:
    """Whether a publication is wanted."""
    if wanted is None:
        return true()
    old = _said.c.created_at <= wanted.before
    return old if wanted.category is None else and_(old, about(wanted.category))


def _general(row: Row[Any], wanted: Wanted | None) -> bool:
    """Whether an event that is about no publication is wanted."""
    return wanted is None or (wanted.category is None and row.at <= wanted.before)


def _sealed(row: Row[Any]) -> dict[str, object]:
    names = ("id", "first_event", "last_event", "previous", "digest", "key_version", "at")
    signature = base64.b64encode(row.signature).decode()
    return {"type": "seal", **{name: getattr(row, name) for name in names}, "signature": signature}


def _publications(connection: Connection, wanted: Wanted | None) -> Iterator[dict[str, object]]:
    query, after = select(_said).where(_of(wanted)).order_by(_said.c.id).limit(_AT_ONCE), ""
    while rows := connection.execute(query.where(_said.c.id > after)).all():
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
    mass = [row.id for row in rows if row.mass]
    people = {**counts(connection, mass), **forgotten(connection, mass)}
    for row in rows:
        names = ("id", "channel", "account", "language", "part", "operation", "attempts", "reason", "remedy", "code")
        wording = row.standalone if row.wording == "standalone" or row.reply is None else row.reply
        yield {
            **{name: getattr(row, name) for name in names},
            "outcome": row.state,
            "doubt": row.doubt,
            "tried_at": _moment(row.last_tried_at),
            "settled_at": _moment(row.settled_at),
            "ref": json.loads(row.ref) if row.ref else None,
            "post": json.loads(wording) if wording else None,
            "recipients": people.get(row.id, {}) if row.mass else None,
        }


def _moment(stored: int | None) -> str | None:
    return None if stored is None else moment(stored).isoformat()
