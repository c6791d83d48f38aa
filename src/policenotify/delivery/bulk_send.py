"""Send a delivery to its recipients, one at a time.

The channel pulls the next recipient when it is about to ask the network for that person. A channel that looks ahead
pulls earlier, and names each recipient right before it asks. So a delivery can end between two recipients, and only
those who are being asked are in doubt when the process is killed: one, or one in each connection of the channel.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from policenotify.channel import Clock, Recipient, RecipientOutcome, Request, SupportsBulkSend
from policenotify.errors import Blocked, ChannelError, JournalError, LostLease, Refused, Unavailable
from policenotify.journal.records import ClaimedDelivery
from policenotify.log import fields
from policenotify.model.rate import Rate, RateReached
from policenotify.transport import publishing_under

if TYPE_CHECKING:
    from policenotify.journal.journal import Journal

_log = logging.getLogger("policenotify")

_RENEWED = 1 / 16  # of a lease, after which it is renewed with the next person
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

    def allow(self, _recipient: str = "") -> None:
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


class _Cut(JournalError):
    """The delivery ends before this recipient."""


@dataclass(slots=True, kw_only=True)
class BulkSend:
    """An iterator over some recipients of a delivery, pulled by the channel.

    Each recipient is begun when it is pulled, or for a channel that looks ahead when the channel names it. That stores,
    in one transaction, the outcomes known so far and who is asked next. It ends early, between two recipients, when the
    delivery must not go on. Recipients that were not begun then still wait.

    Attributes:
        lease: The delivery's lease, renewed with the recipients.
        rate: The channel's rate, which counts recipients.
        hold_doubt: Recipients in doubt are held.
        left: Recipients marked for this attempt that were not pulled yet.
        chunk: How many are marked at once. No more are, as long as so many were asked and have no outcome.
        more: Marks and returns the next recipients when none is left.
        begun: Keys of the recipients that were asked, in order.
        outcomes: The outcomes so far, by recipient key.
        cut: It has ended before all were asked.
        reached: The rate that was the reason.
    """

    journal: Journal
    lease: Lease
    rate: Rate | None
    hold_doubt: bool
    may_go_on: Callable[[], bool]
    left: deque[Recipient]
    chunk: int = 1
    more: Callable[[], Sequence[Recipient]] = tuple
    begun: dict[str, None] = field(default_factory=dict)
    outcomes: dict[str, RecipientOutcome] = field(default_factory=dict)
    cut: bool = False
    reached: RateReached | None = None
    _unstored: dict[str, RecipientOutcome] = field(default_factory=dict, init=False)
    _looks_ahead: bool = field(default=False, init=False)
    _ended: bool = field(default=False, init=False)  # one could not be begun

    def __iter__(self) -> Iterator[Recipient]:
        return self

    def __next__(self) -> Recipient:
        if self.cut:
            raise StopIteration
        goes_on = self.may_go_on()
        if not self.left and goes_on and len(self.begun) - len(self.outcomes) < self.chunk:
            self._mark_more()
        if not self.left:
            raise StopIteration
        self.cut = not goes_on
        if self.cut:
            raise StopIteration
        if not self._looks_ahead:
            try:
                self._begin(self.left[0].key)
            except JournalError:  # if it lasts, storing the outcomes at the end raises it again
                raise StopIteration from None
        return self.left.popleft()

    @property
    def unstored(self) -> dict[str, RecipientOutcome]:
        """The outcomes that are not in the journal yet."""
        return dict(self._unstored)

    def run(self, channel: SupportsBulkSend, request: Request) -> ChannelError | None:
        """Let the channel send. Afterwards each recipient who was asked has an outcome.

        Returns:
            The failure that ended it, unless all were asked or it was cut between two recipients.
        """
        failure: ChannelError | None = None
        missing = partial(RecipientOutcome, outcome="unconfirmed", reason=_UNKNOWN)
        self._looks_ahead = channel.capabilities.looks_ahead
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
                about = fields(channel=name, delivery=self.lease.claimed.id)
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

    def _mark_more(self) -> None:
        """Mark the next recipients. The channel keeps its connections, and the commands that it has sent ahead."""
        with suppress(JournalError, RateReached):  # storing the outcomes at the end finds it again
            self.left.extend(self.more())

    def _begin(self, recipient: str) -> None:
        """Store that one recipient is asked now, and the outcomes known so far.

        Raises:
            JournalError: It must not be asked. Nothing was stored, and the list is cut.
        """
        at = self.lease.clock.monotonic()
        renew = at - self.lease.renewed_at > self.lease.length.total_seconds() * _RENEWED
        self._ended = True
        try:
            goes_on = self.journal.deliveries.start_recipient(
                self.lease.claimed,
                recipient,
                tuple(self._unstored.values()),
                hold_doubt=self.hold_doubt,
                lease=self.lease.length,
                rate=self.rate,
                renew=renew,
            )
        except RateReached as reached:
            goes_on, self.reached = False, reached
        except Blocked:  # storing the outcomes at the end finds it again
            goes_on = False
        except JournalError:
            self.cut = True
            raise
        if not goes_on:
            self.cut = True
            raise _Cut("The list ends here.")
        self._ended = False
        self.lease.writes = 0
        if renew:
            self.lease.renewed_at = at
        self._unstored.clear()
        self.begun[recipient] = None

    def _allow(self, recipient: str) -> None:
        """Allow to publish one recipient's copy.

        Raises:
            JournalError: It must not be published.
        """
        if not self._looks_ahead or recipient in self.begun:  # again, as its connection was lost before
            self.lease.allow()
            return
        if self._ended:
            raise _Cut("The list ends here.")
        self._begin(recipient)
        self.lease.check_time()
        self.lease.writes += 1

    def _add(self, outcome: RecipientOutcome) -> None:
        if outcome.outcome not in _OUTCOMES:  # an unknown word tells nothing
            outcome = RecipientOutcome(key=outcome.key, outcome="unconfirmed", reason=_UNKNOWN)
        known = self.outcomes.get(outcome.key)
        if known is None or _OUTCOMES.index(known.outcome) < _OUTCOMES.index(outcome.outcome):
            self.outcomes[outcome.key] = self._unstored[outcome.key] = outcome
