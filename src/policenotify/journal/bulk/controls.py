"""Pause, resume and abort the sending to the people of one publication who still wait.

A halted delivery is not claimed, and a worker that has a page of it sends no more: it asks the journal before
each person. People who have the message keep it, and get the end of its incident.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from policenotify.channel import Operation
from policenotify.journal.audit import record_delivery
from policenotify.journal.bulk import pages
from policenotify.journal.bulk.halts import (
    ABORT_EVENT,
    ABORTED,
    PAUSE_EVENT,
    PAUSED,
    RESUME_EVENT,
    aborted_words,
    paused_words,
)
from policenotify.journal.database import schema
from policenotify.journal.queue import cancel_pending, lock
from policenotify.journal.records import microseconds, storable
from policenotify.model.decision import Steered
from policenotify.model.history import Outcome

_table, _recipient = schema.delivery, schema.recipient
_expansion, _publication = schema.expansion, schema.publication
_UNSETTLED = (Outcome.WAITING, Outcome.SENDING)
_STEERABLE = (
    select(_table)
    .where(_table.c.publication == bindparam("of_publication"), _table.c.has_recipients)
    .where(_table.c.operation == Operation.POST, _table.c.state.in_(_UNSETTLED))
    .order_by(_table.c.id)
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


def abort(
    connection: Connection, publication: str, actor: str, *, channel: str | None, reason: str, now: datetime
) -> Steered:
    """Stop sending a publication to people for good; see `Sendings.abort`."""
    rows = [row for row in _locked(connection, publication, channel) if row.halt != ABORTED]
    of_publication = select(_publication.c.id).where(_publication.c.id == publication)
    connection.execute(of_publication.with_for_update(key_share=True))  # whoever stores a page now is waited for
    at, words, people = microseconds(now), aborted_words(actor), 0
    for row in rows:
        connection.execute(_of(row.id).values(halt=ABORTED))
        connection.execute(update(_expansion).where(_expansion.c.delivery == row.id).values(expanded=True))
        waiting = update(_recipient).where(_recipient.c.delivery == row.id, _recipient.c.state == Outcome.WAITING)
        connection.execute(waiting.where(_recipient.c.in_doubt).values(state=Outcome.HELD))
        count = connection.execute(waiting.values(state=Outcome.SUPERSEDED, reason=words)).rowcount
        pages.update_states(connection, row.id)
        body = {"reason": storable(reason), "people": count}
        record_delivery(connection, row, now, ABORT_EVENT, body, actor=actor)
        if row.state == Outcome.WAITING:  # else the last worker that has a page of it settles it
            cancel_pending(connection, row, Outcome.SUPERSEDED, words, at)
        people += count
    return Steered(publication=publication, channels=_channels(rows), people=people, actor=actor)


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
