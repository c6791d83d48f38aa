"""One attempt at a page of a bulk delivery: send to its people, and store what became of each."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from policenotify.channel import ChannelConfig, Clock, PostRef, Recipient, Request, SupportsBulkSend
from policenotify.delivery.bulk_send import BulkSend, Lease
from policenotify.delivery.log_lines import log_outcome, measure_post, noted
from policenotify.journal.records import AttemptResult, ClaimedDelivery, moment
from policenotify.log import shown_code
from policenotify.model.history import Outcome
from policenotify.model.rate import RateReached
from policenotify.telemetry import SEND_DURATION, measure, note, span

if TYPE_CHECKING:
    from policenotify.journal.journal import Journal


_OF_PEOPLE = (Outcome.HELD, Outcome.POSTED, Outcome.REFUSED, Outcome.SUPERSEDED, Outcome.SUPPRESSED)  # the first counts

CHUNK = 25
"""Recipients marked for an attempt at once. After a power cut so many are in doubt, and those who were being asked when
they were marked."""

CHUNK_AHEAD = 100
"""The same for a network that looks ahead, to which a person costs so little that marking is a part of it."""


def waiting(claimed: ClaimedDelivery, **result: Any) -> AttemptResult:  # noqa: ANN401 - the fields of AttemptResult
    """Return the result of a delivery that still waits, in doubt if it already was."""
    return AttemptResult(outcome=Outcome.UNCONFIRMED if claimed.in_doubt else Outcome.WAITING, **result)


def limited(channel: str, reached: RateReached, claimed: ClaimedDelivery) -> AttemptResult:
    """Return the result of a delivery that waits for its channel's rate."""
    reason = f"{channel!r} has reached its rate. The delivery goes on when the rate allows."
    return waiting(claimed, not_before=moment(reached.at), backoff=claimed.backoff, reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkAttempt:
    """Sends to the people of a page.

    Attributes:
        lease: How long a page is held after an attempt has begun. It is renewed with the recipients.
        backoff: Returns the wait after a failure, from the wait after the failure before it.
        may_go_on: Returns whether it may ask for another recipient.
        hold_doubt: Returns whether recipients in doubt are held.
        failed: Returns what a failure of the whole channel means.
    """

    journal: Journal
    channel: SupportsBulkSend
    config: ChannelConfig
    clock: Clock
    lease: timedelta
    backoff: Callable[[timedelta], timedelta]
    may_go_on: Callable[[], bool]
    hold_doubt: Callable[[ClaimedDelivery], bool]
    failed: Callable[[Exception, ClaimedDelivery], AttemptResult]

    def next_recipients(self, claimed: ClaimedDelivery) -> tuple[Recipient, ...]:
        """Return the next recipients of the page, marked for this attempt.

        Raises:
            RateReached: The channel's rate, which counts recipients, is used up.
        """
        hold = self.hold_doubt(claimed)
        return self.journal.deliveries.next_recipients(claimed, self._chunk, hold_doubt=hold, rate=self.config.rate)

    @property
    def _chunk(self) -> int:
        return CHUNK_AHEAD if self.channel.capabilities.looks_ahead else CHUNK

    def send(self, lease: Lease, request: Request, recipients: tuple[Recipient, ...]) -> None:
        """Send to these recipients and the others of the page, as long as the bulk send may go on."""
        claimed, hold = lease.claimed, self.hold_doubt(lease.claimed)
        ref = PostRef(account=request.account, id=request.key)
        while True:
            bulk = BulkSend(
                journal=self.journal,
                lease=lease,
                rate=self.config.rate,
                hold_doubt=hold,
                may_go_on=self.may_go_on,
                left=deque(recipients),
                chunk=self._chunk,
                more=partial(self.next_recipients, claimed),
            )
            started = self.clock.monotonic()
            sending = span(f"send {self.config.network}", "CLIENT", {"messaging.operation.type": "send"})
            with self.journal.keeping_connection(), sending:
                failure = bulk.run(self.channel, request)
                failed = failure and (shown_code(failure.code) or type(failure).__name__)
                note({"messaging.batch.message_count": len(bulk.outcomes)}, failed=failed or "")
            took = self.clock.monotonic() - started
            measure(SEND_DURATION, took, self.config.name, self.config.network, claimed.operation.value)
            at = self.clock.monotonic()
            if any(outcome.outcome == "posted" for outcome in bulk.outcomes.values()):
                claimed = replace(claimed, backoff=timedelta(0))  # it does not fail: the next wait is a short one
            with self.journal.write():
                outcomes = tuple(bulk.unstored.values())
                fault = self.journal.deliveries.record_recipients(claimed, outcomes, hold_doubt=hold, lease=self.lease)
                failure = fault or failure
                if failure or bulk.cut or not self.may_go_on():
                    break
                recipients, counts = self._next_or_settled(claimed, ref)
            lease.renewed_at = at
            if not recipients:
                log_outcome(claimed, "", counts)
                return
        if failure:
            result = self.failed(failure, claimed)
        elif bulk.reached:
            result = limited(self.config.name, bulk.reached, claimed)
        else:
            reason = "It was interrupted between two people. The others get it when the delivery goes on."
            result = AttemptResult(outcome=Outcome.WAITING, not_before=self.journal.now(), reason=reason)
        counts = self._record(claimed, replace(result, ref=ref))
        log_outcome(claimed, result.code, counts)

    def _record(self, claimed: ClaimedDelivery, result: AttemptResult) -> Mapping[Outcome, int]:
        with span("settle", "CLIENT", {"messaging.operation.type": "settle"}):
            counts = self.journal.deliveries.record_result(claimed, result)
        # A result is of a page. Once the delivery is settled, the counts of all its people are known.
        overall = next((outcome for outcome in _OF_PEOPLE if counts.get(outcome)), result.outcome)
        noted(replace(result, outcome=overall))
        if counts.get(Outcome.POSTED):
            measure_post(claimed, self.config.network, self.journal.now())
        return counts

    def _next_or_settled(
        self, claimed: ClaimedDelivery, ref: PostRef
    ) -> tuple[tuple[Recipient, ...], Mapping[Outcome, int]]:
        """Return the next recipients, or release the page and count outcomes."""
        wait = self.backoff(claimed.backoff)  # of recipients who still wait, by their own answers
        result = AttemptResult(
            outcome=Outcome.WAITING, not_before=self.journal.now() + wait, backoff=wait, of_people=True
        )
        try:
            if recipients := self.next_recipients(claimed):
                return recipients, {}
        except RateReached as reached:
            result = limited(self.config.name, reached, claimed)
        return (), self._record(claimed, replace(result, ref=ref))
