"""Read the journal: the course of an incident, what became of a publication, what is open."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, or_, select

from policenotify.channel import Operation, PostRef
from policenotify.journal import schema, summary
from policenotify.journal.publications import FINDINGS
from policenotify.journal.recipients import counts
from policenotify.journal.records import IncidentLine, moment, outcome_of
from policenotify.model.history import History, HistoryEntry, Outcome, PostedPart
from policenotify.model.lifecycle import IncidentStatus, Stage
from policenotify.model.message import read as read_message
from policenotify.model.receipt import Publication, Receipt

_said, _delivery = schema.publication, schema.delivery
_PUBLISHED = select(_said).where(_said.c.state == "published")
_OF_INCIDENT = _PUBLISHED.where(_said.c.incident == bindparam("incident")).order_by(_said.c.sequence)
_NAMED = _PUBLISHED.where(or_(_said.c.id == bindparam("wanted"), _said.c.key == bindparam("wanted")))
_DELIVERIES = (
    select(_delivery)
    .where(_delivery.c.publication == bindparam("publication"))
    .order_by(_delivery.c.channel, _delivery.c.part)
)
_UNSETTLED = (
    select(_delivery.c.channel, _delivery.c.state, _delivery.c.not_before)
    .where(_delivery.c.publication == bindparam("publication"))
    .where(or_(_delivery.c.state == Outcome.WAITING, _delivery.c.state == Outcome.SENDING))
    .order_by(_delivery.c.not_before.desc())
)
_CHANNELS = select(schema.channel)


def history(connection: Connection, incident: str) -> History:
    """The course of one incident so far."""
    rows = connection.execute(_OF_INCIDENT, {"incident": incident}).all()
    return History(incident=incident, entries=_entries(connection, rows))


def history_of(connection: Connection, publication: str) -> History | None:
    """The course of a publication outside incidents: itself, its corrections, its cancellation; `None`: no such one."""
    rows = connection.execute(
        select(_said)
        .where(_said.c.state == "published", (_said.c.id == publication) | (_said.c.corrects == publication))
        # Ids of one millisecond, or of a clock that was set back, are in no order.
        .order_by(_said.c.id != publication, _said.c.created_at, _said.c.id)
    ).all()
    if not rows or rows[0].id != publication:
        return None
    return History(incident=rows[0].incident, entries=_entries(connection, rows))


def incidents(connection: Connection, *, only_open: bool, most: int | None = None) -> tuple[IncidentLine, ...]:
    """The incidents, the latest first; with *most* only so many, those of which a word is owed first."""
    table = schema.incident
    query = (
        select(table, _said.c.message)
        .join(_said, (_said.c.incident == table.c.id) & (_said.c.sequence == 1) & (_said.c.state == "published"))
        .order_by(table.c.opened_at.desc())
    )
    if only_open:
        query = query.where(table.c.course == IncidentStatus.OPEN)
    if most is not None:
        first = select(table.c.id).where(table.c.course == IncidentStatus.OPEN)
        first = first.order_by(table.c.due_at.is_(None), table.c.due_at, table.c.opened_at, table.c.id).limit(most)
        query = query.where(table.c.id.in_(first))
    return tuple(_line(row) for row in connection.execute(query))


def publication(connection: Connection, wanted: str) -> Publication | None:
    """A publication and what became of it, by its id or by the caller's key."""
    row = connection.execute(_NAMED, {"wanted": wanted}).first()
    return _publication(connection, row) if row else None


def latest(connection: Connection, count: int) -> tuple[Publication, ...]:
    """The last publications, the newest first."""
    rows = connection.execute(
        select(_said).where(_said.c.state == "published").order_by(_said.c.id.desc()).limit(count)
    ).all()
    return tuple(_publication(connection, row) for row in rows)


def unfinished(connection: Connection) -> tuple[Publication, ...]:
    """The publications of which something is still to come, or is held for a person; the newest first."""
    found = (publication(connection, one) for one in sorted(summary.unfinished(connection), reverse=True))
    return tuple(one for one in found if one is not None)


def unsettled(connection: Connection, publication_id: str) -> dict[str, datetime | None]:
    """The channels where something is still to come: the time before which it will not, or `None`: it is under way."""
    rows = connection.execute(_UNSETTLED, {"publication": publication_id}).all()
    found = {row.channel: moment(row.not_before) for row in rows}
    return {**found, **{row.channel: None for row in rows if row.state == Outcome.SENDING}}


def _line(row: Row[Any]) -> IncidentLine:
    message = read_message(row.message)
    where = message.location
    place = (where.label or where.street or where.district or "") if where else ""
    town = (where.commune_name or where.department_name or "") if where else ""
    return IncidentLine(
        id=row.id,
        category=row.category,
        status=IncidentStatus(row.course),
        headline=message.headline,
        place=", ".join(filter(None, (town, place))),
        opened_at=moment(row.opened_at),
        due_at=moment(row.due_at) if row.due_at is not None else None,
        exercise=row.exercise,
        reminders=row.reminders,
        reminded_at=moment(row.reminded_at) if row.reminded_at is not None else None,
    )


def _entries(connection: Connection, rows: Sequence[Row[Any]]) -> tuple[HistoryEntry, ...]:
    if not rows:
        return ()
    deliveries = connection.execute(
        select(_delivery)
        .where(_delivery.c.publication.in_([row.id for row in rows]), _delivery.c.operation == Operation.POST)
        .order_by(_delivery.c.id)
    ).all()
    return tuple(
        HistoryEntry(
            publication=row.id,
            sequence=row.sequence or number,
            message=read_message(row.message),
            at=moment(row.created_at),
            posts=tuple(_of(one) for one in deliveries if one.publication == row.id),
        )
        for number, row in enumerate(rows, 1)
    )


def _of(row: Row[Any]) -> PostedPart:
    return PostedPart(
        channel=row.channel,
        account=row.account,
        language=row.language,
        outcome=_outcome(row),
        part=row.part,
        ref=PostRef.read(row.ref) if row.ref else None,
    )


def _outcome(row: Row[Any]) -> Outcome:
    return outcome_of(row.state, doubt=row.doubt)


def _publication(connection: Connection, row: Row[Any]) -> Publication:
    rows = connection.execute(_DELIVERIES, {"publication": row.id}).all()
    people = counts(connection, [one.id for one in rows if one.mass])
    channels = {one.name: one for one in connection.execute(_CHANNELS)}
    return Publication(
        id=row.id,
        key=row.key,
        message=read_message(row.message),
        sequence=row.sequence or 0,
        at=moment(row.created_at),
        actor=row.actor,
        findings=FINDINGS.validate_json(row.findings),
        receipts=tuple(
            _receipt(one, people.get(one.id, {}), channels.get(one.channel), in_course=row.stage) for one in rows
        ),
    )


def _receipt(row: Row[Any], people: dict[Outcome, int], channel: Row[Any] | None, *, in_course: str) -> Receipt:
    outcome = _outcome(row)
    unworded = row.account == "" and outcome is Outcome.WAITING
    waits = outcome in {Outcome.WAITING, Outcome.UNCONFIRMED}
    shut = channel if waits and channel is not None and channel.blocked_at is not None else None
    tried = row.attempts or row.reason
    paused = channel.paused_until if channel is not None and channel.paused_until else 0
    return Receipt(
        channel=row.channel,
        language=row.language,
        operation=Operation(row.operation),
        part=row.part,
        outcome=outcome,
        delivery=row.id,
        ref=PostRef.read(row.ref) if row.ref else None,
        reason=shut.reason if shut else row.reason,
        remedy="" if outcome is Outcome.SENDING else shut.remedy if shut else row.remedy,
        code=shut.code if shut else row.code,
        retry_at=moment(max(row.not_before, paused)) if tried and waits and not shut and not unworded else None,
        attempts=row.attempts,
        standalone=row.wording == "standalone" and in_course not in {Stage.OPENING, Stage.STANDALONE},
        recipients=people if row.mass else None,
        unrendered=unworded,
    )
