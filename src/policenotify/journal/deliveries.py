"""The repository of deliveries: claims, attempts, results, and deliveries that wait to be rendered."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Row,
    and_,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from policenotify.channel import PostRef, Recipient, RecipientOutcome, Request
from policenotify.errors import Blocked
from policenotify.journal import attempts, audit, clock_change, meta, order, queue
from policenotify.journal.audit import record_delivery
from policenotify.journal.authentication import delivery_mac, is_authentic
from policenotify.journal.channels import free_slots, use_slots
from policenotify.journal.database import schema
from policenotify.journal.database.transactions import Transactions
from policenotify.journal.lists import batches, control, doubts, recipients
from policenotify.journal.lists.state import ListState, ReadPeople
from policenotify.journal.persons.reports import mass_fault
from policenotify.journal.publications import delivery_columns, list_columns
from policenotify.journal.records import (
    LEASE,
    AttemptResult,
    ChannelSummary,
    ClaimedDelivery,
    UnrenderedDelivery,
    in_sending_order,
    microseconds,
    moment,
    outcome_of,
    span,
    word,
)
from policenotify.model.history import Outcome, RenderedPost, Target
from policenotify.model.rate import Rate, RateReached
from policenotify.model.status import Takeover, WaitsForList

RECENT = timedelta(hours=1)
"""How long a repeated take-over stays an alarm."""

_EARLIER: Final = 2_000  # deliveries before one that may have been sent after its first attempt; all later ones count
_BATCH = 5_000  # values in one query: SQLite takes 32,766 (sqlite.org/limits.html)

_table, _publication, _recipient = schema.delivery, schema.publication, schema.recipient
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
_KNOWN_POSTS = (
    select(_table.c.ref)
    .where(_table.c.id >= bindparam("first"), _table.c.id != bindparam("delivery"))
    .where(_table.c.account == bindparam("on_account"), _table.c.ref.is_not(None), _table.c.has_recipients.is_(False))
)
_SPECIAL, _ESCAPED = r"[%_/]", r"/\g<0>"  # in a pattern of LIKE
_KNOWN_POST = _KNOWN_POSTS.where(_table.c.ref.like(bindparam("post"), escape="/"))
_MESSAGE = select(_publication.c.message).where(_publication.c.id == bindparam("publication"))
_STATES = select(_table.c.state, _table.c.in_doubt).where(_table.c.id.in_(bindparam("ids", expanding=True)))


class Deliveries:
    """The queue of deliveries, their attempts and results.

    Methods that take a claimed delivery raise `LostLease` if another process has taken it over. They change nothing
    then.
    """

    def __init__(self, journal: Transactions) -> None:
        self._journal = journal

    # --- what is due

    def recover(self, lease: timedelta = LEASE, ended: Collection[str] = ()) -> int:
        """Take back deliveries of processes that exited or are silent, and of *ended* threads. Return their number.

        A second recovery of one delivery within one *lease* is an alarm. See `repeated_takeovers`. Before, what waits
        is moved if the clock was set.
        """
        with self._journal.write(durable=False) as connection:
            clock_change.follow(connection, self._journal.clock)
            now = microseconds(self._journal.now())
            return attempts.recover(connection, now, lease, ended)

    def settle_expired(self) -> int:
        """Settle a page of the posts that have expired. Return its length, 0 once there are none."""
        journal = self._journal
        with journal.write() as connection:
            now = microseconds(journal.now())
            rows = attempts.expired(connection, journal.keys, now)
            if not rows or journal.standing(connection).stopped is not None:
                return 0
            attempts.settle_expired(connection, rows, now)
            return len(rows)

    def repeated_takeovers(self) -> tuple[Takeover, ...]:
        """Return the deliveries recovered twice within one lease in the last hour, newest first."""
        since = microseconds(self._journal.now()) - span(RECENT)
        with self._journal.read() as connection:
            rows = audit.recent_events(connection, attempts.RECOVERED_AGAIN, since=since)
        newest: dict[int, Takeover] = {}
        for row in rows:
            takeover = Takeover(
                delivery=row.delivery, channel=row.channel, publication=row.publication, at=moment(row.at)
            )
            newest.setdefault(row.delivery, takeover)
        return tuple(newest.values())

    def due(
        self,
        channels: Iterable[str],
        *,
        rates: Mapping[str, Rate | None] | None = None,
        postponed: bool = True,
    ) -> dict[str, datetime]:
        """Return the next due time of each channel, honouring its rate. Empty while everything is stopped.

        Without *postponed*, deliveries that wait until their list is tried again are left out.
        """
        journal, by_name = self._journal, rates or {}
        limits = {name: by_name.get(name) for name in channels}
        with journal.read() as connection:
            if journal.standing(connection).stopped is not None:
                return {}
            return queue.next_due(connection, limits, microseconds(journal.now()), postponed=postponed)

    def is_ready(self, channel: str, *, severe_only: bool = False) -> bool:
        """Return True if a delivery is due, whether or not the channel may send now."""
        with self._journal.read() as connection:
            return queue.is_ready(connection, channel, microseconds(self._journal.now()), severe_only=severe_only)

    # --- attempts

    def claim(
        self, channel: str, owner: str, *, lease: timedelta, severe_only: bool = False, rate: Rate | None = None
    ) -> ClaimedDelivery | None:
        """Claim the channel's next delivery, if there is one and the rate allows it."""
        journal = self._journal
        with journal.write(durable=False) as connection:
            standing = journal.standing(connection)
            if standing.stopped is not None:
                return None
            now = microseconds(journal.now())
            return queue.take_next(
                connection, journal.keys, channel, owner, now=now, lease=lease, severe_only=severe_only, rate=rate
            )

    def begin(
        self,
        claimed: ClaimedDelivery,
        request: Request,
        wording: str,
        *,
        lease: timedelta = LEASE,
        rate: Rate | None = None,
    ) -> ClaimedDelivery:
        """Store that *request* is about to be sent, and renew the lease. Nothing may be sent before this returns.

        Raises:
            RateReached: Other processes have used up the channel's rate since it was claimed.
            PublishingStopped: Everything was stopped meanwhile.
            TakenBack: It was withdrawn, cancelled or ended since it was claimed.
        """
        journal = self._journal
        with journal.write() as connection:
            meta.pass_gate(connection, shared=True)
            standing = journal.standing(connection)
            if standing.stopped is not None:
                raise standing.stopped
            now = microseconds(journal.now())
            return attempts.begin(connection, journal.keys, claimed, request, wording, now=now, lease=lease, rate=rate)

    def known_posts(self, claimed: ClaimedDelivery, *, post: str | None = None) -> frozenset[str]:
        """Return the ids of the latest posts on the account that belong to other deliveries, or of *post* only.

        None of them is ever taken for the post of this delivery.
        """
        values = {"first": claimed.id - _EARLIER, "delivery": claimed.id, "on_account": claimed.account}
        query = _KNOWN_POSTS
        if post is not None:
            query, quoted = _KNOWN_POST, json.dumps(post, ensure_ascii=False)
            values["post"] = f"%{re.sub(_SPECIAL, _ESCAPED, quoted)}%"
        with self._journal.read() as connection:
            known = frozenset(PostRef.read(ref).id for ref in connection.execute(query, values).scalars())
        return known if post is None else known & {post}

    # --- the people of a delivery

    def list_state(self, claimed: ClaimedDelivery) -> ListState:
        """Return how far the people of a delivery are stored."""
        with self._journal.read() as connection:
            return batches.read_state(connection, claimed.id)

    def add_earlier(
        self, claimed: ClaimedDelivery, siblings: Collection[str], *, lease: timedelta
    ) -> ClaimedDelivery | None:
        """Make a batch of people who got an earlier delivery; see [`add_earlier`][policenotify.journal.lists.batches].

        Args:
            claimed: The delivery.
            siblings: The channels of the same network. A person is taken by one of them.
            lease: How long the batch is held from now on.
        """
        with self._journal.write(durable=False) as connection:
            at = microseconds(self._journal.now())
            return batches.add_earlier(connection, claimed, siblings, at=at, lease=lease)

    def add_batch(
        self, claimed: ClaimedDelivery, read: ReadPeople, siblings: Collection[str], *, lease: timedelta
    ) -> ClaimedDelivery | None:
        """Make a batch of people of the audiences, and move the cursor behind them.

        Returns:
            The batch, claimed by the same process, with the delivery released. None if no person of it waits.
        """
        with self._journal.write(durable=False) as connection:
            at = microseconds(self._journal.now())
            return batches.add_batch(connection, claimed, read, siblings, at=at, lease=lease)

    def waiting_for_lists(self) -> tuple[WaitsForList, ...]:
        """Return the deliveries whose people could not be read at the last try, the most urgent first."""
        with self._journal.read() as connection:
            return tuple(batches.unreadable(connection))

    def retry_lists(self, channel: str | None = None, *, first_only: bool = False) -> int:
        """Let deliveries whose people could not be read be tried again at once.

        Args:
            channel: Those of one channel, or of all.
            first_only: Of each channel only the most urgent one. If it can be read, the others should follow.

        Returns:
            Their number. Without any, nothing is written.
        """
        with self._journal.read() as connection:
            now = microseconds(self._journal.now())
            if not (found := batches.postponed(connection, now, first_only=first_only, channel=channel)):
                return 0
        with self._journal.write(durable=False) as connection:
            return batches.make_due(connection, found, microseconds(self._journal.now()))

    # --- results

    def record_result(self, claimed: ClaimedDelivery, result: AttemptResult) -> Mapping[Outcome, int]:
        """Record the result of an attempt. With recipients it applies to those of the batch that still wait.

        Returns:
            How many posts, or recipients, have which outcome now. Empty for a batch of a delivery that is not settled.
        """
        with self._journal.write() as connection:
            return attempts.record(connection, claimed, result, now=self._journal.now())

    def take(
        self,
        claimed: ClaimedDelivery,
        limit: int,
        *,
        hold_doubt: bool,
        lease: timedelta,
        rate: Rate | None = None,
        outcomes: Iterable[RecipientOutcome] | None = None,
    ) -> tuple[Recipient, ...]:
        """Record what became of the people marked before, and mark the next ones of a batch, in one transaction.

        With people the lease is renewed. Nothing may be sent to them before this returns. No one is marked while
        everything is stopped, or once this sending was paused or has ended.

        Args:
            claimed: The batch.
            limit: How many to mark at most.
            hold_doubt: People in doubt are held instead of being sent to again.
            lease: How long the batch is held from now on.
            rate: The channel's rate, which counts people.
            outcomes: What became of those marked before. Who has no outcome was not begun, and waits again. `None`:
                no one was marked since `begin`, which has renewed the lease.

        Raises:
            RateReached: The channel's rate is used up. The outcomes are recorded.
            Blocked: The channel reports so many people as not existing that it is at fault. They wait again, and the
                outcomes are recorded.
        """
        journal = self._journal
        failure: RateReached | Blocked | None = None
        people: tuple[Recipient, ...] = ()
        ended = None if outcomes is None else tuple(outcomes)
        with journal.write() as connection:
            meta.pass_gate(connection, shared=True)
            now = microseconds(journal.now())
            if any(outcome.gone for outcome in ended or ()):  # it may concern the batches before
                order.lock_key_of(connection, claimed.id)
            row = attempts.lock_owned(connection, claimed)
            if ended is not None:
                failure = self._record_people(connection, claimed, ended, hold_doubt=hold_doubt, rate=rate)
            if failure is None and limit and not row.halt and meta.stopped(connection, journal.id) is None:
                try:
                    if rate is not None:
                        limit = free_slots(connection, claimed.channel, rate, now, limit)
                    people = recipients.take(connection, journal.keys, claimed, limit, hold_doubt=hold_doubt, now=now)
                    if rate is not None and people:
                        use_slots(connection, claimed.channel, rate, now, len(people))
                except RateReached as reached:
                    failure = reached
            if people and ended is not None:
                attempts.change(connection, claimed, lease_until=now + span(lease))
        if failure is not None:
            raise failure
        return people

    def _record_people(
        self,
        connection: Connection,
        claimed: ClaimedDelivery,
        outcomes: Sequence[RecipientOutcome],
        *,
        hold_doubt: bool,
        rate: Rate | None,
    ) -> Blocked | None:
        unused = recipients.record(connection, claimed, outcomes, hold_doubt=hold_doubt)
        if rate is not None and unused:
            use_slots(connection, claimed.channel, rate, microseconds(self._journal.now()), -unused)
        if not any(outcome.gone for outcome in outcomes):
            return None
        fault = mass_fault(connection, replace(claimed, id=claimed.public_id))
        if fault is not None:
            control.recount(connection, claimed.public_id, microseconds(self._journal.now()))
        return fault

    def resolve(self, delivery: int, actor: str, *, posted: bool) -> Outcome:
        """Settle a held delivery, or its held recipients, by a person's decision: posted, or to be sent again.

        Returns:
            Its outcome: posted, waiting, or superseded if a newer message of its incident was posted meanwhile.

        Raises:
            NotHeld: Nothing of this delivery is held, or there is no such delivery.
        """
        self._journal.authorize(actor, "resolve")
        with self._journal.write() as connection:
            return doubts.resolve(connection, delivery, actor, posted=posted, now=self._journal.now())

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

    def had_recipients(self, channel: str) -> bool:
        """Return True if an earlier delivery on the channel had recipients, including purged ones."""
        query = select(_table.c.id).where(_table.c.channel == channel, _table.c.parent.is_not(None)).limit(1)
        with self._journal.read() as connection:
            return connection.execute(query).first() is not None

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

    def refuse_unrendered(self, unrendered: UnrenderedDelivery, reason: str) -> None:
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
