"""The event log as a whole: sealed in signed batches, verified and exported."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from datetime import datetime
from itertools import chain
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, select

from policenotify.errors import JournalError
from policenotify.journal import audit, meta
from policenotify.journal.audit import START, EventCursor, commitment, events_after, place_of
from policenotify.journal.authentication import forged_deliveries
from policenotify.journal.database import schema
from policenotify.journal.database.columns import json_object
from policenotify.journal.database.transactions import Repository
from policenotify.journal.drafts.rows import forged_drafts
from policenotify.journal.keys import Keys
from policenotify.journal.records import microseconds, moment, readable, stored
from policenotify.translation import AnyText, Text

_BATCH = 10_000  # events of one seal
_LOCK = 0x706E_6576  # "pnev": an advisory lock that no other program uses in this database
_log = logging.getLogger("policenotify")

_table = schema.seal
_LAST = select(_table).order_by(_table.c.id.desc()).limit(1)
_EXPORTED = ("id", "at", "actor", "kind", "publication", "delivery", "channel")
_sealed = attrgetter(*_EXPORTED, "commitment")


class AuditLog(Repository):
    """The append-only log of events, sealed in signed batches."""

    def record(self, actor: str, kind: str, body: Mapping[str, object], *, channel: str | None = None) -> None:
        """Add an event. The body must not contain a secret, an address or a phone number."""
        with self._journal.write() as connection:
            audit.record(connection, self._journal.now(), actor, kind, body, channel=channel)

    def events(self, kind: str, since: datetime) -> tuple[Mapping[str, Any], ...]:
        """Return the bodies of all events of a kind as given to `record`, oldest first, without purged ones."""
        table = schema.event
        query: Select[Any] = select(table.c.id, table.c.body).where(
            table.c.kind == kind, table.c.at >= microseconds(since), table.c.body != ""
        )
        with self._journal.read() as connection:
            bodies = tuple(readable(connection.execute(query.order_by(table.c.id)), _body))
        for body in bodies:
            body.pop(audit.PROCESS, None)
        return bodies

    def export(self) -> Iterator[dict[str, Any]]:
        """Yield each event, oldest first, as an object for JSON. The body of a purged one is empty."""
        cursor = START
        with self._journal.read() as connection:
            while rows := events_after(connection, cursor, _BATCH):
                cursor = place_of(rows[-1])
                for row in rows:
                    stated = {name: getattr(row, name) for name in _EXPORTED}
                    yield {**stated, "at": moment(row.at).isoformat(), "body": json_object(row.body or "{}")}

    def seal(self) -> int:
        """Close and sign the events since the last seal. Return their number.

        Raises:
            JournalError: One of them has another body than was recorded.
        """
        with self._journal.write() as connection:
            if not self._journal.is_file:
                connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))  # one process seals at a time
            last, count = connection.execute(_LAST).first(), 0
            number, previous = (last.id, last.digest) if last else (0, "")
            cursor, journal, at = _end_of(last), _journal_id(connection), microseconds(self._journal.now())
            while rows := events_after(connection, cursor, _BATCH):
                cursor, number, digest = place_of(rows[-1]), number + 1, _digest(previous, rows)
                version, signature = self._journal.keys.sign(_signed(journal, at, digest))
                addition = insert(_table).values(
                    id=number,
                    last_xid=cursor.xid,
                    last_event=cursor.id,
                    digest=digest,
                    key_version=version,
                    signature=signature,
                    at=at,
                )
                connection.execute(addition)
                previous, count = digest, count + len(rows)
                _log.info("Sealed %d events up to number %d: %s", len(rows), cursor.id, previous)
        return count

    def printed_seal(self) -> str:
        """Return the line of the last seal, to be kept elsewhere. Empty if nothing is sealed."""
        with self._journal.read() as connection:
            last = connection.execute(_LAST).first()
            return f"{_journal_id(connection)}:{last.id}:{last.digest}" if last else ""

    def verify(self, against: str = "") -> int:
        """Check the journal, also *against* a line of `printed_seal` that was kept elsewhere; see `verify` below.

        Raises:
            JournalError: Something was changed or removed, or the journal was set back to before that line.
        """
        with self._journal.read() as connection:
            batches = verify(connection, self._journal.keys)
            if against:
                _compare(connection, against)
        return batches


def verify(connection: Connection, keys: Keys) -> int:
    """Check the chain of events, its seals, and the codes of what goes out. Return the number of sealed batches.

    What a purge has erased is passed over: the chain covers the commitments of events, which survive it.

    Raises:
        JournalError: Something was changed or removed.
    """
    previous, cursor, journal = "", START, _journal_id(connection)
    seals = connection.execute(select(_table).order_by(_table.c.id)).all()
    for number, row in enumerate(seals, 1):
        digest = _digest(previous, events_after(connection, cursor, until=_end_of(row)))
        same = (row.id, row.digest) == (number, digest)
        if not same or not keys.verify(row.key_version, _signed(journal, row.at, row.digest), row.signature):
            raise _tampered(
                Text("seal {number}, or an event before it, is not what was sealed, or is missing", number=number)
            )
        previous, cursor = row.digest, _end_of(row)
    while rows := events_after(connection, cursor, _BATCH):
        cursor = place_of(rows[-1])
        _digest("", rows)  # checks the bodies of those that are not sealed yet
    with closing(forged_deliveries(connection, keys)) as deliveries:
        for forged in chain(deliveries, forged_drafts(connection, keys)):
            raise _tampered(forged)
    return len(seals)


def _compare(connection: Connection, line: str) -> None:
    """Compare a line that was kept elsewhere with the seal of its number."""
    journal, _, rest = line.strip().partition(":")
    number, _, digest = rest.partition(":")
    if not number.isdecimal() or not digest:
        raise JournalError(Text("That is not the line of a seal, as policenotify journal seal prints it."))
    if journal != _journal_id(connection):
        raise JournalError(Text("The line is of another journal. Nothing was compared. Give the right one."))
    if connection.execute(select(_table.c.digest).where(_table.c.id == int(number))).scalar() != digest:
        raise _tampered(
            Text(
                "seal {number} is missing or another one: the journal was set back, or its newest part was cut off",
                number=number,
            )
        )


def _digest(previous: str, events: Iterable[Row[Any]]) -> str:
    """Return the digest of a batch of events in their order, chained to the batch before it.

    Raises:
        JournalError: One of them has another body than was recorded.
    """
    digest = hashlib.sha256(previous.encode())
    for event in events:
        if event.body and commitment(event.salt, event.body) != event.commitment:
            raise _tampered(Text("the body of event {id} does not match its commitment: it was changed", id=event.id))
        digest.update(json.dumps(_sealed(event), ensure_ascii=False).encode() + b"\n")
    return digest.hexdigest()


def _body(row: Row[Any]) -> dict[str, Any]:
    with stored(schema.event.name, row.id):
        return json_object(row.body)


def _signed(journal: str, at: int, digest: str) -> bytes:
    return b"policenotify seal\n" + f"{journal}\n{at}\n{digest}".encode()


def _end_of(last: Row[Any] | None) -> EventCursor:
    return EventCursor(last.last_xid, last.last_event) if last else START


def _journal_id(connection: Connection) -> str:
    return meta.get(connection, meta.ID) or ""


def _tampered(problem: AnyText) -> JournalError:
    return JournalError(
        Text(
            "The journal was tampered with: {problem}. Keep this file or database as it is, for those who "
            "investigate. Restore a copy, and find out who can write to it.",
            problem=problem,
        )
    )
