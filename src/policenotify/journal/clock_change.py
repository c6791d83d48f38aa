"""A clock that was set back, and nobody saw by how much: what was written by the old time does not wait for it.

It was set while the machine was off, or by another machine that wrote into the same journal. A step that is seen is
followed in `timekeeping`.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection, and_, bindparam, case, or_, select, update

from policenotify.journal import schema
from policenotify.journal.audit import RUNNER, record
from policenotify.journal.records import moment, span
from policenotify.model.history import Outcome

APART = timedelta(seconds=30)
"""So far the clocks of two hosts may be apart, or one be slewed, without anybody having set it back."""

UNKNOWN = timedelta(days=1)
"""How far back a post in doubt is looked for when the time of its attempt is not known any more."""

_table, _said, _channel = schema.delivery, schema.publication, schema.channel
_TRIED = _table.c.last_tried_at > bindparam("late")
_UNTRIED = and_(
    _table.c.last_tried_at.is_(None), _table.c.not_before > bindparam("now"), _said.c.created_at > bindparam("late")
)
_LATE = (
    select(_table.c.id, _table.c.channel)
    .join(_said, _said.c.id == _table.c.publication)
    .where(_table.c.state == Outcome.WAITING, or_(_TRIED, _UNTRIED))
    .with_for_update(of=_table, skip_locked=True)
)
_BEGAN = case((_table.c.doubt, bindparam("long_ago")), else_=bindparam("now"))
_PUT_RIGHT = (
    update(_table)
    .where(_table.c.id.in_(bindparam("ids", expanding=True)))
    .values(
        not_before=bindparam("now"),
        first_tried_at=case((_TRIED, _BEGAN), else_=_table.c.first_tried_at),
        last_tried_at=case((_TRIED, bindparam("now")), else_=_table.c.last_tried_at),
    )
)


def reschedule_after_clock_change(connection: Connection, now: int) -> int:
    """See to what waits although it was tried, or published, at a time that has not come yet; returns how many.

    It is due at once, and so is its channel: a network that wants to be left alone says so again. When a post in
    doubt was first tried is not known any more, so that no key counts as remembered for some hours only, and it is
    looked for from a day ago on. What somebody holds stays his.
    """
    rows = connection.execute(_LATE, {"late": now + span(APART), "now": now}).all()
    if not rows:
        return 0
    times = {"late": now + span(APART), "now": now, "long_ago": now - span(UNKNOWN)}
    connection.execute(_PUT_RIGHT, times | {"ids": [row.id for row in rows]})
    channels = {row.channel for row in rows}
    connection.execute(update(_channel).where(_channel.c.name.in_(channels)).values(paused_until=None))
    record(connection, moment(now), RUNNER, "clock_set_back", {"deliveries": sorted(row.id for row in rows)})
    return len(rows)
