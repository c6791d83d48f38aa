"""Counts of the people of a page by outcome and reason.

The journal keeps them with each page that no worker has claimed, so that a list of 100,000 is counted by adding up its
100 pages. The people of a claimed page are counted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, Row, and_, bindparam, case, func, select

from policenotify.journal.database import schema
from policenotify.journal.records import outcome_of
from policenotify.model.history import Outcome
from policenotify.model.progress import ReasonCount, merged

MOST_REASONS: Final = 20
"""Different reasons that are kept of a page. A server that words each answer differently does not fill the journal."""

_recipient, _page = schema.recipient, schema.page
_STATE = case(  # a person taken for an attempt but not yet sent to still waits
    (
        and_(_recipient.c.state == Outcome.SENDING, _recipient.c.attempts < _page.c.attempt),
        Outcome.WAITING.value,
    ),
    else_=_recipient.c.state,
)
_WORDS = case((_recipient.c.code == "", _recipient.c.reason), else_="")  # with a code, one text stands for all
_OF_PAGE = (
    select(
        _STATE.label("current"),
        _recipient.c.in_doubt,
        _recipient.c.code,
        func.min(_recipient.c.reason).label("reason"),
        func.count().label("number"),
    )
    .join(_page, and_(_page.c.delivery == _recipient.c.delivery, _page.c.number == _recipient.c.page))
    .where(_recipient.c.delivery == bindparam("of_delivery"), _recipient.c.page == bindparam("of_page"))
    .group_by(_STATE, _recipient.c.in_doubt, _recipient.c.code, _WORDS)
)


def count_page(connection: Connection, delivery: int, number: int) -> tuple[ReasonCount, ...]:
    """Count the people of a page by outcome and reason."""
    rows = connection.execute(_OF_PAGE, {"of_delivery": delivery, "of_page": number}).all()
    return merged((_counted(row) for row in rows), at_most=MOST_REASONS)


def _counted(row: Row[Any]) -> ReasonCount:
    outcome = outcome_of(row.current, in_doubt=row.in_doubt)
    return ReasonCount(outcome=outcome, code=row.code, reason=row.reason, count=row.number)


def outcomes(tally: tuple[ReasonCount, ...]) -> Mapping[Outcome, int]:
    """Return how many people have which outcome."""
    found = dict.fromkeys(sorted({each.outcome for each in tally}), 0)
    for each in tally:
        found[each.outcome] += each.count
    return found


def to_text(tally: tuple[ReasonCount, ...]) -> str:
    """Return a tally as it is stored."""
    return json.dumps([[each.outcome, each.code, each.reason, each.count] for each in tally], ensure_ascii=False)


def from_text(text: str) -> tuple[ReasonCount, ...]:
    """Read a stored tally."""
    return tuple(
        ReasonCount(outcome=Outcome(outcome), code=code, reason=reason, count=count)
        for outcome, code, reason, count in json.loads(text)
    )


_PAGES = (
    select(_page.c.delivery, _page.c.number, _page.c.state, _page.c.tally)
    .where(_page.c.delivery.in_(bindparam("deliveries", expanding=True)))
    .order_by(_page.c.delivery, _page.c.number)
)


def count_deliveries(connection: Connection, deliveries: Iterable[int]) -> dict[int, tuple[ReasonCount, ...]]:
    """Count the people of some deliveries by outcome and reason, the most frequent first.

    It reads a row for each page, and the people of those pages only that a worker has claimed.
    """
    ids = list(deliveries)
    counted: dict[int, list[ReasonCount]] = {}
    for row in connection.execute(_PAGES, {"deliveries": ids}).all() if ids else ():
        is_claimed = row.state == Outcome.SENDING
        of_page = count_page(connection, row.delivery, row.number) if is_claimed else from_text(row.tally)
        counted.setdefault(row.delivery, []).extend(of_page)
    return {delivery: merged(counted[delivery]) for delivery in counted}


def reasons_in(counted: tuple[ReasonCount, ...]) -> tuple[ReasonCount, ...]:
    """Return the reasons of those who did not simply get it."""
    return tuple(each for each in counted if (each.code or each.reason) and each.outcome is not Outcome.POSTED)
