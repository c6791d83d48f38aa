"""The place of a message: official codes, words, coordinates, and their blurring."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from itertools import groupby
from typing import Annotated, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationInfo,
    model_validator,
)

from policenotify.model import places
from policenotify.model.cap import Precision
from policenotify.model.lifecycle import KNOWN, FrozenModel
from policenotify.translation import Text, text_of
from policenotify.validation import wrong_at

# Control characters but tab and line feed (Unicode general category Cc), and halves of surrogate pairs (Cs).
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def _require_printable(value: str) -> str:
    """Reject control characters and halves of surrogate pairs."""
    # No network shows them, and no database stores them.
    if match := _UNPRINTABLE.search(value):
        raise ValueError(
            Text(
                "character {start} is U+{ord}, which nobody can read: remove it",
                start=match.start() + 1,
                ord=f"{ord(match[0]):04X}",
            )
        )
    return value


# [0-9], because \d matches the digits of every script.
_METROPOLITAN, _OVERSEAS = "0[1-9]|1[0-9]|2[1-9AB]|[3-8][0-9]|9[0-5]", "9[78][0-9]"
_CODE = re.compile(f"(?:(?:{_METROPOLITAN})[0-9]|{_OVERSEAS})[0-9]{{2}}")
_DIGITS = re.compile("[0-9]{5}")

InseeCode = Annotated[str, StringConstraints(pattern=f"^{_CODE.pattern}$")]
"""A commune's code in the *Code officiel géographique* of INSEE: five characters, `34172`, `2A004`, `97411`."""

DepartmentCode = Annotated[str, StringConstraints(pattern=f"^(?:{_METROPOLITAN}|{_OVERSEAS})$")]
"""A department's code in the *Code officiel géographique*: `34`, `2A`, `974`. Corsica is `2A` and `2B`, never `20`."""

EpciCode = Annotated[str, StringConstraints(pattern=r"^[0-9]{9}$")]
"""The SIREN number of an intercommunal body (EPCI)."""

department_in: Final = places.department_in
"""Returns the department that the first characters of a commune's code name."""

ONE_LINE = BeforeValidator(lambda value: " ".join(value.split()) if isinstance(value, str) else value)
PRINTABLE = AfterValidator(_require_printable)

ShortText = Annotated[str, StringConstraints(min_length=1, max_length=200), ONE_LINE, PRINTABLE]
"""Words of one line, of at most 200 characters."""

# Boxes (south, west, north, east) in whole or half degrees around the territories of France, to detect a swapped
# latitude and longitude. They are larger than the territories.
_FRANCE = (
    (41.0, -5.5, 51.5, 9.8),         # metropolitan
    (14.0, -63.5, 18.5, -60.5),      # Guadeloupe, Martinique, Saint-Barthélemy, Saint-Martin
    (2.0, -55.0, 6.0, -51.5),        # Guyane
    (-21.5, 55.0, -20.5, 56.0),      # La Réunion
    (-13.5, 44.5, -12.0, 45.5),      # Mayotte
    (46.5, -57.0, 47.5, -56.0),      # Saint-Pierre-et-Miquelon
    (-23.0, 163.0, -19.0, 168.5),    # Nouvelle-Calédonie
    (-28.0, -155.0, -7.5, -134.0),   # Polynésie française
    (-14.5, -178.5, -13.0, -176.0),  # Wallis-et-Futuna
)  # fmt: skip

DETAILS: Final = " · "
"""What separates the details of a place for the desk, each of which may hold a comma."""

# The grid to which a point is snapped for each precision: about 100 m, 1 km, 5 km, 20 km of latitude. In millionths of
# a degree, so that a cell's edge is a whole number. Each cell lies in one cell of every coarser grid.
_GRID = {Precision.STREET: 1_000, Precision.DISTRICT: 10_000, Precision.COMMUNE: 50_000, Precision.EPCI: 200_000}
_MILLION = 1_000_000
_METRES_PER_DEGREE = 111_320  # of latitude: WGS 84 equatorial circumference / 360


# -0.0 is the same place as 0.0, but has another JSON text and digest.
_NO_MINUS_ZERO = AfterValidator(lambda value: value + 0.0)
Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False), _NO_MINUS_ZERO]
Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False), _NO_MINUS_ZERO]
Position = tuple[Longitude, Latitude]
Ring = Annotated[tuple[Position, ...], Field(min_length=4)]
Rings = Annotated[tuple[Ring, ...], Field(min_length=1)]
Polygons = Annotated[tuple[Rings, ...], Field(min_length=1)]


def _in_france(latitude: float, longitude: float) -> bool:
    return any(s <= latitude <= n and w <= longitude <= e for s, w, n, e in _FRANCE)


def _refuse_swapped(latitude: float, longitude: float, info: ValidationInfo) -> None:
    if info.context != KNOWN and not _in_france(latitude, longitude) and _in_france(longitude, latitude):
        raise ValueError(
            Text(
                "latitude and longitude look swapped: latitude {latitude}, longitude {longitude} is outside "
                "France, the other way round it is inside",
                latitude=latitude,
                longitude=longitude,
            )
        )


class Point(FrozenModel):
    """A position in WGS 84, in decimal degrees.

    Attributes:
        latitude: −90 to 90, north is positive.
        longitude: −180 to 180, east is positive.
        accuracy: Radius in metres around the true place, if known.
    """

    latitude: Latitude
    longitude: Longitude
    accuracy: float | None = Field(default=None, gt=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _not_swapped(self, info: ValidationInfo) -> Self:
        _refuse_swapped(self.latitude, self.longitude, info)
        return self

    def snapped(self, precision: Precision) -> Point | None:
        """Return the centre of the grid cell that holds the point.

        It is always the same cell, so that no average reveals the point.

        Returns:
            The point itself for `exact`, and `None` for `department`.
        """
        step = _GRID.get(precision)
        if step is None:
            return self if precision is Precision.EXACT else None
        radius = round(step / _MILLION * _METRES_PER_DEGREE * math.sqrt(0.5))  # half the cell's diagonal
        return self.changed(
            latitude=(_cell(self.latitude, step, 90) + step // 2) / _MILLION,
            longitude=(_cell(self.longitude, step, 180) + step // 2) / _MILLION,
            accuracy=float(max(radius, self.accuracy or 0)),
        )


def _cell(degrees: float, step: int, limit: int) -> int:
    """Return the lower edge of a cell in millionths of a degree.

    The last cell includes the limit.
    """
    return min(round(degrees * _MILLION) // step * step, limit * _MILLION - step)


def _nesting(value: object) -> str:
    """Return the type of coordinates by their depth, for errors about one type only."""
    for _ in range(3):
        if not isinstance(value, list | tuple) or not value:
            return "Polygon"
        value = value[0]
    return "MultiPolygon" if isinstance(value, list | tuple) else "Polygon"


class Area(FrozenModel):
    """A GeoJSON geometry: longitude before latitude, rings closed.

    See RFC 7946, sections 3.1.6 and 3.1.7.

    Attributes:
        type: `Polygon` or `MultiPolygon`.
        coordinates: As in RFC 7946, in two dimensions.
    """

    type: Literal["Polygon", "MultiPolygon"]
    coordinates: Annotated[
        Annotated[Rings, Tag("Polygon")] | Annotated[Polygons, Tag("MultiPolygon")], Discriminator(_nesting)
    ]

    @model_validator(mode="after")
    def _is_valid(self, info: ValidationInfo) -> Self:
        if _nesting(self.coordinates) != self.type:
            raise wrong_at("coordinates", Text("not nested as a {type} is (RFC 7946, section 3.1)", type=self.type))
        for ring in self.rings():
            if ring[0] != ring[-1]:
                raise wrong_at("coordinates", Text("a ring ends where it begins (RFC 7946, section 3.1.6)"))
            for longitude, latitude in ring:
                _refuse_swapped(latitude, longitude, info)
        return self

    def polygons(self) -> Polygons:
        """Return its polygons: each an outer ring, then the holes."""
        one = self.type == "Polygon"
        return (self.coordinates,) if one else self.coordinates  # type: ignore[return-value]  # `type` decides the depth

    def rings(self) -> tuple[Ring, ...]:
        """Return all rings, outer and inner, of all polygons."""
        return tuple(ring for polygon in self.polygons() for ring in polygon)

    def snapped(self, precision: Precision) -> Area | None:
        """Return the box around the area on the grid, or `None` for `department`."""
        step = _GRID.get(precision)
        if step is None:
            return self if precision is Precision.EXACT else None
        longitudes, latitudes = zip(*(position for ring in self.rings() for position in ring), strict=True)
        west, south = _cell(min(longitudes), step, 180), _cell(min(latitudes), step, 90)
        east, north = (_upper(max(longitudes), west, step), _upper(max(latitudes), south, step))
        corners = ((west, south), (east, south), (east, north), (west, north), (west, south))
        box = tuple((x / _MILLION, y / _MILLION) for x, y in corners)
        return self.changed(type="Polygon", coordinates=(box,))


def _upper(degrees: float, lower: int, step: int) -> int:
    """Return the grid edge above the value, at least a cell above the lower edge."""
    return max(-(-round(degrees * _MILLION) // step) * step, lower + step)


class Polyline(FrozenModel):
    """A GeoJSON line along a road: longitude before latitude, in the direction of travel.

    See RFC 7946, section 3.1.4. Navigation services need it to close a road.

    Attributes:
        type: `LineString`.
        coordinates: As in RFC 7946, in two dimensions. At least two different positions, at most 1,000.
    """

    type: Literal["LineString"] = "LineString"
    coordinates: Annotated[tuple[Position, ...], Field(min_length=2, max_length=1_000)]

    @model_validator(mode="after")
    def _is_valid(self, info: ValidationInfo) -> Self:
        if len(set(self.coordinates)) == 1:
            raise wrong_at("coordinates", Text("a line has at least two different positions"))
        for longitude, latitude in self.coordinates:
            _refuse_swapped(latitude, longitude, info)
        return self

    def snapped(self, precision: Precision) -> Polyline | None:
        """Return the line from cell to cell of the grid.

        Neighbours in one cell become one position.

        Returns:
            The line itself for `exact`. `None` if all of it lies in one cell, and for anything coarser than `street`,
            where the cells would lead along other roads.
        """
        if precision is not Precision.STREET:
            return self if precision is Precision.EXACT else None
        step = _GRID[precision]
        cells = [
            ((_cell(x, step, 180) + step // 2) / _MILLION, (_cell(y, step, 90) + step // 2) / _MILLION)
            for x, y in self.coordinates
        ]
        merged = tuple(cell for cell, _ in groupby(cells))
        return self.changed(coordinates=merged) if len(merged) > 1 else None


class RoadRef(FrozenModel):
    """A place on a numbered road, in the terms of the French road services.

    Attributes:
        road: The road's number: `A9`, `N113`, `D612E7`.
        point: *Point de repère* and metres beyond it: `14+200`.
        direction: The direction in the public's words: `Béziers → Montpellier`.
        exit: The exit or junction in the public's words: `sortie 31`.
        administrator: The road's operator: `Hérault`, `DIR Méditerranée`.
    """

    road: Annotated[str, StringConstraints(pattern=r"^[A-Z]{1,3} ?[0-9]{1,4}[A-Z]?[0-9]*$")]
    point: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,4}(?:\+[0-9]{1,4})?$")] | None = None
    direction: ShortText | None = None
    exit: ShortText | None = None
    administrator: ShortText | None = None


class Location(FrozenModel):
    """The place of a message.

    Every field is optional, but a check requires a place that readers can recognise.

    Attributes:
        commune: INSEE code of the commune. Its name will do, if no other commune in the department, or in France, has
            it: it is looked up once, and the code is kept.
        commune_name: The commune's name as INSEE writes it. Filled in from the code at publication, whatever it is.
        department: Code of the department. Filled in from the commune.
        department_name: Filled in like `commune_name`, from the department's code.
        epci: SIREN of the intercommunal body, if the place is a whole EPCI.
        street: `avenue de Toulouse`, without a house number unless the category allows it.
        district: `quartier Gambetta`.
        road: A place on a numbered road.
        label: The place in the officer's own words, shown instead of all other words within the commune.
        between: Two cross-streets, exits or stops between which it is: `rue Foch` and `place Jean-Jaurès`.
        line: A line of public transport in the public's words: `ligne 1 du tramway`.
        point: A position.
        area: A shape.
        polyline: The stretch of road that is closed or disturbed.
        precision: The finest precision to publish, at most that of the category.
        also_departments: Other departments concerned (a motorway closed in 34 affects 30). Never filled in.
    """

    commune: InseeCode | None = None
    commune_name: ShortText | None = None
    department: DepartmentCode | None = None
    department_name: ShortText | None = None
    epci: EpciCode | None = None
    street: ShortText | None = None
    district: ShortText | None = None
    road: RoadRef | None = None
    label: ShortText | None = None
    between: tuple[ShortText, ShortText] | None = None
    line: ShortText | None = None
    point: Point | None = None
    area: Area | None = None
    polyline: Polyline | None = None
    precision: Precision | None = None
    also_departments: tuple[DepartmentCode, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _find_by_name(cls, values: object) -> object:
        if not isinstance(values, dict):
            return values
        name = values.get("commune")
        if not isinstance(name, str) or _CODE.fullmatch(name):
            return values
        department = values.get("department")
        if _DIGITS.fullmatch(name):
            raise wrong_at("commune", _not_a_code(name))
        try:
            found = places.find(name, department if isinstance(department, str) else None)
        except ValueError as error:
            raise wrong_at("commune", text_of(error)) from None
        return {**values, "commune": found.code}

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.commune and self.department and department_in(self.commune) != self.department:
            raise wrong_at(
                "department",
                Text(
                    "commune {commune} is not in department {department}",
                    commune=self.commune,
                    department=self.department,
                ),
            )
        return self

    @property
    def town(self) -> str:
        """The name of the commune, or of the department of a place without one. Empty if neither has its name yet."""
        return self.commune_name or self.department_name or ""

    @property
    def details(self) -> tuple[str, ...]:
        """Where it is within the town, for the desk: road, street or the officer's label, stretch, and line.

        A place that has only a position or a shape is a latitude and a longitude, in degrees.
        """
        road = self.road and " ".join(
            filter(None, (self.road.road, self.road.exit or self.road.point, self.road.direction))
        )
        stretch = " – ".join(self.between) if self.between else None
        words = (road, self.label or self.street or self.district, stretch, self.line)
        named = tuple(each for each in words if each)
        middle = None if named or self.town else self._middle()
        return (f"{middle[1]:.3f}, {middle[0]:.3f}",) if middle else named

    def _middle(self) -> Position | None:
        if self.point:
            return self.point.longitude, self.point.latitude
        shape = self.area.rings()[0] if self.area else self.polyline.coordinates if self.polyline else ()
        longitudes, latitudes = zip(*shape, strict=True) if shape else ((), ())
        return (sum(longitudes) / len(shape), sum(latitudes) / len(shape)) if shape else None

    def __str__(self) -> str:
        return ", ".join(filter(None, (self.town, DETAILS.join(self.details))))

    def blur(self, finest: Precision) -> Location:
        """Return the place without any detail finer than *finest*.

        Finer words are left out, a finer point or area is widened, and a line is snapped or left out. Below `exact`,
        house numbers, buildings, floors and flats are removed from all words, and the *point de repère* from a road.
        The officer's own label counts as fine as a district. If the commune is left out, its department is filled in.
        """
        at_most = min(filter(None, (self.precision, finest)), key=lambda precision: precision.rank)
        changes: dict[str, object] = {"precision": at_most}
        for field, precision in _FINENESS.items():
            if precision.rank > at_most.rank:
                changes[field] = None
        if at_most is not Precision.EXACT:
            changes = {**_without_numbers(self, ADDRESSES), **changes}
            if self.between and "between" not in changes:
                ends = tuple(filter(None, map(_without_number, self.between)))
                changes["between"] = ends if len(ends) == len(self.between) else None
            if self.road and "road" not in changes:
                # The *point de repère* counts in metres.
                update = {**_without_numbers(self.road, ROAD_ADDRESSES), "point": None}
                changes["road"] = self.road.changed(**update)
        if self.commune and not self.department and "commune" in changes:
            changes["department"] = department_in(self.commune)
        changes["point"] = self.point.snapped(at_most) if self.point else None
        changes["area"] = self.area.snapped(at_most) if self.area else None
        changes["polyline"] = self.polyline.snapped(at_most) if self.polyline else None
        return self.changed(**changes)


def _not_a_code(code: str) -> Text:
    """Return that a code is of no department, and the communes that it means as a postcode."""
    problem, meant = Text("{code} is not an INSEE code: no department has it.", code=code), places.meant_by(code)
    postcode = Text("As a postcode it means {communes}. Give the INSEE code.", communes=meant) if meant else ""
    return Text.join(" ", (problem, postcode))


def _without_numbers(model: FrozenModel, fields: Iterable[str]) -> dict[str, object]:
    return {name: _without_number(words) for name in fields if (words := getattr(model, name))}


def _without_number(words: str) -> str | None:
    from policenotify.text.house_numbers import remove_house_numbers  # noqa: PLC0415 - many expressions, few users

    return remove_house_numbers(words).text or None


ADDRESSES: Final = ("label", "street", "district", "line")
"""The words of a place that may hold a house number, as may both ends of `between`."""

ROAD_ADDRESSES: Final = ("direction", "exit", "administrator")
"""The same of a road."""

# The precision of each field.
_FINENESS = {
    "street": Precision.STREET,
    "road": Precision.STREET,
    "district": Precision.DISTRICT,
    "label": Precision.DISTRICT,
    "between": Precision.STREET,
    "line": Precision.STREET,
    "commune": Precision.COMMUNE,
    "commune_name": Precision.COMMUNE,
    "epci": Precision.EPCI,
}
