import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from policenotify.model.cap import Precision
from policenotify.model.location import Area, Location, Point, Polyline, RoadRef

SQUARE = [[3.85, 43.60], [3.88, 43.60], [3.88, 43.62], [3.85, 43.60]]
HOLE = [[3.86, 43.605], [3.87, 43.605], [3.87, 43.61], [3.86, 43.605]]

EVERYTHING = Location(
    commune="34172",
    commune_name="Montpellier",
    department="34",
    department_name="Hérault",
    epci="243400017",
    street="avenue de Toulouse",
    district="quartier Gambetta",
    road=RoadRef(road="A9", point="14+200", direction="Béziers → Montpellier", exit="sortie 31", administrator="ASF"),
    label="devant la gare",
    point=Point(latitude=43.604653, longitude=3.880421, accuracy=12),
    area=Area.model_validate({"type": "Polygon", "coordinates": [SQUARE]}),
    polyline=Polyline(coordinates=((3.880421, 43.604653), (3.882, 43.606))),
    also_departments=("30",),
)


# --- codes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("commune", "department"),
    [
        ("34172", "34"), ("2A004", "2A"), ("97411", "974"),
    ],
)  # fmt: skip
def test_a_commune_lies_in_the_department_that_its_code_begins_with(commune: str, department: str) -> None:
    assert Location(commune=commune, department=department).department == department
    assert Location(commune=commune).blur(Precision.DEPARTMENT).department == department
    with pytest.raises(ValidationError, match=f"department: commune {commune} is not in department 11"):
        Location(commune=commune, department="11")


@pytest.mark.parametrize("commune", ["3417", "2C004", "٣٤١٧٢"])
def test_no_code_and_no_name_of_a_commune(commune: str) -> None:
    with pytest.raises(ValidationError, match="commune: There is no commune"):
        Location(commune=commune)


def test_a_commune_by_its_name() -> None:
    assert Location(commune="Montpellier") == Location(commune="34172")
    assert Location(commune="Sainte-Colombe", department="25").commune == "25515"
    assert Location.model_validate_json('{"commune": "st jean de vedas"}').commune == "34270"
    with pytest.raises(ValidationError, match="commune: 12 communes are named 'Sainte-Colombe'"):
        Location(commune="Sainte-Colombe")
    with pytest.raises(ValidationError, match=r"commune: There is no commune 'Monpelier'\. Did you mean 34172 Montp"):
        Location(commune="Monpelier")


def test_a_code_is_not_looked_up() -> None:
    assert Location(commune="34999").commune == "34999"  # a stored message is read whatever the tables say


@pytest.mark.parametrize("department", ["00", "2a", "3４", "974\n", "99"])
def test_no_code_of_a_department(department: str) -> None:
    with pytest.raises(ValidationError, match="department"):
        Location(department=department)
    with pytest.raises(ValidationError, match=r"also_departments\.0"):
        Location(also_departments=(department,))


@pytest.mark.parametrize("field", ["street", "district", "label", "commune_name", "department_name"])
def test_words_are_one_line_that_can_be_read(field: str) -> None:
    def parsed(value: str) -> object:
        return getattr(Location.model_validate({field: value}), field)

    assert parsed("  rue\n de  l’Aiguillerie\t") == "rue de l’Aiguillerie"
    for wrong in ("", "  ", "rue\0", "rue \x1b[31m", "rue \ud83d", "rue \x92", "x" * 201):
        with pytest.raises(ValidationError, match=field):
            parsed(wrong)


# --- points --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "latitude", "longitude"),
    [
        ("Montpellier", 43.61, 3.88),
        ("Cayenne", 4.94, -52.33), ("Saint-Denis", -20.88, 55.45),
        ("Nouméa", -22.27, 166.45),
    ],
)  # fmt: skip
def test_swapped_coordinates_are_refused_all_over_france(place: str, latitude: float, longitude: float) -> None:
    assert Point(latitude=latitude, longitude=longitude), place
    ring = [[longitude, latitude], [longitude + 0.01, latitude], [longitude, latitude + 0.01], [longitude, latitude]]
    assert Area.model_validate({"type": "Polygon", "coordinates": [ring]})
    if abs(longitude) > 90:  # cannot be a latitude at all
        with pytest.raises(ValidationError, match="latitude"):
            Point(latitude=longitude, longitude=latitude)
        return
    with pytest.raises(ValidationError, match="look swapped"):
        Point(latitude=longitude, longitude=latitude)
    swapped = [[y, x] for x, y in ring]
    with pytest.raises(ValidationError, match="look swapped"):
        Area.model_validate({"type": "Polygon", "coordinates": [swapped]})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("latitude", 90.1), ("latitude", math.nan),
        ("longitude", 180.1), ("accuracy", 0),
    ],
)  # fmt: skip
def test_no_position(field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=field):
        Point.model_validate({"latitude": 43.6, "longitude": 3.88, field: value})


def test_the_ends_of_the_scale() -> None:
    point = Point(latitude=43.604653, longitude=3.880421)
    assert point.snapped(Precision.EXACT) is point
    assert point.snapped(Precision.DEPARTMENT) is None
    assert Point(latitude=43.6, longitude=3.8, accuracy=5000).snapped(Precision.STREET) == Point(
        latitude=43.6005, longitude=3.8005, accuracy=5000
    )


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [(90, 180), (-90, -180), (-5.55, 45.0), (0, 0)],  # (-5.55, 45): its cell's middle, swapped, lies in France
)
def test_a_point_at_any_edge_can_be_snapped(latitude: float, longitude: float) -> None:
    for precision in list(Precision)[:-1]:
        snapped = Point(latitude=latitude, longitude=longitude).snapped(precision)
        assert snapped is not None
        assert abs(snapped.latitude) <= 90
        assert abs(snapped.longitude) <= 180


# --- areas ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "coordinates", "says"),
    [
        ("Polygon", [[*SQUARE[:-1], [3.85, 43.7]]], "a ring ends where it begins"),
        ("Polygon", [SQUARE[:3]], "at least 4 items"),
        ("Polygon", [[[3.85, 43.6, 27.0], *SQUARE[1:]]], r"coordinates\.Polygon\.0\.0"),
        ("Polygon", [[[math.nan, 43.6], *SQUARE[1:]]], r"coordinates\.Polygon\.0\.0\.0"),
        ("Polygon", [[SQUARE]], "coordinates: not nested as a Polygon is"),
        ("MultiPolygon", [SQUARE], "coordinates: not nested as a MultiPolygon is"),
        ("Polygon", "3.85,43.6", "coordinates"),
        ("Point", [3.85, 43.6], "type"),
    ],
)
def test_no_area(kind: str, coordinates: object, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Area.model_validate({"type": kind, "coordinates": coordinates})


def test_an_area_becomes_the_box_around_it() -> None:
    area = Area.model_validate({"type": "MultiPolygon", "coordinates": [[SQUARE], [HOLE]]})
    box = Area.model_validate(
        {"type": "Polygon", "coordinates": [[[3.85, 43.6], [3.9, 43.6], [3.9, 43.65], [3.85, 43.65], [3.85, 43.6]]]}
    )
    assert area.snapped(Precision.COMMUNE) == box
    assert area.snapped(Precision.EXACT) is area
    assert area.snapped(Precision.DEPARTMENT) is None


# --- lines ---------------------------------------------------------------------------------------------------------

LINE = ((3.88042, 43.60465), (3.88049, 43.60461), (3.88121, 43.60473), (3.88312, 43.60511))


@pytest.mark.parametrize(
    ("kind", "coordinates", "says"),
    [
        ("LineString", [[3.88, 43.6]], "at least 2 items"),
        ("LineString", [[3.88, 43.6], [3.88, 43.6], [3.88, 43.6]], "at least two different positions"),
        ("LineString", [[3.88, 43.6 + step / 100_000] for step in range(1_001)], "at most 1000 items"),
        ("MultiLineString", [[[3.88, 43.6], [3.88, 43.7]]], "type"),
    ],
)
def test_no_line(kind: str, coordinates: object, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Polyline.model_validate({"type": kind, "coordinates": coordinates})


def test_a_line_goes_from_cell_to_cell() -> None:
    line = Polyline(coordinates=LINE)
    assert line.snapped(Precision.EXACT) is line
    assert line.snapped(Precision.STREET) == Polyline(
        coordinates=((3.8805, 43.6045), (3.8815, 43.6045), (3.8835, 43.6055))
    )
    assert Polyline(coordinates=LINE[:2]).snapped(Precision.STREET) is None  # within one cell
    for precision in (Precision.DISTRICT, Precision.COMMUNE, Precision.EPCI, Precision.DEPARTMENT):
        assert line.snapped(precision) is None


# --- blur: properties ----------------------------------------------------------------------------------------------

latitudes, longitudes = st.floats(-90, 90), st.floats(-180, 180)
precisions = st.sampled_from(Precision)


@st.composite
def points(draw: st.DrawFn) -> Point:
    return Point.model_construct(  # without the check for swapped coordinates: the whole world
        latitude=draw(latitudes), longitude=draw(longitudes), accuracy=draw(st.none() | st.floats(0.1, 1e6))
    )


@st.composite
def areas(draw: st.DrawFn) -> Area:
    ring = draw(st.lists(st.tuples(longitudes, latitudes), min_size=3, max_size=5))
    return Area.model_construct(type="Polygon", coordinates=((*ring, ring[0]),))


@st.composite
def polylines(draw: st.DrawFn) -> Polyline:
    line = draw(st.lists(st.tuples(longitudes, latitudes), min_size=2, max_size=5, unique=True))
    return Polyline.model_construct(coordinates=tuple(line))


@st.composite
def locations(draw: st.DrawFn) -> Location:
    fields: dict[str, Any] = {
        name: draw(st.none() | st.just(value)) for name, value in EVERYTHING if name != "also_departments"
    }
    fields |= {
        "point": draw(st.none() | points()),
        "area": draw(st.none() | areas()),
        "polyline": draw(st.none() | polylines()),
        "precision": draw(st.none() | precisions),
    }
    return Location.model_construct(**fields)


FINENESS = {
    "street": "exact street",
    "road": "exact street",
    "district": "exact street district",
    "label": "exact street district",
    "between": "exact street",
    "line": "exact street",
    "commune": "exact street district commune",
    "commune_name": "exact street district commune",
    "epci": "exact street district commune epci",
}
STEP = {Precision.STREET: 0.001, Precision.DISTRICT: 0.01, Precision.COMMUNE: 0.05, Precision.EPCI: 0.2}


def _assert_words(location: Location, parsed: Location, precision: Precision) -> None:
    for field, where in FINENESS.items():
        kept = getattr(location, field) if precision.value in where.split() else None
        if isinstance(kept, RoadRef) and precision is not Precision.EXACT:
            kept = kept.model_copy(update={"point": None})  # which is in metres
        assert getattr(parsed, field) == kept


@given(locations(), precisions)
def test_blur_is_never_finer_than_requested(location: Location, finest: Precision) -> None:
    parsed = location.blur(finest)
    assert parsed.precision is not None
    assert finest.at_least(parsed.precision)
    assert location.precision is None or location.precision.at_least(parsed.precision)
    _assert_words(location, parsed, parsed.precision)
    if parsed.precision is Precision.DEPARTMENT:
        assert parsed.point is None
        assert parsed.area is None
        assert parsed.polyline is None
    elif parsed.precision is not Precision.EXACT:
        step = STEP[parsed.precision]
        if parsed.point:
            for value in (parsed.point.latitude, parsed.point.longitude):
                assert value / step - 0.5 == pytest.approx(round(value / step - 0.5), abs=1e-6)  # the middle of a cell
            assert parsed.point.accuracy is not None
            assert parsed.point.accuracy >= step * 78_000
        if parsed.polyline:
            assert parsed.precision is Precision.STREET
            for value in (value for position in parsed.polyline.coordinates for value in position):
                assert value / step - 0.5 == pytest.approx(round(value / step - 0.5), abs=1e-6)
        if parsed.area:
            for axis in zip(*parsed.area.rings()[0], strict=True):
                assert max(axis) - min(axis) >= step * (1 - 1e-6)
                assert all(value / step == pytest.approx(round(value / step), abs=1e-6) for value in axis)


@given(locations(), precisions, precisions)
def test_blurring_in_steps_is_blurring_at_once(location: Location, first: Precision, then: Precision) -> None:
    assert location.blur(first).blur(then) == location.blur(min(first, then, key=lambda precision: precision.rank))


@given(points(), st.sampled_from([*STEP]))
def test_the_published_point_lies_in_the_cell_of_the_true_one(point: Point, precision: Precision) -> None:
    parsed = point.snapped(precision)
    assert parsed is not None
    half = STEP[precision] / 2 + 1e-6  # coordinates are read to a millionth of a degree: 0.1 m
    assert abs(parsed.latitude - point.latitude) <= half
    assert abs(parsed.longitude - point.longitude) <= half


@given(areas(), st.sampled_from([*STEP]))
def test_the_published_area_holds_the_true_one(area: Area, precision: Precision) -> None:
    parsed = area.snapped(precision)
    assert parsed is not None
    for true, box in zip(zip(*area.rings()[0], strict=True), zip(*parsed.rings()[0], strict=True), strict=True):
        assert min(box) - 1e-6 <= min(true)
        assert max(true) <= max(box) + 1e-6


@given(st.floats(41.0, 51.5), st.floats(-5.5, 9.8), precisions)
def test_a_published_place_in_france_can_be_read_back(latitude: float, longitude: float, precision: Precision) -> None:
    ring = ((longitude, latitude), (9.8, 51.5), (longitude, 41.0), (longitude, latitude))
    place = Location(
        point=Point(latitude=latitude, longitude=longitude),
        area=Area(type="Polygon", coordinates=(ring,)),
        polyline=Polyline(coordinates=ring[:3]),
    ).blur(precision)
    assert Location.model_validate_json(place.model_dump_json()) == place


def test_blur_keeps_coarse_places_and_names_the_department_where_the_commune_is_withheld() -> None:
    parsed = EVERYTHING.blur(Precision.COMMUNE)
    assert (parsed.commune, parsed.commune_name, parsed.epci, parsed.department) == (
        "34172",
        "Montpellier",
        "243400017",
        "34",
    )
    assert (parsed.street, parsed.road, parsed.district, parsed.label) == (None, None, None, None)
    assert parsed.also_departments == ("30",)
    assert Location(commune="2A004").blur(Precision.EPCI) == Location(department="2A", precision=Precision.EPCI)
    assert Location(commune="34172").blur(Precision.COMMUNE).department is None
    assert Location(street="rue X", precision=Precision.COMMUNE).blur(Precision.EXACT).street is None


def test_a_road_loses_its_position_in_metres_and_house_numbers_with_its_line() -> None:
    road = RoadRef(road="D612", point="14+237", exit="14 rue Foch", direction="Béziers → Montpellier")
    location = Location(commune="34172", road=road, line="12 rue de la Gare")
    assert location.blur(Precision.EXACT).road == road
    blurred = location.blur(Precision.STREET)
    assert blurred.road == RoadRef(road="D612", exit="rue Foch", direction="Béziers → Montpellier")
    assert blurred.line == "rue de la Gare"
