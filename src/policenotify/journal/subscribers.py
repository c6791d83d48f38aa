"""Which events each subscriber of the journal was handed: a cursor for each name, shared by all processes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, select, update

from policenotify.errors import JournalError
from policenotify.journal import clock_change, meta, workers
from policenotify.journal.audit import (
    EventCursor,
    end_of_events,
    events_after,
    lowest_behind,
    newest_event,
    place_of,
    seal,
)
from policenotify.journal.database import schema
from policenotify.journal.database.columns import json_object
from policenotify.journal.database.transactions import Transactions
from policenotify.journal.keys import Keys
from policenotify.journal.leases import is_dead
from policenotify.journal.records import TOLERANCE, microseconds, moment, span
from policenotify.log import shown_code
from policenotify.model.event import (
    ChannelBlocked,
    ClockSet,
    DeliveryDelayed,
    DeliveryEvent,
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
    WorkerEvent,
    WorkerLost,
    WorkerStarted,
    WorkerStopped,
)
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Stage

HANDING: Final = timedelta(minutes=1)
"""How long a process may hand over an event without a sign of life before another one does."""

LIMIT: Final = 200
"""Events that are read at once."""

_FACT: Final = "events "  # begins the name of the fact that holds a cursor; the subscriber's name follows

_OUTCOMES: Final[Mapping[str, type[DeliveryEvent]]] = {
    Outcome.POSTED: DeliveryPosted,
    Outcome.REFUSED: DeliveryRefused,
    Outcome.HELD: DeliveryHeld,
}
_OF_WORKERS: Final[Mapping[str, type[WorkerEvent]]] = {
    workers.STARTED: WorkerStarted,
    workers.STOPPED: WorkerStopped,
    workers.LOST: WorkerLost,
}


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Events that one process hands to a subscriber, and no other one does meanwhile.

    Attributes:
        start: The cursor before all of them.
        events: Each event, and the cursor once it was handed over. There may be none.
        end: The cursor after all of them.
    """

    start: EventCursor
    events: tuple[tuple[JournalEvent, EventCursor], ...]
    end: EventCursor


class _Stored(NamedTuple):
    """A cursor, and which process hands over events until when."""

    cursor: EventCursor
    holder: str = ""
    until: int = 0


class Subscribers:
    """The cursors of all subscribers."""

    def __init__(self, journal: Transactions) -> None:
        self._journal = journal

    def add(self, name: str) -> bool:
        """Make the cursor of a subscriber, unless there is one. It gets what happens from now on.

        Returns:
            Whether it is new.
        """
        with self._journal.read() as connection:
            if meta.get(connection, _FACT + name) is not None:
                return False
        with self._journal.write(durable=False) as connection:
            row = {"name": _FACT + name, "value": _text(_Stored(end_of_events(connection)))}
            return bool(schema.insert_new(connection, schema.meta, [row]))

    def remove(self, name: str) -> None:
        """Forget a subscriber."""
        with self._journal.write(durable=False) as connection:
            connection.execute(schema.meta.delete().where(schema.meta.c.name == _FACT + name))

    def take(self, name: str, holder: str) -> EventBatch | None:
        """Take the next events of a subscriber.

        Args:
            name: The subscriber.
            holder: Who hands them over. It ends with the name of the process, after a blank.

        Returns:
            Them, or None if there are none, or if another holder hands over events to the subscriber.
        """
        with self._journal.read() as connection:
            stored = _read(meta.get(connection, _FACT + name))
            if self._is_held(stored, holder) or not events_after(connection, stored.cursor, 1):
                return None
        with self._journal.write(durable=False) as connection:
            stored = _locked(connection, name)
            if self._is_held(stored, holder) or not (rows := events_after(connection, stored.cursor, LIMIT)):
                return None
            before, events = stored.cursor, list[tuple[JournalEvent, EventCursor]]()
            meta.put(connection, _FACT + name, _text(_Stored(before, holder, self._until())))
            for row in rows:
                for event in (of_row := _readable(connection, row)):
                    events.append((event, place_of(row) if event is of_row[-1] else before))
                before = place_of(row)
            return EventBatch(stored.cursor, tuple(events), before)

    def advance(self, name: str, holder: str, cursor: EventCursor, *, release: bool = False) -> bool:
        """Record that the events up to a cursor were handed over.

        Args:
            name: The subscriber.
            holder: Who has handed them over.
            cursor: Behind the last of them.
            release: Another holder may go on at once. Otherwise this one keeps the others for another while.

        Returns:
            False if another holder has taken over because this one was silent. Nothing is recorded then.
        """
        kept = _Stored(cursor) if release else _Stored(cursor, holder, self._until())
        with self._journal.write(durable=False) as connection:
            if _locked(connection, name).holder != holder:
                return False
            meta.put(connection, _FACT + name, _text(kept))
            return True

    def _until(self) -> int:
        return microseconds(self._journal.now()) + span(HANDING)

    def _is_held(self, stored: _Stored, holder: str) -> bool:
        now = microseconds(self._journal.now())
        lasts = now < stored.until <= now + span(HANDING + TOLERANCE)  # later: the clock was ahead
        other = stored.holder not in {"", holder}
        return other and lasts and not is_dead(stored.holder.rpartition(" ")[2])


def restart_order(connection: Connection, keys: Keys, at: datetime) -> None:
    """Order all events by their numbers, as in a database whose transactions are counted otherwise.

    No other process may add events meanwhile. All are sealed first. Each subscriber goes on before the first event that
    it was not handed, and may get some again.
    """
    facts = select(schema.meta.c.name, schema.meta.c.value).where(schema.meta.c.name.startswith(_FACT))
    newest = newest_event(connection)
    for name, value in connection.execute(facts).all():
        number = lowest_behind(connection, _read(value).cursor)
        meta.put(connection, name, _text(_Stored(EventCursor(0, newest if number is None else number - 1))))
    seal(connection, keys, at, closed=True)
    connection.execute(update(schema.event).where(schema.event.c.xid > 0).values(xid=0))
    connection.execute(update(schema.seal).values(last_xid=0, last_event=newest))


def _text(stored: _Stored) -> str:
    return json.dumps({**stored.cursor._asdict(), "holder": stored.holder, "until": stored.until})


def _read(text: str | None) -> _Stored:
    if text is None:
        raise JournalError("The cursor of a subscriber of events is missing. It is made again when it subscribes.")
    fields = json_object(text)
    return _Stored(EventCursor(int(fields["xid"]), int(fields["id"])), str(fields["holder"]), int(fields["until"]))


def _locked(connection: Connection, name: str) -> _Stored:
    query = select(schema.meta.c.value).where(schema.meta.c.name == _FACT + name).with_for_update()
    return _read(connection.execute(query).scalar())


# --- what is handed over


def _readable(connection: Connection, row: Row[Any]) -> tuple[JournalEvent, ...]:
    """Return what subscribers get of an event: nothing if it is damaged, so that it does not stop those behind."""
    try:
        return tuple(_events_of(connection, row))
    except (ValueError, TypeError, KeyError):  # `verify` reports it
        return ()


def _events_of(connection: Connection, row: Row[Any]) -> Iterator[JournalEvent]:
    """Yield what subscribers get of an event of the journal. The body of a purged one is empty."""
    body = json_object(row.body) if row.body else {}
    common: dict[str, Any] = {"number": row.id, "at": moment(row.at)}
    about: dict[str, Any] = {**common, "publication": row.publication or ""}
    match row.kind:
        case "published":
            stage = Stage(body["stage"]) if "stage" in body else None
            yield MessagePublished(**about, category=str(body.get("category", "")), stage=stage)
            if "overridden" in body:
                yield FindingOverridden(**about, codes=_codes(body["overridden"]))
        case "refused_by_check":
            yield PublicationRefused(**about, codes=_codes(body.get("codes", ())))
        case "settled" | "resolved":
            about |= {"channel": row.channel, "delivery": row.delivery}
            yield from _of_delivery(connection, row, body, about)
        case "blocked":
            yield ChannelBlocked(**common, channel=row.channel)
        case "overdue" | "second_reading_overdue":
            reminder = IncidentOverdue if row.kind == "overdue" else SecondReadingOverdue
            yield reminder(**about, level=int(body.get("level", 1)))
        case "suppressed":
            channel = "" if row.channel == schema.EVERYWHERE else row.channel
            people = len(body.get("recipients", ()))
            yield PeopleSuppressed(**common, channel=channel, people=people, source=str(body.get("source", "")))
        case _:
            yield from _of_machine(row, body, common)


def _of_machine(row: Row[Any], body: Mapping[str, Any], common: Mapping[str, Any]) -> Iterator[JournalEvent]:
    if row.kind == clock_change.SET:
        yield ClockSet(**common, seconds=float(body["seconds"]))
    elif (kind := _OF_WORKERS.get(row.kind)) is not None:
        yield kind(**common, host=str(body.get("host", "")))


def _of_delivery(
    connection: Connection, row: Row[Any], body: Mapping[str, Any], about: Mapping[str, Any]
) -> Iterator[DeliveryEvent]:
    """Yield the outcome of a delivery, and that some people of its list are held."""
    outcome = body.get("outcome")
    if outcome is None:  # purged
        state = select(schema.delivery.c.state).where(schema.delivery.c.id == row.delivery)
        outcome = connection.execute(state).scalar()
    if row.kind == "resolved":
        if outcome == Outcome.POSTED:
            yield DeliveryPosted(**about)
    elif (kind := _OUTCOMES.get(str(outcome))) is not None:
        yield kind(**about)
        recipient = schema.recipient
        held = select(recipient.c.person).where(recipient.c.delivery == row.delivery, recipient.c.state == Outcome.HELD)
        if kind is not DeliveryHeld and connection.execute(held.limit(1)).first() is not None:
            yield DeliveryHeld(**about)
    elif body.get("delayed") and not Outcome(str(outcome)).is_final:
        code = shown_code(str(body.get("code", "")))
        yield DeliveryDelayed(**about, attempt=int(body.get("attempt", 1)), code=code)


def _codes(codes: Iterable[object]) -> tuple[str, ...]:
    return tuple(filter(None, (shown_code(str(code)) for code in codes)))
