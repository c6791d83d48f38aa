"""Send a delivery to its recipients, one at a time.

The channel pulls the next recipient when it is about to ask the network for that person. So a delivery can end between
two recipients, and at most the one who is being asked is in doubt when the process is killed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from policenotify.channel import Clock, Recipient, RecipientOutcome, Request, SupportsBulkSend
from policenotify.errors import Blocked, ChannelError, JournalError, LostLease, Refused, Unavailable
from policenotify.journal.records import ClaimedDelivery
from policenotify.model.rate import Rate, RateReached
from policenotify.transport import publishing_under

if TYPE_CHECKING:
    from policenotify.journal.journal import Journal

_log = logging.getLogger("policenotify")

_UNKNOWN = "It may or may not have been taken."
_OUTCOMES = ("unavailable", "refused", "unconfirmed", "posted")  # of two for one recipient the later here counts


@dataclass(slots=True, kw_only=True)
class Lease:
    """A delivery's lease, checked immediately before the network is written to.

    A process may be halted at any instant, and go on after another one has taken its delivery over. The first half of
    the lease is for what precedes the publishing write, the second half for the answer to it.

    Attributes:
        claimed: The delivery, in the current attempt.
        clock: Its `monotonic` also counts the time while the machine sleeps.
        length: How long the lease holds after each renewal.
        renewed_at: The monotonic time of the last renewal, or earlier.
        writes: How many publishing writes it has allowed since then.
        refused: It has forbidden one.
    """

    journal: Journal
    claimed: ClaimedDelivery
    clock: Clock
    length: timedelta
    renewed_at: float
    writes: int = 0
    refused: bool = False

    @property
    def unwritten(self) -> bool:
        """Whether the network has nothing, because the first publishing write was forbidden."""
        return self.refused and not self.writes

    def allow(self) -> None:
        """Allow one publishing write.

        Raises:
            LostLease: Too much time has passed, or another process has the delivery.
            JournalError: The journal cannot be read.
        """
        try:
            self.check_time()
            self.journal.deliveries.confirm_lease(self.claimed)
        except JournalError:
            self.refused = True
            raise
        self.writes += 1

    def check_time(self) -> None:
        """Raise `LostLease` if more than half of the lease has passed."""
        if self.clock.monotonic() - self.renewed_at > self.length.total_seconds() / 2:
            self.refused = True
            raise LostLease(
                f"Delivery {self.claimed.id} on {self.claimed.channel!r}: this process was halted for longer than its "
                "lease allows, so it sends nothing."
            )


@dataclass(slots=True, kw_only=True)
class BulkSend:
    """An iterator over some recipients of a delivery, pulled by the channel.

    Each step stores, in one transaction, the outcomes known so far and who is asked next. It ends early, between two
    recipients, when the delivery must not go on.

    Attributes:
        lease: The delivery's lease, renewed with each recipient.
        rate: The channel's rate, which counts recipients.
        hold_doubt: Recipients in doubt are held.
        left: Recipients marked for this attempt that were not handed out yet.
        asked: Recipients that were handed out, in order.
        outcomes: The outcomes so far, by recipient key.
        cut: It has ended before all were handed out.
        reached: The rate that was the reason.
    """

    journal: Journal
    lease: Lease
    rate: Rate | None
    hold_doubt: bool
    may_go_on: Callable[[], bool]
    left: list[Recipient]
    asked: list[Recipient] = field(default_factory=list)
    outcomes: dict[str, RecipientOutcome] = field(default_factory=dict)
    cut: bool = False
    reached: RateReached | None = None
    _stored: dict[str, RecipientOutcome] = field(default_factory=dict, init=False)

    def __iter__(self) -> Iterator[Recipient]:
        return self

    def __next__(self) -> Recipient:
        if self.cut or not self.left:
            raise StopIteration
        recipient, known = self.left[0], self.unstored
        at = self.lease.clock.monotonic()
        try:
            self.cut = not self.may_go_on() or not self.journal.deliveries.start_recipient(
                self.lease.claimed,
                recipient.key,
                tuple(known.values()),
                hold_doubt=self.hold_doubt,
                lease=self.lease.length,
                rate=self.rate,
            )
        except RateReached as reached:
            self.cut, self.reached = True, reached
        except Blocked:  # storing the outcomes at the end finds it again
            self.cut = True
        except JournalError:  # if it lasts, storing the outcomes at the end raises it again
            self.cut = True
        if self.cut:
            raise StopIteration
        self.lease.renewed_at, self.lease.writes = at, 0
        self._stored |= known
        self.asked.append(self.left.pop(0))
        return recipient

    @property
    def unstored(self) -> dict[str, RecipientOutcome]:
        """The outcomes that are not in the journal yet."""
        return {key: outcome for key, outcome in self.outcomes.items() if self._stored.get(key) != outcome}

    def run(self, channel: SupportsBulkSend, request: Request) -> ChannelError | None:
        """Let the channel send. Afterwards each asked recipient has an outcome.

        Returns:
            The failure that ended it, unless all were asked or it was cut between two recipients.
        """
        failure: ChannelError | None = None
        missing = partial(RecipientOutcome, outcome="unconfirmed", reason=_UNKNOWN)
        try:
            with publishing_under(self.lease.allow):
                for outcome in channel.send_each(request, self):
                    self._add(outcome)
        except (Refused, Blocked, Unavailable) as error:
            failure = error
            missing = partial(RecipientOutcome, outcome="unavailable", reason=error.reason, code=error.code)
        except Exception as error:  # noqa: BLE001 - any other exception leaves those without an outcome in doubt
            if not self.lease.refused:
                name, code = self.lease.claimed.channel, type(error).__name__
                _log.warning("Channel %s: %s escaped in the middle of a list.", name, code)
                failure = Unavailable("The network failed unexpectedly in the middle.", code=code)
        if self.lease.refused:
            self.cut = True
            if self.lease.unwritten and self.asked:
                last = self.asked[-1].key
                self.outcomes[last] = RecipientOutcome(key=last, outcome="unavailable")
        for recipient in self.asked:
            self.outcomes.setdefault(recipient.key, missing(key=recipient.key))
        return failure

    def _add(self, outcome: RecipientOutcome) -> None:
        if outcome.outcome not in _OUTCOMES:  # an unknown word tells nothing
            outcome = RecipientOutcome(key=outcome.key, outcome="unconfirmed", reason=_UNKNOWN)
        known = self.outcomes.get(outcome.key, outcome)
        self.outcomes[outcome.key] = max(known, outcome, key=lambda each: _OUTCOMES.index(each.outcome))
