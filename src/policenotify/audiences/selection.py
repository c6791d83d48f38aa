"""Audiences as a channel uses them, and whom of them a message concerns."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final, TypeAlias

from policenotify.audiences.model import Audience, Consent, Row, Subscriber, WrongRow
from policenotify.model import places
from policenotify.model.cap import Severity
from policenotify.model.languages import is_same_language
from policenotify.model.lifecycle import Stage
from policenotify.model.location import Location
from policenotify.model.message import Message

Position: TypeAlias = tuple[float, float]

NEARBY: Final = 5_000.0
"""Metres around a point or a line within which a message concerns people.

Our own choice: a circle of this radius is larger than Montpellier (57 km²), and most communes are smaller.
"""

_METRES_PER_DEGREE: Final = math.radians(6_371_008.8)  # the mean radius of the earth (IUGG)
_WHATEVER_SEVERITY: Final = frozenset({Stage.END, Stage.CANCELLATION, Stage.CORRECTION})


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelAudience:
    """An audience as one channel uses it.

    Attributes:
        audience: The audience.
        spell: Returns an address in the form that the network sends to, so that one person is one.
        languages: The languages of the channel. A person whose language is none of them gets the main one.
        consent_for: The categories of messages that only people who consented to them get.
    """

    audience: Audience
    spell: Callable[[str], str] = field(default=str, repr=False)
    languages: tuple[str, ...] = ()
    consent_for: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The name of the audience."""
        return self.audience.name

    def revision(self) -> str:
        """See `Audience.revision`."""
        return self.audience.revision()

    def rows(self, *, start: int = 0) -> Iterator[Row]:
        """See `Audience.rows`."""
        for row in self.audience.rows(start=start):
            if isinstance(row, WrongRow):
                yield row
            else:
                yield replace(row, address=self.spell(row.address), language=self._spoken(row.language))

    def _spoken(self, language: str) -> str:
        if not (language and self.languages):
            return language
        return next((own for own in self.languages if is_same_language(own, language)), "")


class SubscriberFilter:
    """Whom a message in a language concerns: prepared once, and asked about each subscriber.

    A person is included if it cannot be known whether the message concerns this person, because a missing warning is
    worse than one too many:

    - A message without a place concerns everybody.
    - Areas are compared by their codes, and a person's position with the polygon, circle or line of the message. A
      person of whom only the other kind is known is included.
    - The end, the cancellation and the correction concern people whatever their least severity.
    - A person in whose language the message is not written gets it in the main language.
    """

    def __init__(self, message: Message, *, language: str, main: bool, needs_consent: bool = False) -> None:
        """Prepare a filter; see `select`. With *needs_consent*, only who consented to that category gets it."""
        self._message, self._language, self._main, self._needs_consent = message, language, main, needs_consent
        severity = message.severity or Severity.UNKNOWN
        self._severities = frozenset(
            each for each in Severity if message.stage in _WHATEVER_SEVERITY or severity.at_least(each)
        )
        self._place = None if message.location is None else _Place(message.location)

    def concerns(self, subscriber: Subscriber) -> bool:
        """Return whether the message concerns a subscriber."""
        if subscriber.categories and self._message.category not in subscriber.categories:
            return False
        if subscriber.severity is not None and subscriber.severity not in self._severities:
            return False
        if self._needs_consent and not _covers(subscriber.consent, self._message.category):
            return False
        return self._reads(subscriber.language) and self._is_there(subscriber)

    def _reads(self, language: str) -> bool:
        if is_same_language(language, self._language):
            return True
        written = any(is_same_language(language, words.language) for words in self._message.wordings)
        return self._main and not written

    def _is_there(self, subscriber: Subscriber) -> bool:
        place, areas, point = self._place, subscriber.areas, subscriber.point
        if place is None or not (areas or point):
            return True
        return (bool(areas) and place.overlaps(areas)) or (point is not None and place.holds(point))


class _Place:
    """The place of a message, as areas by their codes and as shapes on the map."""

    def __init__(self, location: Location) -> None:
        self._areas = areas_of(location)
        self._polygons: Sequence[Any] = ()
        if (area := location.area) is not None:
            self._polygons = (area.coordinates,) if area.type == "Polygon" else area.coordinates
        self._lines: list[tuple[Sequence[Position], float]] = []  # each with the metres around it
        if (point := location.point) is not None:
            centre = (point.longitude, point.latitude)
            self._lines.append(((centre, centre), NEARBY + (point.accuracy or 0.0)))
        if location.polyline is not None:
            self._lines.append((location.polyline.coordinates, NEARBY))

    def overlaps(self, areas: Sequence[str]) -> bool:
        """Return whether it shares a place with one of some areas, or cannot be compared with them."""
        return not self._areas or any(overlap(own, area) for own in self._areas for area in areas)

    def holds(self, position: Position) -> bool:
        """Return whether a position is in it, or cannot be compared with it."""
        if self._polygons:  # what the desk has drawn decides
            return any(holds(polygon, position) for polygon in self._polygons)
        return not self._lines or any(distance_to_line(line, position) <= metres for line, metres in self._lines)


def areas_of(location: Location) -> tuple[str, ...]:
    """Return the areas of a place by their codes: the finest, and other departments. Empty if it names none."""
    finest = [f"commune:{location.commune}"] if location.commune else []
    finest += [f"epci:{location.epci}"] if location.epci else []
    if not finest and location.department:
        finest = [f"dept:{location.department}"]
    return (*finest, *(f"dept:{department}" for department in location.also_departments)) if finest else ()


@lru_cache(maxsize=1024)
def overlap(area: str, other: str) -> bool:
    """Return whether two areas of the COG share a place. True if there is no such area, because it may.

    An area is `commune:34172`, `epci:243400017` or `dept:34`.
    """
    if area == other or not (places.exists(area) and places.exists(other)):
        return True
    kind, _, code = area.partition(":")
    other_kind, _, other_code = other.partition(":")
    if kind == "commune" and places.contains(other, code):
        return True
    if other_kind == "commune":
        return places.contains(area, other_code)
    if kind in {"commune", other_kind}:
        return False
    epci, department = (code, other_code) if kind == "epci" else (other_code, code)
    return any(commune.department == department for commune in places.communes_of(epci))


def _covers(consent: Consent | None, category: str) -> bool:
    """Return whether a consent covers messages of a category: it names that, or no purpose."""
    return consent is not None and (not consent.purpose or category in consent.purpose.replace(",", " ").split())


def select(
    audiences: Sequence[Audience], message: Message, *, language: str, main: bool, start: tuple[int, int] = (0, 0)
) -> Iterator[tuple[int, Row]]:
    """Stream the subscribers of some audiences whom a message concerns, and wrong rows; see `SubscriberFilter`.

    A person whom several lists name appears several times. The journal takes each once. The message is resolved and
    blurred, as it may be public. People without a language get the delivery's *main* language. Reading goes on from
    *start*: the number of an audience, and a position in it.

    Yields:
        The number of the audience, and the row.

    Raises:
        SettingsError: An audience cannot be read.
    """
    first, position = start
    for number, audience in enumerate(audiences[first:], first):
        needs_consent = isinstance(audience, ChannelAudience) and message.category in audience.consent_for
        chosen = SubscriberFilter(message, language=language, main=main, needs_consent=needs_consent)
        for row in audience.rows(start=position if number == first else 0):
            if isinstance(row, WrongRow) or chosen.concerns(row):
                yield number, row


def count_people(audiences: Sequence[Audience], message: Message, languages: Sequence[str]) -> dict[str, int]:
    """Return how many people a message concerns, by the language in which they get it, of which the first is the main.

    Who is named several times counts once. See `select`, which raises the same.
    """
    seen: set[int] = set()  # 64 bits for each address, so that a million addresses need no gigabyte
    people: dict[str, int] = {}
    for language in languages:
        before = len(seen)
        for _, row in select(audiences, message, language=language, main=language == languages[0]):
            if isinstance(row, Subscriber):
                seen.add(hash(row.address.casefold()))
        people[language] = len(seen) - before
    return people


# --- shapes on the map, in the order of RFC 7946: longitude, latitude. None crosses the antimeridian


def holds(polygon: Sequence[Sequence[Position]], position: Position) -> bool:
    """Return True if a polygon, its outer ring and its holes, holds a position or has it on an edge."""
    x, y = position
    inside = False
    for (ax, ay), (bx, by) in (edge for ring in polygon for edge in pairwise(ring)):
        if min(ay, by) <= y <= max(ay, by) and x <= max(ax, bx):
            side = (bx - ax) * (y - ay) - (x - ax) * (by - ay)
            if side == 0 and min(ax, bx) <= x:
                return True
            # A ray to the east crosses an edge from its lower end on, but not at its upper end: corners count once.
            if (ay > y) != (by > y):
                inside ^= (side > 0) == (by > ay)
    return inside


def distance_to_line(line: Sequence[Position], position: Position) -> float:
    """Return the metres from a position to a line, on a plane around the position: right to 0.1 % within 50 km."""
    x, y = position
    stretch = math.cos(math.radians(y))  # of a degree of longitude at this latitude
    plane = [((east - x) * stretch, north - y) for east, north in line]
    return min(_distance_to_edge(a, b) for a, b in pairwise(plane)) * _METRES_PER_DEGREE


def _distance_to_edge(a: Position, b: Position) -> float:
    """Return the distance from the origin of a plane to an edge."""
    (ax, ay), (dx, dy) = a, (b[0] - a[0], b[1] - a[1])
    length = dx * dx + dy * dy
    along = min(max(-(ax * dx + ay * dy) / length, 0.0), 1.0) if length else 0.0
    return math.hypot(ax + along * dx, ay + along * dy)
