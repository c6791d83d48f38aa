"""Keep what waits correct when a machine's clock is set.

The journal stores times as the clock shows them. The uptime of a machine cannot be set: for its boot one row holds the
clock minus the uptime. Each drain compares the two at its start, and again while it runs. The first to see that the
clock was set moves waits, pauses, rates and leases by as much. Times that a person has chosen (expiry of a message,
deadline of an incident) stay as they are.

A step while the machine was off leaves no trace, nor does any where the uptime is not known. Deliveries that were
written in what is now the future are then due at once.
"""

from __future__ import annotations

import logging
import re
from datetime import timedelta
from typing import Final

from sqlalchemy import Column, Connection, case, delete, func, select, update

from policenotify.channel import Clock
from policenotify.journal import meta
from policenotify.journal.audit import RUNNER, record
from policenotify.journal.clock import SMALLEST_STEP, Uptime
from policenotify.journal.database import schema
from policenotify.journal.records import TOLERANCE, DamagedRow, microseconds, moment, span
from policenotify.log import fields
from policenotify.model.history import Outcome

SET: Final = "clock_set"
"""The kind of event that records a step of the clock."""

_FACTS: Final = "clock "  # begins the name of the fact stored here; the boot follows
_WHOLE_NUMBER: Final = re.compile(r"-?[0-9]{1,18}")  # to which a time can still be added
_log = logging.getLogger("policenotify")
_DAY = span(timedelta(days=1))
_delivery, _attempt, _facts = schema.delivery.c, schema.attempt.c, schema.meta.c
_OPEN = _delivery.state.in_([Outcome.WAITING, Outcome.SENDING, Outcome.HELD])
_CREATED = select(schema.publication.c.created_at).where(schema.publication.c.id == _delivery.publication)
_ENDED = select(func.max(_attempt.ended_at)).where(_attempt.delivery == _delivery.id).scalar_subquery()
_TRIED = func.coalesce(_delivery.last_tried_at, _CREATED.scalar_subquery())
_WRITTEN = func.coalesce(_ENDED, _TRIED)  # when its wait was computed, or before
_MOVED: Final[tuple[Column[int], ...]] = (
    schema.channel.c.paused_until,
    schema.channel.c.tat,
    _delivery.lease_until,
    schema.lock.c.lease_until,
    schema.runner.c.seen_at,
)


def follow(connection: Connection, clock: Clock) -> None:
    """Move what waits if the clock was set since any process of this boot has looked."""
    now, here = microseconds(clock.now()), Uptime.now(clock)
    name, shown = f"{_FACTS}{here.boot}", now - here.at
    if not here.boot:
        _end_waits_from_the_future(connection, now)
        return
    if schema.insert_new(connection, schema.meta, [{"name": name, "value": str(shown)}]):
        of_boots_that_are_over = _facts.name.startswith(_FACTS, autoescape=True), _facts.name != name
        if connection.execute(delete(schema.meta).where(*of_boots_that_are_over)).rowcount:
            _end_waits_from_the_future(connection, now)
        return
    locked = select(_facts.value).where(_facts.name == name).with_for_update()
    known = connection.execute(locked).scalar_one()
    if _WHOLE_NUMBER.fullmatch(known) is None:
        raise DamagedRow(schema.meta.name, name)
    step = shown - int(known)
    if step:  # by less than a step, it is slewed
        meta.put(connection, name, str(shown))
    if abs(step) >= SMALLEST_STEP * 1e6:
        _move(connection, now, step)


def _move(connection: Connection, now: int, step: int) -> None:
    waits = update(schema.delivery).where(_OPEN).values(not_before=_delivery.not_before + step)
    if step < 0:  # an attempt counts as made at the earlier of the two times, so that no key is believed for too long
        waits = waits.values(first_tried_at=_delivery.first_tried_at + step)
    else:  # what was written since is of the new time already, and must not wait longer for it
        waits = waits.where(now - step >= _WRITTEN)
    connection.execute(waits)
    for column in _MOVED:
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
    first, last = _delivery.first_tried_at, _delivery.last_tried_at
    late = _delivery.state == Outcome.WAITING, _delivery.not_before > now, now + span(TOLERANCE) < _TRIED
    columns = {
        "not_before": now,
        "first_tried_at": case((first > now, now - _DAY), else_=first),
        "last_tried_at": case((last > now, now), else_=last),
    }
    paused = schema.channel.c.name.in_(select(_delivery.channel).where(*late))
    connection.execute(update(schema.channel).where(paused).values(paused_until=None))
    connection.execute(update(schema.delivery).where(*late).values(**columns))
