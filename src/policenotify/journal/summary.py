"""Count what the journal holds, so that a glance at it costs little however much has piled up."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import CompoundSelect, Connection, bindparam, func, literal, select, text

from policenotify.journal import schema
from policenotify.journal.records import ChannelSummary, moment, outcome_of
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import IncidentStatus

_table, _said, _people = schema.delivery, schema.publication, schema.recipient
_LEFT = (Outcome.WAITING, Outcome.SENDING)
_AT_ONCE = 5_000  # values in one query: SQLite takes 32,766 (sqlite.org/limits.html)

_STATES = (  # along one index that holds all it needs
    select(_table.c.channel, _table.c.state, func.count().label("number")).group_by(_table.c.state, _table.c.channel)
)
_DOUBTS = (
    select(_table.c.channel, func.count().label("number"))
    .where(_table.c.state == Outcome.WAITING, _table.c.doubt)
    .group_by(_table.c.channel)
)
_OLDEST = (
    select(_table.c.channel, func.min(_said.c.created_at).label("at"))
    .join(_said, _said.c.id == _table.c.publication)
    .where(_table.c.state.in_(_LEFT))
    .group_by(_table.c.channel)
)
# In plain text, as the index of the held is written: SQLite does not compare a bound value with it.
_OF_HELD_PEOPLE = select(_people.c.delivery).where(text("pn_recipient.state = 'held'"))
_UNFINISHED: CompoundSelect[tuple[str, str]] = (
    select(_table.c.publication, _table.c.state)
    .where(_table.c.state.in_([*_LEFT, Outcome.HELD]))
    .union(select(_table.c.publication, literal(Outcome.HELD)).where(_table.c.id.in_(_OF_HELD_PEOPLE)))
)
_OPEN = select(func.count()).select_from(schema.incident).where(schema.incident.c.course == IncidentStatus.OPEN)
_UNSETTLED = select(_table.c.id).where(_table.c.state.in_(_LEFT))
_BECAME = select(_table.c.state, _table.c.doubt).where(_table.c.id.in_(bindparam("ids", expanding=True)))


def channels(connection: Connection) -> tuple[ChannelSummary, ...]:
    """Return what became of all deliveries, channel by channel, in the order of their names."""
    found: dict[str, dict[Outcome, int]] = {}
    for row in connection.execute(_STATES):
        found.setdefault(row.channel, {})[Outcome(row.state)] = row.number
    for row in connection.execute(_DOUBTS):
        outcomes = found[row.channel]
        outcomes[Outcome.UNCONFIRMED] = row.number
        outcomes[Outcome.WAITING] -= row.number
    oldest = {row.channel: moment(row.at) for row in connection.execute(_OLDEST)}
    return tuple(
        ChannelSummary(name, {one: outcomes[one] for one in Outcome if outcomes.get(one)}, oldest.get(name))
        for name, outcomes in sorted(found.items())
    )


def unfinished(connection: Connection) -> dict[str, bool]:
    """Return the publications of which something is still to come or is held, the oldest first.

    The value is `True` where a person must settle something of it.
    """
    found: dict[str, bool] = {}
    for row in sorted(connection.execute(_UNFINISHED)):
        found[row.publication] = found.get(row.publication, False) or row.state == Outcome.HELD
    return found


def open_incidents(connection: Connection) -> int:
    """Return how many incidents are open."""
    return int(connection.execute(_OPEN).scalar() or 0)


def unsettled(connection: Connection) -> frozenset[int]:
    """Return the deliveries to which something is still to happen."""
    return frozenset(connection.execute(_UNSETTLED).scalars())


def outcomes(connection: Connection, deliveries: Collection[int]) -> dict[Outcome, int]:
    """Return how many of these deliveries came to which outcome."""
    found: dict[Outcome, int] = {}
    ids = sorted(deliveries)
    for start in range(0, len(ids), _AT_ONCE):
        for row in connection.execute(_BECAME, {"ids": ids[start : start + _AT_ONCE]}):
            outcome = outcome_of(row.state, doubt=row.doubt)
            found[outcome] = found.get(outcome, 0) + 1
    return found
