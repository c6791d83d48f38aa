"""How far a publication is: what became of its people so far, how fast it goes, and how long it still takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Literal, NamedTuple, TypeAlias

from pydantic import AwareDatetime, computed_field

from policenotify.model.history import Outcome
from policenotify.model.lifecycle import FrozenModel
from policenotify.translation import AnyText

Halt: TypeAlias = Literal["", "paused", "aborted"]
"""Whether a person has paused or aborted a sending."""


class ReasonCount(FrozenModel):
    """How many people have one outcome for one reason.

    Attributes:
        code: The network's own code. People with the same code count together.
        reason: Why, in an officer's words: of people with a code, as it was written for one of them.
    """

    outcome: Outcome
    code: str = ""
    reason: AnyText = ""
    count: int


class DeliveryProgress(FrozenModel):
    """How far one delivery is. A delivery without recipients counts as one person.

    Attributes:
        delivery: Its id in the journal.
        part: Number of the post among those of the channel, from 0.
        bulk: It has recipients.
        people: How many of the people who are known so far have which outcome, without zeros.
        reason: What is to be known of the delivery as a whole, in an officer's words.
        reasons: How many have it for which reason, the most frequent first. People without a reason are left out.
        expanded: All its people are known. Until then, the list is still being read.
        wrong_rows: Rows of the list that name no person.
        halt: It was paused or aborted. The reason, or that of its people, names by whom.
    """

    delivery: int
    channel: str
    language: str
    part: int = 0
    outcome: Outcome
    bulk: bool
    people: Mapping[Outcome, int]
    reason: AnyText = ""
    reasons: tuple[ReasonCount, ...] = ()
    expanded: bool = True
    wrong_rows: int = 0
    halt: Halt = ""

    @property
    def known(self) -> int:
        """How many people are known so far."""
        return sum(self.people.values())

    @property
    def left(self) -> int:
        """How many are still to be sent to, those in doubt who are sent to again included."""
        return self.count(Outcome.WAITING, Outcome.SENDING, Outcome.UNCONFIRMED)

    @property
    def needs_person(self) -> bool:
        """Whether a person must act on it, or has paused it."""
        missed = self.count(Outcome.REFUSED, Outcome.UNCONFIRMED, Outcome.HELD)
        return bool(missed) or (self.outcome.is_final and not self.outcome.ok) or self.halt == "paused"

    def count(self, *outcomes: Outcome) -> int:
        """Return how many people have one of these outcomes."""
        return sum(self.people.get(outcome, 0) for outcome in outcomes)


class Progress(FrozenModel):
    """How far a publication is. It names no person.

    Attributes:
        at: When this was read, by the journal's clock.
        deliveries: Its deliveries, by channel and part.
    """

    publication: str
    at: AwareDatetime
    deliveries: tuple[DeliveryProgress, ...]

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order
    @property
    def is_settled(self) -> bool:
        """Whether nothing changes any more unless a person acts."""
        return all(delivery.outcome.is_final for delivery in self.deliveries)

    @property
    def bulk(self) -> tuple[DeliveryProgress, ...]:
        """The deliveries with recipients."""
        return tuple(delivery for delivery in self.deliveries if delivery.bulk)

    @property
    def reasons(self) -> tuple[ReasonCount, ...]:
        """How many people of all deliveries have which outcome for which reason, the most frequent first."""
        return merged(reason for delivery in self.bulk for reason in delivery.reasons)


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
    # Suppressed people cost no time. The clock may be set back, and people in doubt are sent to again.
    before, after = (each.known - each.left - each.count(Outcome.SUPPRESSED) for each in (first, last))
    seconds = (end - start).total_seconds()
    rate = max(0.0, (after - before) / seconds) if seconds > 0 else 0.0
    if not last.expanded or (last.left and not rate):
        return Pace(rate)
    return Pace(rate, timedelta(seconds=round(last.left / rate) if last.left else 0))


def merged(reasons: Iterable[ReasonCount], *, at_most: int | None = None) -> tuple[ReasonCount, ...]:
    """Return reasons with those of the same outcome and code added up, the most frequent first.

    Args:
        reasons: Reasons with their counts. Of the same code, the text of the first counts.
        at_most: How many to keep; the others of an outcome count together, without a text. `None`: all.
    """
    found: dict[tuple[Outcome, str, AnyText], ReasonCount] = {}
    for each in reasons:
        key = (each.outcome, each.code, "" if each.code else each.reason)
        before = found.get(key)
        found[key] = before.model_copy(update={"count": before.count + each.count}) if before else each
    ordered = sorted(found.values(), key=lambda each: (-each.count, each.outcome, each.code, str(each.reason)))
    if at_most is None or len(ordered) <= at_most:
        return tuple(ordered)
    rest = (ReasonCount(outcome=each.outcome, count=each.count) for each in ordered[at_most:])
    return (*ordered[:at_most], *merged(rest))
