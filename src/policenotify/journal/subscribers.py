"""Which events each subscriber of the journal was handed: a cursor for each name, shared by all processes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final, NamedTuple, TypeAlias

from sqlalchemy import Connection, Row, func, select, update

from policenotify.journal import clock_change, meta, workers
from policenotify.journal.audit import EventCursor, end_of_events, events_after, place_of
from policenotify.journal.database import schema
from policenotify.journal.database.columns import json_object
from policenotify.journal.database.transactions import Transactions
from policenotify.journal.leases import is_dead
from policenotify.journal.lists import control
from policenotify.journal.records import TOLERANCE, microseconds, moment, span
from policenotify.log import shown_code
from policenotify.model.event import (
    ChannelBlocked,
    ClockSet,
    DeliveryDelayed,
    DeliveryHeld,
    DeliveryPosted,
    DeliveryRefused,
    FindingOverridden,
    IncidentOverdue,
    JournalEvent,
    MessagePublished,
    PeopleSuppressed,
    PublicationRefused,
    SecondReadingOverdue,
    WorkerLost,
    WorkerStarted,
    WorkerStopped,
)
from policenotify.model.history import Outcome

HANDING: Final = timedelta(minutes=1)
"""How long a process may hand over an event without a sign of life before another one does."""

LIMIT: Final = 200
"""Events that are read at once."""

_FACT: Final = "events "  # begins the name of the fact that holds a cursor; the subscriber's name follows

_OUTCOMES: Final[Mapping[str, type[JournalEvent]]] = {
    Outcome.POSTED: DeliveryPosted,
    Outcome.REFUSED: DeliveryRefused,
    Outcome.HELD: DeliveryHeld,
}
_KINDS: Final[Mapping[str, type[JournalEvent]]] = {
    "published": MessagePublished,
    "refused_by_check": PublicationRefused,
    "blocked": ChannelBlocked,
    "overdue": IncidentOverdue,
    "second_reading_overdue": SecondReadingOverdue,
    "suppressed": PeopleSuppressed,
    clock_change.SET: ClockSet,
    workers.STARTED: WorkerStarted,
    workers.STOPPED: WorkerStopped,
    workers.LOST: WorkerLost,
}
_ERASED: Final[Mapping[str, object]] = {
    "category": "",
    "stage": None,
    "level": 1,
    "source": "",
    "host": "",
    "attempt": 1,
}
"""What a purge has erased with the body of an event."""

HandedEvents: TypeAlias = list[tuple[EventCursor, tuple[JournalEvent, ...]]]
"""For each event of the journal its cursor, and what subscribers get of it, which may be nothing."""


class _Stored(NamedTuple):
    """A cursor, and which process hands over events until when."""

    cursor: EventCursor
    holder: str = ""
    until: int = 0


class Subscribers:
    """The cursors of all subscribers."""

    def __init__(self, journal: Transactions) -> None:
        self._journal = journal

    def add(self, name: str) -> None:
        """Make the cursor of a subscriber, unless there is one. It gets what happens from now on."""
        with self._journal.read() as connection:
            if meta.get(connection, _FACT + name) is not None:
                return
        with self._journal.write(durable=False) as connection:
            row = {"name": _FACT + name, "value": _text(_Stored(end_of_events(connection)))}
            schema.insert_new(connection, schema.meta, [row])

    def take(self, name: str, holder: str) -> HandedEvents:
        """Take the next events of a subscriber. No other process hands them over meanwhile.

        Args:
            name: The subscriber. If its cursor is missing, as in a journal that was emptied, it is made.
            holder: Who hands them over. It ends with the name of the process, after a blank.

        Returns:
            Them. Empty if there are none, or if another holder hands over events to the subscriber.
        """
        with self._journal.read() as connection:
            stored = _stored(connection, name)
            events = [] if stored is None or self._is_held(stored, holder) else _next_events(connection, stored.cursor)
        if stored is None:
            self.add(name)
        if stored is None or not events:
            return []
        with self._journal.write(durable=False) as connection:
            if _stored(connection, name, locked=True) != stored:
                return []  # another process has taken them
            meta.put(connection, _FACT + name, _text(_Stored(stored.cursor, holder, self._until())))
        return events

    def advance(self, name: str, holder: str, cursor: EventCursor | None, *, release: bool = False) -> bool:
        """Record that the events up to a cursor were handed over.

        Args:
            name: The subscriber.
            holder: Who has handed them over.
            cursor: Behind the last of them. None if no more were.
            release: Another holder may go on at once. Otherwise this one keeps the others for another while.

        Returns:
            False if another holder has taken over because this one was silent. Nothing is recorded then.
        """
        with self._journal.write(durable=False) as connection:
            stored = _stored(connection, name, locked=True)
            if stored is None or stored.holder != holder:
                return False
            kept = _Stored(cursor or stored.cursor)
            if not release:
                kept = kept._replace(holder=holder, until=self._until())
            meta.put(connection, _FACT + name, _text(kept))
            return True

    def _until(self) -> int:
        return microseconds(self._journal.now()) + span(HANDING)

    def _is_held(self, stored: _Stored, holder: str) -> bool:
        now = microseconds(self._journal.now())
        lasts = now < stored.until <= now + span(HANDING + TOLERANCE)  # later: the clock was ahead
        other = stored.holder not in {"", holder}
        return other and lasts and not is_dead(stored.holder.rpartition(" ")[2])


def restart_order(connection: Connection) -> None:
    """Put all events, in their order, before those of a database whose transactions are counted otherwise.

    Their transactions get numbers below 0, and so do the cursors of seals and subscribers. No other process may add
    events meanwhile.
    """
    event, facts = schema.event, schema.meta
    counted = (connection.execute(select(func.max(event.c.xid))).scalar() or 0) + 1
    for name, value in connection.execute(select(facts).where(facts.c.name.startswith(_FACT))).all():
        xid, number = _read(value).cursor
        behind = EventCursor(xid - counted, number) if xid < counted else EventCursor(0, 0)
        meta.put(connection, name, _text(_Stored(behind)))
    connection.execute(update(event).values(xid=event.c.xid - counted))
    connection.execute(update(schema.seal).values(last_xid=schema.seal.c.last_xid - counted))


def _text(stored: _Stored) -> str:
    return json.dumps({**stored.cursor._asdict(), "holder": stored.holder, "until": stored.until})


def _read(text: str) -> _Stored:
    fields = json_object(text)
    return _Stored(EventCursor(int(fields["xid"]), int(fields["id"])), str(fields["holder"]), int(fields["until"]))


def _stored(connection: Connection, name: str, *, locked: bool = False) -> _Stored | None:
    query = select(schema.meta.c.value).where(schema.meta.c.name == _FACT + name)
    text = connection.execute(query.with_for_update() if locked else query).scalar()
    return None if text is None else _read(text)


# --- what is handed over


def _next_events(connection: Connection, cursor: EventCursor) -> HandedEvents:
    return [(place_of(row), _readable(connection, row)) for row in events_after(connection, cursor, LIMIT)]


def _readable(connection: Connection, row: Row[Any]) -> tuple[JournalEvent, ...]:
    """Return what subscribers get of an event: nothing if it is damaged, so that it does not stop those behind."""
    try:
        return tuple(_events_of(connection, row, json_object(row.body) if row.body else {}))
    except (ValueError, TypeError, KeyError):  # `verify` reports it
        return ()


def _events_of(connection: Connection, row: Row[Any], body: Mapping[str, Any]) -> Iterator[JournalEvent]:
    """Yield what subscribers get of an event of the journal. The body of a purged one is empty."""
    if (kind := _KINDS.get(row.kind)) is not None:
        yield _made(kind, row, body)
    if "overridden" in body:
        yield _made(FindingOverridden, row, {"codes": body["overridden"]})
    if row.kind in {"settled", "resolved"}:
        yield from _of_delivery(connection, row, body)
    elif row.kind == control.BATCH_EVENT and body.get("delayed"):
        yield _made(DeliveryDelayed, row, body)


def _of_delivery(connection: Connection, row: Row[Any], body: Mapping[str, Any]) -> Iterator[JournalEvent]:
    """Yield the outcome of a delivery, and that some people of its list are held."""
    delivery, recipient = schema.delivery, schema.recipient
    state = select(delivery.c.state).where(delivery.c.id == row.delivery)
    outcome = Outcome(body["outcome"] if body else connection.execute(state).scalar_one())
    if (kind := _OUTCOMES.get(outcome)) is not None:
        yield _made(kind, row, body)
        held = select(recipient.c.person).where(recipient.c.delivery == row.delivery, recipient.c.state == Outcome.HELD)
        if kind is not DeliveryHeld and connection.execute(held.limit(1)).first() is not None:
            yield _made(DeliveryHeld, row, body)
    elif body.get("delayed") and not outcome.is_final:
        yield _made(DeliveryDelayed, row, body)


def _made(kind: type[JournalEvent], row: Row[Any], body: Mapping[str, Any]) -> JournalEvent:
    """Return an event with those fields of the row and its body that its kind has."""
    known: dict[str, Any] = {
        **_ERASED,
        **body,
        "number": row.id,
        "at": moment(row.at),
        "publication": row.publication or "",
        "delivery": body.get("list", row.delivery),  # of a batch, that of its list
        "channel": "" if row.channel == schema.EVERYWHERE else row.channel,
        "code": shown_code(str(body.get("code", ""))),
        "codes": tuple(filter(None, (shown_code(str(code)) for code in body.get("codes", ())))),
        "people": len(body.get("recipients", ())),
    }
    return kind.model_validate({name: known[name] for name in kind.model_fields if name in known})
