"""Intervals keep their length when the machine's clock is set: waits, pauses, leases, and the age of an attempt.

The journal holds times as the clock told them, for people to read. Each run of a machine also leaves a mark in it: what
its clock told, and how long it had been running, at one moment. Nobody can set how long a machine has been running. So
each process of that run sees when the clock was set, by how much, and who sees it first moves all that counts an
interval by as much, in the transaction in which it then works. What a person has set a time for (when a message
expires, when the desk owes the next word) stays as it is.

A jump is not trusted to be a mistake: an attempt counts as made as early as either of the two clocks tells, so that a
key is not taken for remembered, and a post is looked for, for as long as need be.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final, NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, Table, and_, case, delete, or_, select, update

from policenotify.channel import Clock
from policenotify.journal import schema
from policenotify.journal.audit import RUNNER, record
from policenotify.journal.clock import CountsFromBoot
from policenotify.journal.clock_change import UNKNOWN
from policenotify.journal.records import microseconds, moment, span
from policenotify.model.history import Outcome

LEAST: Final = timedelta(seconds=2)
"""A step that is smaller changes nothing that anybody waits for; clocks that are slewed differ by less."""

FACTS: Final = "clock_"
"""What the names of its facts begin with; a journal in which nothing was ever written down may have them."""

_STEPS: Final = f"{FACTS}steps"
_MARK: Final = f"{FACTS}mark "  # and the name of the run
_PROMISE: Final = "promised_at "
_RENEWED: Final = span(timedelta(minutes=10))  # clocks of two machines drift: after so long the mark is set anew
_FORGOTTEN: Final = span(timedelta(days=400))
_NARROW: Final = 0.05  # seconds; of a process that was stopped between two clocks, they tell two moments
_TRIES: Final = 9

_meta, _delivery = schema.meta, schema.delivery
_OPEN = _delivery.c.state.in_([Outcome.WAITING, Outcome.SENDING, Outcome.HELD])
_MAY_BE_OUT = or_(
    and_(_delivery.c.state == Outcome.WAITING, _delivery.c.doubt),
    and_(_delivery.c.state == Outcome.SENDING, _delivery.c.first_tried_at.is_not(None)),
)


class Reading(NamedTuple):
    """What two clocks told at one moment, in microseconds.

    Attributes:
        run: Names what the second one counts from.
        told: The time.
        counted: How long it has been counting.
    """

    run: str
    told: int
    counted: int


def read(clock: Clock) -> Reading | None:
    """Read both clocks at one moment; `None`: nobody knows what this one counts from."""
    if not isinstance(clock, CountsFromBoot) or not (run := clock.boot()):
        return None
    for _ in range(_TRIES):
        before, told, after = clock.monotonic(), clock.now(), clock.monotonic()
        if after - before < _NARROW:
            return Reading(run, microseconds(told), round(after * 1e6))
    return None


def stepped(connection: Connection, clock: Clock) -> bool:
    """Whether the clock was set since somebody looked last; changes nothing."""
    seen = read(clock)
    return seen is not None and abs(_known(connection).step(seen) or 0) >= span(LEAST)


def total(connection: Connection) -> timedelta:
    """By how much the clock was set in all, as far as the journal knows: what is read with it counts from there."""
    return timedelta(microseconds=_known(connection).total)


def follow(connection: Connection, clock: Clock, *, alone: bool, brief: bool) -> None:
    """See whether the clock was set, and move what counts intervals by as much; before anything else is written.

    Args:
        connection: To the journal, in a transaction that writes.
        clock: The journal's.
        alone: It is the clock of the one machine that the journal is on.
        brief: The transaction soon ends; in another one no mark is made, for others would wait for its row.
    """
    seen = read(clock)
    if seen is None:
        return
    known = _known(connection)
    step = known.step(seen)
    if step is None and not brief:
        return
    if step is not None and abs(step) < span(LEAST):
        if brief and seen.told - known.total - known.marks[seen.run].told > _RENEWED:
            _mark(connection, seen, known)
        return
    schema.insert_new(connection, _meta, [{"name": _STEPS, "value": "0"}])
    connection.execute(select(_meta.c.name).where(_meta.c.name == _STEPS).with_for_update()).all()
    known = _known(connection)  # with the row locked: another process may have been faster
    step = known.step(seen)
    if step is None and alone and known.marks:
        _widen(connection, seen.told)
    elif step is not None and abs(step) >= span(LEAST):
        _move(connection, step)
        known = known._replace(total=known.total + step)
        _set(connection, _STEPS, str(known.total))
        record(connection, moment(seen.told), RUNNER, "clock_set", {"seconds": round(step / 1e6, 1)})
    _mark(connection, seen, known)


class _Known(NamedTuple):
    """What the journal knows of the clock.

    Attributes:
        total: By how much it was set in all, in microseconds.
        marks: By run; their time is told as if no clock had ever been set.
    """

    total: int
    marks: dict[str, Reading]

    def step(self, seen: Reading) -> int | None:
        """By how much it was set since this run's mark was made, beyond what is known; `None`: it has none."""
        mark = self.marks.get(seen.run)
        return None if mark is None else (seen.told - self.total) - (mark.told + seen.counted - mark.counted)


def _known(connection: Connection) -> _Known:
    wanted = or_(_meta.c.name == _STEPS, _meta.c.name.startswith(_MARK, autoescape=True))
    found = {row.name: row.value for row in connection.execute(select(_meta).where(wanted))}
    steps = int(found.pop(_STEPS, 0))
    marks = (Reading(name.removeprefix(_MARK), *map(int, value.split())) for name, value in found.items())
    return _Known(steps, {mark.run: mark for mark in marks})


def _mark(connection: Connection, seen: Reading, known: _Known) -> None:
    told = seen.told - known.total
    old = [f"{_MARK}{run}" for run, mark in known.marks.items() if mark.told < told - _FORGOTTEN]
    if old:
        connection.execute(delete(_meta).where(_meta.c.name.in_(old)))
    _set(connection, f"{_MARK}{seen.run}", f"{told} {seen.counted}")


def _set(connection: Connection, name: str, value: str) -> None:
    if not connection.execute(update(_meta).where(_meta.c.name == name).values(value=value)).rowcount:
        schema.insert_new(connection, _meta, [{"name": name, "value": value}])


def _move(connection: Connection, step: int) -> None:
    """Move all that counts an interval."""
    first = _delivery.c.first_tried_at
    moved = {name: _delivery.c[name] + step for name in ("not_before", "lease_until", "last_tried_at", "unseen_at")}
    earlier: ColumnElement[int] = first + step if step < 0 else case((first.is_(None), None), else_=first)
    connection.execute(update(_delivery).where(_OPEN).values(**moved, first_tried_at=earlier))
    for table, column in _elsewhere():
        connection.execute(update(table).where(column.is_not(None)).values({column: column + step}))
    promises = connection.execute(select(_meta).where(_meta.c.name.startswith(_PROMISE, autoescape=True))).all()
    for row in promises:
        if int(row.value):  # 0: it was kept
            _set(connection, row.name, str(int(row.value) + step))


def _elsewhere() -> Iterator[tuple[Table, Column[int]]]:
    yield schema.channel, schema.channel.c.paused_until
    yield schema.channel, schema.channel.c.tat
    yield schema.keep, schema.keep.c.lease_until
    yield schema.runner, schema.runner.c.seen_at


def _widen(connection: Connection, now: int) -> None:
    """The machine was started anew, and nobody knows for how long it was off: when an attempt was made is not known."""
    long_ago = now - span(UNKNOWN)
    first = _delivery.c.first_tried_at
    connection.execute(
        update(_delivery)
        .where(_MAY_BE_OUT)
        .values(
            first_tried_at=case((first < long_ago, first), else_=long_ago),
            last_tried_at=now,
            unseen_at=None,
        )
    )
