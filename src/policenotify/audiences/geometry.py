"""Positions and shapes on the map: whether a shape holds a position, and how far away a position is.

Positions are longitude and latitude in degrees, as in RFC 7946. No shape crosses the antimeridian.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Final, TypeAlias

Position: TypeAlias = tuple[float, float]
Box: TypeAlias = tuple[float, float, float, float]
"""West, south, east, north."""

_EARTH_RADIUS: Final = 6_371_008.8  # metres: mean radius (IUGG)
_METRES_PER_DEGREE: Final = math.radians(_EARTH_RADIUS)
_MOST_BANDS: Final = 4_096
# J. R. Shewchuk, Adaptive Precision Floating-Point Arithmetic (1997), figure 21: the error of the 2 × 2 determinant,
# with ε = 2⁻⁵³.
_ROUNDING: Final = (3 + 16 * 2.0**-53) * 2.0**-53


class Polygon:
    """A polygon with holes, made to be asked about many positions.

    Its edges are sorted into bands of latitude, so that a position is compared with those of its own band only.
    """

    def __init__(self, rings: Sequence[Sequence[Position]]) -> None:
        """Prepare a polygon.

        Args:
            rings: The outer ring and the holes, each closed.
        """
        edges = [edge for ring in rings for edge in pairwise(ring)]
        self._box = _box(position for ring in rings for position in ring)
        _, south, _, north = self._box
        self._bands: list[list[tuple[Position, Position]]] = [[] for _ in range(min(len(edges), _MOST_BANDS))]
        self._scale = len(self._bands) / (north - south) if north > south else 0.0
        for edge in edges:
            low, high = sorted((self._band(edge[0][1]), self._band(edge[1][1])))
            for band in range(low, high + 1):
                self._bands[band].append(edge)

    def holds(self, position: Position) -> bool:
        """Return True if a position is inside or on an edge, of a hole too."""
        x, y = position
        west, south, east, north = self._box
        if not (west <= x <= east and south <= y <= north):
            return False
        inside = False
        for a, b in self._bands[self._band(y)]:
            (ax, ay), (bx, by) = a, b
            # A ray to the east crosses an edge from its lower end on, but not at its upper end: corners count once.
            crosses = (ay > y) != (by > y)
            if not crosses and ay != y != by:
                continue
            if x < ax and x < bx:
                inside ^= crosses
            elif x <= ax or x <= bx:
                side = turn(a, b, position)
                if side == 0 and (ay <= y <= by or by <= y <= ay):
                    return True
                inside ^= crosses and (side > 0) == (by > ay)
        return inside

    def _band(self, latitude: float) -> int:
        return min(int((latitude - self._box[1]) * self._scale), len(self._bands) - 1)


class Line:
    """A line, made to be asked about many positions."""

    def __init__(self, positions: Sequence[Position]) -> None:
        """Prepare a line of at least two positions."""
        self._edges = tuple(pairwise(positions))
        self._box = _box(positions)

    def is_within(self, metres: float, position: Position) -> bool:
        """Return True if a position is at most so far from the line."""
        x, y = position
        west, south, east, north = self._box
        tall = metres / _METRES_PER_DEGREE
        stretch = math.cos(math.radians(y))  # of a degree of longitude at this latitude
        wide = tall / stretch if stretch > 0 else 360.0
        if not (west - wide <= x <= east + wide and south - tall <= y <= north + tall):
            return False
        return any(_distance_to_edge(position, a, b, stretch) <= metres for a, b in self._edges)


def turn(a: Position, b: Position, c: Position) -> int:
    """Return 1 if c is left of the line from a to b, -1 if it is right of it, and 0 if it is on it. Exact."""
    left = (b[0] - a[0]) * (c[1] - a[1])
    right = (b[1] - a[1]) * (c[0] - a[0])
    difference = left - right
    if abs(difference) > _ROUNDING * (abs(left) + abs(right)):
        return 1 if difference > 0 else -1
    (ax, ay), (bx, by), (cx, cy) = ((Fraction(x), Fraction(y)) for x, y in (a, b, c))
    exact = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    return (exact > 0) - (exact < 0)


def distance(a: Position, b: Position) -> float:
    """Return the metres between two positions along a great circle (the haversine formula)."""
    (ax, ay), (bx, by) = ((math.radians(x), math.radians(y)) for x, y in (a, b))
    half = math.sin((by - ay) / 2) ** 2 + math.cos(ay) * math.cos(by) * math.sin((bx - ax) / 2) ** 2
    return 2 * _EARTH_RADIUS * math.asin(math.sqrt(min(half, 1.0)))


def _distance_to_edge(position: Position, a: Position, b: Position, stretch: float) -> float:
    """Return the metres to an edge on a plane around the position, right to 0.1 % within 50 km."""
    ax, ay = (a[0] - position[0]) * stretch, a[1] - position[1]
    dx, dy = (b[0] - a[0]) * stretch, b[1] - a[1]
    length = dx * dx + dy * dy
    along = min(max(-(ax * dx + ay * dy) / length, 0.0), 1.0) if length else 0.0
    return math.hypot(ax + along * dx, ay + along * dy) * _METRES_PER_DEGREE


def _box(positions: Iterable[Position]) -> Box:
    xs, ys = zip(*positions, strict=True)
    return min(xs), min(ys), max(xs), max(ys)
