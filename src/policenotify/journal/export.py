"""Export the journal as JSON Lines that others can read and verify: its sealed batches, signed as a whole.

Every line is a JSON object with a `type`, in this order:

- `journal`: the version of this format, and the fingerprints of the installation's public keys.
- `event`: who did what and when, with the salted commitment to its body, and the body with its salt unless purged.
- `seal`, after the last event of its batch: the signed digest that chains it to the batch before.
- `publication`: a message, its deliveries and their outcomes. Recipients are only counted.
- `end`: the number of lines before it and their signed digest.

The same journal gives the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Row, and_, select

from policenotify.journal import audit, schema
from policenotify.journal.keys import Keys
from policenotify.journal.recipients import counts
from policenotify.journal.records import moment
from policenotify.journal.tombstones import Selection, is_selected, purged_at, stored_counts
from policenotify.journal.verify import EVENT_FIELDS, FORMAT_VERSION, fingerprint

_BATCH = 200  # rows held in memory

_publication, _seal = schema.publication, schema.seal


def lines(connection: Connection, keys: Keys, selection: Selection | None = None) -> Iterator[bytes]:
    """Yield the lines of the file, each with its line feed.

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
    newest = audit.newest_event(connection)
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
