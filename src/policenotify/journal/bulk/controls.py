"""Pause, resume and abort the sending to the people of one publication who still wait.

A halted delivery is not claimed, and a worker that has a page of it sends no more: it asks the journal before
each person. People who have the message keep it, and get the end of its incident.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, text, update

from policenotify.channel import Operation
from policenotify.journal.audit import record_delivery
from policenotify.journal.bulk import pages, tally
from policenotify.journal.bulk.halts import (
    ABORT_EVENT,
    ABORTED,
    PAUSE_EVENT,
    PAUSED,
    RESUME_EVENT,
    aborted_words,
    halted_by,
    paused_words,
)
from policenotify.journal.database import schema
from policenotify.journal.queue import lock, lock_key_of, settle_cancelled
from policenotify.journal.records import microseconds, storable
from policenotify.model.decision import Steered
from policenotify.model.history import Outcome

_table, _recipient = schema.delivery, schema.recipient
_expansion, _publication, _page = schema.expansion, schema.publication, schema.page
_UNSETTLED = (Outcome.WAITING, Outcome.SENDING)
_STEERABLE = (
    select(_table)
    .where(_table.c.publication == bindparam("of_publication"), _table.c.has_recipients)
    .where(_table.c.operation == Operation.POST, _table.c.state.in_(_UNSETTLED))
    .order_by(_table.c.id)
)
# Plain text, as in the index: SQLite does not match a bound value with it.
_UNFINISHED = select(_table.c.id).where(text("halt = 'aborted'"), _table.c.state.in_(_UNSETTLED)).order_by(_table.c.id)
_PAGES_AT_ONCE = 10  # settled in one transaction, which others who publish wait for
_WAITING_PAGES = (
    select(_page.c.number)
    .where(_page.c.delivery == bindparam("of_delivery"), _page.c.state == Outcome.WAITING)
    .order_by(_page.c.number)
    .limit(_PAGES_AT_ONCE)
)


def pause(
    connection: Connection, publication: str, actor: str, *, channel: str | None, reason: str, now: datetime
) -> Steered:
    """Stop sending a publication to people until `resume`; see `Sendings.pause`."""
    rows = [row for row in _locked(connection, publication, channel) if not row.halt]
    for row in rows:
        words = paused_words(actor, row.publication) if row.state == Outcome.WAITING else {}
        connection.execute(_of(row.id).values(halt=PAUSED, **words))
        record_delivery(connection, row, now, PAUSE_EVENT, {"reason": storable(reason)}, actor=actor)
    return Steered(publication=publication, channels=_channels(rows), actor=actor)


def resume(connection: Connection, publication: str, actor: str, *, channel: str | None, now: datetime) -> Steered:
    """Go on with what was paused; see `Sendings.resume`."""
    rows = [row for row in _locked(connection, publication, channel) if row.halt == PAUSED]
    for row in rows:
        due = {"not_before": microseconds(now), "reason": "", "remedy": ""} if row.state == Outcome.WAITING else {}
        connection.execute(_of(row.id).values(halt="", **due))
        record_delivery(connection, row, now, RESUME_EVENT, {}, actor=actor)
    return Steered(publication=publication, channels=_channels(rows), actor=actor)


def start_abort(
    connection: Connection, publication: str, actor: str, *, channel: str | None, reason: str, now: datetime
) -> Steered:
    """Stop sending a publication to people for good: from now on no page of it is claimed, and no person is sent to.

    `finish_abort` settles those who wait.
    """
    rows = [row for row in _locked(connection, publication, channel) if row.halt != ABORTED]
    of_publication = select(_publication.c.id).where(_publication.c.id == publication)
    connection.execute(of_publication.with_for_update(key_share=True))  # a page that is being stored is waited for
    counted = tally.count_deliveries(connection, [row.id for row in rows])
    total = 0
    for row in rows:
        connection.execute(_of(row.id).values(halt=ABORTED))
        connection.execute(update(_expansion).where(_expansion.c.delivery == row.id).values(expanded=True))
        people = tally.outcomes(counted.get(row.id, ())).get(Outcome.WAITING, 0)
        total += people
        body = {"reason": storable(reason), "people": people}
        record_delivery(connection, row, now, ABORT_EVENT, body, actor=actor)
    return Steered(publication=publication, channels=_channels(rows), people=total, actor=actor)


def unfinished_aborts(connection: Connection) -> list[int]:
    """Return the deliveries that were aborted and are not settled."""
    return list(connection.execute(_UNFINISHED).scalars())


def finish_abort(connection: Connection, delivery: int, *, now: datetime) -> bool:
    """Settle the people of some pages of an aborted delivery, or the delivery if no page of it waits.

    The pages that a worker has claimed are settled by that worker. The last of both settles the delivery.

    Returns:
        Whether there may be more to settle.
    """
    lock_key_of(connection, delivery)
    row = connection.execute(_UNFINISHED.with_only_columns(*_table.c).where(_table.c.id == delivery)).first()
    if row is None:
        return False
    words = aborted_words(halted_by(connection, row))
    if numbers := connection.execute(_WAITING_PAGES, {"of_delivery": delivery}).scalars().all():
        of_pages = (_recipient.c.delivery == delivery, _recipient.c.page.in_(numbers))
        waiting = update(_recipient).where(*of_pages, _recipient.c.state == Outcome.WAITING)
        connection.execute(waiting.where(_recipient.c.in_doubt).values(state=Outcome.HELD))
        connection.execute(waiting.values(state=Outcome.SUPERSEDED, reason=words))
        these = update(_page).where(_page.c.delivery == delivery, _page.c.number.in_(numbers))
        connection.execute(these.values(state=pages.SETTLED))
        pages.update_states(connection, delivery, numbers)
        return True
    if row.state == Outcome.WAITING:
        people = tally.outcomes(tally.count_deliveries(connection, [delivery]).get(delivery, ()))
        settle_cancelled(connection, row, Outcome.SUPERSEDED, words, microseconds(now), people)
    return False


def _locked(connection: Connection, publication: str, channel: str | None) -> Sequence[Row[Any]]:
    """Lock what of a publication is sent to people and not settled, on one channel or on all."""
    query = _STEERABLE if channel is None else _STEERABLE.where(_table.c.channel == channel)
    of_publication = {"of_publication": publication}
    lock(connection, *{row.ordering_key for row in connection.execute(query, of_publication)})
    return connection.execute(query, of_publication).all()


def _of(delivery: int) -> Any:  # noqa: ANN401 - a statement of the toolkit
    return update(_table).where(_table.c.id == delivery)


def _channels(rows: Sequence[Row[Any]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(row.channel) for row in rows))
