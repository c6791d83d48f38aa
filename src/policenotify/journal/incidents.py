"""The repository of incidents: their histories, deadlines and reminders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Connection, Row, Table, and_, bindparam, case, exists, func, or_, select, update

from policenotify.channel import Operation
from policenotify.journal.audit import RUNNER, record
from policenotify.journal.database import schema
from policenotify.journal.database.transactions import Repository
from policenotify.journal.records import (
    TOLERANCE,
    DamagedRow,
    microseconds,
    moment,
    outcome_of,
    readable,
    ref_of,
    span,
    stored,
    word,
)
from policenotify.journal.tombstones import purged_at
from policenotify.model.cap import Severity
from policenotify.model.history import Damage, History, HistoryEntry, IncidentState, Outcome, PostedPart
from policenotify.model.lifecycle import IncidentStatus, Stage
from policenotify.model.message import read_stored as read_message
from policenotify.model.status import IncidentLine

_table, _publication, _delivery = schema.incident, schema.publication, schema.delivery


NAMES: TypeAdapter[tuple[str, ...]] = TypeAdapter(tuple[str, ...])
"""Names of channels, as the journal stores them."""

_WITHDRAWN = exists().where(schema.event.c.publication == _publication.c.id, schema.event.c.kind == "taken_down")
_PUBLISHED = select(_publication, _WITHDRAWN.label("withdrawn")).where(_publication.c.state == "published")
_OF_INCIDENT = _PUBLISHED.where(_publication.c.incident == bindparam("incident")).order_by(_publication.c.sequence)
_OPENING = and_(
    _publication.c.incident == _table.c.id, _publication.c.sequence == 1, _publication.c.state == "published"
)
_LOCKED = select(_table).where(_table.c.id == bindparam("incident")).with_for_update()
_IS_OPEN = _table.c.status == IncidentStatus.OPEN


class Incidents(Repository):
    """Incidents, their histories and deadlines."""

    def history(self, incident: str) -> History:
        """Return the history of one incident."""
        with self._journal.read() as connection:
            rows = connection.execute(_OF_INCIDENT, {"incident": incident}).all()
            return _history(connection, rows, incident)

    def history_of(self, publication: str) -> History | None:
        """Return a publication outside incidents with its corrections and its cancellation, if it exists."""
        table = _publication
        with self._journal.read() as connection:
            rows = connection.execute(
                _PUBLISHED.where(or_(table.c.id == publication, table.c.corrects == publication))
                # Ids of one millisecond, or of a clock that was set back, are not in order.
                .order_by(table.c.id != publication, table.c.created_at, table.c.id)
            ).all()
            if not rows or rows[0].id != publication:
                return None
            return _history(connection, rows, rows[0].incident)

    def list(self, *, only_open: bool = True, limit: int | None = None) -> tuple[IncidentLine, ...]:
        """Return the incidents, or so many of them, newest first."""
        return self._lines(*((_IS_OPEN,) if only_open else ()), order=(_table.c.opened_at.desc(),), limit=limit)

    def line(self, incident: str) -> IncidentLine | None:
        """Return an incident, if there is one that can be read."""
        return next(iter(self._lines(_table.c.id == incident, order=(), limit=1)), None)

    def earliest_due(self, limit: int, *, exercise: bool | None = None) -> tuple[IncidentLine, ...]:
        """Return the open incidents with the earliest deadlines, the earliest first: exercises, real ones, or both."""
        order = (_table.c.due_at.is_(None), _table.c.due_at, _table.c.opened_at, _table.c.id)
        return self._lines(_IS_OPEN, *_of_kind(exercise), order=order, limit=limit)

    def _lines(
        self, *conditions: ColumnElement[bool], order: Sequence[ColumnElement[Any]], limit: int | None
    ) -> tuple[IncidentLine, ...]:
        with self._journal.read() as connection:
            query = select(_table, reminder_level(_table, self._journal.now()))
            lines = query.where(*conditions).order_by(*order).limit(limit)
            return tuple(readable(connection.execute(lines), line_of))

    def count_open(self, *, due_by: datetime, exercise: bool) -> int:
        """Return how many open incidents, exercises or real ones, have a deadline by a time."""
        due = _table.c.due_at <= microseconds(due_by)
        query = select(func.count()).select_from(_table).where(_IS_OPEN, due, *_of_kind(exercise))
        with self._journal.read() as connection:
            return connection.execute(query).scalar_one()

    def record_reminder(self, incident: str, due_at: datetime, level: int) -> bool:
        """Record that a reminder is raised, once for each deadline and level.

        Returns:
            Whether to raise it. False if another process did, or if a message was published meanwhile.
        """
        with self._journal.write() as connection:
            now = self._journal.now()
            if not store_reminder(connection, _table, incident, due_at, level, now):
                return False
            opening = select(_publication.c.id).join(_table, _OPENING).where(_table.c.id == incident)
            body = {"incident": incident, "due_at": due_at.isoformat(), "level": level}
            record(connection, now, RUNNER, "overdue", body, publication=connection.execute(opening).scalar())
            return True

    def open_by_channel(self) -> dict[str, tuple[str, ...]]:
        """Return the open incidents of each channel on which a post of them is, or may be, published."""
        posted = or_(_delivery.c.state.in_([Outcome.POSTED, Outcome.HELD]), _delivery.c.in_doubt)
        query = (
            select(_delivery.c.channel, _table.c.id)
            .join(_publication, _publication.c.id == _delivery.c.publication)
            .join(_table, _table.c.id == _publication.c.incident)
            .where(_IS_OPEN, _publication.c.state == "published")
            .where(_delivery.c.operation == Operation.POST, posted)
            .distinct()
            .order_by(_delivery.c.channel, _table.c.id)
        )
        by_channel: dict[str, tuple[str, ...]] = {}
        with self._journal.read() as connection:
            for row in connection.execute(query):
                by_channel[row.channel] = (*by_channel.get(row.channel, ()), row.id)
        return by_channel


def lock_incident(connection: Connection, incident: str) -> Row[Any] | None:
    """Return the row of an incident, locked until the transaction ends."""
    return connection.execute(_LOCKED, {"incident": incident}).first()


def state_columns(state: IncidentState | None) -> dict[str, object]:
    """Return the columns of an incident that state what holds now."""
    return {**asdict(state), "channels": NAMES.dump_json(state.channels).decode()} if state else {}


def store_state(connection: Connection, incident: str) -> None:
    """Store what holds now of an incident, after any change of its publications, in the same transaction.

    While one of them cannot be read, what held before stays.
    """
    rows = connection.execute(_OF_INCIDENT, {"incident": incident}).all()
    if columns := state_columns(_history(connection, rows, incident).state):
        connection.execute(update(_table).where(_table.c.id == incident).values(columns))


def reminder_level(table: Table, now: datetime) -> ColumnElement[int]:
    """Return the level of the last reminder of an incident or draft. One from the future does not count.

    The clock was ahead when it was raised.
    """
    ahead = table.c.reminded_at > microseconds(now) + span(TOLERANCE)
    return case((ahead, 0), else_=table.c.reminders).label("level")


def store_reminder(
    connection: Connection, table: Table, name: str, due_at: datetime, level: int, now: datetime
) -> bool:
    """Store the level of a reminder of an incident or draft, once for its deadline. Return whether that was done."""
    due = table.c.id == name, table.c.due_at == microseconds(due_at), reminder_level(table, now) < level
    raised = {"reminders": level, "reminded_at": microseconds(now)}
    return bool(connection.execute(update(table).where(*due).values(raised)).rowcount)


def _of_kind(exercise: bool | None) -> tuple[ColumnElement[bool], ...]:  # noqa: FBT001 - both, or one of two kinds
    return () if exercise is None else (_table.c.exercise.is_(exercise),)


def line_of(row: Row[Any]) -> IncidentLine:
    """Return an incident from its row, with the `level` of its reminders.

    Raises:
        DamagedRow: It cannot be read.
    """
    with stored(_table.name, row.id):
        return IncidentLine(
            id=row.id,
            category=row.category,
            severity=word(Severity, row.severity),
            status=word(IncidentStatus, row.status),
            headline=row.headline,
            place=row.place,
            channels=NAMES.validate_json(row.channels),
            opened_at=moment(row.opened_at),
            due_at=moment(row.due_at) if row.due_at is not None else None,
            exercise=row.exercise,
            reminders=row.level,
            reminded_at=moment(row.reminded_at) if row.reminded_at is not None else None,
        )


# --- histories


def _history(connection: Connection, rows: Sequence[Row[Any]], incident: str | None) -> History:
    """Return the history of these publications. If one cannot be read, only their damage is known."""
    posts: dict[str, list[PostedPart]] = {row.id: [] for row in rows}
    of_them = _delivery.c.publication.in_(posts), _delivery.c.operation == Operation.POST
    for delivery in connection.execute(select(_delivery).where(*of_them).order_by(_delivery.c.id)) if rows else ():
        posts[delivery.publication].append(_part(delivery))
    damaged: list[str] = []
    entries: list[HistoryEntry] = []
    for number, row in enumerate(rows, 1):
        try:
            entries.append(entry_of(row, number, posts[row.id]))
        except DamagedRow as error:
            damaged.append(error.row)
    if not damaged:
        return History(incident=incident, entries=tuple(entries))
    known = connection.execute(select(_table).where(_table.c.id == incident)).first()
    damage = Damage(
        rows=tuple(damaged),
        publications=tuple(posts),
        posts=tuple(part for parts in posts.values() for part in parts),
        status=_status_in(known, rows),
        exercise=known.exercise if known else None,
    )
    return History(incident=incident, damage=damage)


def entry_of(row: Row[Any], number: int, posts: Iterable[PostedPart] = ()) -> HistoryEntry:
    """Return a publication as its incident has it, from its row.

    Raises:
        DamagedRow: It cannot be read.
    """
    with stored(_publication.name, row.id):
        return HistoryEntry(
            publication=row.id,
            sequence=row.sequence or number,
            message=read_message(row.message),
            at=moment(row.created_at),
            posts=tuple(posts),
            erased=purged_at(row.rules) is not None,
            withdrawn=bool(row.withdrawn),
            narrowed_to=NAMES.validate_json(row.narrowed_to) if row.narrowed_to else None,
        )


def _status_in(incident: Row[Any] | None, rows: Sequence[Row[Any]]) -> IncidentStatus:
    """Return the status of publications of which one cannot be read: that of their incident, if there is one."""
    if incident is not None:
        try:
            return IncidentStatus(incident.status)
        except ValueError:  # damaged as well: the end must go out
            return IncidentStatus.OPEN
    cancelled = any(row.stage == Stage.CANCELLATION for row in rows)
    return IncidentStatus.CANCELLED if cancelled else IncidentStatus.STANDALONE


def _part(row: Row[Any]) -> PostedPart:
    return PostedPart(
        channel=row.channel,
        account=row.account,
        language=row.language,
        outcome=outcome_of(row.state, in_doubt=row.in_doubt),
        part=row.part,
        ref=ref_of(row),
    )
