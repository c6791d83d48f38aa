"""What the desk owes: the deadlines of open incidents, how often it was reminded, and where they were opened."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, or_, select, update

from policenotify.channel import Operation
from policenotify.journal import schema
from policenotify.journal.audit import RUNNER, record
from policenotify.journal.records import microseconds, moment
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import IncidentStatus

_incident, _said, _delivery = schema.incident, schema.publication, schema.delivery
_OUT = (Outcome.POSTED, Outcome.HELD)  # it is, or may be, where people read it


def deadlines(connection: Connection) -> tuple[tuple[datetime, int], ...]:
    """For each open incident: until when a word is owed, and which reminder of it was raised last."""
    query = select(_incident.c.due_at, _incident.c.reminders)
    rows = connection.execute(query.where(_incident.c.course == IncidentStatus.OPEN, _incident.c.due_at.is_not(None)))
    return tuple((moment(row.due_at), row.reminders) for row in rows)


def remind(connection: Connection, incident: str, due_at: datetime, level: int, *, now: datetime) -> bool:
    """Write down that a reminder is raised; `False`: somebody was faster, or a word was said meanwhile."""
    changed = connection.execute(
        update(_incident)
        .where(_incident.c.id == incident, _incident.c.course == IncidentStatus.OPEN)
        .where(_incident.c.due_at == microseconds(due_at), _incident.c.reminders < level)
        .values(reminders=level, reminded_at=microseconds(now))
    )
    if not changed.rowcount:
        return False
    opening = select(_said.c.id).where(_said.c.incident == incident, _said.c.sequence == 1)
    publication = connection.execute(opening.where(_said.c.state == "published")).scalar()
    body = {"incident": incident, "due_at": due_at.isoformat(), "level": level}
    record(connection, now, RUNNER, "overdue", body, publication=publication)
    return True


def channels_with_open_incidents(connection: Connection) -> dict[str, tuple[str, ...]]:
    """The channels where something of an open incident is out, or may be: and which incidents."""
    query = (
        select(_delivery.c.channel, _incident.c.id)
        .join(_said, _said.c.id == _delivery.c.publication)
        .join(_incident, _incident.c.id == _said.c.incident)
        .where(_incident.c.course == IncidentStatus.OPEN, _said.c.state == "published")
        .where(_delivery.c.operation == Operation.POST, or_(_delivery.c.state.in_(_OUT), _delivery.c.doubt))
        .distinct()
        .order_by(_delivery.c.channel, _incident.c.id)
    )
    found: dict[str, tuple[str, ...]] = {}
    for row in connection.execute(query):
        found[row.channel] = (*found.get(row.channel, ()), row.id)
    return found
