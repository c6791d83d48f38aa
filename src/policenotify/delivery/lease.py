"""The lease of a delivery, checked immediately before the network is written to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from policenotify.channel import Clock
from policenotify.errors import LostLease
from policenotify.journal.records import ClaimedDelivery


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
        """Allow one publishing write, or raise `LostLease` as `check` does."""
        self.check()
        self.writes += 1

    def check(self) -> None:
        """Raise `LostLease` if more than half of the lease has passed."""
        if self.clock.monotonic() - self.renewed_at > self.length.total_seconds() / 2:
            self.refused = True
            raise LostLease(
                f"Delivery {self.claimed.public_id} on {self.claimed.channel!r}: this process was halted for longer "
                "than its lease allows, so it sends nothing."
            )
