"""One attempt at a batch of people: mark some of them, send, record what became of each, and go on.

Who was marked is in doubt if the process is killed. If a drain ends, those who were marked and not begun wait again.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from policenotify.channel import (
    Channel,
    ChannelConfig,
    Clock,
    PostRef,
    Recipient,
    RecipientOutcome,
    Request,
    SupportsBulkSend,
)
from policenotify.delivery.lease import Lease
from policenotify.delivery.log_lines import log_outcome, measure_post, noted
from policenotify.errors import Blocked, ChannelError, Refused, Unavailable
from policenotify.journal.records import AttemptResult, ClaimedDelivery, moment
from policenotify.log import fields, shown_code
from policenotify.model.history import Outcome
from policenotify.model.rate import RateReached
from policenotify.telemetry import SEND_DURATION, measure, note, span
from policenotify.transport import publishing_under

if TYPE_CHECKING:
    from policenotify.journal.journal import Journal

CHUNK: Final = 25
"""People marked for an attempt at once. After a kill so many may be in doubt, for each worker."""

_log = logging.getLogger("policenotify")
_BEGUN_WITHIN = 1 / 4  # of a lease; who is later waits for the next chunk, and the lease is renewed with it
_OF_PEOPLE = (Outcome.HELD, Outcome.POSTED, Outcome.REFUSED, Outcome.SUPERSEDED, Outcome.SUPPRESSED)  # the first counts
_UNKNOWN = "It may or may not have been taken."
_SHORTEST_BACKOFF, _LONGEST_BACKOFF = timedelta(seconds=2), timedelta(minutes=10)
_OUTCOMES = ("unavailable", "refused", "unconfirmed", "posted")  # of two for one recipient the later here counts


def backoff(before: timedelta) -> timedelta:
    """Return the wait after a failure: 1.5 times the wait *before* it.

    It is from 2 seconds to 10 minutes. The age of a post does not count: one that has waited for hours behind others
    has not failed yet.
    """
    return min(max(before * 1.5, _SHORTEST_BACKOFF), _LONGEST_BACKOFF)


def waiting(claimed: ClaimedDelivery, **result: Any) -> AttemptResult:  # noqa: ANN401 - the fields of AttemptResult
    """Return the result of a delivery that still waits, in doubt if it already was."""
    return AttemptResult(outcome=Outcome.UNCONFIRMED if claimed.in_doubt else Outcome.WAITING, **result)


def limited(channel: str, reached: RateReached, claimed: ClaimedDelivery) -> AttemptResult:
    """Return the result of a delivery that waits for its channel's rate."""
    reason = f"{channel!r} has reached its rate. The delivery goes on when the rate allows."
    return waiting(claimed, not_before=moment(reached.at), backoff=claimed.backoff, reason=reason)


@dataclass(slots=True, kw_only=True)
class Chunk:
    """An iterator over the people who are marked, pulled by the channel.

    It ends early if the batch must not go on, or the lease grows old. Who was not begun then has no outcome.

    Attributes:
        lease: The batch's lease.
        may_go_on: Returns whether another person may be begun.
        left: Those who were not pulled yet.
        looks_ahead: The channel pulls earlier, and names each person right before it asks the network.
        begun: Keys of those whom the network was asked for, in order.
        outcomes: What became of them, by key.
        cut: The batch must not go on.
        late: The lease was too old for another person.
    """

    lease: Lease
    may_go_on: Callable[[], bool]
    left: deque[Recipient]
    looks_ahead: bool = False
    begun: dict[str, None] = field(default_factory=dict)
    outcomes: dict[str, RecipientOutcome] = field(default_factory=dict)
    cut: bool = False
    late: bool = False

    def __iter__(self) -> Iterator[Recipient]:
        return self

    def __next__(self) -> Recipient:
        if not self.left or not self._begins():
            raise StopIteration
        recipient = self.left.popleft()
        if not self.looks_ahead:
            self._begin(recipient.key)
        return recipient

    def run(self, channel: SupportsBulkSend, request: Request) -> ChannelError | None:
        """Let the channel send. Afterwards each person who was begun has an outcome.

        Returns:
            The failure that ended it, if any.
        """
        failure: ChannelError | None = None
        missing = partial(RecipientOutcome, outcome="unconfirmed", reason=_UNKNOWN)
        try:
            with publishing_under(self._allow):
                for outcome in channel.send_each(request, self):
                    self._add(outcome)
        except (Refused, Blocked, Unavailable) as error:
            failure = error
            missing = partial(RecipientOutcome, outcome="unavailable", reason=error.reason, code=error.code)
        except Exception as error:  # noqa: BLE001 - any other exception leaves those without an outcome in doubt
            if not self.cut and not self.lease.refused:
                name, code = self.lease.claimed.channel, type(error).__name__
                about = fields(channel=name, delivery=self.lease.claimed.public_id)
                _log.warning("Channel %s: %s escaped in the middle of a list.", name, code, extra=about)
                failure = Unavailable("The network failed unexpectedly in the middle.", code=code)
        if self.lease.refused:
            self.cut = True
            if self.lease.unwritten and self.begun:
                self._add(RecipientOutcome(key=next(reversed(self.begun)), outcome="unavailable"))
        for key in self.begun:
            if key not in self.outcomes:
                self._add(missing(key=key))
        return failure

    def _begins(self) -> bool:
        """Return whether another person may be begun."""
        self.cut = self.cut or not self.may_go_on()
        age = self.lease.clock.monotonic() - self.lease.renewed_at
        self.late = age > self.lease.length.total_seconds() * _BEGUN_WITHIN
        return not self.cut and not self.late

    def _begin(self, key: str) -> None:
        self.begun[key] = None
        self.lease.writes = 0

    def _allow(self, recipient: str) -> None:
        """Allow to publish one person's copy.

        Raises:
            LostLease: It must not be published.
        """
        self.lease.check()
        if self.looks_ahead and recipient not in self.begun:  # else again, as its connection was lost before
            self._begin(recipient)
        self.lease.writes += 1

    def _add(self, outcome: RecipientOutcome) -> None:
        if outcome.outcome not in _OUTCOMES:  # an unknown word tells nothing
            outcome = RecipientOutcome(key=outcome.key, outcome="unconfirmed", reason=_UNKNOWN)
        known = self.outcomes.get(outcome.key)
        if known is None or _OUTCOMES.index(known.outcome) < _OUTCOMES.index(outcome.outcome):
            self.outcomes[outcome.key] = outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSender(ABC):
    """Sends to the people of batches on one channel.

    Attributes:
        clock: Measures durations. The journal dates what happens.
        lease: How long a delivery is held after an attempt has begun, and after people of it were marked.
        backoff: Returns the wait after a failure, from the wait after the failure before it.
        may_go_on: Returns whether another person may be begun.
        on_result: Called in each transaction that stores a result.
    """

    journal: Journal
    channel: Channel
    config: ChannelConfig
    clock: Clock
    lease: timedelta
    backoff: Callable[[timedelta], timedelta] = backoff
    may_go_on: Callable[[], bool] = lambda: True
    on_result: Callable[[], object] = lambda: None

    @abstractmethod
    def _failed(self, error: Exception, claimed: ClaimedDelivery) -> AttemptResult:
        """Return what a failure of the whole channel means."""

    def _holds_doubt(self, claimed: ClaimedDelivery) -> bool:
        """Return whether a person decides about what is in doubt, where the network cannot be asked."""
        return self.config.unknown_policy(severe=claimed.severe) == "hold"

    def _mark(
        self, claimed: ClaimedDelivery, before: Mapping[str, RecipientOutcome] | None = None, *, more: bool = True
    ) -> tuple[Recipient, ...]:
        """Record what became of the people marked *before*, and mark the next ones, unless there shall be no *more*.

        Raises:
            RateReached: The channel's rate, which counts people, is used up.
            Blocked: The channel reports too many people as not existing.
        """
        return self.journal.deliveries.take(
            claimed,
            int(getattr(self.channel, "people_at_once", CHUNK)) if more else 0,
            hold_doubt=self._holds_doubt(claimed),
            lease=self.lease,
            rate=self.config.rate,
            outcomes=None if before is None else before.values(),
        )

    def _send_to_people(self, lease: Lease, request: Request, recipients: tuple[Recipient, ...]) -> None:
        """Send to these people and the others of the batch, as long as it may go on."""
        claimed, result = lease.claimed, None
        ref = PostRef(account=request.account, id=request.key)
        while recipients:
            chunk = Chunk(
                lease=lease,
                may_go_on=self.may_go_on,
                left=deque(recipients),
                looks_ahead=self.channel.capabilities.looks_ahead,
            )
            failure = self._send_chunk(chunk, request)
            if any(outcome.outcome == "posted" for outcome in chunk.outcomes.values()):
                claimed = replace(claimed, backoff=timedelta(0))  # it does not fail: the next wait is a short one
            at, ends = self.clock.monotonic(), chunk.cut or not self.may_go_on()
            # Committed alone: a result that cannot be stored must not undo it, and storing that locks the whole list.
            recipients, result = self._following(claimed, chunk, failure, ends=ends)
            lease.renewed_at = at
        result = result or self._waits(claimed)
        log_outcome(claimed, result.code, self._store_of_people(claimed, replace(result, ref=ref)))

    def _following(
        self, claimed: ClaimedDelivery, chunk: Chunk, failure: ChannelError | None, *, ends: bool
    ) -> tuple[tuple[Recipient, ...], AttemptResult | None]:
        """Store what became of a chunk. Return the people who follow it, or without any the result of the batch."""
        left_over = chunk.left and not chunk.late  # the network took no more
        try:
            people = self._mark(claimed, chunk.outcomes, more=not (failure or ends or left_over))
        except Blocked as error:
            people, failure = (), error
        except RateReached as reached:
            return (), limited(self.config.name, reached, claimed)
        if people:
            return people, None
        if failure is not None:
            return (), self._failed(failure, claimed)
        if ends:
            reason = "It was interrupted between two people. The others get it when the delivery goes on."
            return (), AttemptResult(outcome=Outcome.WAITING, not_before=self.journal.now(), reason=reason)
        return (), self._waits(claimed)

    def _waits(self, claimed: ClaimedDelivery) -> AttemptResult:
        """Return the result of a batch of whom some may still wait, by their own answers."""
        wait = self.backoff(claimed.backoff)
        at_last = self.journal.now() + wait
        return AttemptResult(outcome=Outcome.WAITING, not_before=at_last, backoff=wait, of_people=True)

    def _send_chunk(self, chunk: Chunk, request: Request) -> ChannelError | None:
        started = self.clock.monotonic()
        with span(f"send {self.config.network}", "CLIENT", {"messaging.operation.type": "send"}):
            failure = chunk.run(cast("SupportsBulkSend", self.channel), request)  # the attempt has checked it
            failed = failure and (shown_code(failure.code) or type(failure).__name__)
            note({"messaging.batch.message_count": len(chunk.outcomes)}, failed=failed or "")
        took, operation = self.clock.monotonic() - started, chunk.lease.claimed.operation.value
        measure(SEND_DURATION, took, self.config.name, self.config.network, operation)
        return failure

    def _store_of_people(self, claimed: ClaimedDelivery, result: AttemptResult) -> Mapping[Outcome, int]:
        with span("settle", "CLIENT", {"messaging.operation.type": "settle"}), self.journal.write():
            counts = self.journal.deliveries.record_result(claimed, result)
            self.on_result()
        # A result is of a batch. Once the delivery is settled, the counts of all its people are known.
        overall = next((outcome for outcome in _OF_PEOPLE if counts.get(outcome)), result.outcome)
        noted(replace(result, outcome=overall))
        if counts.get(Outcome.POSTED):
            measure_post(claimed, self.config.network, self.journal.now())
        return counts
