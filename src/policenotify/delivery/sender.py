"""What sends the deliveries of one channel, in one thread: its parts, its back-off and its lease."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from policenotify.channel import Channel, ChannelConfig, Clock
from policenotify.journal.records import AttemptResult, ClaimedDelivery, moment
from policenotify.model.history import Outcome
from policenotify.model.rate import RateReached
from policenotify.translation import Text

if TYPE_CHECKING:
    from policenotify.journal.journal import Journal

_SHORTEST_BACKOFF, _LONGEST_BACKOFF = timedelta(seconds=2), timedelta(minutes=10)


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
    reason = Text("{channel!r} has reached its rate. The delivery goes on when the rate allows.", channel=channel)
    return waiting(claimed, not_before=moment(reached.at), backoff=claimed.backoff, reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """What sends the deliveries of one channel, in one thread.

    Attributes:
        clock: Measures durations. The journal dates what happens.
        lease: How long a delivery is held from each transaction about it on.
        backoff: Returns the wait after a failure, from the wait after the failure before it.
        may_go_on: Returns whether another person may be begun, and more people may be read.
        on_result: Called in each transaction that stores a result.
        siblings: The channels of the same network. A person gets a publication from one of them only.
        helpers: Further objects of the channel, opened when a list is worth them.
    """

    journal: Journal
    channel: Channel
    config: ChannelConfig
    clock: Clock
    lease: timedelta
    backoff: Callable[[timedelta], timedelta] = backoff
    may_go_on: Callable[[], bool] = lambda: True
    on_result: Callable[[], object] = lambda: None
    siblings: Collection[str] = ()
    helpers: list[Channel] = field(default_factory=list)

    def is_late(self, since: float, share: float) -> bool:
        """Return whether more than this share of a lease has passed since a monotonic time.

        A process may be halted at any instant, and go on after another one has taken its delivery over. So this is
        checked immediately before each call that publishes, by a clock that also counts the time while the machine
        sleeps. The rest of the lease is for that call and its answer.
        """
        return self.clock.monotonic() - since > self.lease.total_seconds() * share
