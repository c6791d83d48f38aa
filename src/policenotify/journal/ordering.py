"""A lane holds what one channel says of one incident: in order, and never what is stale."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, bindparam, exists, or_, select, update

from policenotify.journal import schema
from policenotify.journal.audit import RUNNER, record
from policenotify.journal.recipients import counts, of_people
from policenotify.journal.records import moment
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Stage

OVER = "It was over before this could be sent; it would have been stale."
NOT_TOLD = "The opening never appeared here, and this channel does not announce the end of what it did not tell."
BEGUN = "It goes on where another post ends, and that one is not out."
OVERTAKEN = "A newer message went out instead."

_table, _people = schema.delivery, schema.recipient
_later = _table.alias("later")
_OVERTAKEN = select(_table).where(
    _table.c.mass,
    _table.c.state == Outcome.WAITING,
    exists().where(
        _people.c.delivery == _table.c.id, or_(_people.c.doubt, _people.c.state.in_([Outcome.POSTED, Outcome.HELD]))
    ),
    exists().where(
        _later.c.lane == _table.c.lane,
        _later.c.id > _table.c.id,
        _later.c.publication != _table.c.publication,
        _later.c.state != Outcome.SKIPPED,
    ),
    _table.c.lane == bindparam("lane"),
)
_OUT = or_(
    _table.c.state.in_([Outcome.POSTED, Outcome.SENDING, Outcome.HELD, Outcome.DELETED]),
    _table.c.doubt,
    exists().where(
        _people.c.delivery == _table.c.id,
        or_(_people.c.doubt, _people.c.state.in_([Outcome.POSTED, Outcome.SENDING, Outcome.HELD])),
    ),
)
_LANE = select(_table.c.lane).where(_table.c.id == bindparam("its"))


def lock(connection: Connection, *lanes: str) -> set[str]:
    """Nobody else changes what is in the lanes until this transaction ends; returns those with something in them.

    Always in the order of their names, and of ids: two would else wait for each other.
    """
    query = select(_table.c.lane).where(_table.c.lane.in_(lanes)).order_by(_table.c.lane, _table.c.id)
    return set(connection.execute(query.with_for_update(key_share=True)).scalars())


def lock_lane_of(connection: Connection, delivery: int) -> str:
    """Lock the lane that a delivery is in; returns its name, empty if there is no such delivery."""
    lane = connection.execute(_LANE, {"its": delivery}).scalar() or ""
    lock(connection, lane)
    return lane


def opening_not_posted(connection: Connection, lane: str) -> bool:
    """Whether no post of the lane is, may be, or is about to be out."""
    return connection.execute(select(_table.c.id).where(_table.c.lane == lane, _OUT).limit(1)).first() is None


def is_overtaken(connection: Connection, row: Row[Any]) -> bool:
    """Whether a newer message of the lane is, may be, or is about to be out: in its language, or the end in any."""
    said = schema.publication
    newer = (
        select(_table.c.id)
        .join(said, said.c.id == _table.c.publication)
        .where(_table.c.lane == row.lane, _table.c.id > row.id, _table.c.publication != row.publication, _OUT)
        .where(or_(_table.c.language == row.language, said.c.stage.in_([Stage.END, Stage.CANCELLATION])))
    )
    return connection.execute(newer.limit(1)).first() is not None


def supersede(connection: Connection, lane: str, at: int) -> None:
    """Better silent than stale: what certainly is not out and is over is not sent any more."""
    unsent = select(_table).where(_table.c.lane == lane, _table.c.state == Outcome.WAITING, _table.c.doubt.is_(False))
    for row in connection.execute(unsent).all():
        cancel_pending(connection, row, Outcome.SUPERSEDED, OVER, at)


def inherit_priority(connection: Connection, lane: str, urgent: int) -> None:
    """What an urgent message waits for is as urgent as it, also once it has come back from being sent."""
    connection.execute(
        update(_table)
        .where(_table.c.lane == lane, _table.c.state.in_([Outcome.WAITING, Outcome.SENDING]))
        .where(_table.c.priority > urgent)
        .values(priority=urgent)
    )


def supersede_partial_sends(connection: Connection, lane: str, at: int) -> None:
    """Who still waits for a mail of the lane that others may have already gets the newer one instead.

    A mailbox that asks to come back later must not hold up the next mail to everybody else.
    """
    for row in connection.execute(_OVERTAKEN, {"lane": lane}).all():
        cancel_pending(connection, row, Outcome.SUPERSEDED, OVERTAKEN, at)


def cancel_pending(connection: Connection, row: Row[Any], outcome: Outcome, why: str, at: int) -> None:
    """Settle a waiting delivery that is not to be sent any more; people who may have it already are held."""
    if row.mass:
        waiting = update(_people).where(_people.c.delivery == row.id, _people.c.state == Outcome.WAITING)
        connection.execute(waiting.where(_people.c.doubt).values(state=Outcome.HELD))
        connection.execute(waiting.values(state=outcome, reason=why))
        outcome = of_people(counts(connection, [row.id])[row.id])
    connection.execute(
        update(_table).where(_table.c.id == row.id).values(state=outcome, reason=why, remedy="", code="", settled_at=at)
    )
    record(
        connection,
        moment(at),
        RUNNER,
        "settled",
        {"outcome": outcome, "reason": why},
        publication=row.publication,
        delivery=row.id,
        channel=row.channel,
    )
