"""What is written and read while deliveries are under way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, Text, and_, delete, func, select, update

from policenotify.channel import Recipient, RecipientOutcome, Request, StateStore
from policenotify.errors import Blocked, JournalTakenAway, PublishingStopped
from policenotify.journal import (
    audit,
    clock_change,
    known_posts,
    meta,
    queue,
    rate_limiter,
    recipients,
    resolve,
    results,
    schema,
    takeovers,
    timekeeping,
)
from policenotify.journal.channel_store import JournalStateStore
from policenotify.journal.leases import is_dead, this_process
from policenotify.journal.ordering import lock_lane_of
from policenotify.journal.records import (
    LEASE,
    QUIET,
    AttemptResult,
    ClaimedDelivery,
    Takeover,
    microseconds,
    moment,
    span,
)
from policenotify.journal.transactions import Transactions
from policenotify.model.history import Outcome
from policenotify.model.rate import Rate

_FORGOTTEN = timedelta(days=7)  # after which a runner that was not seen again is no news any more


class Delivering(Transactions):
    """Hands deliveries out, and writes down what became of them."""

    def change_token(self) -> str:
        """Another text than before, once anybody has written down that something was said, settled or decided.

        It costs next to nothing, so that whoever waits may ask every second.
        """
        seen = self._newest_event
        with self.read() as connection:
            self._halted(connection, seen)
            if self._in_a_file:  # writers come one after the other, so that the last event is the newest
                return str(self._newest_event)
            # Another one after each transaction that wrote (postgresql.org/docs/current/functions-info.html).
            return str(connection.execute(select(func.pg_current_snapshot().cast(Text))).scalar())

    def heartbeat(self, *, stays: bool = False) -> None:
        """Somebody is delivering; who *stays* goes on until he says that he is leaving."""
        owner, now = this_process(), microseconds(self.now())
        table = schema.runner
        seen = {"seen_at": now, "stays": True} if stays else {"seen_at": now}
        with self.write(lasting=False) as connection:
            changed = connection.execute(update(table).where(table.c.owner == owner).values(**seen))
            if not changed.rowcount:
                connection.execute(delete(table).where(table.c.seen_at < now - span(_FORGOTTEN)))
                schema.insert_new(connection, table, [{"owner": owner, **seen}])

    def stop_heartbeat(self) -> None:
        """Who stayed is leaving."""
        table = schema.runner
        with self.write() as connection:
            connection.execute(update(table).where(table.c.owner == this_process()).values(stays=False))

    def worker_seen(self) -> datetime | None:
        """When somebody who stays was last delivering; `None`: nobody does, or he is dead or silent."""
        table, now = schema.runner, microseconds(self.now())
        lately = and_(table.c.seen_at > now - span(QUIET), table.c.seen_at <= now + span(clock_change.APART))
        query = select(table).where(table.c.stays, lately).order_by(table.c.seen_at.desc())
        with self.read() as connection:
            rows = connection.execute(query).all()
        return next((moment(row.seen_at) for row in rows if not is_dead(row.owner)), None)

    def runner_seen(self) -> datetime | None:
        """When somebody was last delivering, in the last days; what a clock said that was since set back is no sign."""
        table, until = schema.runner, microseconds(self.now()) + span(clock_change.APART)
        with self.read() as connection:
            seen = connection.execute(select(func.max(table.c.seen_at)).where(table.c.seen_at <= until)).scalar()
        return moment(seen) if seen is not None else None

    def request_drain(self, runner: str) -> bool:
        """Whether a runner is to be asked to come: nobody has promised that it will. From now on somebody has.

        One promise is enough until it is [kept][policenotify.journal.journal.Journal.keep_promise], or is overdue.
        """
        now = microseconds(self.now())
        with self.read() as connection:
            if meta.drain_requested(connection, runner, now):
                return False
        with self.write() as connection:
            return meta.request_drain(connection, runner, now)

    def acknowledge_drain(self, runner: str) -> None:
        """The runner has come: for what is written from now on, it is to be asked again."""
        with self.write() as connection:
            meta.acknowledge_drain(connection, runner)

    def recover(self, lease: timedelta = LEASE) -> int:
        """Take back what dead or silent runners held; returns how many deliveries.

        What is taken back a second time within one *lease* is an alarm; see `taken_over_again`.

        What waits for a time that was one of a clock since set back is due at once.
        """
        with self.write(lasting=False) as connection:
            now = microseconds(self.now())
            clock_change.reschedule_after_clock_change(connection, now)
            return queue.recover(connection, now, lease)

    def taken_over_again(self) -> tuple[Takeover, ...]:
        """Return the deliveries of the last hour that were taken over twice within one lease."""
        with self.read() as connection:
            return takeovers.recent(connection, microseconds(self.now()))

    def due(self, channels: Iterable[str], *, rates: Mapping[str, Rate | None] | None = None) -> dict[str, datetime]:
        """When each channel has something to do next; nothing while everything is stopped."""
        with self.read() as connection:
            stepped = timekeeping.stepped(connection, self.clock)
        if stepped:
            with self.write(lasting=False):
                pass  # which follows it
        with self.read() as connection:
            if meta.stopped(connection, self.id) is not None:
                return {}
            given = rates or {}
            return queue.due(connection, {name: given.get(name) for name in channels}, microseconds(self.now()))

    def opens_at(self, rates: Mapping[str, Rate | None]) -> dict[str, datetime]:
        """When the next post may leave on each channel, given its rate; those where it may leave now are left out."""
        with self.read() as connection:
            now = microseconds(self.now())
            opens = rate_limiter.opens_at(connection, rates, now)
        return {name: moment(at) for name, at in opens.items() if at is not None and at > now}

    def severe_is_ready(self, channel: str) -> bool:
        """Whether something Severe or more waits on the channel, to be sent now."""
        with self.read() as connection:
            return queue.severe_is_ready(connection, channel, microseconds(self.now()))

    def _halted(self, connection: Connection, seen: int) -> PublishingStopped | None:
        """Return why nothing may be sent now. Asked before each claim, and before anything leaves.

        Args:
            connection: To the journal.
            seen: The newest event that was known before the connection's view of the journal began.

        Raises:
            JournalTakenAway: This is not the journal that was opened, or an older state of it.
        """
        stopped, newest = meta.stopped(connection, self.id), audit.newest_event(connection)
        if newest < seen:
            raise JournalTakenAway("The journal was set back to an older state while it was in use.")
        self._newest_event = max(self._newest_event, newest)
        return stopped

    def claim(
        self, channel: str, owner: str, *, lease: timedelta, severe_only: bool = False, rate: Rate | None = None
    ) -> ClaimedDelivery | None:
        """Take the channel's next delivery, or nothing; nothing either while its rate lets nothing out."""
        seen = self._newest_event
        with self.write(lasting=False) as connection:
            if self._halted(connection, seen) is not None:
                return None
            steps = timekeeping.total(connection)
            now = microseconds(self.now())
            claimed = queue.claim(connection, channel, owner, now=now, lease=lease, severe_only=severe_only, rate=rate)
            return claimed and replace(claimed, clock_steps=steps)

    def begin(
        self,
        claimed: ClaimedDelivery,
        request: Request,
        wording: str,
        *,
        lease: timedelta = LEASE,
        rate: Rate | None = None,
    ) -> ClaimedDelivery:
        """Write down that *request* is about to be said. Nothing may leave before this returns.

        The lease begins again.

        Raises:
            LostLease: The delivery is no longer ours.
            RateReached: Others were faster since it was claimed, and the channel's rate lets nothing out yet.
            PublishingStopped: Everything was stopped meanwhile.
        """
        seen = self._newest_event
        with self.write() as connection:
            if (error := self._halted(connection, seen)) is not None:
                raise error
            claimed = claimed.at_steps(timekeeping.total(connection))
            now = microseconds(self.now())
            return queue.begin(connection, claimed, request, wording, now=now, lease=lease, rate=rate)

    def confirm_lease(self, claimed: ClaimedDelivery) -> None:
        """Check that the delivery is still ours, by the store's clock.

        Raises:
            LostLease: It is not.
        """
        with self.read() as connection:
            queue.confirm(connection, claimed, microseconds(self.now()))

    def in_time(self, claimed: ClaimedDelivery) -> tuple[ClaimedDelivery, datetime]:
        """The delivery, its times as the clock would have told them if it had always stood as it does, and the time.

        What has passed since an attempt is only to be told from these two together.
        """
        with self.write(lasting=False) as connection:
            return claimed.at_steps(timekeeping.total(connection)), self.now()

    def known_posts(self, claimed: ClaimedDelivery) -> frozenset[str]:
        """The ids of the latest posts on its account that are known as other deliveries'."""
        with self.read() as connection:
            return known_posts.posts_of_others(connection, claimed.id, claimed.account)

    def is_known(self, claimed: ClaimedDelivery, post: str) -> bool:
        """Whether a post on its account is known as another delivery's."""
        with self.read() as connection:
            return bool(known_posts.posts_of_others(connection, claimed.id, claimed.account, named=post))

    def settle(self, claimed: ClaimedDelivery, became: AttemptResult) -> Mapping[Outcome, int]:
        """Write down what became of the attempt; of a mass delivery: what became of all who still wait.

        Returns:
            How many posts, or people, have which outcome now.

        Raises:
            LostLease: It is no longer ours to say.
        """
        with self.write() as connection:
            steps = timekeeping.total(connection)
            became = _at_steps(became, claimed, steps)
            if claimed.has_recipients:
                return results.settle_mass(connection, claimed, became, now=self.now())
            results.settle(connection, claimed.at_steps(steps), became, now=self.now())
        return {became.outcome: 1}

    def block(self, channel: str, error: Blocked) -> bool:
        """Let nothing more out on a channel until a person acts; returns whether that is news."""
        with self.write() as connection:
            return results.block(connection, channel, error, now=self.now())

    def pause(self, channel: str, until: datetime) -> None:
        """The network asked the account to wait."""
        with self.write() as connection:
            results.pause(connection, channel, until)

    def next_people(
        self, claimed: ClaimedDelivery, limit: int, *, hold_doubt: bool, rate: Rate | None = None
    ) -> tuple[Recipient, ...]:
        """The next people of a delivery, marked for this attempt; empty while everything is stopped.

        People in doubt are held rather than written to again where *hold_doubt*.

        Raises:
            LostLease: The delivery is no longer ours.
            RateReached: The channel's rate, which counts people, lets nobody be written to yet.
        """
        with self.write() as connection:
            if meta.stopped(connection, self.id) is not None:
                return ()

            def mark(most: int) -> tuple[Recipient, ...]:
                queue.still_ours(connection, claimed)
                return recipients.next_people(
                    connection, self.keys, claimed.id, claimed.attempts, most, hold_doubt=hold_doubt
                )

            if rate is None:
                return mark(limit)
            return mark(
                rate_limiter.free_for_people(connection, claimed.channel, rate, microseconds(self.now()), limit)
            )

    def ask_person(
        self,
        claimed: ClaimedDelivery,
        person: str,
        outcomes: Sequence[RecipientOutcome],
        *,
        hold_doubt: bool,
        lease: timedelta,
        rate: Rate | None = None,
    ) -> bool:
        """Store the outcomes known so far, and that the network is about to be asked for the next person.

        In a file this is not flushed to the disk; [`recover`][policenotify.journal.queue.recover] allows for it.

        Returns:
            Whether to ask; `False` while everything is stopped.

        Raises:
            LostLease: The delivery is no longer ours.
            RateReached: The channel's rate lets nobody be written to yet; the outcomes are not stored.
        """
        with self.write(lasting=False) as connection:
            now = self.now()
            results.settle_people(connection, claimed, outcomes, now=now, hold_doubt=hold_doubt, lease=lease)
            if meta.stopped(connection, self.id) is not None:
                return False
            if rate is not None:
                rate_limiter.take(connection, claimed.channel, rate, microseconds(now))
            recipients.ask(connection, claimed.id, claimed.attempts, person)
            return True

    def settle_people(
        self, claimed: ClaimedDelivery, outcomes: Sequence[RecipientOutcome], *, hold_doubt: bool, lease: timedelta
    ) -> None:
        """Write down what became of some people, and keep the delivery a while longer."""
        with self.write() as connection:
            lock_lane_of(connection, claimed.id)  # first, for the delivery may be settled in the same transaction
            results.settle_people(connection, claimed, outcomes, now=self.now(), hold_doubt=hold_doubt, lease=lease)

    def settle_mass(self, claimed: ClaimedDelivery, became: AttemptResult) -> Outcome:
        """Write down what a mass delivery has come to, from what became of its people.

        Args:
            claimed: The delivery.
            became: Says why and when again, should somebody still wait; final for all others if it is final.

        Returns:
            What it has come to.
        """
        return recipients.of_people(self.settle(claimed, became))

    def resolve(self, delivery: int, actor: str, *, posted: bool) -> Outcome:
        """A person says what became of what is held: it is out, or it is to be said again.

        Returns:
            What becomes of it: posted, waiting, or superseded, if a newer message of its incident is out by now.

        Raises:
            NotHeld: Nothing of this delivery is held, or there is none.
        """
        with self.write() as connection:
            return resolve.resolve(connection, delivery, actor, posted=posted, now=self.now())

    def state_store(self, channel: str) -> StateStore:
        """What one channel remembers between calls and processes."""
        return JournalStateStore(self, channel)


def _at_steps(became: AttemptResult, claimed: ClaimedDelivery, steps: timedelta) -> AttemptResult:
    """The settlement, its times moved if the clock was set while they were reckoned: rather early than an hour late."""
    step = steps - claimed.clock_steps
    if not step or became.not_before is None:
        return became
    return replace(became, not_before=min(became.not_before, became.not_before + step))
