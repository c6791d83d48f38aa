"""The step from one person of a list to the next, in one short transaction of compiled statements.

It does what [`Deliveries.start_recipient`][policenotify.journal.deliveries.Deliveries.start_recipient] does, in a
fraction of the time, where nothing out of the ordinary happens. Everything else is left to the general way: a stop, a
lost lease, a clock that was set, an error of the database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import Any, Protocol

from sqlalchemy import Update, bindparam, exists, func, or_, select
from sqlalchemy.dialects import sqlite

from policenotify.channel import RecipientOutcome
from policenotify.journal import clock_change, meta
from policenotify.journal.bulk import page_results, pages, recipients
from policenotify.journal.database import schema
from policenotify.journal.database.statement import DriverStatement
from policenotify.journal.database.transactions import Transactions
from policenotify.journal.records import ClaimedDelivery, microseconds, span

_RENEW = pages.change_of_owned(("lease_until",)).where(~recipients.IS_HALTED)


class NextRecipient:
    """Stores that one person after another of a list is sent to."""

    def __init__(self, journal: Transactions) -> None:
        self._journal = journal

    @cached_property
    def _steps(self) -> _Steps:
        return _InAFile(self._journal) if self._journal.is_file else _OnAServer(self._journal)

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
        recorded = [page_results.recorded(claimed, outcome, hold_doubt=hold_doubt) for outcome in outcomes]
        following = {**pages.identity(claimed), "next_key": recipient, "of_attempt": claimed.attempts}

        def step(cursor: Any) -> bool:  # noqa: ANN401 - the driver's
            until = microseconds(self._journal.now()) + span(lease)
            return self._steps.run(cursor, recorded, {**following, "lease_until": until})

        self._steps.prepare()
        return self._journal.briefly(step)


class _Steps(Protocol):
    def prepare(self) -> None:
        """Read what is to be known before the transaction."""

    def run(self, cursor: Any, recorded: Sequence[Mapping[str, object]], following: Mapping[str, object]) -> bool:  # noqa: ANN401 - the driver's
        """Record outcomes and start the next person. Return False if nothing was changed, or is to be undone."""


class _InAFile:
    """Statements one by one: each takes microseconds."""

    def __init__(self, journal: Transactions) -> None:
        self._journal = journal
        dialect = sqlite.dialect(paramstyle="named")
        facts = select(schema.meta.c.name, schema.meta.c.value).where(or_(meta.OF_STANDSTILL, clock_change.OF_CLOCKS))
        self._facts = DriverStatement(facts, dialect)
        self._renew = DriverStatement(_RENEW, dialect)
        self._record = DriverStatement(page_results.RECORD, dialect)
        self._record_doubt = DriverStatement(page_results.RECORD_DOUBT, dialect)
        self._start = DriverStatement(recipients.START_NEXT, dialect)

    def prepare(self) -> None:
        """See `_Steps`."""

    def run(self, cursor: Any, recorded: Sequence[Mapping[str, object]], following: Mapping[str, object]) -> bool:  # noqa: ANN401 - the driver's
        """See `_Steps`."""
        facts, journal = dict(self._facts.run(cursor, {}).fetchall()), self._journal
        if not (meta.goes_on(facts, journal.id, journal.keys) and clock_change.is_as_marked(facts, journal.clock)):
            return False
        if self._renew.run(cursor, following).rowcount != 1:
            return False
        for values in recorded:
            (self._record_doubt if "in_doubt" in values else self._record).run(cursor, values)
        self._start.run(cursor, following)
        return True


class _OnAServer:
    """One statement for all, because a round trip to the server takes most of the time."""

    def __init__(self, journal: Transactions) -> None:
        self._journal = journal
        self._statements: dict[str, DriverStatement] = {}
        self._clocks: dict[str, str] | None = None  # the facts about them, as long as they hold

    def prepare(self) -> None:
        """See `_Steps`."""
        self._journal.now()  # the server's, of which an answer holds for a second
        if self._clocks is None:
            with self._journal.read() as connection:
                self._clocks = clock_change.facts(connection)

    def run(self, cursor: Any, recorded: Sequence[Mapping[str, object]], following: Mapping[str, object]) -> bool:  # noqa: ANN401 - the driver's
        """See `_Steps`."""
        known, clock = self._clocks or {}, self._journal.clock
        if len(recorded) > 1 or not clock_change.is_as_marked(known, clock):
            self._clocks = None
            return False
        [values] = recorded or [{}]
        kind = "doubt" if "in_doubt" in values else "outcome" if values else ""
        statement = self._statements.get(kind) or self._statements.setdefault(kind, self._compiled(kind))
        facts = {"journal": self._journal.id, **clock_change.values_of(known, clock)}
        [done] = statement.run(cursor, {**following, **values, **facts}).fetchone()
        if not done:
            self._clocks = None
        return bool(done)

    def _compiled(self, kind: str) -> DriverStatement:
        goes_on = meta.goes_on_by(bindparam("journal"), self._journal.keys)
        renewed = _RENEW.where(goes_on, clock_change.as_known()).returning(schema.page.c.number).cte("renewed")
        statement = select(func.count()).select_from(renewed)

        def too(change: Update, name: str) -> None:
            nonlocal statement
            part = change.where(exists(select(renewed.c.number))).returning(schema.recipient.c.person)
            statement = statement.add_cte(part.cte(name))

        too(recipients.START_NEXT, "started")
        if kind:
            too(page_results.RECORD_DOUBT if kind == "doubt" else page_results.RECORD, "recorded")
        return DriverStatement(statement, self._journal.dialect)
