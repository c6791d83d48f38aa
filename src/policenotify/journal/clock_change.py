"""Keep what waits right when a machine's clock is set.

The journal stores times as the clock shows them. The uptime of a machine cannot be set: for its boot one row holds the
clock minus the uptime. Each drain compares the two at its start, and again while it runs. The first to see that the
clock was set moves waits, pauses, rates and leases by as much. Times that a person has chosen (expiry of a message,
deadline of an incident) stay as they are.

An attempt counts as made at the earlier of the two times: no key then counts as remembered for too long. A step while
the machine was off leaves no trace, nor does any where the uptime is not known. Deliveries that were written in what is
now the future are then due at once.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Final

from sqlalchemy import Column, Connection, case, func, select, update
from sqlalchemy import delete as delete_from

from policenotify.channel import Clock
from policenotify.journal import meta
from policenotify.journal.audit import RUNNER, recent_events, record
from policenotify.journal.clock import SMALLEST_STEP, Uptime
from policenotify.journal.database import schema
from policenotify.journal.database.columns import json_object, whole_number
from policenotify.journal.records import TOLERANCE, microseconds, moment, span
from policenotify.log import fields
from policenotify.model.history import Outcome
from policenotify.model.status import ClockStep

SET: Final = "clock_set"
"""The kind of event that records a step of the clock."""

FACTS: Final = "clock "
"""Begins the name of the fact stored here; the boot follows. A journal in which nothing was published may have it."""

_log = logging.getLogger("policenotify")
_RECENT, _DAY = span(timedelta(hours=1)), span(timedelta(days=1))
_table, _publication, _channel, _attempt = schema.delivery, schema.publication, schema.channel, schema.attempt
_OPEN = _table.c.state.in_([Outcome.WAITING, Outcome.SENDING, Outcome.HELD])
_CREATED = select(_publication.c.created_at).where(_publication.c.id == _table.c.publication).scalar_subquery()
_ENDED = select(func.max(_attempt.c.ended_at)).where(_attempt.c.delivery == _table.c.id).scalar_subquery()
_TRIED = func.coalesce(_table.c.last_tried_at, _CREATED)
_WRITTEN = func.coalesce(_ENDED, _TRIED)  # when its wait was computed, or before
_OTHERS: Final[tuple[Column[int], ...]] = (
    _channel.c.paused_until,
    _channel.c.tat,
    _table.c.lease_until,
    schema.lock.c.lease_until,
    schema.runner.c.seen_at,
)


def follow(connection: Connection, clock: Clock) -> None:
    """Move what waits if the clock was set since any process of this boot has looked."""
    now = microseconds(clock.now())
    here = Uptime.now(clock)
    facts, name, shown = schema.meta.c, f"{FACTS}{here.boot}", now - here.at
    if not here.boot:
        _end_waits_from_the_future(connection, now)
        return
    if schema.insert_new(connection, schema.meta, [{"name": name, "value": str(shown)}]):
        earlier = facts.name.startswith(FACTS, autoescape=True), facts.name != name  # of boots that are over
        if connection.execute(delete_from(schema.meta).where(*earlier)).rowcount:
            _end_waits_from_the_future(connection, now)
        return
    locked = select(facts.value).where(facts.name == name).with_for_update()
    step = shown - whole_number(connection.execute(locked).scalar_one())
    if step:  # by less, it is slewed
        meta.put(connection, name, str(shown))
    if abs(step) < SMALLEST_STEP * 1e6:
        return
    first = _table.c.first_tried_at
    if step < 0:
        connection.execute(update(_table).where(_OPEN).values(first_tried_at=first + step))
    waits = update(_table).where(_OPEN).values(not_before=_table.c.not_before + step)
    if step > 0:  # what was written since is of the new time already, and must not wait longer for it
        waits = waits.where(now - step >= _WRITTEN)
    connection.execute(waits)
    for column in _OTHERS:
        connection.execute(update(column.table).where(column.is_not(None)).values({column: column + step}))
    seconds = round(step / 1e6, 1)
    record(connection, moment(now), RUNNER, SET, {"seconds": seconds})
    _log.warning(
        "The journal's clock was set %s by %.0f s. All that waits was moved with it. Check the time of the machine "
        "that holds the journal: timedatectl",
        "back" if step < 0 else "forward",
        abs(seconds),
        extra=fields(SET),
    )


def _end_waits_from_the_future(connection: Connection, now: int) -> None:
    """Let deliveries go that were written by a clock that was ahead, and end the pauses that came with them.

    The age of their attempts is unknown: no key then counts as remembered for hours only.
    """
    late = _table.c.state == Outcome.WAITING, _table.c.not_before > now, now + span(TOLERANCE) < _TRIED
    if channels := set(connection.execute(select(_table.c.channel).where(*late)).scalars()):
        first, last = _table.c.first_tried_at, _table.c.last_tried_at
        tried = {
            "first_tried_at": case((first > now, now - _DAY), else_=first),
            "last_tried_at": case((last > now, now), else_=last),
        }
        connection.execute(update(_table).where(*late).values(not_before=now, **tried))
        connection.execute(update(_channel).where(_channel.c.name.in_(channels)).values(paused_until=None))


def recent_steps(connection: Connection, now: int) -> tuple[ClockStep, ...]:
    """Return how often and by how much the clock was set in the last hour, newest first."""
    return tuple(
        ClockStep(at=moment(row.at), seconds=float(json_object(row.body)["seconds"]))
        for row in recent_events(connection, SET, since=now - _RECENT)
        if row.body  # else a purge has erased it
    )
