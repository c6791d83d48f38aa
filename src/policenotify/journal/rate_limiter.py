"""One limiter for all processes: what has left on a channel, and when the next may, decided under its row's lock."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import Connection, select, update

from policenotify.journal import schema
from policenotify.journal.records import span
from policenotify.model.rate import Rate, RateReached

_table = schema.channel
_STATES = select(_table.c.name, _table.c.blocked_at, _table.c.paused_until, _table.c.tat)
_WORTH_IT = span(timedelta(seconds=1))  # so long people are gathered: one by one would cost a transaction each


def opens_at(connection: Connection, rates: Mapping[str, Rate | None], now: int) -> dict[str, int | None]:
    """From when on each channel takes something; `None`: not before a person acts.

    That is not while the network asked it to wait, and not faster than its rate.
    """
    opens: dict[str, int | None] = dict.fromkeys(rates, now)
    for row in connection.execute(_STATES):  # of all channels: they are few
        if row.name not in opens:
            continue
        rate = rates[row.name]
        at = max(row.paused_until or 0, rate.free_at(row.tat, now) if rate else 0, now)
        opens[row.name] = at if row.blocked_at is None else None
    return opens


def take(connection: Connection, channel: str, rate: Rate, now: int) -> None:
    """One post is about to leave.

    Raises:
        RateReached: It may not yet; nothing is changed.
    """
    arrival = _locked(connection, channel)
    if not rate.free(arrival, now):
        raise RateReached(rate.free_at(arrival, now))
    _remember(connection, channel, rate.after(arrival, now))


def free_for_people(connection: Connection, channel: str, rate: Rate, now: int, limit: int) -> int:
    """Return how many people may be written to now, at most *limit*. Each is counted when asked, by `take`.

    Raises:
        RateReached: Nobody may yet.
    """
    arrival = _locked(connection, channel)
    if free := min(rate.free(arrival, now), limit):
        return free
    some = rate.free_at(arrival, now, min(limit, rate.at_once))
    raise RateReached(min(some, max(rate.free_at(arrival, now), now + _WORTH_IT)))


def ensure_channel(connection: Connection, channel: str) -> None:
    """A row for what all processes must know of the channel."""
    if connection.execute(select(_table.c.name).where(_table.c.name == channel)).first() is None:
        schema.insert_new(connection, _table, [{"name": channel}])


def _locked(connection: Connection, channel: str) -> int | None:
    ensure_channel(connection, channel)
    row = connection.execute(select(_table.c.tat).where(_table.c.name == channel).with_for_update()).one()
    arrival: int | None = row.tat
    return arrival


def _remember(connection: Connection, channel: str, arrival: int) -> None:
    connection.execute(update(_table).where(_table.c.name == channel).values(tat=arrival))
