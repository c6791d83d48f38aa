"""Keep stored intervals correct when a machine's clock is set: waits, pauses, leases, and the age of an attempt.

The journal stores times as the clock shows them. Each boot of a machine also stores a mark: its clock and its uptime at
one moment. The uptime cannot be set, so every process of that boot sees when the clock was set, and by how much. The
first to see it shifts all stored intervals, in the transaction that it is about to use. Times that a person has
chosen (expiry of a message, deadline of an incident) stay as they are.

A step may be a correction or a mistake. An attempt therefore counts as made at the earlier of the two times: no key
then counts as remembered for too long, and a post is looked for far enough back.

A step made while the machine was off, or by another machine, leaves no trace in the marks. Deliveries whose times lie
in the future are then rescheduled.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Final, NamedTuple, cast

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    and_,
    bindparam,
    case,
    delete,
    func,
    literal,
    or_,
    select,
    update,
)

from policenotify.channel import Clock
from policenotify.journal import meta
from policenotify.journal.audit import RUNNER, recent_events, record
from policenotify.journal.clock import CountsFromBoot
from policenotify.journal.database import schema
from policenotify.journal.database.columns import json_object, whole_number
from policenotify.journal.records import TOLERANCE, latest_pause, microseconds, moment, span
from policenotify.log import fields
from policenotify.model.history import Outcome
from policenotify.model.status import ClockStep

UNKNOWN_AGE: Final = timedelta(days=1)
"""How far back a post in doubt is looked for when the time of its attempt is unknown."""

SMALLEST_STEP: Final = timedelta(seconds=2)
"""Smaller steps are ignored: no wait depends on them, and a slewed clock differs by less."""

SET: Final = "clock_set"
"""The kind of event that records a step of the clock."""

FACTS: Final = "clock_"
"""Begins the names of the facts stored here. A journal in which nothing was published may have them."""

_log = logging.getLogger("policenotify")
_STEPS: Final = meta.CLOCK_STEPS
_MARK: Final = f"{FACTS}mark "  # followed by the boot
_OWN_MARK: Final = "own_mark"
_RENEWED: Final = span(timedelta(minutes=10))  # uptime and clock drift apart, so the mark is renewed
_FORGOTTEN: Final = span(timedelta(days=400))
_RECENT: Final = span(timedelta(hours=1))
_SIMULTANEOUS: Final = 0.05  # seconds; if reading both clocks takes longer, they do not show one moment
_TRIES: Final = 9

_table, _publication, _channel = schema.delivery, schema.publication, schema.channel
_OPEN = _table.c.state.in_([Outcome.WAITING, Outcome.SENDING, Outcome.HELD])
_MAY_BE_POSTED = or_(
    and_(_table.c.state == Outcome.WAITING, _table.c.in_doubt),
    and_(_table.c.state == Outcome.SENDING, _table.c.first_tried_at.is_not(None)),
)
_TRIED_LATER = _table.c.last_tried_at > bindparam("late")
_PUBLISHED_LATER = and_(
    _table.c.last_tried_at.is_(None),
    _table.c.not_before > bindparam("now"),
    _publication.c.created_at > bindparam("late"),
)
OF_CLOCKS: Final = or_(schema.meta.c.name == _STEPS, schema.meta.c.name.startswith(_MARK, autoescape=True))
"""The condition of the facts about clocks."""

_KNOWN: Final = select(schema.meta.c.name, schema.meta.c.value).where(OF_CLOCKS)
_OTHER_INTERVALS: Final[tuple[Column[int], ...]] = (
    _channel.c.paused_until,
    _channel.c.tat,
    schema.lock.c.lease_until,
    schema.runner.c.seen_at,
)
_IN_THE_FUTURE = (
    select(_table.c.id, _table.c.channel)
    .join(_publication, _publication.c.id == _table.c.publication)
    .where(_table.c.state == Outcome.WAITING, or_(_TRIED_LATER, _PUBLISHED_LATER))
    .with_for_update(key_share=True, of=_table, skip_locked=True)
)
_END_PAUSES = update(_channel).where(_channel.c.paused_until > bindparam("latest")).values(paused_until=None)
_FIRST_TRY = case((_table.c.in_doubt, bindparam("long_ago")), else_=bindparam("now"))
_RESCHEDULE = (
    update(_table)
    .where(_table.c.id.in_(bindparam("ids", expanding=True)))
    .values(
        not_before=bindparam("now"),
        first_tried_at=case((_TRIED_LATER, _FIRST_TRY), else_=_table.c.first_tried_at),
        last_tried_at=case((_TRIED_LATER, bindparam("now")), else_=_table.c.last_tried_at),
    )
)


class Reading(NamedTuple):
    """A clock and an uptime read at one moment, in microseconds.

    Attributes:
        boot: Names the boot since which the uptime counts.
        time: The clock.
        uptime: The uptime.
    """

    boot: str
    time: int
    uptime: int


def read(clock: Clock) -> Reading | None:
    """Read the clock and the uptime at one moment. Return None if the boot is unknown."""
    if not _counts_from_boot(type(clock)) or not (boot := cast("CountsFromBoot", clock).boot()):
        return None
    for _ in range(_TRIES):
        before, time, after = clock.monotonic(), clock.now(), clock.monotonic()
        if after - before < _SIMULTANEOUS:
            return Reading(boot, microseconds(time), round(after * 1e6))
    return None


@cache
def _counts_from_boot(kind: type[Clock]) -> bool:
    return issubclass(kind, CountsFromBoot)


def stepped(connection: Connection, clock: Clock) -> bool:
    """Return whether the clock was set since the last mark. Changes nothing."""
    reading = read(clock)
    return reading is not None and abs(_state(connection).step(reading) or 0) >= span(SMALLEST_STEP)


def total(connection: Connection) -> timedelta:
    """Return the sum of all known steps. Times read in the same transaction refer to it."""
    return timedelta(microseconds=_state(connection).total)


def follow(connection: Connection, clock: Clock, *, single_host: bool, brief: bool) -> None:
    """Shift stored intervals if the clock was set. Must precede any other write.

    Args:
        connection: To the journal, in a transaction that writes.
        clock: The journal's clock.
        single_host: The journal is used by this machine only.
        brief: The transaction ends soon. A long one stores no mark, because others would wait for its row.
    """
    reading = read(clock)
    if reading is None:
        return
    state = _state(connection)
    step = state.step(reading)
    if step is None and not brief:
        return
    if step is not None and abs(step) < span(SMALLEST_STEP):
        if brief and reading.time - state.total - state.marks[reading.boot].time > _RENEWED:
            _mark(connection, reading, state)
        return
    schema.insert_new(connection, schema.meta, [{"name": _STEPS, "value": "0"}])
    connection.execute(select(schema.meta.c.name).where(schema.meta.c.name == _STEPS).with_for_update()).all()
    state = _state(connection)  # another process may have shifted them before the row was locked
    step = state.step(reading)
    if step is None and single_host and state.marks:
        _assume_long_ago(connection, reading.time)
    elif step is not None and abs(step) >= span(SMALLEST_STEP):
        _shift(connection, step)
        state = state._replace(total=state.total + step)
        meta.put(connection, _STEPS, str(state.total))
        seconds = round(step / 1e6, 1)
        record(connection, moment(reading.time), RUNNER, SET, {"seconds": seconds})
        _log.warning(
            "The journal's clock was set %s by %.0f s. All that waits was moved with it. Check the time of the machine "
            "that holds the journal: timedatectl",
            "back" if step < 0 else "forward",
            abs(seconds),
            extra=fields(SET),
        )
    _mark(connection, reading, state)


def recent_steps(connection: Connection, now: int) -> tuple[ClockStep, ...]:
    """Return how often and by how much the clock was set in the last hour, newest first."""
    return tuple(
        ClockStep(at=moment(row.at), seconds=float(json_object(row.body)["seconds"]))
        for row in recent_events(connection, SET, since=now - _RECENT)
        if row.body  # else a purge has erased it
    )


class KnownClocks:
    """The facts about clocks, read once and compared often.

    Args:
        facts: These facts.
    """

    def __init__(self, facts: Mapping[str, str]) -> None:
        self._facts = dict(facts)
        self._state = _state_of(dict(facts))
        self._values: dict[str, dict[str, str]] = {}  # by boot

    def at(self, clock: Clock) -> dict[str, str] | None:
        """Return the values of `as_known`, unless `follow` would change something."""
        reading = read(clock)
        if reading is not None:
            step = self._state.step(reading)
            if step is None or abs(step) >= span(SMALLEST_STEP):
                return None
            if reading.time - self._state.total - self._state.marks[reading.boot].time > _RENEWED:
                return None
        boot = reading.boot if reading is not None else ""
        if (values := self._values.get(boot)) is None:
            mark = f"{_MARK}{boot}"
            values = {_STEPS: self._facts.get(_STEPS, ""), "own_mark_name": mark, _OWN_MARK: self._facts.get(mark, "")}
            self._values[boot] = values
        return values


def facts(connection: Connection) -> dict[str, str]:
    """Return the facts about clocks."""
    return {row.name: row.value for row in connection.execute(_KNOWN)}


def as_known() -> ColumnElement[bool]:
    """Return the condition that the facts are those of which `KnownClocks.at` returns the values."""
    names = {_STEPS: literal(_STEPS), _OWN_MARK: bindparam("own_mark_name")}
    return and_(*(_value(name) == bindparam(value) for value, name in names.items()))


def _value(name: ColumnElement[str]) -> ColumnElement[str]:
    stored = select(schema.meta.c.value).where(schema.meta.c.name == name).scalar_subquery()
    return func.coalesce(stored, "")


class _State(NamedTuple):
    """What the journal knows of its clocks.

    Attributes:
        total: The sum of all steps, in microseconds.
        marks: By boot. Their times are those of a clock that was never set.
    """

    total: int
    marks: dict[str, Reading]

    def step(self, reading: Reading) -> int | None:
        """Return by how much the clock was set since the mark of this boot, or None if there is no mark."""
        mark = self.marks.get(reading.boot)
        return None if mark is None else (reading.time - self.total) - (mark.time + reading.uptime - mark.uptime)


def _state(connection: Connection) -> _State:
    return _state_of(facts(connection))


def _state_of(known: dict[str, str]) -> _State:
    total = whole_number(known.pop(_STEPS, "0"))
    marks = [_read_mark(name.removeprefix(_MARK), value) for name, value in known.items()]
    return _State(total, {mark.boot: mark for mark in marks})


def _read_mark(boot: str, stored: str) -> Reading:
    time, _, uptime = stored.partition(" ")
    return Reading(boot, whole_number(time), whole_number(uptime))


def _mark(connection: Connection, reading: Reading, state: _State) -> None:
    time = reading.time - state.total
    old = [f"{_MARK}{boot}" for boot, mark in state.marks.items() if mark.time < time - _FORGOTTEN]
    if old:
        connection.execute(delete(schema.meta).where(schema.meta.c.name.in_(old)))
    meta.put(connection, f"{_MARK}{reading.boot}", f"{time} {reading.uptime}")


def _shift(connection: Connection, step: int) -> None:
    """Shift everything that counts an interval."""
    first = _table.c.first_tried_at
    moved = {name: _table.c[name] + step for name in ("not_before", "lease_until", "last_tried_at", "unseen_at")}
    earlier: ColumnElement[int] = first + step if step < 0 else case((first.is_(None), None), else_=first)
    connection.execute(update(_table).where(_OPEN).values(**moved, first_tried_at=earlier))
    for column in _OTHER_INTERVALS:
        connection.execute(update(column.table).where(column.is_not(None)).values({column: column + step}))
    is_request = schema.meta.c.name.startswith(meta.DRAIN_REQUESTED, autoescape=True)
    for row in connection.execute(select(schema.meta).where(is_request)).all():
        if requested := whole_number(row.value):  # 0: the drain has begun
            meta.put(connection, row.name, str(requested + step))


def _assume_long_ago(connection: Connection, now: int) -> None:
    """Treat attempts as made long ago: the machine was restarted, and was off for an unknown time."""
    long_ago = now - span(UNKNOWN_AGE)
    first = _table.c.first_tried_at
    connection.execute(
        update(_table)
        .where(_MAY_BE_POSTED)
        .values(first_tried_at=case((first < long_ago, first), else_=long_ago), last_tried_at=now, unseen_at=None)
    )


def reschedule(connection: Connection, now: int) -> int:
    """Reschedule deliveries whose times lie in the future because the clock was set back. Return their number.

    They are due at once, and the pauses of their channels end: a network that still wants to be left alone answers so
    again. The first try of a post in doubt is dated a day back, so that no key counts as remembered for hours only.
    Deliveries that are being sent are left alone. So are the pauses of other channels, unless no network asks for so
    long a pause.
    """
    connection.execute(_END_PAUSES, {"latest": latest_pause(now)})
    times = {"late": now + span(TOLERANCE), "now": now}
    rows = connection.execute(_IN_THE_FUTURE, times).all()
    if not rows:
        return 0
    ids = sorted(row.id for row in rows)
    connection.execute(_RESCHEDULE, {**times, "long_ago": now - span(UNKNOWN_AGE), "ids": ids})
    channels = {row.channel for row in rows}
    connection.execute(update(_channel).where(_channel.c.name.in_(channels)).values(paused_until=None))
    record(connection, moment(now), RUNNER, "clock_set_back", {"deliveries": ids})
    return len(rows)
