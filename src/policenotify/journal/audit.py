"""The event log: events are only added, and sealed in signed batches. Its verification and export."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from sqlalchemy import BigInteger, ColumnElement, Connection, Insert, Row, Select, Text, bindparam, func, insert, select
from sqlalchemy import cast as sql_cast
from sqlalchemy import tuple_ as row_of

from policenotify.errors import JournalError
from policenotify.journal import meta
from policenotify.journal.authentication import forged_deliveries
from policenotify.journal.database import schema
from policenotify.journal.drafts.rows import forged_drafts
from policenotify.journal.keys import Keys
from policenotify.journal.leases import process_user
from policenotify.journal.records import ClaimedDelivery, microseconds
from policenotify.journal.tombstones import Selection, is_about, is_selected, purged_at
from policenotify.journal.verify import (
    EVENT_FIELDS,
    FORMAT_VERSION,
    Batch,
    Tampered,
    commitment,
    fingerprint,
    signed_text,
)

if TYPE_CHECKING:
    from policenotify.model.receipt import Publication

RUNNER = "runner"
"""The actor of events that delivery itself records."""

PROCESS = "process"
"""The key of a body under which the user of the process is recorded."""

SALT_BYTES = 16
"""Length of a salt: 128 bits, so that an erased body cannot be guessed from its commitment."""

_BATCH = 10_000  # events of one seal
_PAGE = 200  # publications of an export held in memory
_LOCK = 0x706E_6576  # "pnev": an advisory lock that no other program uses in this database
_RECENT = 20_000  # recent events are found by number, not by time: an hour has fewer


_log = logging.getLogger("policenotify")
_seal, _publication = schema.seal, schema.publication
_LAST = select(_seal).order_by(_seal.c.id.desc()).limit(1)


class EventCursor(NamedTuple):
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


def is_behind(cursor: EventCursor) -> ColumnElement[bool]:
    """Return the condition that an event follows a cursor."""
    event = schema.event
    behind: ColumnElement[bool] = row_of(event.c.xid, event.c.id) > row_of(*cursor)
    return behind


def events_after(
    connection: Connection, cursor: EventCursor, limit: int, *, closed: bool = False
) -> Sequence[Row[Any]]:
    """Return the next events behind a cursor, in an order that no later commit changes.

    On a server an event is returned once all transactions that began before its own have ended. With *closed* all are
    returned, because no other process can add one.
    """
    event, query = schema.event, select(schema.event).limit(limit)
    if connection.dialect.name != "postgresql" and not closed:
        return connection.execute(query.where(event.c.id > cursor.id).order_by(event.c.id)).all()
    query = query.where(is_behind(cursor)).order_by(event.c.xid, event.c.id)
    return connection.execute(query if closed else query.where(event.c.xid < _open_from())).all()


def lowest_behind(connection: Connection, cursor: EventCursor) -> int | None:
    """Return the lowest number of the events behind a cursor, or None."""
    return connection.execute(select(func.min(schema.event.c.id)).where(is_behind(cursor))).scalar()


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


def seal(connection: Connection, keys: Keys, at: datetime, *, closed: bool = False) -> int:
    """Close and sign the events since the last seal. Return their number.

    With *closed* no other process can add one; see [`events_after`][policenotify.journal.audit].

    Raises:
        JournalError: One of them has another body than was recorded.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))  # one process seals at a time
    last, count = connection.execute(_LAST).first(), 0
    number, previous = (last.id, last.digest) if last else (0, "")
    cursor, journal, sealed_at = _end_of(last), _journal_id(connection), microseconds(at)
    while rows := events_after(connection, cursor, _BATCH, closed=closed):
        cursor, number = place_of(rows[-1]), number + 1
        batch = Batch(previous)
        try:
            for row in sorted(rows, key=lambda each: int(each.id)):
                batch.add(row._asdict())
        except Tampered as problem:
            raise _tampered(str(problem)) from None
        version, signature = keys.sign(signed_text("seal", journal, sealed_at, batch.digest))
        columns = {
            "id": number,
            "events": json.dumps(_ranges(row.id for row in rows)),
            "last_xid": cursor.xid,
            "last_event": cursor.id,
            "previous": previous,
            "digest": batch.digest,
            "key_version": version,
            "signature": signature,
            "at": sealed_at,
        }
        connection.execute(insert(_seal), columns)
        previous, count = batch.digest, count + len(rows)
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
    try:
        batches = _verify_chain(connection, keys)
    except Tampered as problem:
        raise _tampered(str(problem)) from None
    for forged in chain(forged_deliveries(connection, keys), forged_drafts(connection, keys)):
        raise _tampered(forged)
    if against:
        _compare(connection, against)
    return batches


def _verify_chain(connection: Connection, keys: Keys) -> int:
    """Check all events and seals. Return the number of seals.

    Raises:
        Tampered: One was changed, added or removed.
    """
    previous, count, last = "", 0, None
    journal = _journal_id(connection)
    for number, row in enumerate(connection.execute(select(_seal).order_by(_seal.c.id)).all(), 1):
        batch, last = Batch(previous), row
        for event in _events_of(connection, row):
            batch.add(event._asdict())
        same = (row.id, row.previous, row.digest) == (number, previous, batch.digest)
        if not same or not keys.verify(
            row.key_version, signed_text("seal", journal, row.at, row.digest), row.signature
        ):
            raise Tampered(f"seal {number}, or an event before it, is not what was sealed, or is missing")
        previous, count = row.digest, count + batch.events
    end = _end_of(last)
    if connection.execute(select(func.count(schema.event.c.id)).where(~is_behind(end))).scalar_one() != count:
        raise Tampered("an event was added among those that are sealed")
    unsealed, cursor = Batch(), end
    while rows := events_after(connection, cursor, _BATCH):
        cursor = place_of(rows[-1])
        for event in rows:
            unsealed.add(event._asdict())
    return last.id if last else 0


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


def _end_of(last: Row[Any] | None) -> EventCursor:
    return EventCursor(last.last_xid, last.last_event) if last else EventCursor()


def _events_of(connection: Connection, row: Row[Any]) -> Iterator[Row[Any]]:
    """Yield the events of a seal, by number. None if its ranges are damaged: its digest is another one then."""
    query = select(schema.event).order_by(schema.event.c.id)
    try:
        ranges = [(int(first), int(last)) for first, last in json.loads(row.events)]
    except (TypeError, ValueError, RecursionError):
        ranges = []
    for first, last in ranges:
        yield from connection.execute(query.where(schema.event.c.id.between(first, last)))


def _ranges(numbers: Iterable[int]) -> list[list[int]]:
    """Return the ranges of some numbers. A number that another transaction was given is in none of them."""
    ranges: list[list[int]] = []
    for number in sorted(numbers):
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ranges


def _journal_id(connection: Connection) -> str:
    return meta.get(connection, meta.ID) or ""


def _tampered(problem: str) -> JournalError:
    return JournalError(
        f"The journal was tampered with: {problem}. Keep this file or database as it is, for those who investigate. "
        "Restore a copy, and find out who can write to it."
    )


# --- export


ReadPublication: TypeAlias = Callable[[Connection, Row[Any]], "Publication"]
"""Returns a publication with its receipts, given its row."""


def export(
    connection: Connection, keys: Keys, read: ReadPublication, selection: Selection | None = None
) -> Iterator[bytes]:
    """Yield the journal as JSON Lines that others can verify: its sealed batches, signed as a whole.

    Every line is a JSON object with a `type`, in this order:

    - `journal`: the version of this format, and the fingerprints of the installation's public keys.
    - `event`: who did what and when, with the salted commitment to its body, and the body with its salt unless purged.
    - `seal`, after the last event of its batch: the signed digest that chains it to the batch before.
    - `publication`: a message with its receipts and wordings. Recipients are only counted.
    - `end`: the number of lines before it and their signed digest.

    The same journal gives the same bytes.

    Args:
        connection: To the journal, in one transaction, so that all lines show one state.
        keys: The installation's keys. The file names their public halves and is signed with the newest.
        read: Reads a publication.
        selection: Which publications and events to export. Other events are exported without their bodies, because
            the seals chain all events.
    """
    digest, number = hashlib.sha256(), 0
    for line in _unsigned(connection, keys, read, selection):
        encoded = _encode(line)
        digest.update(encoded)
        number += 1
        yield encoded
    at = connection.execute(select(func.max(schema.event.c.at))).scalar() or 0  # the same journal, the same bytes
    version, signature = keys.sign(signed_text("export", _journal_id(connection), at, digest.hexdigest()))
    end = {"type": "end", "at": at, "lines": number, "digest": digest.hexdigest()}
    yield _encode({**end, "key_version": version, "signature": base64.b64encode(signature).decode()})


def _encode(line: dict[str, object]) -> bytes:
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _unsigned(
    connection: Connection, keys: Keys, read: ReadPublication, selection: Selection | None
) -> Iterator[dict[str, object]]:
    prints = [{"version": one, "fingerprint": fingerprint(keys.public_key(one))} for one in range(1, keys.version + 1)]
    versions = {"format_version": FORMAT_VERSION, "schema_version": schema.SCHEMA_VERSION}
    yield {"type": "journal", **versions, "journal": _journal_id(connection), "keys": prints}
    row: Row[Any] | None = None
    chosen = _chosen(connection, selection)
    for row in connection.execute(select(_seal).order_by(_seal.c.id)).all():
        for event in _events_of(connection, row):
            yield _event_line(event, selection, chosen)
        signature = base64.b64encode(row.signature).decode()
        names = ("id", "previous", "digest", "key_version", "at")
        yield {"type": "seal", **{name: getattr(row, name) for name in names}, "signature": signature}
    cursor = _end_of(row)
    while events := events_after(connection, cursor, _BATCH):
        yield from (_event_line(event, selection, chosen) for event in events)
        cursor = place_of(events[-1])
    yield from _publications(connection, read, selection)


def _chosen(connection: Connection, selection: Selection | None) -> frozenset[str]:
    """Return the publications of a selected category."""
    if selection is None or selection.category is None:
        return frozenset()
    return frozenset(connection.execute(select(_publication.c.id).where(is_about(selection.category))).scalars())


def _event_line(event: Row[Any], selection: Selection | None, chosen: frozenset[str]) -> dict[str, object]:
    line = {"type": "event", **{name: getattr(event, name) for name in EVENT_FIELDS}}
    is_chosen = selection is None or (
        event.at <= selection.before and (selection.category is None or event.publication in chosen)
    )
    return {**line, "salt": event.salt, "body": event.body} if event.body and is_chosen else line


def _publications(
    connection: Connection, read: ReadPublication, selection: Selection | None
) -> Iterator[dict[str, object]]:
    wordings = select(schema.delivery.c.id, schema.delivery.c.standalone, schema.delivery.c.reply)
    query, after = select(_publication).where(is_selected(selection)).order_by(_publication.c.id).limit(_PAGE), ""
    while rows := connection.execute(query.where(_publication.c.id > after)).all():
        for row in rows:
            stored = connection.execute(wordings.where(schema.delivery.c.publication == row.id)).all()
            posts = {each.id: [json.loads(post) for post in (each.standalone, each.reply) if post] for each in stored}
            state = {"state": row.state, "stage": row.stage, "digest": row.digest, "purged": purged_at(row.rules)}
            published = read(connection, row).model_dump(mode="json", exclude_none=True)
            yield {"type": "publication", **state, **published, "posts": posts}
        after = rows[-1].id
