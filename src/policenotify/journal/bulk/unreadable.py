"""Deliveries whose people cannot be read, because a list is unreadable or was emptied.

Such a delivery waits. A worker tries it again with a growing delay. A drain tries it once, and each new drain looks at
the first of each channel at its start, whatever the delay: as soon as that one can be read, the others are due, too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, text, update

from policenotify.journal.bulk import pages
from policenotify.journal.database import schema
from policenotify.journal.queue import lock_key_of
from policenotify.journal.records import ClaimedDelivery
from policenotify.model.history import Outcome
from policenotify.model.status import WaitsForList

_table, _expansion = schema.delivery, schema.expansion
# Plain text, as in the index: SQLite does not match a bound value with it. Those that are settled keep the mark.
_MARKED = select(_expansion.c.delivery).where(text("unreadable"))
_UNREADABLE = (
    select(_table.c.id, _table.c.publication, _table.c.channel, _table.c.reason, _table.c.remedy, _table.c.not_before)
    .where(_table.c.id.in_(bindparam("marked", expanding=True)))
    .where(_table.c.state.in_([Outcome.WAITING, Outcome.SENDING]), _table.c.halt == "")
    .order_by(_table.c.priority, _table.c.id)
)
_KNOWN = (
    select(_table.c.reason, _expansion.c.unreadable)
    .join(_expansion, _expansion.c.delivery == _table.c.id)
    .where(_table.c.id == bindparam("of_delivery"))
)


def delay(
    connection: Connection, claimed: ClaimedDelivery, reason: str, remedy: str, *, not_before: int, backoff: int
) -> bool:
    """Release a page that could not be filled. Its delivery waits, for the reason given.

    Returns:
        Whether it did not wait for this reason before.
    """
    lock_key_of(connection, claimed.id)
    known = connection.execute(_KNOWN, {"of_delivery": claimed.id}).one()
    pages.release(connection, claimed, not_before=not_before, backoff=backoff)
    left = pages.progress(connection, claimed.id)
    columns: dict[str, object] = {"not_before": not_before, "backoff": backoff, "reason": reason, "remedy": remedy}
    state = Outcome.SENDING if left.sending else Outcome.WAITING
    connection.execute(update(_table).where(_table.c.id == claimed.id).values(state=state, code="", **columns))
    connection.execute(update(_expansion).where(_expansion.c.delivery == claimed.id).values(unreadable=True))
    return not known.unreadable or known.reason != reason


def waiting(connection: Connection) -> list[WaitsForList]:
    """Return the deliveries whose people could not be read at the last try, the most urgent first."""
    return [
        WaitsForList(
            delivery=row.id, publication=row.publication, channel=row.channel, reason=row.reason, remedy=row.remedy
        )
        for row in _unreadable(connection)
    ]


def postponed(connection: Connection, now: int, *, first_only: bool, channel: str | None = None) -> list[int]:
    """Return the deliveries that wait until their list is tried again, of each channel all or the first only."""
    rows = [row for row in _unreadable(connection) if channel is None or row.channel == channel]
    chosen = _first_of_each(rows) if first_only else rows
    return [row.id for row in chosen if row.not_before > now]


def _unreadable(connection: Connection) -> Sequence[Row[*tuple[Any, ...]]]:
    marked = connection.execute(_MARKED).scalars().all()  # of an index that is empty as a rule
    return connection.execute(_UNREADABLE, {"marked": marked}).all() if marked else ()


def _first_of_each(rows: Iterable[Row[*tuple[Any, ...]]]) -> list[Row[*tuple[Any, ...]]]:
    first: dict[str, Row[*tuple[Any, ...]]] = {}
    for row in rows:
        first.setdefault(row.channel, row)
    return list(first.values())


def make_due(connection: Connection, deliveries: Collection[int], now: int) -> int:
    """Let some deliveries be tried at once. Return their number. What another process has locked is left out."""
    chosen = select(_table.c.id).where(_table.c.id.in_(deliveries), _table.c.not_before > now)
    free = connection.execute(chosen.with_for_update(key_share=True, skip_locked=True)).scalars().all()
    if free:
        connection.execute(update(_table).where(_table.c.id.in_(free)).values(not_before=now))
    return len(free)
