"""The place of a message as officers type it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from policenotify.cli.options import option_label
from policenotify.cli.usage import BadParameter
from policenotify.model import places
from policenotify.model.location import Location
from policenotify.translation import Text, text_of

_CODE = re.compile(r"(?:\d{2}|2[AB])\d{3}", re.ASCII | re.IGNORECASE)
_POINT = re.compile(r"\s*([+-]?\d+(?:\.\d+)?)\s*[,; ]\s*([+-]?\d+(?:\.\d+)?)\s*", re.ASCII)
# No match begins within a number, so that the time is linear.
_PAIR = re.compile(r"(?<![\d.])([+-]?\d+(?:\.\d+)?)\s*,\s*([+-]?\d+(?:\.\d+)?)", re.ASCII)
_POINTS = re.compile(rf"\s*{_PAIR.pattern}(?:[\s;]+{_PAIR.pattern})*\s*", re.ASCII)
_LARGEST = 1_000_000  # bytes of a file with a line
_WITHIN_COMMUNE = ("street", "district", "road", "label", "between", "line", "point", "area", "polyline")
"""Fields that name a place within a commune. A new place replaces all of them."""

OPTIONS = (
    "commune", "department", "street", "district", "road", "direction", "between", "line", "label", "point", "polyline",
)  # fmt: skip


def location_of(typed: Mapping[str, Any], before: Location | None = None) -> dict[str, object] | None:
    """Return the fields of a `Location`, or `None` if no place was typed.

    A new street stays in the commune where the incident was *before*.

    Raises:
        click.BadParameter: The commune is unknown or its name ambiguous, or the point or line is malformed.
    """
    given = {name: typed[name] for name in OPTIONS if typed.get(name)}
    if not given:
        return None
    kept: dict[str, object] = {}
    if before is not None and not {"commune", "department"} & given.keys():
        kept = before.model_dump(mode="json", exclude_none=True)
        if given.keys() == {"direction"} and before.road is not None:
            given["road"] = before.road.road
        kept = {name: value for name, value in kept.items() if name not in _WITHIN_COMMUNE}
    place: dict[str, object] = {
        name: given[name] for name in ("street", "district", "between", "line", "label") if name in given
    }
    department = given.get("department")
    if department:
        place["department"] = department.upper()
    if commune := given.get("commune"):
        place["commune"] = commune_code(commune, department)
    if road := given.get("road"):
        place["road"] = {"road": road.upper().replace(" ", ""), "direction": given.get("direction")}
    elif "direction" in given:
        raise BadParameter(Text("goes with a road: --road A9"), param_hint=option_label("--direction"))
    if point := given.get("point"):
        place["point"] = _point(point)
    if polyline := given.get("polyline"):
        place["polyline"] = _polyline(polyline)
    return {**kept, **place}


def commune_code(typed: str, department: str | None = None) -> str:
    """Return the INSEE code of a commune.

    Args:
        typed: Its code, which is taken as it is, or its name.
        department: Code of the department to look in; `None`: everywhere.

    Raises:
        click.BadParameter: No commune has that name, or several have; the text lists candidates.
    """
    if _CODE.fullmatch(typed.strip()):
        return typed.strip().upper()
    try:
        return places.find(typed, department.upper() if department else None).code
    except ValueError as error:
        raise BadParameter(text_of(error), param_hint=option_label("--commune")) from None


def _point(typed: str) -> dict[str, float]:
    match = _POINT.fullmatch(typed)
    if not match:
        raise BadParameter(Text("write latitude,longitude: 43.6109,3.8772"), param_hint=option_label("--point"))
    return {"latitude": float(match[1]), "longitude": float(match[2])}


def _polyline(typed: str) -> object:
    """Return the GeoJSON line of typed positions, or of a file."""
    if _POINTS.fullmatch(typed):
        line: object = [(float(pair[2]), float(pair[1])) for pair in _PAIR.finditer(typed)]
        return {"type": "LineString", "coordinates": line}
    try:
        with Path(typed).open("rb") as file:
            line = json.loads(file.read(_LARGEST))
    except (OSError, ValueError, RecursionError):
        line = None
    match line:
        case {"type": "FeatureCollection", "features": [{"geometry": inner}]} | {"type": "Feature", "geometry": inner}:
            line = inner
        case _:
            pass  # a geometry itself, or none
    match line:
        case {"type": "LineString", "coordinates": positions}:
            return {"type": "LineString", "coordinates": positions}
        case _:
            text = Text(
                "{typed} is no line. Write positions, 43.6109,3.8772 43.6121,3.8790, or a file that holds one GeoJSON "
                "LineString.",
                typed=typed,
            )
            raise BadParameter(text, param_hint=option_label("--polyline"))
