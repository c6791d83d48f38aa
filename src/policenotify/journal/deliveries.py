"""The repository of deliveries: claims, attempts and results."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import bindparam, func, select

from policenotify.journal.attempts import Attempts
from policenotify.journal.database import schema
from policenotify.journal.database.transactions import Transactions
from policenotify.journal.lists.batches import Batches
from policenotify.journal.queue import Queue
from policenotify.journal.records import (
    ChannelSummary,
    moment,
    outcome_of,
    word,
)
from policenotify.model.history import Outcome

_BATCH = 5_000  # values in one query: SQLite takes 32,766 (sqlite.org/limits.html)

_table, _publication = schema.delivery, schema.publication
_UNSETTLED = (Outcome.WAITING, Outcome.SENDING)
_COUNT_BY_STATE = (
    select(_table.c.channel, _table.c.state, func.count().label("number"))
    .where(_table.c.parent.is_(None))
    .group_by(_table.c.state, _table.c.channel)
)
_COUNT_IN_DOUBT = (
    select(_table.c.channel, func.count().label("number"))
    .where(_table.c.state == Outcome.WAITING, _table.c.in_doubt)
    .group_by(_table.c.channel)
)
_OLDEST = (
    select(_table.c.channel, func.min(_publication.c.created_at).label("at"))
    .join(_publication, _publication.c.id == _table.c.publication)
    .where(_table.c.state.in_(_UNSETTLED))
    .group_by(_table.c.channel)
)
_STATES = select(_table.c.state, _table.c.in_doubt).where(_table.c.id.in_(bindparam("ids", expanding=True)))


class Deliveries(Queue, Attempts, Batches):
    """The queue of deliveries, their attempts and results, and their people.

    Methods that take a claimed delivery raise `LostLease` if another process has taken it over. They change nothing
    then.
    """

    def __init__(self, journal: Transactions) -> None:
        self._journal = journal

    # --- overview

    def channel_summaries(self) -> tuple[ChannelSummary, ...]:
        """Return how many deliveries of each channel have which outcome, by name."""
        by_channel: dict[str, dict[Outcome, int]] = {}
        with self._journal.read() as connection:
            for row in connection.execute(_COUNT_BY_STATE):
                by_channel.setdefault(row.channel, {})[word(Outcome, row.state)] = row.number
            for row in connection.execute(_COUNT_IN_DOUBT):
                outcomes = by_channel[row.channel]
                outcomes[Outcome.UNCONFIRMED] = row.number
                outcomes[Outcome.WAITING] -= row.number
            oldest = {row.channel: moment(row.at) for row in connection.execute(_OLDEST)}
        return tuple(
            ChannelSummary(name, {key: outcomes[key] for key in Outcome if outcomes.get(key)}, oldest.get(name))
            for name, outcomes in sorted(by_channel.items())
        )

    def unsettled(self) -> frozenset[int]:
        """Return the ids of the deliveries that are waiting or being sent."""
        with self._journal.read() as connection:
            return frozenset(
                connection.execute(
                    select(_table.c.id).where(_table.c.parent.is_(None), _table.c.state.in_(_UNSETTLED))
                ).scalars()
            )

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
