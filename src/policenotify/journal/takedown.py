"""Take the posts of one publication down: delete what is out where the network can, and send nothing more of it.

What is in doubt is looked for, never sent again, and deleted if it is found.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select

from policenotify.channel import Operation
from policenotify.journal.audit import record
from policenotify.journal.authentication import new_delivery
from policenotify.journal.database import schema
from policenotify.journal.database.columns import json_object
from policenotify.journal.database.transactions import Transactions
from policenotify.journal.incidents import lock_incident, store_state
from policenotify.journal.lists.control import row_of
from policenotify.journal.order import TAKEN_DOWN_EVENT, cancel_pending, lock
from policenotify.journal.records import TAKEN_DOWN, microseconds
from policenotify.model.history import Outcome, Target

_table = schema.delivery
_INCIDENT_OF = select(schema.publication.c.incident).where(schema.publication.c.id == bindparam("publication"))


def take_down(journal: Transactions, publication: str, *, actor: str, reason: str, deletes: Collection[str]) -> None:
    """Delete the posts of a publication, and cancel what of it still waits. A repeated call deletes nothing twice.

    Posts are deleted on the channels that can, which are *deletes*. The event states how many posts will be deleted,
    and how many deliveries were cancelled.
    """
    with journal.write() as connection:
        now = journal.now()
        at = microseconds(now)
        if incident := connection.execute(_INCIDENT_OF, {"publication": publication}).scalar():
            lock_incident(connection, incident)  # first, as publishing does
        of_publication = select(_table).where(_table.c.publication == publication, _table.c.parent.is_(None))
        of_publication = of_publication.order_by(_table.c.id)
        lock(connection, *{one.ordering_key for one in connection.execute(of_publication).all()})
        deliveries = connection.execute(of_publication).all()
        waiting = [one for one in deliveries if one.operation != Operation.DELETE and _may_be_sent(one)]
        for one in waiting:
            cancel_pending(connection, one, Outcome.SUPERSEDED, TAKEN_DOWN, at)
        deleted = _delete(connection, deliveries, deletes, at)
        body = {"reason": reason, "deleted": deleted, "cancelled": len(waiting), "deletes": sorted(deletes)}
        record(connection, now, actor, TAKEN_DOWN_EVENT, body, publication=publication)
        if incident:
            store_state(connection, incident)


def delete_found(connection: Connection, delivery: Row[Any], at: int) -> None:
    """Delete a post that a person has seen, if its publication was taken down while the post was held."""
    event = schema.event
    events = select(event.c.body).where(event.c.publication == delivery.publication, event.c.kind == TAKEN_DOWN_EVENT)
    deletes = {
        name for body in connection.execute(events).scalars() if body for name in json_object(body).get("deletes", ())
    }
    if delivery.channel in deletes:
        of_publication = select(_table).where(_table.c.publication == delivery.publication).order_by(_table.c.id)
        deliveries = connection.execute(of_publication).all()
        _delete(connection, deliveries, {delivery.channel}, at)


def _delete(connection: Connection, deliveries: Sequence[Row[Any]], deletes: Collection[str], at: int) -> int:
    """Add a deletion of each post that is out and not yet being deleted, newest first. Return their number."""
    undone = {Outcome.REFUSED, Outcome.SUPERSEDED}
    known = {one.target for one in deliveries if one.operation == Operation.DELETE and one.state not in undone}
    keys, parts = connection.get_execution_options()["policenotify_keys"], dict[str, int]()
    for one in deliveries:
        parts[one.channel] = max(parts.get(one.channel, 0), one.part + 1)
    rows: list[dict[str, Any]] = []
    for one in sorted(deliveries, key=lambda each: each.id, reverse=True):
        # An edit changed the post of another publication: its words are there.
        target = one.target if one.operation == Operation.EDIT else one.id
        out = one.operation != Operation.DELETE and not one.has_recipients and _may_be_out(one)
        if not out or one.channel not in deletes or target in known or not _may_be_out(row_of(connection, target)):
            continue
        known.add(target)
        deletion = Target(
            channel=one.channel,
            account=one.account,
            language=one.language,
            operation=Operation.DELETE,
            part=parts[one.channel],
        )
        parts[one.channel] += 1
        rows.append(
            new_delivery(
                keys,
                deletion,
                one.publication,
                target=target,
                ordering_key=one.ordering_key,
                sequence=one.sequence,
                priority=0,  # before anything else
                not_before=at,
            )
        )
    if rows:
        connection.execute(insert(_table), rows)
    return len(rows)


def _may_be_sent(delivery: Row[Any]) -> bool:
    """Return True if something of it is still to be sent. What is in doubt is looked for, and of a list each person."""
    if delivery.has_recipients:
        return delivery.state in {Outcome.WAITING, Outcome.SENDING}
    return delivery.state == Outcome.WAITING and not delivery.in_doubt


def _may_be_out(delivery: Row[Any]) -> bool:
    """Return True if it is out, or in doubt: then it is looked for before it is deleted."""
    in_doubt = delivery.in_doubt and delivery.state == Outcome.WAITING
    return in_doubt or delivery.state in {Outcome.POSTED, Outcome.SENDING}
