"""What traffic partners get: closed and disturbed stretches of road."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from policenotify.formats.period import AFTER_END, FINAL
from policenotify.model.cap import Certainty, Precision
from policenotify.model.location import Location
from policenotify.model.message import Category, Message
from policenotify.text.characters import one_line

if TYPE_CHECKING:  # the checks, which need the rules only, are imported at every start
    from policenotify.formats.feed import Feed, Thread

TRAFFIC_FORMATS: Final = frozenset({"cifs", "datex"})
"""The formats for traffic partners."""

_SHORTEST_STREET: Final = 2  # characters, by the schema of CIFS
_FINE: Final = frozenset({Precision.EXACT, Precision.STREET})


class RoadKind(NamedTuple):
    """What a category is on a road.

    Attributes:
        type: The type of CIFS. Never `POLICE`: it would show where officers are.
        subtype: Its subtype, or an empty text.
        record: The class of DATEX II.
        value: What it is among those of its class.
    """

    type: str
    subtype: str
    record: str
    value: str


ROADS: Final[Mapping[str, RoadKind]] = {
    Category.TRAFFIC_ACCIDENT: RoadKind("ACCIDENT", "", "Accident", "accident"),
    Category.ROAD_CLOSURE: RoadKind(
        "ROAD_CLOSED", "ROAD_CLOSED_HAZARD", "RoadOrCarriagewayOrLaneManagement", "roadClosed"
    ),
    Category.TRAFFIC_DISRUPTION: RoadKind("HAZARD", "HAZARD_ON_ROAD", "AbnormalTraffic", "unspecifiedAbnormalTraffic"),
    Category.BOMB_DISPOSAL: RoadKind("ROAD_CLOSED", "ROAD_CLOSED_HAZARD", "AuthorityOperation", "bombSquadInAction"),
    Category.POLICE_OPERATION: RoadKind(
        "ROAD_CLOSED", "ROAD_CLOSED_HAZARD", "AuthorityOperation", "policeInvestigation"
    ),
    Category.FIRE: RoadKind("HAZARD", "HAZARD_ON_ROAD", "EnvironmentalObstruction", "seriousFire"),
    Category.DEMONSTRATION: RoadKind("ROAD_CLOSED", "ROAD_CLOSED_EVENT", "DisturbanceActivity", "demonstration"),
    Category.PLANNED_EVENT: RoadKind("ROAD_CLOSED", "ROAD_CLOSED_EVENT", "PublicEvent", "other"),
}
"""What each category is on a road. Traffic partners never get any other."""


def is_for_traffic(message: Message, place: Location | None, *, points: bool) -> bool:
    """Return True if traffic partners get a message: a fine place with a street, and what ends it.

    Args:
        message: The resolved message.
        place: Its blurred place.
        points: A point is enough, as in DATEX II. CIFS needs a line.
    """
    if message.exercise or message.category not in ROADS or place is None or place.precision not in _FINE:
        return False
    drawn = place.polyline or (points and place.point)
    ends = message.incident is not None or message.expires_at is not None
    return bool(drawn) and ends and len(street_of(place)) >= _SHORTEST_STREET


def is_only_a_hazard(kind: RoadKind, place: Location) -> bool:
    """Return True if a closure is exported as a hazard.

    A line that was snapped to the grid may match another street, and a closure sends traffic elsewhere.
    """
    return kind.type == "ROAD_CLOSED" and place.precision is not Precision.EXACT


def street_of(place: Location) -> str:
    """Return the name of the street or road, or the best that the place has instead."""
    names = (place.street, place.road and place.road.road, place.label, place.between and " / ".join(place.between))
    return next((name for each in names if each and (name := one_line(each))), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Road:
    """One thread as traffic partners get it.

    Attributes:
        thread: The thread, whose id is the road's for life.
        kind: What it is on the road.
        place: Its last place, blurred.
        created_at: When it was first published.
        starts_at: Since when it holds.
        ends_at: Until when, as far as it is known.
        certainty: How sure it is.
    """

    thread: Thread
    kind: RoadKind
    place: Location
    created_at: datetime
    starts_at: datetime
    ends_at: datetime | None
    certainty: Certainty

    @property
    def positions(self) -> tuple[str, ...]:
        """Latitude and longitude of each position of its line, or else of its point: `43.610900 3.877200`."""
        point = self.place.point
        alone = ((point.longitude, point.latitude),) if point else ()
        line = self.place.polyline.coordinates if self.place.polyline else alone
        return tuple(f"{latitude:.6f} {longitude:.6f}" for longitude, latitude in line)


def local_time(feed: Feed, moment: datetime) -> str:
    """Return a time with the readers' offset: `2026-06-05T18:55:00+02:00`."""
    return moment.astimezone(feed.site.zone).isoformat(timespec="seconds")


def roads(feed: Feed, *, points: bool) -> Iterator[Road]:
    """Yield what traffic partners get of a feed until an hour after its end, the newest first. See `is_for_traffic`."""
    for thread in feed.current:
        road = _road(thread, points=points)
        if road and (road.ends_at is None or feed.now < road.ends_at + AFTER_END):
            yield road


def _road(thread: Thread, *, points: bool) -> Road | None:
    items = [item for item in thread.items if not item.withdrawn_at]
    stated = [item for item in items if item.stage not in FINAL]
    place = next((item.message.location for item in reversed(stated) if item.message.location), None)
    kind, period = (ROADS.get(stated[-1].message.category) if stated else None), thread.period
    if kind is None or place is None or period is None or any(item.message.exercise for item in items):
        return None
    message = stated[-1].message.model_copy(update={"expires_at": period.ends_at})
    if not is_for_traffic(message, place, points=points):
        return None
    end = period.over_at or period.ends_at
    return Road(
        thread=thread,
        kind=kind,
        place=place,
        created_at=stated[0].published_at,
        starts_at=min(period.starts_at, end) if end else period.starts_at,  # it may be called off before it began
        ends_at=end,
        certainty=period.outlook(thread.newest.message)[1],
    )
