"""Deliveries that wait without words, since their channel could not be used when they were published.

Such a delivery names no account. It is never claimed, and holds its place in its lane until it is worded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, exists, insert, or_, select, update

from policenotify.journal import schema
from policenotify.journal.audit import RUNNER, record
from policenotify.journal.keys import Keys
from policenotify.journal.ordering import cancel_pending, lock, supersede_partial_sends
from policenotify.journal.publications import in_order, worded
from policenotify.journal.recipients import store_addresses, store_recipients
from policenotify.journal.records import NewDelivery, UnrenderedDelivery, microseconds
from policenotify.journal.tombstones import counted_not
from policenotify.model.history import Outcome

_table, _people = schema.delivery, schema.recipient
_UNWORDED = and_(_table.c.state == Outcome.WAITING, _table.c.account == "")


def unworded(connection: Connection, channels: Iterable[str]) -> tuple[UnrenderedDelivery, ...]:
    """Return what waits without words on these channels, in the order of its publication."""
    query = select(_table.c.publication, _table.c.channel).where(_UNWORDED, _table.c.channel.in_(list(channels)))
    rows = connection.execute(query.order_by(_table.c.id)).all()
    return tuple(UnrenderedDelivery(publication=row.publication, channel=row.channel) for row in rows)


def had_people(connection: Connection, channel: str) -> bool:
    """Return whether an earlier delivery on the channel was for anybody, be it that they are purged by now."""
    some = exists().where(_people.c.delivery == _table.c.id)
    query = select(_table.c.id).where(_table.c.channel == channel, _table.c.mass, or_(some, ~counted_not()))
    return connection.execute(query.limit(1)).first() is not None


def word(
    connection: Connection, keys: Keys, one: UnrenderedDelivery, drafted: Sequence[NewDelivery], *, now: datetime
) -> bool:
    """Give a delivery its words; where they take several deliveries, these follow it in its lane.

    Returns:
        Whether it still waited without words: another process may have been faster, or its incident be over.
    """
    row, at = _locked(connection, one), microseconds(now)
    if row is None:
        return False
    delivery, lane = row.id, row.lane
    store_addresses(connection, keys, {address for part in drafted for address in part.recipients or ()}, at)
    first, *more = in_order(drafted)
    connection.execute(update(_table).where(_table.c.id == delivery).values(**_columns(connection, first, at)))
    if more:
        # What waits behind it keeps its place behind all of it: a lane is sent in the order of ids.
        behind = and_(_UNWORDED, _table.c.lane == lane, _table.c.id > delivery)
        later = connection.execute(select(_table).where(behind).order_by(_table.c.id)).mappings().all()
        connection.execute(delete(_table).where(behind))
        parts = [{**row._asdict(), **_columns(connection, part, at)} for part in more]
        connection.execute(insert(_table), [_without_id(columns) for columns in (*parts, *map(dict, later))])
    _store_people(connection, keys, one, drafted, lane, at)
    supersede_partial_sends(connection, lane, at)
    body = {"parts": len(drafted)}
    record(connection, now, RUNNER, "worded", body, publication=one.publication, delivery=delivery, channel=one.channel)
    return True


def refuse(connection: Connection, one: UnrenderedDelivery, why: str, *, now: datetime) -> None:
    """Settle a delivery for which no words can be made."""
    if (row := _locked(connection, one)) is not None:
        cancel_pending(connection, row, Outcome.REFUSED, why, microseconds(now))


def _locked(connection: Connection, one: UnrenderedDelivery) -> Row[Any] | None:
    """Return the delivery, with its lane locked; `None`: it waits without words no longer."""
    query = select(_table).where(_UNWORDED, _table.c.publication == one.publication, _table.c.channel == one.channel)
    if (seen := connection.execute(query).first()) is None:
        return None
    lock(connection, seen.lane)
    return connection.execute(query).first()


def _without_id(row: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in row.items() if name != "id"}


def _columns(connection: Connection, part: NewDelivery, at: int) -> dict[str, object]:
    refused, skip = part.target.refused, part.target.skip
    state = Outcome.REFUSED if refused else Outcome.SKIPPED if skip else Outcome.WAITING
    columns = {**worded(connection, part), "state": state, "reason": refused or skip, "remedy": ""}
    return {**columns, "settled_at": None if state is Outcome.WAITING else at}


def _store_people(
    connection: Connection, keys: Keys, one: UnrenderedDelivery, drafted: Sequence[NewDelivery], lane: str, at: int
) -> None:
    wanted = {part.post_key: part.recipients for part in drafted if part.recipients is not None}
    if not wanted:
        return
    query = select(_table.c.id, _table.c.post_key).where(
        _table.c.publication == one.publication, _table.c.channel == one.channel, _table.c.state == Outcome.WAITING
    )
    rows = connection.execute(query.order_by(_table.c.id)).all()
    people = {row.id: wanted[row.post_key] for row in rows if row.post_key in wanted}
    store_recipients(connection, keys, people, dict.fromkeys(people, lane), at)
