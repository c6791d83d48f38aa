"""A person says what became of a post that nobody else can tell."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, exists, or_, select, update

from policenotify.channel import Operation
from policenotify.errors import NotHeld
from policenotify.journal import schema
from policenotify.journal.audit import record
from policenotify.journal.ordering import OVERTAKEN, cancel_pending, is_overtaken, lock_lane_of
from policenotify.journal.records import microseconds
from policenotify.model.history import Outcome

_table, _people = schema.delivery, schema.recipient


def resolve(connection: Connection, delivery: int, actor: str, *, posted: bool, now: datetime) -> Outcome:
    """Settle a held delivery, or the people of one who are held: it is out, or it is to be said again.

    What a newer message of its incident has overtaken meanwhile is not said any more.

    Returns:
        What becomes of it: posted, waiting, or superseded.

    Raises:
        NotHeld: Nothing of this delivery is held, or there is none.
    """
    held = or_(
        _table.c.state == Outcome.HELD,
        exists().where(_people.c.delivery == _table.c.id, _people.c.state == Outcome.HELD),
    )
    lock_lane_of(connection, delivery)
    row = connection.execute(select(_table).where(_table.c.id == delivery, held)).first()
    if row is None:
        state = connection.execute(select(_table.c.state).where(_table.c.id == delivery)).scalar()
        raise NotHeld(delivery, outcome=state or "")
    at = microseconds(now)
    state = Outcome.POSTED if posted else Outcome.WAITING
    connection.execute(
        update(_people)
        .where(_people.c.delivery == delivery, _people.c.state == Outcome.HELD)
        .values(state=state, doubt=False)
    )
    # Of many people others may still wait, or be written to just now by who holds it.
    others = row.mass and row.state in {Outcome.WAITING, Outcome.SENDING}
    became = {
        "state": state,
        "doubt": False,
        "not_before": at,
        "settled_at": at if posted else None,
        "reason": f"{actor} has seen that it is out." if posted else f"{actor} has seen that it is not out.",
        "remedy": "",
        "code": "",
    }
    if others:
        became = {"remedy": "", "reason": f"{actor} has settled who was held; the others still wait."}
    connection.execute(update(_table).where(_table.c.id == delivery).values(**became))
    record(
        connection,
        now,
        actor,
        "resolved",
        {"posted": posted},
        publication=row.publication,
        delivery=delivery,
        channel=row.channel,
    )
    if posted or others or row.operation != Operation.POST or not is_overtaken(connection, row):
        return state
    cancel_pending(connection, row, Outcome.SUPERSEDED, OVERTAKEN, at)
    return Outcome.SUPERSEDED
