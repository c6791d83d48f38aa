"""What happened, as a host application learns of it. No event holds a text, an address, a token or an incident's id.

Look up what an event is about in the journal: `publisher.operations.publication(event.publication)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from pydantic import AwareDatetime

from policenotify.model.lifecycle import FrozenModel

__all__ = ["DETAILS", "Event", "EventKind"]


class EventKind(StrEnum):
    """What happened."""

    PUBLISHED = "published"
    """A message was stored, and its deliveries wait."""
    REFUSED_BY_CHECK = "refused_by_check"
    """The checks refused a message. Nothing of it was sent."""
    FINDING_OVERRIDDEN = "finding_overridden"
    """A message was published despite findings of level `block`: another person approved it, or it was urgent."""
    POSTED = "posted"
    """A delivery was posted, or a person found it posted. Of a list of people at least one has it."""
    DELAYED = "delayed"
    """An attempt has not got a delivery posted, or has left it in doubt. It is tried, or looked for, again."""
    REFUSED = "refused"
    """The network refused it for good, or it could not be worded. A person must reach its readers in another way."""
    HELD = "held"
    """It may or may not be out, or was changed in the database. A person must look, and settle it with `resolve`.

    Of a list of people, this holds for some of them: it follows `posted` or `refused`.
    """
    BLOCKED = "blocked"
    """Nothing more is sent on a channel until a person acts: see `policenotify doctor`."""
    OVERDUE = "overdue"
    """The end or an update of an open incident is owed. The publication is its opening."""
    SECOND_READING_OVERDUE = "second_reading_overdue"
    """The second reading of an urgent publication is owed. The publication is its draft, which has an id of its own."""
    SUPPRESSED = "suppressed"
    """Some people are not written to any more, on a channel or, where it is empty, on all."""
    CLOCK_SET = "clock_set"
    """The journal's clock was set. All that waits was moved with it. Check the time of the machine: `timedatectl`."""


DETAILS: Final[Mapping[EventKind, tuple[str, ...]]] = {
    EventKind.PUBLISHED: ("category", "stage"),
    EventKind.REFUSED_BY_CHECK: ("codes",),  # of the findings that forbid it
    EventKind.FINDING_OVERRIDDEN: ("codes",),
    EventKind.DELAYED: ("attempt", "code"),  # from 1, of a list that of one of its pages; the network's own, or empty
    EventKind.OVERDUE: ("level",),  # number of the reminder for this deadline, from 1
    EventKind.SECOND_READING_OVERDUE: ("level",),
    EventKind.SUPPRESSED: ("people", "source"),  # how many; why: bounce, operator, stop, one-click or complaint
    EventKind.CLOCK_SET: ("seconds",),  # by how much; negative: it was set back
}
"""The names of an event's details, by its kind."""


class Event(FrozenModel):
    """Something that happened, as the journal recorded it.

    Attributes:
        number: Its number in the journal. With `kind` it names it, so that a repetition can be recognised.
        at: When it happened, by the journal's clock, in UTC.
        kind: What happened.
        publication: Id of the publication that it is about. Empty if it is about none.
        channel: The name of its channel. Empty if it has none.
        delivery: Id of the delivery that it is about.
        details: What else is known, by the names of `DETAILS`.
    """

    number: int
    at: AwareDatetime
    kind: EventKind
    publication: str = ""
    channel: str = ""
    delivery: int | None = None
    details: Mapping[str, str | int | float | tuple[str, ...]] = {}
