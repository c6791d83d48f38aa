"""When a thread holds, as it was last published: for maps, calendars, alerts, traffic partners and pages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Self

from policenotify.model.cap import Certainty, Urgency
from policenotify.model.lifecycle import Stage
from policenotify.model.message import Message

if TYPE_CHECKING:
    from policenotify.formats.item import Item

AFTER_END: Final = timedelta(hours=1)
"""How long alerts and traffic partners still show that something has ended."""

FINAL: Final = frozenset({Stage.END, Stage.CANCELLATION})
"""The stages that state no times of their own, but that it is over."""

_SOON: Final = timedelta(hours=1)  # CAP 1.2, section 3.2.2: what is `Expected` is for the next hour


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """When a thread holds.

    Attributes:
        stated: Its beginning as last stated, if it was.
        starts_at: That, or else its first publication.
        ends_at: Its end as last stated, if it was.
        over_at: When it was ended or cancelled, if it was.
        as_of: When the last item that is not its end was published.
    """

    stated: datetime | None
    starts_at: datetime
    ends_at: datetime | None
    over_at: datetime | None
    as_of: datetime

    @classmethod
    def of(cls, items: Iterable[Item], final: Item | None = None) -> Self | None:
        """Return when a thread holds, or `None` if nothing but its end is published.

        What a later item states replaces what was stated before, and what it leaves out stays. An end that is past
        when a later item is published, or not after a new beginning, holds no more. The beginning that an update
        states may be that of its news only: see `_moves`.

        Args:
            items: Its items, in order. What was withdrawn states nothing.
            final: The item that ended or cancelled it.
        """
        published = [item for item in items if not item.withdrawn_at and item.stage not in FINAL]
        if not published:
            return None
        start = end = None
        for item in published:
            message = item.message
            end = message.expires_at or (end if end and end > item.published_at else None)
            moved = _moves(item, start or published[0].published_at) or item is published[0]
            start = (message.starts_at if moved else None) or start
            if start and end and end <= start:  # one of the two is from an earlier item
                start, end = (None, end) if message.expires_at else (start, None)
        return cls(
            stated=start,
            starts_at=start or published[0].published_at,
            ends_at=end,
            over_at=_over(final) if final else None,
            as_of=published[-1].published_at,
        )

    def is_past(self, now: datetime) -> bool:
        """Return True if its stated end is past."""
        return self.ends_at is not None and self.ends_at <= now

    def outlook(self, message: Message) -> tuple[Urgency, Certainty]:
        """Return urgency and certainty of a message. Nothing is observed before it begins."""
        urgency, certainty = message.urgency or Urgency.UNKNOWN, message.certainty or Certainty.UNKNOWN
        if self.starts_at <= self.as_of or certainty is not Certainty.OBSERVED:
            return urgency, certainty
        if urgency is Urgency.IMMEDIATE:
            urgency = Urgency.EXPECTED if self.starts_at - self.as_of <= _SOON else Urgency.FUTURE
        return urgency, Certainty.LIKELY


def _moves(item: Item, start: datetime) -> bool:
    """Return True if an item states the beginning of its thread.

    An update does, if what it states is still to come, and either the thread has not begun or its end is stated, too.
    """
    stated, at = item.message.starts_at, item.published_at
    if stated is None or item.stage is not Stage.UPDATE:
        return stated is not None
    return stated > at and (start > at or item.message.expires_at is not None)


def _over(final: Item) -> datetime:
    """Return when it was over: as an end states it, but never later than the end was published."""
    stated = final.message.starts_at if final.stage is Stage.END else None
    return min(stated or final.published_at, final.published_at)
