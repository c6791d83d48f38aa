"""The repository of deliveries: claims, attempts, results, and deliveries that wait to be rendered."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, delete, func, insert, select, update

from policenotify.journal import order
from policenotify.journal.attempts import Attempts
from policenotify.journal.audit import record_delivery
from policenotify.journal.authentication import delivery_mac, is_authentic
from policenotify.journal.database import schema
from policenotify.journal.database.transactions import Transactions
from policenotify.journal.lists.batches import Batches
from policenotify.journal.publications import delivery_columns, list_columns
from policenotify.journal.queue import Queue
from policenotify.journal.records import (
    ChannelSummary,
    UnrenderedDelivery,
    in_sending_order,
    microseconds,
    moment,
    outcome_of,
    word,
)
from policenotify.model.history import Outcome, RenderedPost, Target
from policenotify.translation import AnyText

_BATCH = 5_000  # values in one query: SQLite takes 32,766 (sqlite.org/limits.html)

_table, _publication = schema.delivery, schema.publication
_UNSETTLED = (Outcome.WAITING, Outcome.SENDING)
_UNRENDERED = and_(_table.c.state == Outcome.WAITING, _table.c.account == "")
_UNRENDERED_ON = (
    select(_table.c.publication, _table.c.channel)
    .where(_UNRENDERED, _table.c.channel.in_(bindparam("channels", expanding=True)))
    .order_by(_table.c.id)
)
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
_MESSAGE = select(_publication.c.message).where(_publication.c.id == bindparam("publication"))
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

    # --- deliveries that wait to be rendered, because their channel could not be used when they were published

    def unrendered(self, channels: Iterable[str]) -> tuple[UnrenderedDelivery, ...]:
        """Return the unrendered deliveries on these channels, oldest first."""
        with self._journal.read() as connection:
            rows = connection.execute(_UNRENDERED_ON, {"channels": list(channels)}).all()
        return tuple(UnrenderedDelivery(publication=row.publication, channel=row.channel) for row in rows)

    def render(
        self,
        unrendered: UnrenderedDelivery,
        posts: Iterable[RenderedPost],
        targets: Iterable[Target] = (),
        *,
        with_recipients: bool = False,
    ) -> bool:
        """Replace an unrendered delivery by rendered ones, which keep its place in the order.

        Args:
            unrendered: The delivery.
            posts: Its posts.
            targets: The targets that get none.
            with_recipients: The channel has recipients.

        Returns:
            Whether it was still unrendered. Another process may have been faster, or its incident may be over.
        """
        journal = self._journal
        with journal.write() as connection:
            now = journal.now()
            row, at = _lock_unrendered(connection, unrendered), microseconds(now)
            if row is None:
                return False
            message = connection.execute(_MESSAGE, {"publication": row.publication}).scalar_one()
            if not is_authentic(journal.keys, row, message):  # the posts were rendered from it
                order.hold_forged(connection, row, at)
                return False
            first, *more = (
                {
                    **delivery_columns(connection, row.publication, target, standalone, reply, at=at),
                    "channel": row.channel,
                    **list_columns(has_recipients=standalone is not None and with_recipients, follows=True),
                }
                for target, standalone, reply in in_sending_order(posts, targets)
            )
            for columns in (first, *more):
                columns["mac"] = delivery_mac(journal.keys, {**row._asdict(), **columns}, message)
            connection.execute(update(_table).where(_table.c.id == row.id).values(**first))
            if more:
                _insert_after(connection, row, more)
            order.supersede_partial_sends(connection, row.ordering_key, at)
            record_delivery(connection, row, now, "rendered", {"parts": 1 + len(more)})
        return True

    def refuse_unrendered(self, unrendered: UnrenderedDelivery, reason: AnyText) -> None:
        """Settle a delivery that cannot be rendered as refused."""
        with self._journal.write() as connection:
            if (row := _lock_unrendered(connection, unrendered)) is not None:
                order.cancel_pending(connection, row, Outcome.REFUSED, reason, microseconds(self._journal.now()))


def _lock_unrendered(connection: Connection, unrendered: UnrenderedDelivery) -> Row[Any] | None:
    """Return the delivery with its ordering key locked, or None if it is not unrendered any more."""
    query = select(_table).where(
        _UNRENDERED, _table.c.publication == unrendered.publication, _table.c.channel == unrendered.channel
    )
    if (row := connection.execute(query).first()) is None:
        return None
    order.lock(connection, row.ordering_key)
    return connection.execute(query).first()


def _insert_after(connection: Connection, row: Row[Any], parts: Sequence[Mapping[str, object]]) -> None:
    """Insert the other parts of a delivery behind it, and before those that wait behind it."""
    # Deliveries are sent in the order of their ids, so that those behind it get new ones.
    behind = and_(_UNRENDERED, _table.c.ordering_key == row.ordering_key, _table.c.id > row.id)
    later = connection.execute(select(_table).where(behind).order_by(_table.c.id)).mappings().all()
    connection.execute(delete(_table).where(behind))
    rows = [*({**row._asdict(), **part} for part in parts), *map(dict, later)]
    for columns in rows:
        del columns["id"]
    connection.execute(insert(_table), rows)
