"""How far a publication is: what became of its people so far, how fast it goes, and how long it still takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Literal, TypeAlias

from pydantic import AwareDatetime, computed_field

from policenotify.model.history import Outcome
from policenotify.model.lifecycle import FrozenModel
from policenotify.translation import AnyText

Halt: TypeAlias = Literal["", "paused", "aborted"]
"""Whether a person has paused or aborted a sending."""

_IN_DOUBT = (Outcome.UNCONFIRMED, Outcome.HELD)
_TO_COME = (Outcome.WAITING, Outcome.SENDING)


class ReasonCount(FrozenModel):
    """How many people have one outcome for one reason.

    Attributes:
        outcome: Their outcome.
        code: The network's own code. People with the same code count together.
        reason: Why, in an officer's words: of people with a code, as it was written for one of them.
        count: How many.
    """

    outcome: Outcome
    code: str = ""
    reason: AnyText = ""
    count: int


class DeliveryProgress(FrozenModel):
    """How far one delivery is. A delivery without recipients counts as one person.

    Attributes:
        delivery: Its id in the journal.
        channel: Its channel.
        language: BCP 47.
        part: Number of the post among those of the channel, from 0.
        outcome: Its outcome.
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

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order
    @property
    def known(self) -> int:
        """How many people are known so far."""
        return sum(self.people.values())

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order
    @property
    def accepted(self) -> int:
        """How many the network has accepted."""
        return self._count(Outcome.POSTED)

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order
    @property
    def refused(self) -> int:
        """How many it has refused."""
        return self._count(Outcome.REFUSED)

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order
    @property
    def in_doubt(self) -> int:
        """How many may or may not have it, those who are held included."""
        return self._count(*_IN_DOUBT)

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order
    @property
    def suppressed(self) -> int:
        """How many are not written to."""
        return self._count(Outcome.SUPPRESSED)

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order
    @property
    def waiting(self) -> int:
        """How many still wait, or are being sent to at this moment."""
        return self._count(*_TO_COME)

    @property
    def needs_person(self) -> bool:
        """Whether a person must act on it, or has paused it."""
        missed = self.refused or self.in_doubt or (self.outcome.is_final and not self.outcome.ok)
        return bool(missed) or self.halt == "paused"

    @property
    def done(self) -> int:
        """How many were answered, for the rate: suppressed people cost no time."""
        return self.known - self.waiting - self.suppressed - self._count(Outcome.UNCONFIRMED)

    @property
    def left(self) -> int:
        """How many are still to be sent to."""
        return self.waiting + self._count(Outcome.UNCONFIRMED)

    def _count(self, *outcomes: Outcome) -> int:
        return sum(self.people.get(outcome, 0) for outcome in outcomes)


class Progress(FrozenModel):
    """How far a publication is. It names no person.

    Attributes:
        publication: Its id.
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

    def of(self, delivery: int) -> DeliveryProgress | None:
        """Return how far one of its deliveries is, if it is one."""
        return next((each for each in self.deliveries if each.delivery == delivery), None)


class Pace(FrozenModel):
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
    known = [(sample.at, found) for sample in samples if (found := sample.of(delivery)) is not None]
    if not known:
        return Pace()
    (start, first), (end, last) = known[0], known[-1]
    seconds, answered = (end - start).total_seconds(), last.done - first.done
    # The clock may be set back, and people in doubt are sent to again.
    rate = max(0.0, answered / seconds) if seconds > 0 else 0.0
    if not last.left and last.expanded:
        return Pace(rate=rate, left=timedelta(0))
    return Pace(rate=rate, left=timedelta(seconds=round(last.left / rate)) if rate and last.expanded else None)


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
