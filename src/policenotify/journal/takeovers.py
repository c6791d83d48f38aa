"""Deliveries that were taken over more than once within one lease."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select

from policenotify.journal import schema
from policenotify.journal.audit import RUNNER, record
from policenotify.journal.records import Takeover, moment, span

INTERRUPTED = "interrupted"
"""The kind of the event that a delivery was taken over."""

RECENT = timedelta(hours=1)
"""How long a second take-over stays an alarm."""

_NEWEST = 20_000  # events are found by their number, not by their time: no hour has more
_AGAIN = "taken_over_again"
_log = logging.getLogger("policenotify")


def check(connection: Connection, row: Row[Any], now: int, lease: timedelta) -> None:
    """Raise the alarm if the delivery that is being taken over was so within the last lease."""
    event = schema.event
    before = select(event.c.id).where(
        event.c.publication == row.publication,
        event.c.delivery == row.id,
        event.c.kind == INTERRUPTED,
        event.c.at > now - span(lease),
    )
    if connection.execute(before.limit(1)).first() is None:
        return
    _log.error(
        "Delivery %s on %s, publication %s, was taken over twice within one lease. See: policenotify status",
        row.id,
        row.channel,
        row.publication,
    )
    record(
        connection,
        moment(now),
        RUNNER,
        _AGAIN,
        {"owner": row.owner, "attempt": row.attempts},
        publication=row.publication,
        delivery=row.id,
        channel=row.channel,
    )


def recent(connection: Connection, now: int) -> tuple[Takeover, ...]:
    """Return the alarms of the last hour, the newest of each delivery first."""
    event = schema.event
    rows = connection.execute(
        select(event.c.at, event.c.delivery, event.c.channel, event.c.publication)
        .where(event.c.id > select(func.max(event.c.id) - _NEWEST).scalar_subquery())
        .where(event.c.kind == _AGAIN, event.c.at > now - span(RECENT))
        .order_by(event.c.id.desc())
    )
    newest: dict[int, Takeover] = {}
    for row in rows:
        newest.setdefault(
            row.delivery,
            Takeover(delivery=row.delivery, channel=row.channel, publication=row.publication, at=moment(row.at)),
        )
    return tuple(newest.values())
