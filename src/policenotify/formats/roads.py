"""What traffic partners get: closed and disturbed stretches of road, and why a message is none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from policenotify.formats.feed import Feed, Thread
from policenotify.formats.item import Item
from policenotify.model.cap import Precision
from policenotify.model.lifecycle import Stage
from policenotify.model.location import Location
from policenotify.model.message import Category, Message
from policenotify.text.characters import one_line

AFTER_END: Final = timedelta(hours=1)
"""How long partners still read that it has ended. Waze asks for its feed every few minutes."""

TRAFFIC_FORMATS: Final = frozenset({"cifs", "datex"})
"""The formats for traffic partners."""

_SHORTEST_STREET: Final = 2  # characters, by the schema of CIFS
_FINE: Final = frozenset({Precision.EXACT, Precision.STREET})
_FINAL: Final = frozenset({Stage.END, Stage.CANCELLATION})


@dataclass(frozen=True, slots=True)
class RoadKind:
    """What a category is on a road.

    Attributes:
        type: The type of CIFS. Never `POLICE`: it would show where officers are.
        subtype: Its subtype, or an empty text.
        record: The class of DATEX II.
        field: Its element for the kind.
        value: That element's value.
    """

    type: str
    subtype: str
    record: str
    field: str
    value: str


_OF_ROADS: Final[Mapping[str, RoadKind]] = MappingProxyType(
    {
        Category.TRAFFIC_ACCIDENT: RoadKind("ACCIDENT", "", "Accident", "accidentType", "accident"),
        Category.ROAD_CLOSURE: RoadKind(
            "ROAD_CLOSED",
            "ROAD_CLOSED_HAZARD",
            "RoadOrCarriagewayOrLaneManagement",
            "roadOrCarriagewayOrLaneManagementType",
            "roadClosed",
        ),
        Category.TRAFFIC_DISRUPTION: RoadKind(
            "HAZARD", "HAZARD_ON_ROAD", "AbnormalTraffic", "abnormalTrafficType", "unspecifiedAbnormalTraffic"
        ),
        Category.BOMB_DISPOSAL: RoadKind(
            "ROAD_CLOSED", "ROAD_CLOSED_HAZARD", "AuthorityOperation", "authorityOperationType", "bombSquadInAction"
        ),
        Category.POLICE_OPERATION: RoadKind(
            "ROAD_CLOSED", "ROAD_CLOSED_HAZARD", "AuthorityOperation", "authorityOperationType", "policeInvestigation"
        ),
        Category.FIRE: RoadKind(
            "HAZARD",
            "HAZARD_ON_ROAD",
            "EnvironmentalObstruction",
            "environmentalObstructionType",
            "seriousFire",
        ),
        Category.DEMONSTRATION: RoadKind(
            "ROAD_CLOSED", "ROAD_CLOSED_EVENT", "DisturbanceActivity", "disturbanceActivityType", "demonstration"
        ),
        Category.PLANNED_EVENT: RoadKind(
            "ROAD_CLOSED", "ROAD_CLOSED_EVENT", "PublicEvent", "publicEventType", "other"
        ),
    }
)  # fmt: skip


class Gap(StrEnum):
    """Why a message is not for a traffic partner."""

    EXERCISE = "exercise"
    CATEGORY = "category"
    PLACE = "place"
    STREET = "street"
    END = "end"


def find_gap(message: Message, place: Location | None, *, points: bool) -> Gap | None:
    """Return why traffic partners do not get a message, or `None` if they get it.

    Args:
        message: The resolved message.
        place: Its blurred place.
        points: A point is enough, as in DATEX II. CIFS needs a line.
    """
    if message.exercise:
        return Gap.EXERCISE
    if message.category not in _OF_ROADS:
        return Gap.CATEGORY
    if place is None or place.precision not in _FINE or not (place.polyline or (points and place.point)):
        return Gap.PLACE
    if len(street_of(place)) < _SHORTEST_STREET:
        return Gap.STREET
    if message.incident is None and message.expires_at is None:  # nothing would end it
        return Gap.END
    return None


def road_kind(category: str) -> RoadKind | None:
    """Return what a category is on a road, or `None` if traffic partners never get it."""
    return _OF_ROADS.get(category)


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
    if not told or place is None or exercise or find_gap(told[-1].message, place, points=points):
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
        kind=_OF_ROADS[told[-1].message.category],
        place=place,
        newest=newest,
        created_at=told[0].published_at,
        starts_at=min(start, end) if end else start,  # a closure may be called off before it began
        ends_at=end,
        final=final,
    )
