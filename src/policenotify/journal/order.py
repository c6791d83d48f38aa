"""The order of an incident's deliveries, and those that are not sent any more.

An ordering key names an incident on a channel: its deliveries are sent in the order of their ids, and never when they
are out of date. A batch has the place of its parent, since it is made later.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
    update,
)

from policenotify.journal.audit import record_delivery
from policenotify.journal.database import schema
from policenotify.journal.lists import control
from policenotify.journal.records import TAKEN_DOWN, moment
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Stage
from policenotify.translation import AnyText, Text

TAKEN_DOWN_EVENT = "taken_down"
"""The kind of event that records a withdrawal."""

EXPIRED = Text("It had expired before it could be sent.")
INCIDENT_OVER = Text("The incident was over before this could be sent; it would have been stale.")
NEWER_SENT = Text("A newer message went out instead.")
FORGED = Text(
    "What the journal holds of it is not what was published: somebody changed the database. Nothing was "
    "sent just now. Publish it by hand, then: policenotify resolve. Find out who can write the database."
)

_CLOSING = (Stage.END, Stage.CANCELLATION)
_UNSETTLED = (Outcome.WAITING, Outcome.SENDING)
_table, _recipient, _publication = schema.delivery, schema.recipient, schema.publication
_batch, _later = _table.alias("batch"), _table.alias("later")


PLACE: ColumnElement[int] = func.coalesce(_table.c.parent, _table.c.id)
"""The place of a delivery in the order: a batch has that of its parent."""


def _reached_people(batch: Any) -> ColumnElement[bool]:  # noqa: ANN401 - the table or an alias
    """Return the condition that a person of a batch has the message, or may have it."""
    person = _recipient.c
    may_have = or_(person.in_doubt, person.state.in_([Outcome.POSTED, Outcome.SENDING, Outcome.HELD]))
    return and_(
        batch.c.attempts > 0, exists().where(person.delivery == batch.c.parent, person.batch == batch.c.id, may_have)
    )


_MAY_BE_POSTED = or_(  # it is, may be, or is about to be posted
    _table.c.state.in_([Outcome.POSTED, Outcome.HELD, Outcome.DELETED]),
    and_(_table.c.state == Outcome.SENDING, _table.c.has_recipients.is_(False)),  # else its lists are read
    _table.c.in_doubt,
    _reached_people(_table),
)
_POSTED = select(_table.c.id).where(_table.c.ordering_key == bindparam("ordering_key"), _MAY_BE_POSTED).limit(1)
_closing, _event = schema.publication.alias("over"), schema.event
_LISTS = select(_table).where(
    _table.c.ordering_key == bindparam("ordering_key"),
    _table.c.has_recipients,
    _table.c.state.in_(_UNSETTLED),
    _table.c.halt.in_(["", control.PAUSED]),
)
_PARTIALLY_SENT = _LISTS.where(
    exists().where(
        _batch.c.parent == _table.c.id,
        or_(_batch.c.state.in_([Outcome.POSTED, Outcome.SENDING, Outcome.HELD]), _reached_people(_batch)),
    ),
    exists().where(
        _later.c.ordering_key == _table.c.ordering_key,
        _later.c.id > _table.c.id,
        _later.c.parent.is_(None),
        _later.c.publication != _table.c.publication,
        _later.c.state.not_in([Outcome.SKIPPED, Outcome.REFUSED, Outcome.SUPERSEDED]),
    ),
)
_KEYS = (
    select(_table.c.ordering_key)
    .where(_table.c.ordering_key.in_(bindparam("keys", expanding=True)))
    .order_by(_table.c.ordering_key, _table.c.id)
    .with_for_update(key_share=True)
)
_TAKEN_DOWN = select(_event.c.kind).where(
    _event.c.publication == bindparam("publication"), _event.c.kind == TAKEN_DOWN_EVENT
)
_CLOSED = select(_closing.c.stage).where(
    _publication.c.id == bindparam("publication"),
    _publication.c.stage != Stage.CANCELLATION,
    _closing.c.state == "published",
    or_(*(_closing.c.stage == stage for stage in _CLOSING)),
    or_(
        and_(_closing.c.incident == _publication.c.incident, _closing.c.sequence > _publication.c.sequence),
        and_(
            _publication.c.incident.is_(None),
            _closing.c.corrects == func.coalesce(_publication.c.corrects, _publication.c.id),
            _closing.c.id != _publication.c.id,
        ),
    ),
)
_OVER_BY = _TAKEN_DOWN.union_all(_CLOSED)
_KEY_OF = select(_table.c.ordering_key).where(_table.c.id == bindparam("delivery"))


def lock(connection: Connection, *ordering_keys: str) -> set[str]:
    """Lock the deliveries of some ordering keys. Return the keys that have any.

    They are locked in the order of keys and ids, so that no two processes wait for each other.
    """
    return set(connection.execute(_KEYS, {"keys": [*ordering_keys]}).scalars())


def lock_key_of(connection: Connection, delivery: int) -> None:
    """Lock all deliveries with the ordering key of a delivery."""
    if connection.dialect.name != "sqlite":  # a file has one writer at a time
        lock(connection, connection.execute(_KEY_OF, {"delivery": delivery}).scalar() or "")


def opening_not_posted(connection: Connection, ordering_key: str) -> bool:
    """Return True if nothing under this key is, may be, or is about to be posted."""
    return connection.execute(_POSTED, {"ordering_key": ordering_key}).first() is None


def is_superseded(connection: Connection, row: Row[Any]) -> bool:
    """Return True if a newer message may be posted: one in the same language, or the end in any."""
    newer = (
        select(_table.c.id)
        .join(_publication, _publication.c.id == _table.c.publication)
        .where(_table.c.ordering_key == row.ordering_key, row.id < PLACE)
        .where(_table.c.publication != row.publication, _MAY_BE_POSTED)
        .where(or_(_table.c.language == row.language, _publication.c.stage.in_(_CLOSING)))
    )
    return connection.execute(newer.limit(1)).first() is not None


def cancel_stale(connection: Connection, ordering_key: str, at: int) -> None:
    """Supersede all unsent deliveries of an incident that has ended."""
    waits = and_(_table.c.state == Outcome.WAITING, _table.c.in_doubt.is_(False))
    reads = and_(_table.c.state == Outcome.SENDING, _table.c.has_recipients)
    unsent = select(_table).where(_table.c.ordering_key == ordering_key, _table.c.parent.is_(None), or_(waits, reads))
    for row in connection.execute(unsent).all():
        cancel_pending(connection, row, Outcome.SUPERSEDED, INCIDENT_OVER, at)


def inherit_priority(connection: Connection, ordering_key: str, urgent: int) -> None:
    """Raise deliveries to the priority of a later one that waits for them, those being sent included."""
    connection.execute(
        update(_table)
        .where(_table.c.ordering_key == ordering_key, _table.c.state.in_(_UNSETTLED))
        .where(_table.c.priority > urgent)
        .values(priority=urgent)
    )


def make_way(connection: Connection, ordering_key: str, at: int, *, closed_by: str = "") -> None:
    """End the lists of an incident that a newer message replaces: the others of their people get that one.

    A mailbox that asks to come back later must not delay the next mail to everybody else. These are the lists that
    reached some people, or all before the publication that closes the incident.
    """
    for row in connection.execute(_LISTS if closed_by else _PARTIALLY_SENT, {"ordering_key": ordering_key}).all():
        if row.publication != closed_by:
            cancel_pending(connection, row, Outcome.SUPERSEDED, NEWER_SENT, at)


def cancel_pending(connection: Connection, row: Row[Any], outcome: Outcome, reason: AnyText, at: int) -> None:
    """Settle a waiting delivery that is not to be sent. Of a list, only whom a worker has marked still gets it.

    People in doubt are held.
    """
    if row.parent is not None:
        row = control.row_of(connection, row.parent)
    if row.has_recipients:
        control.end(connection, row, outcome, reason)
        control.settle(connection, row.id, at)
        return
    control.change(connection, row.id, state=outcome, reason=reason, remedy="", code="", settled_at=at)
    record_delivery(connection, row, moment(at), "settled", {"outcome": outcome, "reason": reason})


def over_by(connection: Connection, publication: str) -> set[str]:
    """Return what has ended a publication: that it was withdrawn, and the stages of what closed its incident."""
    return set(connection.execute(_OVER_BY, {"publication": publication}).scalars())


def why_over(closed: Collection[str], *, by_end: bool) -> AnyText:
    """Return why nothing of a publication may be sent any more, given what has ended it. Empty if it may.

    It was withdrawn or cancelled, or with *by_end* its incident has ended.
    """
    if TAKEN_DOWN_EVENT in closed:
        return TAKEN_DOWN
    over = Stage.CANCELLATION in closed or (by_end and Stage.END in closed)
    return INCIDENT_OVER if over else ""
