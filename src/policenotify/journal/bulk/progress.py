"""How far a publication is, read from the journal in milliseconds whatever the list."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select

from policenotify.journal import tombstones
from policenotify.journal.bulk import tally
from policenotify.journal.bulk.halts import ABORTED, halted_by
from policenotify.journal.database import schema
from policenotify.journal.records import outcome_of
from policenotify.model.history import Outcome
from policenotify.model.progress import DeliveryProgress, Progress, ReasonCount

_table, _expansion, _page = schema.delivery, schema.expansion, schema.page
_COLUMNS = ("id", "publication", "channel", "language", "part", "state", "in_doubt", "has_recipients", "halt", "reason")
_DELIVERIES = (
    select(*(_table.c[name] for name in _COLUMNS), _expansion.c.expanded, _expansion.c.wrong)
    .outerjoin(_expansion, _expansion.c.delivery == _table.c.id)
    .where(_table.c.publication == bindparam("of_publication"))
    .order_by(_table.c.channel, _table.c.part, _table.c.id)
)
_PAGES = (
    select(_page.c.delivery, _page.c.state, func.count().label("number"))
    .where(_page.c.delivery.in_(bindparam("deliveries", expanding=True)))
    .group_by(_page.c.delivery, _page.c.state)
)


def progress_of(connection: Connection, publication: str, at: datetime) -> Progress | None:
    """Return how far a publication is, by its id. None if there is no such publication."""
    rows = connection.execute(_DELIVERIES, {"of_publication": publication}).all()
    if not rows:
        return None
    ids = [row.id for row in rows if row.has_recipients]
    counted = tally.count_deliveries(connection, ids)
    purged = {
        delivery: tuple(ReasonCount(outcome=outcome, count=count) for outcome, count in people.items())
        for delivery, people in tombstones.stored_counts(connection, ids).items()
    }
    pages: dict[int, dict[str, int]] = {}
    for page in connection.execute(_PAGES, {"deliveries": ids}) if ids else ():
        pages.setdefault(page.delivery, {})[page.state] = page.number
    people = counted | purged
    deliveries = (_delivery(connection, row, people.get(row.id, ()), pages.get(row.id, {})) for row in rows)
    return Progress(publication=publication, at=at, deliveries=tuple(deliveries))


def _delivery(
    connection: Connection, row: Row[*tuple[Any, ...]], counted: tuple[ReasonCount, ...], pages: dict[str, int]
) -> DeliveryProgress:
    outcome = outcome_of(row.state, in_doubt=row.in_doubt)
    halt = row.halt if row.halt == ABORTED or not outcome.is_final else ""
    return DeliveryProgress(
        delivery=row.id,
        channel=row.channel,
        language=row.language,
        part=row.part,
        outcome=outcome,
        bulk=row.has_recipients,
        people=tally.outcomes(counted) if row.has_recipients else {outcome: 1},
        reason=row.reason,
        reasons=tally.reasons_in(counted),
        expanded=outcome.is_final or not row.has_recipients or bool(row.expanded),
        pages=sum(pages.values()),
        pages_under_way=pages.get(Outcome.SENDING, 0),
        wrong_rows=row.wrong or 0,
        halt=halt,
        halted_by=halted_by(connection, row) if halt else "",
    )
