"""How far a publication is, read from the journal in milliseconds whatever the list."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select

from policenotify.journal.database import schema
from policenotify.journal.lists import recipients
from policenotify.journal.lists.control import ABORTED, PAUSED, halted_by
from policenotify.journal.lists.state import read_cursor
from policenotify.journal.records import outcome_of
from policenotify.model.history import Outcome
from policenotify.model.progress import DeliveryProgress, Progress, ReasonCount

_table = schema.delivery
_COLUMNS = (
    "id", "publication", "channel", "language", "part", "state", "in_doubt", "has_recipients", "halt", "reason",
    "reading", "cursor",
)  # fmt: skip
_DELIVERIES = (
    select(*(_table.c[name] for name in _COLUMNS))
    .where(_table.c.publication == bindparam("of_publication"), _table.c.parent.is_(None))
    .order_by(_table.c.channel, _table.c.part, _table.c.id)
)
_BATCHES = (
    select(_table.c.parent, _table.c.state, func.count().label("number"))
    .where(_table.c.parent.in_(bindparam("deliveries", expanding=True)))
    .group_by(_table.c.parent, _table.c.state)
)


def progress_of(connection: Connection, publication: str, at: datetime) -> Progress | None:
    """Return how far a publication is, by its id. None if there is no such publication."""
    rows = connection.execute(_DELIVERIES, {"of_publication": publication}).all()
    if not rows:
        return None
    ids = [row.id for row in rows if row.has_recipients]
    people = recipients.counts(connection, ids)
    batches: dict[int, dict[str, int]] = {}
    for batch in connection.execute(_BATCHES, {"deliveries": ids}) if ids else ():
        batches.setdefault(batch.parent, {})[batch.state] = batch.number
    deliveries = (_delivery(connection, row, people.get(row.id, ()), batches.get(row.id, {})) for row in rows)
    return Progress(publication=publication, at=at, deliveries=tuple(deliveries))


def list_outcome(row: Row[*tuple[Any, ...]], *, sending: bool) -> Outcome:
    """Return the outcome of a delivery. One that waits for its batches is being sent while one of them is."""
    outcome = outcome_of(row.state, in_doubt=row.in_doubt)
    return Outcome.SENDING if sending and outcome is Outcome.WAITING else outcome


def _delivery(
    connection: Connection, row: Row[*tuple[Any, ...]], counted: tuple[ReasonCount, ...], batches: dict[str, int]
) -> DeliveryProgress:
    outcome = list_outcome(row, sending=Outcome.SENDING in batches)
    by_person = row.halt == ABORTED or (row.halt == PAUSED and not outcome.is_final)
    halt = row.halt if by_person else ""
    return DeliveryProgress(
        delivery=row.id,
        channel=row.channel,
        language=row.language,
        part=row.part,
        outcome=outcome,
        bulk=row.has_recipients,
        people=recipients.outcomes(counted) if row.has_recipients else {outcome: 1},
        reason=row.reason,
        reasons=recipients.reasons_in(counted),
        expanded=outcome.is_final or not row.has_recipients or not row.reading,
        pages=sum(batches.values()),
        pages_under_way=batches.get(Outcome.SENDING, 0),
        wrong_rows=read_cursor(row.cursor).wrong,
        halt=halt,
        halted_by=halted_by(connection, row) if halt else "",
    )
