"""The repository of deliveries: claims, attempts and results."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import bindparam, select

from policenotify.journal.attempts import Attempts
from policenotify.journal.database import schema
from policenotify.journal.database.transactions import Transactions
from policenotify.journal.lists.batches import Batches
from policenotify.journal.queue import Queue
from policenotify.journal.records import outcome_of
from policenotify.model.history import Outcome

_BATCH = 5_000  # values in one query: SQLite takes 32,766 (sqlite.org/limits.html)

_table = schema.delivery
_UNSETTLED = (Outcome.WAITING, Outcome.SENDING)
_STATES = select(_table.c.state, _table.c.in_doubt).where(_table.c.id.in_(bindparam("ids", expanding=True)))


class Deliveries(Queue, Attempts, Batches):
    """The queue of deliveries, their attempts and results, and their people.

    Methods that take a claimed delivery raise `LostLease` if another process has taken it over. They change nothing
    then.
    """

    def __init__(self, journal: Transactions) -> None:
        self._journal = journal

    def unsettled(self) -> frozenset[int]:
        """Return the ids of the deliveries that are waiting or being sent."""
        with self._journal.read() as connection:
            open_now = select(_table.c.id).where(_table.c.parent.is_(None), _table.c.state.in_(_UNSETTLED))
            return frozenset(connection.execute(open_now).scalars())

    def outcomes(self, deliveries: Collection[int]) -> Mapping[Outcome, int]:
        """Return how many of these deliveries have which outcome."""
        counts: dict[Outcome, int] = {}
        ids = sorted(deliveries)
        with self._journal.read() as connection:
            for start in range(0, len(ids), _BATCH):
                for row in connection.execute(_STATES, {"ids": ids[start : start + _BATCH]}):
                    outcome = outcome_of(row.state, in_doubt=row.in_doubt)
                    counts[outcome] = counts.get(outcome, 0) + 1
        return counts
