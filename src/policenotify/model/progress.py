"""How far a publication is: what became of its people so far, how fast it goes, and how long it still takes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, NamedTuple

from pydantic import AwareDatetime, computed_field

from policenotify.model.history import Outcome
from policenotify.model.lifecycle import FrozenModel
from policenotify.model.receipt import Receipt

_LEFT: Final = (Outcome.WAITING, Outcome.SENDING, Outcome.UNCONFIRMED)  # who is in doubt is sent to again
# Suppressed people cost no time.
_ANSWERED: Final = tuple(outcome for outcome in Outcome if outcome not in {*_LEFT, Outcome.SUPPRESSED})


class Progress(FrozenModel):
    """How far a publication is. It names no person.

    Attributes:
        at: When this was read, by the journal's clock.
        deliveries: Its deliveries, by channel and part, with times in UTC, and without `note` and `in_hand`.
    """

    publication: str
    at: AwareDatetime
    deliveries: tuple[Receipt, ...]

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order
    @property
    def is_settled(self) -> bool:
        """Whether nothing changes any more unless a person acts."""
        return all(delivery.outcome.is_final for delivery in self.deliveries)

    @property
    def bulk(self) -> tuple[Receipt, ...]:
        """The deliveries with recipients."""
        return tuple(delivery for delivery in self.deliveries if delivery.recipients is not None)


class Pace(NamedTuple):
    """How fast a delivery goes.

    Attributes:
        rate: People answered in a second; 0: none was, or it cannot be known yet.
        left: How long it still takes at this rate. `None`: not known, or not all people are known yet.
    """

    rate: float = 0.0
    left: timedelta | None = None


def pace(samples: Sequence[Progress], delivery: int) -> Pace:
    """Return how fast a delivery goes between the first and the last of some samples.

    Args:
        samples: The progress of its publication at some moments, the earliest first.
        delivery: Its id.
    """
    found = [(sample.at, each) for sample in samples for each in sample.deliveries if each.delivery == delivery]
    if not found:
        return Pace()
    (start, first), (end, last) = found[0], found[-1]
    before, after, left = first.count(*_ANSWERED), last.count(*_ANSWERED), last.count(*_LEFT)
    seconds = (end - start).total_seconds()  # the clock may be set back, and people in doubt are sent to again
    rate = max(0.0, (after - before) / seconds) if seconds > 0 else 0.0
    if not last.expanded or (left and not rate):
        return Pace(rate)
    return Pace(rate, timedelta(seconds=round(left / rate) if left else 0))
