"""The lease of a delivery, checked immediately before the network is called."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from policenotify.channel import Clock
from policenotify.journal.records import ClaimedDelivery


@dataclass(slots=True, kw_only=True)
class Lease:
    """A delivery's lease.

    A process may be halted at any instant, and go on after another one has taken its delivery over. So it is checked
    immediately before each call that publishes. The rest of the lease is for that call and its answer.

    Attributes:
        claimed: The delivery, in the current attempt.
        clock: Its `monotonic` also counts the time while the machine sleeps.
        length: How long the lease holds after each renewal.
        renewed_at: The monotonic time of the last renewal, or earlier.
    """

    claimed: ClaimedDelivery
    clock: Clock
    length: timedelta
    renewed_at: float

    def is_over(self, share: float) -> bool:
        """Return whether more than this share of the lease has passed."""
        return self.clock.monotonic() - self.renewed_at > self.length.total_seconds() * share
