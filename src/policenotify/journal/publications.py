"""Write a publication and all its deliveries, in one transaction, deciding again under the incident's row lock."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import TypeAdapter
from sqlalchemy import Connection, insert, select, update

from policenotify.channel import Operation
from policenotify.errors import InvalidTransition
from policenotify.findings import Finding
from policenotify.journal import schema
from policenotify.journal.audit import record
from policenotify.journal.keys import Keys
from policenotify.journal.ordering import (
    NOT_TOLD,
    inherit_priority,
    lock,
    opening_not_posted,
    supersede,
    supersede_partial_sends,
)
from policenotify.journal.recipients import store_addresses, store_recipients
from policenotify.journal.records import NewDelivery, NewPublication, microseconds, priority
from policenotify.model.cap import Severity
from policenotify.model.history import Outcome, Target
from policenotify.model.lifecycle import IncidentStatus, Stage
from policenotify.model.message import Message

_CLOSING = {Stage.END, Stage.CANCELLATION}

FINDINGS = TypeAdapter(tuple[Finding, ...])
RULES = TypeAdapter(dict[str, str])


class CourseChanged(InvalidTransition):
    """Another desk was faster: the incident is no longer where the history had it. Decide again."""


def write(connection: Connection, draft: NewPublication, keys: Keys) -> None:
    """Write *draft*.

    Raises:
        CourseChanged: The incident moved on since the history was read.
    """
    message, at = draft.message, microseconds(draft.at)
    if message.incident is not None:
        _move_incident(connection, draft, message.incident)
    elif message.lifecycle.corrects is not None:
        _still_stands(connection, message.lifecycle.corrects)
    said = _publication(draft, state="published", key=draft.key)
    if not schema.insert_new(connection, schema.publication, [said]):
        raise CourseChanged(
            f"Another desk is publishing with the key {draft.key!r}. Try again.", incident=message.incident
        )
    _store_pictures(connection, draft)
    store_addresses(connection, keys, {one for drafted in draft.deliveries for one in drafted.recipients or ()}, at)
    # In the lanes of what begins there is nothing yet.
    follows = draft.expected_sequence > 1 or message.lifecycle.corrects is not None
    begun = lock(connection, *{_lane(draft, drafted) for drafted in draft.deliveries}) if follows else set()
    closing = message.stage in _CLOSING
    rows = []
    for drafted in in_order(draft.deliveries):
        lane, skip = _lane(draft, drafted), drafted.target.skip
        if closing and opening_not_posted(connection, lane):
            supersede(connection, lane, at)
            if drafted.target.channel in draft.skips_without_opening:
                skip = skip or NOT_TOLD
        rows.append(_delivery(connection, draft, drafted, lane=lane, skip=skip))
    for lane in begun:
        inherit_priority(connection, lane, _priority(message))
    if rows:
        connection.execute(insert(schema.delivery), rows)
    _store_people(connection, draft, keys, begun)
    for lane in begun:
        supersede_partial_sends(connection, lane, at)
    body = {"stage": message.stage, "category": message.category, "digest": draft.digest, **draft.rules}
    record(connection, draft.at, draft.actor, "published", body, publication=draft.id)


def keep_refused(connection: Connection, draft: NewPublication) -> None:
    """Keep a draft that a check refused; the caller's key stays free."""
    connection.execute(insert(schema.publication).values(**_publication(draft, state="refused_by_check", key=None)))
    body = {"codes": [finding.code for finding in draft.findings if finding.blocks], "digest": draft.digest}
    record(connection, draft.at, draft.actor, "refused_by_check", body, publication=draft.id)


def _publication(draft: NewPublication, *, state: str, key: str | None) -> dict[str, object]:
    lifecycle, published = draft.message.lifecycle, state == "published"
    return {
        "id": draft.id,
        "key": key,
        "state": state,
        # A refused draft belongs to no incident yet: it must not hold a place in one.
        "incident": lifecycle.incident if published else None,
        "sequence": draft.expected_sequence if published and lifecycle.incident else None,
        "stage": lifecycle.stage,
        "corrects": lifecycle.corrects,
        "digest": draft.digest,
        "message": draft.message.model_dump_json(exclude_none=True),
        "findings": FINDINGS.dump_json(draft.findings).decode(),
        "rules": RULES.dump_json(dict(draft.rules)).decode(),
        "actor": draft.actor,
        "created_at": microseconds(draft.at),
    }


def _still_stands(connection: Connection, about: str) -> None:
    """What stands alone may be corrected until it is cancelled, and is cancelled once."""
    table = schema.publication
    connection.execute(select(table.c.id).where(table.c.id == about).with_for_update(key_share=True)).all()
    query = select(table.c.id).where(table.c.corrects == about, table.c.stage == Stage.CANCELLATION)
    if connection.execute(query.where(table.c.state == "published")).first() is not None:
        raise CourseChanged(f"Another desk has cancelled publication {about}, which is final.", incident=None)


def _move_incident(connection: Connection, draft: NewPublication, incident: str) -> None:
    at, table = microseconds(draft.at), schema.incident
    due = microseconds(draft.due_at) if draft.due_at else None
    row = connection.execute(select(table).where(table.c.id == incident).with_for_update()).first()
    if (row.next_sequence if row else 1) != draft.expected_sequence:
        raise _overtaken(incident)
    closed = at if draft.status in {IncidentStatus.ENDED, IncidentStatus.CANCELLED} else None
    moved: dict[str, object] = {"course": draft.status, "next_sequence": draft.expected_sequence + 1}
    if row is None:
        lifecycle = draft.message.lifecycle
        opened = {
            "id": incident,
            "category": draft.message.category,
            "follows": lifecycle.follows,
            "exercise": draft.message.exercise,
            "opened_at": at,
            "due_at": due,
            **moved,
        }
        if not schema.insert_new(connection, table, [opened]):
            raise _overtaken(incident)
        return
    if draft.message.stage is not Stage.CORRECTION:
        moved |= {"due_at": due, "closed_at": closed, "reminders": 0, "reminded_at": None}
    connection.execute(update(table).where(table.c.id == incident).values(**moved))


def _overtaken(incident: str) -> CourseChanged:
    return CourseChanged(
        f"Other desks keep publishing on incident {incident!r}. Look at it, then publish again.", incident=incident
    )


def _priority(message: Message) -> int:
    return priority(message.severity or Severity.UNKNOWN)


def _lane(draft: NewPublication, drafted: NewDelivery) -> str:
    course = draft.message.incident or draft.message.lifecycle.corrects or draft.id
    return f"{course} {drafted.target.channel}"


def _delivery(
    connection: Connection, draft: NewPublication, drafted: NewDelivery, *, lane: str, skip: str
) -> dict[str, object]:
    leg, at = drafted.target, microseconds(draft.at)
    state = Outcome.REFUSED if leg.refused else Outcome.SKIPPED if skip else Outcome.WAITING
    return {
        **worded(connection, drafted),
        "publication": draft.id,
        "channel": leg.channel,
        "lane": lane,
        "sequence": draft.expected_sequence,
        "priority": _priority(draft.message),
        "state": state,
        "needs_opening": leg.channel in draft.skips_without_opening and draft.message.stage in _CLOSING,
        "not_before": at,
        "not_after": microseconds(draft.not_after) if draft.not_after else None,
        "reason": leg.refused or skip or drafted.reason,
        "remedy": drafted.remedy if state is Outcome.WAITING else "",
        "settled_at": None if state is Outcome.WAITING else at,
    }


def worded(connection: Connection, drafted: NewDelivery) -> dict[str, object]:
    """Return the columns of a delivery that follow from its wording."""
    leg = drafted.target
    return {
        "account": leg.account,
        "language": leg.language,
        "part": leg.part,
        "operation": leg.operation,
        "target": _target(connection, leg) if leg.target else None,
        "post_key": drafted.post_key,
        "mass": drafted.recipients is not None,
        "answers": " ".join(leg.reply_to),
        "standalone": drafted.standalone.model_dump_json() if drafted.standalone else None,
        "reply": drafted.reply.model_dump_json() if drafted.reply else None,
    }


def in_order(drafted: Iterable[NewDelivery]) -> list[NewDelivery]:
    """Return them in the order of their lane: posts first, by part. Delivery ids follow this order."""
    return sorted(drafted, key=lambda one: (one.target.operation is not Operation.POST, one.target.part))


def _store_people(connection: Connection, draft: NewPublication, keys: Keys, begun: set[str]) -> None:
    """Give those deliveries that have recipients theirs."""
    wanted = {one.post_key: one.recipients for one in draft.deliveries if one.recipients is not None}
    table = schema.delivery
    if not wanted:
        return
    query = select(table.c.id, table.c.lane, table.c.post_key).where(
        table.c.publication == draft.id, table.c.mass, table.c.state == Outcome.WAITING
    )
    rows = connection.execute(query.order_by(table.c.id)).all()
    people = {row.id: wanted[row.post_key] for row in rows}
    lanes = {row.id: row.lane for row in rows if row.lane in begun}
    store_recipients(connection, keys, people, lanes, microseconds(draft.at))


def _target(connection: Connection, leg: Target) -> int | None:
    """The delivery whose post is edited or deleted."""
    table = schema.delivery
    query = select(table.c.id).where(
        table.c.publication == leg.target,
        table.c.channel == leg.channel,
        table.c.account == leg.account,
        table.c.part == leg.target_part,
        table.c.operation == Operation.POST,
    )
    return connection.execute(query).scalar()


def _store_pictures(connection: Connection, draft: NewPublication) -> None:
    table = schema.blob
    if not draft.pictures:
        return
    digests = [picture.digest for picture in draft.pictures]
    known = set(connection.execute(select(table.c.digest).where(table.c.digest.in_(digests))).scalars())
    for digest, picture in sorted({picture.digest: picture for picture in draft.pictures}.items()):
        if digest not in known:
            row = {
                "digest": digest,
                "media_type": picture.media_type,
                "width": picture.width,
                "height": picture.height,
                "data": picture.data,
                "stored_at": microseconds(draft.at),
            }
            schema.insert_new(connection, table, [row])
