"""The step from one person of a list to the next, in one short transaction of compiled statements.

It does what [`Deliveries.start_recipient`][policenotify.journal.deliveries.Deliveries.start_recipient] does, in a
fraction of the time, where nothing out of the ordinary happens. Everything else is left to the general way: a stop, a
lost lease, a clock that was set, an error of the database.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.dialects import sqlite

from policenotify.channel import RecipientOutcome
from policenotify.journal import clock_change, meta, page_results, pages, recipients
from policenotify.journal.database import schema
from policenotify.journal.database.statement import DriverStatement
from policenotify.journal.database.transactions import Transactions
from policenotify.journal.records import ClaimedDelivery, microseconds, span


class NextRecipient:
    """Stores that one person after another of a list is sent to.

    Args:
        journal: A journal in a file.
    """

    def __init__(self, journal: Transactions) -> None:
        self._journal = journal
        dialect = sqlite.dialect(paramstyle="named")
        facts = select(schema.meta.c.name, schema.meta.c.value).where(or_(meta.OF_STANDSTILL, clock_change.OF_CLOCKS))
        self._facts = DriverStatement(facts, dialect)
        self._renew = DriverStatement(pages.change_of_owned(("lease_until",)), dialect)
        self._record = DriverStatement(page_results.RECORD, dialect)
        self._record_doubt = DriverStatement(page_results.RECORD_DOUBT, dialect)
        self._start = DriverStatement(recipients.START, dialect)

    def start(
        self,
        claimed: ClaimedDelivery,
        recipient: str,
        outcomes: Sequence[RecipientOutcome],
        *,
        hold_doubt: bool,
        lease: timedelta,
    ) -> bool:
        """Record outcomes, and that the next person is about to be sent to. Return False if nothing was done."""
        if any(outcome.gone for outcome in outcomes):  # it may concern others as well
            return False
        values = [page_results.recorded(claimed, outcome, hold_doubt=hold_doubt) for outcome in outcomes]

        def step(cursor: Any) -> bool:  # noqa: ANN401 - the driver's
            facts = dict(self._facts.run(cursor, {}).fetchall())
            journal = self._journal
            if not (meta.goes_on(facts, journal.id, journal.keys) and clock_change.is_as_marked(facts, journal.clock)):
                return False
            until = {"lease_until": microseconds(journal.now()) + span(lease)}
            if self._renew.run(cursor, pages.identity(claimed) | until).rowcount != 1:
                return False
            for each in values:
                (self._record_doubt if "in_doubt" in each else self._record).run(cursor, each)
            of_person = {"of_delivery": claimed.id, "of_page": claimed.page, "of_key": recipient}
            self._start.run(cursor, of_person | {"attempt": claimed.attempts})
            return True

        return self._journal.briefly(step)
