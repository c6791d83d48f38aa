"""CIFS by its documentation: the elements that it requires, its enumerations and its forms."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from policenotify.formats.feed import Feed
from policenotify.formats.traffic import cifs
from tests.support.feed_items import NOW, THREAD, make_feed
from tests.unit.formats.test_roads import PLACE, closure, items

_TYPES = {
    "ACCIDENT": {"ACCIDENT_MAJOR", "ACCIDENT_MINOR"},
    "HAZARD": {"HAZARD_ON_ROAD"},
    "ROAD_CLOSED": {"ROAD_CLOSED_HAZARD", "ROAD_CLOSED_EVENT"},
}
_REQUIRED = {"type", "polyline", "street", "description", "starttime"}
_OPTIONAL = {"creationtime", "updatetime", "source", "subtype", "direction", "endtime"}
_POSITIONS = re.compile(r"-?\d+\.\d{6} -?\d+\.\d{6}( -?\d+\.\d{6} -?\d+\.\d{6})+")


def read(feed: Feed) -> list[dict[str, Any]]:
    """Return the incidents of both files, which must be those that the documentation allows, and the same."""
    files = cifs(feed)
    assert set(files) == {"cifs.xml", "cifs.json"}
    top = ET.fromstring(files["cifs.xml"])  # noqa: S314 - our own
    incidents = [entry["incident"] for entry in json.loads(files["cifs.json"])["incidents"]]
    assert (top.tag, [each.tag for each in top]) == ("incidents", ["incident"] * len(incidents))
    for element, fields in zip(top, incidents, strict=True):
        by_name = {child.tag: child.text or child.findtext("reference") for child in element}
        flat = {name: value["reference"] if name == "source" else value for name, value in fields.items()}
        assert {"id": element.get("id"), **by_name} == flat
        assert set(by_name) >= _REQUIRED
        assert set(by_name) <= _REQUIRED | _OPTIONAL
        assert flat["subtype"] in _TYPES[flat["type"]]
        assert _POSITIONS.fullmatch(flat["polyline"])
        assert flat["direction"] in {"ONE_DIRECTION", "BOTH_DIRECTIONS"}
        assert len(flat["street"]) > 1
        for name in ("creationtime", "updatetime", "starttime", "endtime"):
            assert name not in flat or datetime.fromisoformat(flat[name]).tzinfo
    return incidents


def test_a_closure_with_its_end() -> None:
    opening, end = items(closure(), closure("end", headline="Avenue rouverte"))

    [incident] = read(make_feed(opening, end, now=end.published_at))

    assert incident == {
        "id": THREAD,
        "creationtime": "2026-06-05T18:00:00+02:00",
        "updatetime": "2026-06-05T18:10:00+02:00",
        "source": {"reference": "Police nationale de l'Hérault"},
        "type": "ROAD_CLOSED",
        "subtype": "ROAD_CLOSED_HAZARD",
        "polyline": "43.590000 3.840000 43.600000 3.850000",
        "street": "avenue de Toulouse",
        "direction": "BOTH_DIRECTIONS",
        "starttime": "2026-06-05T18:00:00+02:00",
        "endtime": "2026-06-05T18:10:00+02:00",
        "description": "Avenue rouverte",
    }
    [earlier] = read(make_feed(opening, now=NOW))
    assert earlier["id"] == incident["id"]
    assert "endtime" not in earlier
    assert read(make_feed(opening, end, now=end.published_at + timedelta(hours=1))) == []


@pytest.mark.parametrize(
    ("fields", "subtype"),
    [
        ({"category": "traffic_accident"}, "ACCIDENT_MINOR"),
        ({"category": "traffic_accident", "severity": "Severe"}, "ACCIDENT_MAJOR"),
        ({"category": "traffic_disruption"}, "HAZARD_ON_ROAD"),
        ({"category": "fire"}, "HAZARD_ON_ROAD"),
        ({"category": "bomb_disposal"}, "ROAD_CLOSED_HAZARD"),
        ({"category": "police_operation"}, "ROAD_CLOSED_HAZARD"),  # and never POLICE_VISIBLE
        ({"category": "demonstration"}, "ROAD_CLOSED_EVENT"),
        ({"category": "planned_event"}, "ROAD_CLOSED_EVENT"),
        ({"location": {**PLACE, "precision": "street"}}, "HAZARD_ON_ROAD"),  # a blurred line closes no road
    ],
)
def test_each_category_has_its_type(fields: dict[str, Any], subtype: str) -> None:
    [incident] = read(make_feed(*items(closure(**fields)), now=NOW))
    assert incident["subtype"] == subtype
