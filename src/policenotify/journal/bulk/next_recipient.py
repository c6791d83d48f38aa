"""The step from one person of a list to the next, in one short transaction of compiled statements.

It does what [`Deliveries.start_recipient`][policenotify.journal.deliveries.Deliveries.start_recipient] does, in a
fraction of the time, where nothing out of the ordinary happens. Everything else is left to the general way: a stop, a
lost lease, an error of the database.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, Dialect, Update, bindparam, exists, func, select
from sqlalchemy.dialects import sqlite

from policenotify.channel import RecipientOutcome
from policenotify.journal import meta
from policenotify.journal.bulk import page_results, pages, recipients
from policenotify.journal.database import schema
from policenotify.journal.database.engine import data_version
from policenotify.journal.database.statement import DriverStatement
from policenotify.journal.database.transactions import Transactions
from policenotify.journal.records import ClaimedDelivery, microseconds, span, storable

_BOTH = 2  # rows: of who has it, and of the next one


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
        renew: bool,
    ) -> bool:
        """Record outcomes, and that the next person is about to be sent to. Return False if nothing was done.

        Without *renew* the lease is left as it is where that saves a row: if one person just got it.
        """
        if any(outcome.gone for outcome in outcomes):  # it may concern others as well
            return False
        steps, identity = self._steps, pages.identity(claimed)
        following = {**identity, "next_key": recipient, "of_attempt": claimed.attempts}

        def pass_on(cursor: Any) -> bool:  # noqa: ANN401 - the driver's
            [outcome] = outcomes
            words = {"reason": storable(outcome.reason), "code": storable(outcome.code)}
            return steps.pass_on(cursor, identity, {**following, **words, "of_key": outcome.key})

        def step(cursor: Any) -> bool:  # noqa: ANN401 - the driver's
            recorded = [page_results.recorded(claimed, outcome, hold_doubt=hold_doubt) for outcome in outcomes]
            until = microseconds(self._journal.now()) + span(lease)
            return steps.run(cursor, recorded, {**following, "lease_until": until})

        if not renew and len(outcomes) == 1 and outcomes[0].outcome == "posted":
            return self._journal.briefly(pass_on)
        steps.prepare()
        return self._journal.briefly(step)


class _Steps(ABC):
    """The statements of a step."""

    def __init__(self, journal: Transactions, dialect: Dialect) -> None:
        self._journal = journal
        self._posted_and_next = DriverStatement(
            recipients.POSTED_AND_NEXT.where(pages.IS_OWNED, *self._conditions), dialect
        )

    def prepare(self) -> None:
        """Read what is to be known before the transaction."""
        self._journal.now()  # a server's, of which an answer holds for a second

    def run(self, cursor: Any, recorded: Sequence[Mapping[str, object]], following: Mapping[str, object]) -> bool:  # noqa: ANN401 - the driver's
        """Renew the lease, record outcomes and start the next person. Return False if nothing is to be changed."""
        return self._done(cursor, recorded, {**following, "journal": self._journal.id})

    def pass_on(self, cursor: Any, _identity: Mapping[str, object], values: Mapping[str, object]) -> bool:  # noqa: ANN401 - the driver's
        """Record that one person has it, and start the next one. Return False if nothing is to be changed."""
        done = self._posted_and_next.run(cursor, {**values, "journal": self._journal.id})
        return bool(done.rowcount == _BOTH)

    @abstractmethod
    def _done(self, cursor: Any, recorded: Sequence[Mapping[str, object]], following: Mapping[str, object]) -> bool:  # noqa: ANN401 - the driver's
        """Run the statements. Return False if the first of them finds nothing to change."""

    @property
    def _conditions(self) -> tuple[ColumnElement[bool], ...]:
        return ~recipients.IS_HALTED, meta.goes_on_by(bindparam("journal"), self._journal.keys)

    @property
    def _renewed(self) -> Update:
        return pages.change_of_owned(("lease_until",)).where(*self._conditions)


class _InAFile(_Steps):
    """Statements one by one: each takes microseconds.

    What decides whether the list goes on is not read again as long as no other connection has written to the file
    (sqlite.org/pragma.html#pragma_data_version).
    """

    def __init__(self, journal: Transactions) -> None:
        dialect = sqlite.dialect(paramstyle="named")
        super().__init__(journal, dialect)
        self._renew = DriverStatement(self._renewed, dialect)
        self._record = DriverStatement(page_results.RECORD, dialect)
        self._record_doubt = DriverStatement(page_results.RECORD_DOUBT, dialect)
        self._start = DriverStatement(recipients.START_NEXT, dialect)
        self._unchecked = DriverStatement(recipients.POSTED_AND_NEXT, dialect)
        self._of_thread = threading.local()

    def pass_on(self, cursor: Any, identity: Mapping[str, object], values: Mapping[str, object]) -> bool:  # noqa: ANN401 - the driver's
        """See `_Steps`."""
        state = cursor.connection, data_version(cursor), identity
        if getattr(self._of_thread, "checked", None) == state:
            return bool(self._unchecked.run(cursor, values).rowcount == _BOTH)
        done = super().pass_on(cursor, identity, values)
        self._of_thread.checked = state if done else None
        return done

    def _done(self, cursor: Any, recorded: Sequence[Mapping[str, object]], following: Mapping[str, object]) -> bool:  # noqa: ANN401 - the driver's
        if self._renew.run(cursor, following).rowcount != 1:
            return False
        for values in recorded:
            (self._record_doubt if "in_doubt" in values else self._record).run(cursor, values)
        self._start.run(cursor, following)
        return True


class _OnAServer(_Steps):
    """One statement for all, because a round trip to the server takes most of the time."""

    def __init__(self, journal: Transactions) -> None:
        super().__init__(journal, journal.dialect)
        self._statements: dict[str, DriverStatement] = {}

    def _done(self, cursor: Any, recorded: Sequence[Mapping[str, object]], following: Mapping[str, object]) -> bool:  # noqa: ANN401 - the driver's
        if len(recorded) > 1:
            return False
        [values] = recorded or [{}]
        kind = "doubt" if "in_doubt" in values else "outcome" if values else ""
        statement = self._statements.get(kind) or self._statements.setdefault(kind, self._compiled(kind))
        [done] = statement.run(cursor, {**following, **values}).fetchone()
        return bool(done)

    def _compiled(self, kind: str) -> DriverStatement:
        renewed = self._renewed.returning(schema.page.c.number).cte("renewed")
        statement = select(func.count()).select_from(renewed)

        def too(change: Update, name: str) -> None:
            nonlocal statement
            part = change.where(exists(select(renewed.c.number))).returning(schema.recipient.c.person)
            statement = statement.add_cte(part.cte(name))

        too(recipients.START_NEXT, "started")
        if kind:
            too(page_results.RECORD_DOUBT if kind == "doubt" else page_results.RECORD, "recorded")
        return DriverStatement(statement, self._journal.dialect)
