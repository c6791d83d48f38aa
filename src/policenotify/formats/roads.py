"""Which messages traffic partners get: closed and disturbed stretches of road, and why a message is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from policenotify.model.cap import Precision
from policenotify.model.location import Location
from policenotify.model.message import Category, Message
from policenotify.text.characters import one_line

TRAFFIC_FORMATS: Final = frozenset({"cifs", "datex"})
"""The formats for traffic partners."""

_SHORTEST_STREET: Final = 2  # characters, by the schema of CIFS
_FINE: Final = frozenset({Precision.EXACT, Precision.STREET})


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
