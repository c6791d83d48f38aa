"""The place of a message in words, as far as it may be public."""

from __future__ import annotations

from collections.abc import Iterator

from policenotify.model.location import Location, RoadRef


def place_words(location: Location | None) -> str:
    """Return a blurred place in one line: `avenue de Toulouse, Montpellier (Hérault)`. Empty if nothing is known."""
    return ", ".join(_parts(location)) if location else ""


def _parts(place: Location) -> Iterator[str]:
    if place.label:
        yield place.label
    else:
        yield from filter(None, (place.street, place.between and " / ".join(place.between), place.district, place.line))
        yield from _road(place.road) if place.road else ()
    commune, department = place.commune_name, place.department_name
    if commune:
        yield f"{commune} ({department})" if department else commune
    elif department:
        yield department


def _road(road: RoadRef) -> Iterator[str]:
    yield f"{road.road} ({road.direction})" if road.direction else road.road
    if road.exit:
        yield road.exit
