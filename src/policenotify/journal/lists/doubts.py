"""Deliveries and people in doubt: who they are, and how a person or the gateway's answer settles them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, or_, select, update

from policenotify.channel import Operation
from policenotify.errors import NotHeld
from policenotify.journal.audit import record_delivery
from policenotify.journal.database import schema
from policenotify.journal.keys import Keys
from policenotify.journal.lists import control
from policenotify.journal.lists.control import ABORTED, held_words
from policenotify.journal.lists.recipients import address_of, counts, outcomes, overall_outcome, recipient_key
from policenotify.journal.order import NEWER_SENT, cancel_pending, is_superseded, lock_key_of
from policenotify.journal.records import microseconds, moment
from policenotify.model.decision import DoubtfulPerson
from policenotify.model.history import Outcome

SHOWN: Final = 12
"""Characters by which the keys of people differ, and the fewest by which one is named."""

_table, _recipient, _person, _attempt = schema.delivery, schema.recipient, schema.person, schema.attempt
_HELD = and_(_recipient.c.delivery == bindparam("of_delivery"), _recipient.c.state == Outcome.HELD)
_IN_DOUBT = and_(  # also who would be sent to again
    _recipient.c.delivery == bindparam("of_delivery"),
    or_(_recipient.c.state == Outcome.HELD, and_(_recipient.c.state == Outcome.WAITING, _recipient.c.in_doubt)),
)
_PEOPLE = (
    select(_recipient.c.batch, _recipient.c.person, _recipient.c.state, _recipient.c.reason, _recipient.c.code)
    .add_columns(_person.c.key, _person.c.key_version, _person.c.sealed, _attempt.c.started_at)
    .join(_person, _person.c.id == _recipient.c.person)
    .outerjoin(_attempt, and_(_attempt.c.delivery == _recipient.c.batch, _attempt.c.number == _recipient.c.attempts))
    .where(_IN_DOUBT)
    .order_by(_person.c.key)
)
_OF_KEY = _PEOPLE.where(_person.c.key == bindparam("of_key"))
_ROW = select(_table).where(_table.c.id == bindparam("of_delivery"), _table.c.parent.is_(None))
_STATE = _ROW.with_only_columns(_table.c.state)


def people_in_doubt(connection: Connection, delivery: int, keys: Keys | None) -> tuple[DoubtfulPerson, ...]:
    """Return the people of a delivery who are in doubt, by key. With *keys*, also their addresses.

    Raises:
        NotHeld: There is no such delivery.
    """
    if connection.execute(_STATE, {"of_delivery": delivery}).first() is None:
        raise NotHeld(delivery)
    rows = connection.execute(_PEOPLE, {"of_delivery": delivery}).all()
    return tuple(
        DoubtfulPerson(
            key=row.key,
            outcome=Outcome.HELD if row.state == Outcome.HELD else Outcome.UNCONFIRMED,
            tried_at=moment(row.started_at) if row.started_at is not None else None,
            reason=row.reason,
            code=row.code,
            address=None if keys is None else address_of(keys, row),
        )
        for row in rows
    )


def record_shown(connection: Connection, delivery: int, actor: str, count: int, now: datetime) -> None:
    """Record who was shown the addresses of people in doubt."""
    row = connection.execute(select(_table).where(_table.c.id == delivery)).one()
    record_delivery(connection, row, now, "addresses_shown", {"people": count}, actor=actor)


def find_in_doubt(connection: Connection, keys: Keys, delivery: int, names: Collection[str]) -> set[int]:
    """Return the numbers of people in doubt, each named by an address, a number, or the beginning of a key.

    Raises:
        NotHeld: One of them is not in doubt, or a beginning names several people.
    """
    rows = connection.execute(_PEOPLE, {"of_delivery": delivery}).all()
    found: set[int] = set()
    unknown = 0
    for name in names:
        key = recipient_key(keys, name)
        same = [row for row in rows if row.key == key]
        begins = [row for row in rows if len(name) >= SHOWN and row.key.startswith(name)]
        named = same or begins
        if len(named) == 1:
            found.add(named[0].person)
        else:
            unknown += 1
    if unknown:
        state = connection.execute(_STATE, {"of_delivery": delivery}).scalar()
        raise NotHeld(delivery, outcome=state or "", people=unknown)
    return found


def resolve(
    connection: Connection,
    delivery: int,
    actor: str,
    *,
    posted: bool,
    now: datetime,
    people: Collection[int] | None = None,
) -> Outcome:
    """Settle a held delivery or its held people, or some people in doubt; see `Deliveries.resolve`.

    Args:
        connection: The transaction.
        delivery: The delivery.
        actor: Who decided it.
        posted: They have it; otherwise it is sent to them again.
        now: The time.
        people: The numbers of some of its people in doubt. `None` stands for all that is held.
    """
    lock_key_of(connection, delivery)
    of_delivery = {"of_delivery": delivery}
    row = connection.execute(_ROW, of_delivery).first()
    if row is None:
        raise NotHeld(delivery)
    chosen: ColumnElement[bool] = _HELD if people is None else and_(_IN_DOUBT, _recipient.c.person.in_(list(people)))
    touched = connection.execute(select(_recipient.c.batch).where(chosen).distinct(), of_delivery).scalars().all()
    if not touched and (people is not None or row.state != Outcome.HELD):
        raise NotHeld(delivery, outcome=row.state)
    outcome = Outcome.POSTED if posted else Outcome.WAITING
    keys = _keys_of(connection, chosen, of_delivery) if people is not None else ()
    connection.execute(update(_recipient).where(chosen).values(state=outcome, in_doubt=False), of_delivery)
    if touched:
        control.recount(connection, delivery, microseconds(now), touched, due=not posted)
    columns = _settled(connection, row, actor, posted=posted, some=people is not None, at=microseconds(now))
    connection.execute(update(_table).where(_table.c.id == delivery).values(**columns))
    body: dict[str, object] = {"posted": posted, "outcome": columns.get("state", row.state)}
    if keys:
        body["recipients"] = [key[:SHOWN] for key in keys]
    record_delivery(connection, row, now, "resolved", body, actor=actor)
    if row.has_recipients and columns.get("halt") == "":
        control.halt_batches(connection, delivery, "")
    if row.has_recipients and row.state == Outcome.WAITING:
        control.settle(connection, delivery, microseconds(now))
    if posted or columns.get("state") != Outcome.WAITING or row.operation != Operation.POST:
        return outcome
    return _unless_over(connection, row, microseconds(now))


def _keys_of(connection: Connection, chosen: ColumnElement[bool], of_delivery: dict[str, int]) -> Sequence[str]:
    query = select(_person.c.key).join(_recipient, _recipient.c.person == _person.c.id).where(chosen)
    return connection.execute(query.order_by(_person.c.key), of_delivery).scalars().all()


def _settled(
    connection: Connection, row: Row[Any], actor: str, *, posted: bool, some: bool, at: int
) -> dict[str, object]:
    """Return the columns of a delivery after people of it, or all of it, were settled."""
    # Others may still wait, or may be sent to just now by the processes that have its batches.
    if row.has_recipients and row.state in {Outcome.WAITING, Outcome.SENDING}:
        return {"remedy": "", "reason": f"{actor} has settled who was held; the others still wait."}
    columns: dict[str, object] = {
        "state": Outcome.POSTED if posted else Outcome.WAITING,
        "in_doubt": False,
        "not_before": at,
        "settled_at": at if posted else None,
        "reason": f"{actor} has seen that it is out." if posted else f"{actor} has seen that it is not out.",
        "remedy": "",
        "code": "",
        "halt": row.halt if _is_over(row) else "",  # what goes on again is not paused
    }
    if not some:
        return columns
    people = outcomes(counts(connection, [row.id]).get(row.id, ()))
    if posted:
        columns |= {"state": overall_outcome(people), "reason": f"{actor} has settled who was held."}
    if held := people.get(Outcome.HELD, 0):
        columns |= held_words(row.id, row.channel, held, sum(people.values()))
    return columns


def _is_over(row: Row[Any]) -> bool:
    """Return True if nothing more is sent of a list, whatever a person has found out. What is held may be sent."""
    return control.is_ended(row.halt) and row.halt != Outcome.HELD


def _unless_over(connection: Connection, row: Row[Any], at: int) -> Outcome:
    """Send what was not posted again, unless its list has ended, or a newer message was posted instead."""
    if _is_over(row):
        words = f"{control.halted_by(connection, row)} has aborted the sending."
        control.end(connection, row, row.halt, words if row.halt == ABORTED else NEWER_SENT)
        cancel_pending(connection, control.row_of(connection, row.id), Outcome.SUPERSEDED, NEWER_SENT, at)
        return Outcome.SUPERSEDED
    if is_superseded(connection, row):
        cancel_pending(connection, row, Outcome.SUPERSEDED, NEWER_SENT, at)
        return Outcome.SUPERSEDED
    return Outcome.WAITING


def find_by_key(connection: Connection, delivery: int, key: str) -> int | None:
    """Return the number of a person if the person is in doubt. It reads one row."""
    row = connection.execute(_OF_KEY, {"of_delivery": delivery, "of_key": key}).first()
    return None if row is None else int(row.person)
