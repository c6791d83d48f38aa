"""What a person's decision about an installation has changed, and the deliveries that wait for one."""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from policenotify.model.history import Outcome
from policenotify.model.lifecycle import FrozenModel
from policenotify.model.status import Problem
from policenotify.translation import AnyText


class Stopped(FrozenModel):
    """Everything is stopped, in all processes, until it is resumed.

    Attributes:
        actor: Who stopped it last.
        reason: Why. May be empty.
    """

    stopped: bool = True
    actor: str
    reason: str


class Resumed(FrozenModel):
    """What was resumed.

    Attributes:
        resumed: It was stopped or blocked before.
        channel: The channel, or `None` for everything.
        still_stopped: Who has stopped everything, and why, if a channel was resumed meanwhile; else `None`.
    """

    resumed: bool
    channel: str | None
    actor: str
    still_stopped: AnyText | None = None


class Steered(FrozenModel):
    """What of a sending to people was paused, resumed or aborted.

    Attributes:
        channels: The channels on which something changed.
        people: How many people are not sent to any more, of those who were known. 0 unless it was aborted.
    """

    publication: str
    channels: tuple[str, ...]
    people: int = 0
    actor: str


class Resolved(FrozenModel):
    """How a held delivery, or some people of it, was settled.

    Attributes:
        posted: It was decided that it is out.
        outcome: What became of it: `posted`, `waiting`, or `superseded` if a newer message of its incident is out.
        people: How many people were named; `None`: all who were held.
    """

    delivery: int
    posted: bool
    actor: str
    outcome: Outcome
    people: int | None = None


class HeldDelivery(FrozenModel):
    """A delivery that is held until a person settles it with `resolve`.

    Attributes:
        people: How many people of it are held. `None`: it has no recipients.
        reason: What happened, in an officer's words.
    """

    delivery: int
    channel: str
    language: str
    publication: str
    incident: str | None
    headline: str
    published_at: AwareDatetime
    people: int | None = None
    reason: AnyText = ""
    remedy: AnyText = ""


class DoubtfulPerson(FrozenModel):
    """A person of whom it is not known whether the message arrived.

    Attributes:
        key: The person's opaque key.
        outcome: `held`: a person must settle it. `unconfirmed`: it is sent again by itself.
        tried_at: When the last attempt began in which the person was.
        reason: What happened, in an officer's words.
        code: The network's own code.
        address: The address or number, if it was asked for and is still stored. Never part of a document.
    """

    key: str
    outcome: Outcome
    tried_at: AwareDatetime | None
    reason: AnyText = ""
    code: str = ""
    address: str | None = Field(default=None, repr=False, exclude=True)


class HeldPeople(FrozenModel):
    """The people of a delivery who are in doubt, by their opaque keys.

    Attributes:
        waits_for_list: Why it waits, if its list cannot be read or was emptied.
    """

    delivery: int
    people: tuple[DoubtfulPerson, ...]
    waits_for_list: Problem | None = None

    @property
    def held(self) -> int:
        """How many of them a person must settle."""
        return sum(person.outcome is Outcome.HELD for person in self.people)
