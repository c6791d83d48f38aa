"""What traffic partners get of a feed: one situation for each thread on a road, until an hour after its end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from policenotify.formats.feed import Feed, Thread
from policenotify.formats.item import Item
from policenotify.formats.roads import RoadKind, find_gap, road_kind
from policenotify.model.lifecycle import Stage
from policenotify.model.location import Location
from policenotify.text.characters import one_line

AFTER_END: Final = timedelta(hours=1)
"""How long partners still read that it has ended. Waze asks for its feed every few minutes."""

_FINAL: Final = frozenset({Stage.END, Stage.CANCELLATION})


@dataclass(frozen=True, slots=True, kw_only=True)
class RoadSituation:
    """One thread as traffic partners get it.

    Attributes:
        thread: The thread. Its id is the situation's for life.
        kind: What it is on the road.
        place: Its last place, blurred.
        newest: The last item.
        created_at: When it was first published.
        starts_at: Since when the road is closed.
        ends_at: Until when, as far as it is known.
        final: The item that ended or cancelled it.
    """

    thread: Thread
    kind: RoadKind
    place: Location
    newest: Item
    created_at: datetime
    starts_at: datetime
    ends_at: datetime | None
    final: Item | None

    @property
    def changed_at(self) -> datetime:
        """When anything of it was last published or taken down."""
        return max(item.withdrawn_at or item.published_at for item in self.thread.items)

    @property
    def version(self) -> int:
        """A number that grows with each change."""
        return len(self.thread.items) + sum(item.withdrawn_at is not None for item in self.thread.items)

    @property
    def positions(self) -> tuple[str, ...]:
        """Latitude and longitude of each position of its line, or else of its point: `43.610900 3.877200`."""
        point = self.place.point
        alone = ((point.longitude, point.latitude),) if point else ()
        line = self.place.polyline.coordinates if self.place.polyline else alone
        return tuple(f"{latitude:.6f} {longitude:.6f}" for longitude, latitude in line)

    @property
    def description(self) -> str:
        """Its headline, in one line."""
        return one_line(self.newest.message.headline)


def local_time(feed: Feed, moment: datetime) -> str:
    """Return a time with the readers' offset: `2026-06-05T18:55:00+02:00`."""
    return moment.astimezone(feed.site.zone).isoformat(timespec="seconds")


def road_situations(feed: Feed, *, points: bool) -> Iterator[RoadSituation]:
    """Yield what traffic partners get of a feed, the newest first. See `find_gap` for *points*."""
    for thread in feed.current:
        situation = _situation(thread, points=points)
        if situation and (situation.ends_at is None or feed.now < situation.ends_at + AFTER_END):
            yield situation


def _situation(thread: Thread, *, points: bool) -> RoadSituation | None:
    items = [item for item in thread.items if not item.withdrawn_at]
    told = [item for item in items if item.stage not in _FINAL]
    place = next((item.message.location for item in reversed(told) if item.message.location), None)
    exercise = any(item.message.exercise for item in items)
    kind = road_kind(told[-1].message.category) if told else None
    if kind is None or place is None or exercise or find_gap(told[-1].message, place, points=points):
        return None
    newest, final = items[-1], thread.final
    starts = [item.message.starts_at for item in told if item.stage is not Stage.UPDATE and item.message.starts_at]
    start = starts[-1] if starts else told[0].published_at
    end = told[-1].message.expires_at
    if final:
        stated = final.message.starts_at if final.stage is Stage.END else None  # "for an end, when it was over"
        end = min(stated or final.published_at, final.published_at)
    return RoadSituation(
        thread=thread,
        kind=kind,
        place=place,
        newest=newest,
        created_at=told[0].published_at,
        starts_at=min(start, end) if end else start,  # a closure may be called off before it began
        ends_at=end,
        final=final,
    )
