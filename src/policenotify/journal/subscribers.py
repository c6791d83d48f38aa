"""Which events each subscriber of the journal was handed: a cursor for each name, shared by all processes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final, NamedTuple, TypeAlias

from sqlalchemy import Connection, Row, func, select, update

from policenotify.events import DETAILS, Event, EventKind
from policenotify.journal import clock_change, meta
from policenotify.journal.audit import EventCursor, end_of_events, events_after, place_of
from policenotify.journal.database import schema
from policenotify.journal.database.columns import json_object
from policenotify.journal.database.transactions import Repository
from policenotify.journal.lists import control
from policenotify.journal.records import TOLERANCE, microseconds, moment, span, stored
from policenotify.log import shown_code
from policenotify.model.history import Outcome

HANDING: Final = timedelta(minutes=1)
"""How long a process may hand over an event without a sign of life before another one does."""

LIMIT: Final = 200
"""Events that are read at once."""

_FACT: Final = "events "  # begins the name of the fact that holds a cursor; the subscriber's name follows

_KINDS: Final = frozenset(
    {"published", "refused_by_check", "blocked", "overdue", "second_reading_overdue", "suppressed", clock_change.SET}
)
"""Kinds of the journal's events of which subscribers get one of the same name."""

_OUTCOMES: Final = frozenset({Outcome.POSTED, Outcome.REFUSED, Outcome.HELD})
"""Outcomes of a delivery of which they get an event of the same name."""

EventBatch: TypeAlias = list[tuple[EventCursor, tuple[Event, ...]]]
"""Events for a subscriber, each with the cursor behind the event of the journal that they are of."""


class SubscriberPlace(NamedTuple):
    """Where a subscriber is.

    Attributes:
        cursor: Behind the events that it was handed.
        until: In the journal's microseconds, how long a process keeps what follows for itself, or since when none does.
    """

    cursor: EventCursor
    until: int = 0


class Subscribers(Repository):
    """The places of all subscribers. A process goes on only where its own place is still stored."""

    def add(self, name: str) -> None:
        """Make the place of a subscriber, unless there is one. It gets what happens from now on."""
        with self._journal.write(durable=False) as connection:
            row = {"name": _FACT + name, "value": json.dumps(SubscriberPlace(end_of_events(connection)))}
            schema.insert_new(connection, schema.meta, [row])

    def take(self, name: str) -> tuple[SubscriberPlace | None, EventBatch]:
        """Take the next events of a subscriber. For a while no other process hands them over.

        If it has no place, as in a journal that was restored from an older copy, it is made.

        Returns:
            The place that was taken, and the events. None and nothing if there are none, or if another process hands
            them over.
        """
        with self._journal.read() as connection:
            value = meta.get(connection, _FACT + name)
            known = None if value is None else _read(_FACT + name, value)
            now = microseconds(self._journal.now())
            if known and now < known.until <= now + span(HANDING + TOLERANCE):  # later: the clock was ahead
                return None, []
            batch = _next_events(connection, known.cursor) if known else []
        if known is None:
            self.add(name)
        place = self.advance(name, known, known.cursor) if known and batch else None
        return place, batch if place else []

    def advance(
        self, name: str, place: SubscriberPlace, cursor: EventCursor, *, keep: bool = True
    ) -> SubscriberPlace | None:
        """Record that the events up to a cursor were handed over, and keep what follows for a while, or let it go.

        Returns:
            The new place. None if another process has taken over because this one was silent. Nothing is recorded then.
        """
        moved = SubscriberPlace(cursor, microseconds(self._journal.now()) + (span(HANDING) if keep else 0))
        facts = schema.meta
        same = facts.c.name == _FACT + name, facts.c.value == json.dumps(place)
        with self._journal.write(durable=False) as connection:
            changed = connection.execute(update(facts).where(*same).values(value=json.dumps(moved))).rowcount
        return moved if changed else None


def restart_order(connection: Connection) -> None:
    """Put all events, in their order, before those of a database whose transactions are counted otherwise.

    Their transactions get numbers below 0, and so do the cursors of seals and subscribers. No other process may add
    events meanwhile.
    """
    event = schema.event
    counted = (connection.execute(select(func.max(event.c.xid))).scalar() or 0) + 1
    facts = schema.meta
    for name, value in connection.execute(
        select(facts.c.name, facts.c.value).where(facts.c.name.startswith(_FACT))
    ).all():
        xid, number = _read(name, value).cursor
        behind = SubscriberPlace(EventCursor(xid - counted, number) if xid < counted else EventCursor(0, 0))
        meta.put(connection, name, json.dumps(behind))
    connection.execute(update(event).values(xid=event.c.xid - counted))
    connection.execute(update(schema.seal).values(last_xid=schema.seal.c.last_xid - counted))


def _read(name: str, text: str) -> SubscriberPlace:
    with stored(schema.meta.name, name):
        cursor, *rest = json.loads(text)
        return SubscriberPlace(EventCursor(*cursor), *rest)


# --- what is handed over


def _next_events(connection: Connection, cursor: EventCursor) -> EventBatch:
    """Return the next events, without those of which subscribers get nothing, except for the last cursor."""
    batch = [(place_of(row), _readable(connection, row)) for row in events_after(connection, cursor, LIMIT)]
    return [each for each in batch if each[1]] + [each for each in batch[-1:] if not each[1]]


def _readable(connection: Connection, row: Row[Any]) -> tuple[Event, ...]:
    """Return what subscribers get of an event: nothing if it was erased or damaged, and those behind it follow."""
    try:
        return tuple(_made(kind, row, body) for kind, body in _kinds(connection, row, json_object(row.body or "{}")))
    except (ValueError, TypeError, KeyError):  # `verify` reports it
        return ()


def _kinds(
    connection: Connection, row: Row[Any], body: Mapping[str, Any]
) -> Iterator[tuple[EventKind, Mapping[str, Any]]]:
    """Yield the kinds of what subscribers get of an event of the journal, each with its body."""
    if row.kind in _KINDS:
        yield EventKind(row.kind), body
    if "overridden" in body:
        yield EventKind.FINDING_OVERRIDDEN, {"codes": body["overridden"]}
    if row.kind in {"settled", "resolved"} and body["outcome"] in _OUTCOMES:
        kind = EventKind(body["outcome"])
        yield kind, body
        of_delivery = schema.recipient.c.delivery == row.delivery, schema.recipient.c.state == Outcome.HELD
        held = select(schema.recipient.c.person).where(*of_delivery).limit(1)
        if kind is not EventKind.HELD and connection.execute(held).first() is not None:
            yield EventKind.HELD, body
    elif body.get("delayed") and (row.kind == control.BATCH_EVENT or not Outcome(body["outcome"]).is_final):
        yield EventKind.DELAYED, body


def _made(kind: EventKind, row: Row[Any], body: Mapping[str, Any]) -> Event:
    """Return an event with those details of its body that its kind has."""
    known = {
        **body,
        "code": shown_code(str(body.get("code", ""))),
        "codes": tuple(filter(None, (shown_code(str(code)) for code in body.get("codes", ())))),
        "people": len(body.get("recipients", ())),
    }
    return Event(
        number=row.id,
        at=moment(row.at),
        kind=kind,
        publication=row.publication or "",
        channel="" if row.channel in {None, schema.EVERYWHERE} else row.channel,
        delivery=body.get("list", row.delivery),  # of a batch, that of its list
        details={name: known[name] for name in DETAILS.get(kind, ())},
    )
