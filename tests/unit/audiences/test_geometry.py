import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.audiences.selection import Position, distance_to_line, holds

SQUARE = ((0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0), (0.0, 0.0))
HOLE = ((4.0, 4.0), (6.0, 4.0), (6.0, 6.0), (4.0, 6.0), (4.0, 4.0))
FLAT = ((0.0, 5.0), (10.0, 5.0), (3.0, 5.0), (0.0, 5.0))


def winding(position: Position, ring: Sequence[Position]) -> int | None:
    """Return the winding number by exact angles between quadrants, `None` on the ring: another method than rays."""
    px, py = map(Fraction, position)
    quarters = 0
    for a, b in pairwise(ring):
        ax, ay, bx, by = Fraction(a[0]) - px, Fraction(a[1]) - py, Fraction(b[0]) - px, Fraction(b[1]) - py
        cross = ax * by - ay * bx
        if cross == 0 and ax * bx + ay * by <= 0:
            return None
        step = (_quadrant(bx, by) - _quadrant(ax, ay)) % 4
        quarters += {0: 0, 1: 1, 3: -1, 2: 2 if cross > 0 else -2}[step]
    return quarters // 4


def _quadrant(x: Fraction, y: Fraction) -> int:
    if x > 0 and y >= 0:
        return 0
    if x <= 0 and y > 0:
        return 1
    return 2 if x < 0 else 3


@pytest.mark.parametrize(
    ("position", "inside"),
    [
        ((5.0, 2.0), True), ((11.0, 5.0), False),
        ((5.0, 5.0), False),  # in the hole
        ((0.0, 5.0), True), ((5.0, 0.0), True),
        ((0.0, 0.0), True),
        ((4.0, 5.0), True), ((4.0, 4.0), True),  # on the hole's edge
        ((2.0, 4.0), True),
    ],
)  # fmt: skip
def test_positions_in_a_square_with_a_hole(*, position: Position, inside: bool) -> None:
    assert holds([SQUARE, HOLE], position) is inside


def test_a_polygon_without_a_surface_holds_its_edges() -> None:
    assert holds([FLAT], (3.0, 5.0))
    assert holds([FLAT], (10.0, 5.0))
    assert not holds([FLAT], (10.1, 5.0))


@st.composite
def rings(draw: st.DrawFn) -> list[Position]:
    """A ring without crossings: corners in the order of their angles around the middle."""
    corner = st.tuples(st.integers(0, 359), st.integers(1, 40))
    corners = dict(draw(st.lists(corner, min_size=3, max_size=30, unique_by=lambda each: each[0])))
    ring = [
        (round(radius * math.cos(math.radians(angle))) / 4, round(radius * math.sin(math.radians(angle))) / 4)
        for angle, radius in sorted(corners.items())
    ]
    return [*ring, ring[0]]


@given(rings(), st.tuples(st.integers(-90, 90), st.integers(-90, 90)))
def test_agrees_with_the_winding_number(ring: list[Position], at: tuple[int, int]) -> None:
    position = (at[0] / 8, at[1] / 8)
    number = winding(position, ring)
    if number in {None, 0, 1, -1}:  # a ring of rounded corners may run twice around a position
        assert holds([ring], position) is (number != 0)


@pytest.mark.parametrize(
    ("a", "b", "metres"),
    [
        ((2.3522, 48.8566), (2.9, 48.95), 41_400),  # Paris and Meaux
        ((0.0, 0.0), (0.0, 1.0), 111_195),  # a degree of latitude, on the sphere
        ((3.0, 43.0), (3.0, 43.0), 0),
    ],
)
def test_distances(a: Position, b: Position, metres: float) -> None:
    assert distance_to_line((a, a), b) == pytest.approx(metres, rel=2e-3)


LINE = [(3.80, 43.60), (3.90, 43.60), (3.90, 43.60), (3.90, 43.70)]


@pytest.mark.parametrize(
    ("position", "metres", "within"),
    [
        ((3.85, 43.60), 1, True),
        ((3.85, 43.61), 1_200, True),
        ((3.79, 43.60), 900, True),  # beyond an end
        ((3.0, 43.60), 1_200, False),
        ((3.85, 90.0), 1_200, False),  # at the pole a degree of longitude has no length
    ],
)
def test_positions_near_a_line(*, position: Position, metres: float, within: bool) -> None:
    assert (distance_to_line(LINE, position) <= metres) is within


@given(st.floats(-0.3, 0.3), st.floats(-0.3, 0.3))
def test_agrees_with_the_distance_to_the_nearest_of_many_positions(east: float, north: float) -> None:
    position = (3.85 + east, 43.65 + north)
    on_line = [(3.80 + 0.1 * step / 2000, 43.60) for step in range(2001)]
    on_line += [(3.90, 43.60 + 0.1 * step / 2000) for step in range(2001)]
    metres = min(distance_to_line((each, each), position) for each in on_line)
    assert distance_to_line(LINE, position) <= metres * 1.01 + 10
    assert metres < 100 or distance_to_line(LINE, position) > metres * 0.99 - 10
