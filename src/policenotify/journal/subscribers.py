"""Which events each subscriber of the journal was handed: a cursor for each name, shared by all processes.

On a server an event may become visible after others with a higher number. A cursor therefore remembers the numbers
that it has passed without seeing their events, until their transactions have certainly ended.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, case, exists, func, or_, select, text

from policenotify.errors import JournalError
from policenotify.journal import audit, clock_change, meta, workers
from policenotify.journal.database import schema
from policenotify.journal.database.columns import json_object
from policenotify.journal.database.transactions import Transactions
from policenotify.journal.leases import is_dead, this_process
from policenotify.journal.lists import control
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
"""How long a process may hand over events without a sign of life before another one does."""

LIMIT: Final = 200
"""Events that are read at once."""

_FACT: Final = "events "  # begins the name of the fact that holds a cursor; the subscriber's name follows
_TOKEN_BYTES: Final = 8

_OUTCOMES: Final[Mapping[str, type[DeliveryEvent]]] = {
    Outcome.POSTED: DeliveryPosted,
    Outcome.REFUSED: DeliveryRefused,
    Outcome.HELD: DeliveryHeld,
}
_BY_A_PERSON: Final[Mapping[str, type[DeliveryEvent]]] = {Outcome.POSTED: DeliveryPosted}
_OF_WORKERS: Final[Mapping[str, type[WorkerEvent]]] = {
    workers.STARTED: WorkerStarted,
    workers.STOPPED: WorkerStopped,
    workers.LOST: WorkerLost,
}
_KINDS: Final = (
    *_OF_WORKERS,
    clock_change.SET,
    "published",
    "refused_by_check",
    "settled",
    control.BATCH_EVENT,
    "resolved",
    "blocked",
    "overdue",
    "second_reading_overdue",
    "suppressed",
)


class _Numbers(NamedTuple):
    """The numbers from one to another, both included."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class _Position:
    """Which events were handed over.

    Attributes:
        last: All with numbers up to this one, but those that are missing.
        missing: Numbers whose events were not visible yet.
    """

    last: int
    missing: tuple[_Numbers, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EventBatch:
    """Events that this process hands to a subscriber, and no other one does meanwhile.

    Attributes:
        events: The events, by number. There may be none.
        name: The subscriber.
        token: Under which it has them.
        last: The highest number that was read, also of events that are not handed over.
    """

    events: tuple[JournalEvent, ...]
    name: str
    token: str
    last: int
    _before: _Position
    _read: tuple[int, ...] = field(repr=False)  # the numbers of the events, also of those that are not handed over
    _ended: bool  # all transactions that wrote others up to the last one have ended

    def _after(self, number: int) -> _Position:
        """Return the position once the events up to a number were handed over."""
        handed = [each for each in self._read if each <= number]
        last = max(self._before.last, number)
        open_numbers = (*self._before.missing, _Numbers(self._before.last + 1, last))
        missing = tuple(part for numbers in open_numbers for part in _without(numbers, handed))
        if self._ended:  # up to the last one that was read, the others have no event
            left = [_Numbers(each, each) for each in self._read if number < each <= last]
            before = self._before.missing
            unread = [_Numbers(max(first, self.last + 1), end) for first, end in before if end > self.last]
            missing = (*left, *unread)
        return _Position(last, missing)


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
            position = _Position(audit.newest_event(connection))
            row = {"name": _FACT + name, "value": _stored(position)}
            return bool(schema.insert_new(connection, schema.meta, [row]))

    def remove(self, name: str) -> None:
        """Forget a subscriber."""
        with self._journal.write(durable=False) as connection:
            connection.execute(schema.meta.delete().where(schema.meta.c.name == _FACT + name))

    def take(self, name: str) -> EventBatch | None:
        """Take the next events of a subscriber.

        Returns:
            Them, or None if there are none, or if another process hands over events to the subscriber.
        """
        with self._journal.read() as connection:
            position, holder, until = _read_cursor(meta.get(connection, _FACT + name))
            if audit.newest_event(connection) <= position.last and not position.missing:
                return None
            if self._is_held(holder, until):
                return None
        with self._journal.write(durable=False) as connection:
            position, holder, until = _locked(connection, name)
            if self._is_held(holder, until):
                return None
            ended = _have_ended(connection)  # before the events are read
            rows = _rows(connection, position)
            if not rows:
                if ended:  # what is missing never comes
                    meta.put(connection, _FACT + name, _stored(_Position(position.last)))
                return None
            token = f"{self._journal.entropy(_TOKEN_BYTES).hex()} {this_process()}"
            meta.put(connection, _FACT + name, _stored(position, token, self._until()))
            return EventBatch(
                events=tuple(told for row in rows for told in _readable(row)),
                name=name,
                token=token,
                last=rows[-1].id,
                _before=position,
                _read=tuple(row.id for row in rows),
                _ended=ended,
            )

    def advance(self, batch: EventBatch, number: int, *, release: bool) -> bool:
        """Record that the events of a batch were handed over up to a number.

        Args:
            batch: The batch.
            number: The number of the last event that was handed over, 0 for none.
            release: The batch is done with. Otherwise this process keeps it for another while.

        Returns:
            False if another process has taken it over because this one was silent. Nothing is recorded then.
        """
        position = batch._after(number) if number else batch._before  # noqa: SLF001 - one thing in two classes
        token, until = ("", 0) if release else (batch.token, self._until())
        with self._journal.write(durable=False) as connection:
            _, holder, _ = _locked(connection, batch.name)
            if holder != batch.token:
                return False
            meta.put(connection, _FACT + batch.name, _stored(position, token, until))
            return True

    def _until(self) -> int:
        return microseconds(self._journal.now()) + span(HANDING)

    def _is_held(self, holder: str, until: int) -> bool:
        now = microseconds(self._journal.now())
        lasts = now < until <= now + span(HANDING + TOLERANCE)  # later: the clock was ahead
        return bool(holder) and lasts and not is_dead(holder.partition(" ")[2])


# --- the cursor


def _stored(position: _Position, holder: str = "", until: int = 0) -> str:
    return json.dumps({"last": position.last, "missing": position.missing, "holder": holder, "until": until})


def _read_cursor(stored: str | None) -> tuple[_Position, str, int]:
    if stored is None:
        raise JournalError("The cursor of a subscriber of events is missing. It is made again when it subscribes.")
    fields = json_object(stored)
    missing = tuple(_Numbers(int(first), int(last)) for first, last in fields["missing"])
    return _Position(int(fields["last"]), missing), str(fields["holder"]), int(fields["until"])


def _locked(connection: Connection, name: str) -> tuple[_Position, str, int]:
    query = select(schema.meta.c.value).where(schema.meta.c.name == _FACT + name).with_for_update()
    return _read_cursor(connection.execute(query).scalar())


def _have_ended(connection: Connection) -> bool:
    """Return True if every transaction that has added an event has ended, so that no lower number appears later.

    Each of them holds a shared lock from before its event has a number until it ends; see `audit`. A file has one
    writer at a time.
    """
    if connection.dialect.name != "postgresql":
        return True
    return bool(connection.execute(select(func.pg_try_advisory_xact_lock(audit.EVENTS_LOCK))).scalar())


def _rows(connection: Connection, position: _Position) -> Sequence[Any]:
    event, delivery, batch = schema.event, schema.delivery, schema.delivery.alias("batch")
    late = (event.c.id.between(*numbers) for numbers in position.missing)
    handed = event.c.kind.in_(_KINDS)
    query = (
        select(
            *(event.c[name] for name in ("id", "at", "kind", "publication", "delivery", "channel")),
            case((handed, event.c.body), else_="").label("body"),
            case((handed, delivery.c.state), else_="").label("state"),
            delivery.c.parent,
            # Plain text, as in the index: SQLite does not match a bound value with it.
            exists().where(batch.c.parent == event.c.delivery, text("batch.held > 0")).label("has_held_people"),
        )
        .outerjoin(delivery, delivery.c.id == event.c.delivery)
        .where(or_(event.c.id > position.last, *late))
        .order_by(event.c.id)
        .limit(LIMIT)
    )
    return connection.execute(query).all()


def _without(numbers: _Numbers, found: Iterable[int]) -> Iterator[_Numbers]:
    """Yield the parts of a range between numbers in rising order."""
    first, last = numbers
    for number in found:
        if first <= number <= last:
            if first < number:
                yield _Numbers(first, number - 1)
            first = number + 1
    if first <= last:
        yield _Numbers(first, last)


# --- what is handed over


def _readable(row: Row[Any]) -> tuple[JournalEvent, ...]:
    """Return what subscribers get of an event: nothing if it is damaged, so that it does not stop those behind."""
    try:
        return tuple(_told(row))
    except (ValueError, TypeError, KeyError):  # `verify` reports it
        return ()


def _told(row: Row[Any]) -> Iterator[JournalEvent]:
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
        case "settled" | "resolved" if row.parent is None:
            yield from _of_delivery(row, body, {**about, "channel": row.channel, "delivery": row.delivery})
        case control.BATCH_EVENT if body.get("delayed"):
            of_list = {**about, "channel": row.channel, "delivery": row.parent}
            yield from _of_delivery(row, {**body, "outcome": Outcome.WAITING}, of_list)
        case "blocked":
            yield ChannelBlocked(**common, channel=row.channel)
        case "overdue":
            yield IncidentOverdue(**about, level=int(body.get("level", 1)))
        case "second_reading_overdue":
            yield SecondReadingOverdue(**about, level=int(body.get("level", 1)))
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


def _of_delivery(row: Row[Any], body: Mapping[str, Any], about: Mapping[str, Any]) -> Iterator[DeliveryEvent]:
    """Yield the outcome of a delivery, and that some people of its list are held."""
    outcome = body.get("outcome", row.state)
    known = _OUTCOMES if row.kind == "settled" else _BY_A_PERSON
    if (kind := known.get(outcome)) is not None:
        yield kind(**about)
        if row.has_held_people and row.kind == "settled" and kind is not DeliveryHeld:
            yield DeliveryHeld(**about)
    elif body.get("delayed") and not Outcome(outcome).is_final:
        code = shown_code(str(body.get("code", "")))
        yield DeliveryDelayed(**about, attempt=int(body.get("attempt", 1)), code=code)


def _codes(codes: Iterable[object]) -> tuple[str, ...]:
    return tuple(filter(None, (shown_code(str(code)) for code in codes)))
