"""Positions and shapes on the map: whether a shape holds a position, and how far away a position is.

Positions are longitude and latitude in degrees, as in RFC 7946. No shape crosses the antimeridian.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, TypeAlias

Position: TypeAlias = tuple[float, float]

_METRES_PER_DEGREE: Final = math.radians(6_371_008.8)  # the mean radius of the earth (IUGG)


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
