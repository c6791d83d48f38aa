"""What a person's halt means for a delivery with recipients: paused, to go on later, or aborted for good."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, bindparam, select

from policenotify.journal.database import schema
from policenotify.journal.records import AttemptResult, ClaimedDelivery
from policenotify.model.history import Outcome

PAUSED: Final = "paused"
ABORTED: Final = "aborted"
PAUSE_EVENT: Final = "sending_paused"
RESUME_EVENT: Final = "sending_resumed"
ABORT_EVENT: Final = "sending_aborted"

_table = schema.delivery
_HALT = select(_table.c.halt, _table.c.id, _table.c.publication).where(_table.c.id == bindparam("of_delivery"))


def paused_words(actor: str, publication: str) -> dict[str, str]:
    """Return the reason and the remedy of a delivery that was paused."""
    return {"reason": f"{actor} has paused it.", "remedy": f"To go on: policenotify resume {publication}"}


def aborted_words(actor: str) -> str:
    """Return the reason of people who are not sent to any more."""
    return f"{actor} has aborted the sending."


@cache
def _halted_by() -> Select[Any]:
    event = schema.event
    return (
        select(event.c.actor)
        .where(event.c.publication == bindparam("of_publication"), event.c.delivery == bindparam("of_delivery"))
        .where(event.c.kind.in_((PAUSE_EVENT, ABORT_EVENT)))
        .order_by(event.c.id.desc())
        .limit(1)
    )


def halted_by(connection: Connection, delivery: ClaimedDelivery | Row[*tuple[Any, ...]]) -> str:
    """Return who has paused or aborted a delivery last. Empty if a purge has erased that."""
    values = {"of_publication": delivery.publication, "of_delivery": delivery.id}
    return connection.execute(_halted_by(), values).scalar() or ""


def is_aborted(connection: Connection, delivery: int) -> bool:
    """Return True if a delivery was aborted."""
    return connection.execute(_HALT, {"of_delivery": delivery}).scalar() == ABORTED


def unless_aborted(connection: Connection, claimed: ClaimedDelivery, result: AttemptResult) -> AttemptResult:
    """Return the result of an attempt at a page. If its delivery was aborted meanwhile, no person waits any more."""
    row = connection.execute(_HALT, {"of_delivery": claimed.id}).one()
    if row.halt != ABORTED or result.outcome.is_final:
        return result
    reason = aborted_words(halted_by(connection, row))
    return replace(result, outcome=Outcome.SUPERSEDED, reason=reason, remedy="", code="", of_people=False)


def with_pause(connection: Connection, claimed: ClaimedDelivery, result: AttemptResult) -> AttemptResult:
    """Return the result of an attempt at a page with who has paused its delivery, if it is paused."""
    row = connection.execute(_HALT, {"of_delivery": claimed.id}).one()
    if row.halt != PAUSED:
        return result
    words = paused_words(halted_by(connection, row), row.publication)
    return replace(result, reason=words["reason"], remedy=words["remedy"])
