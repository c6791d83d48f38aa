"""Open incidents for maps."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from policenotify.formats.geojson import geojson
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.location import Area, Location, Point, Polyline
from policenotify.model.message import Message
from tests.support.feed_items import NOW, make_feed, make_item, sample_items

_SQUARE = ((3.0, 43.0), (3.1, 43.0), (3.1, 43.1), (3.0, 43.1), (3.0, 43.0))  # counterclockwise
_HOLE = ((3.02, 43.02), (3.02, 43.04), (3.04, 43.04), (3.02, 43.02))  # clockwise
_OPENING = Lifecycle(stage=Stage.OPENING, incident="2026-17")


def _message(**fields: Any) -> Message:
    return Message(**{"category": "fire", "headline": "Feu", "lifecycle": _OPENING, **fields})


def _drawn(*messages: Message) -> dict[str, Any]:
    items = [make_item(each, name=str(n), at=NOW + timedelta(minutes=n)) for n, each in enumerate(messages)]
    document: dict[str, Any] = json.loads(geojson(make_feed(*items)))
    return document


def test_nothing_open_is_an_empty_collection() -> None:
    assert _drawn()["features"] == []
    assert _drawn(_message(), _message(lifecycle=Lifecycle(stage=Stage.END, incident="2026-17")))["features"] == []
    assert _drawn(_message(lifecycle=Lifecycle()))["features"] == []


def test_an_open_incident_is_a_feature_with_its_latest_words() -> None:
    opening, update = sample_items("accident/opening", "accident/update")

    [feature] = json.loads(geojson(make_feed(opening, update)))["features"]
    properties = feature["properties"]

    assert feature["type"] == "Feature"
    assert feature["id"] == properties["incident"] == opening.thread
    assert properties["id"] == update.id
    assert properties["stage"] == "update"
    assert properties["headline"] == update.message.headline
    assert properties["place"] == "Montpellier, avenue de Toulouse (Hérault)"
    assert properties["since"] == "2026-06-05T15:42:00.000000Z"
    assert properties["updated"] == "2026-06-05T16:12:00.000000Z"
    assert properties["url"] == f"https://alerte.police34.example/i/{opening.thread}.html"


def test_a_point_has_its_longitude_first() -> None:
    place = Location(point=Point(latitude=43.6105, longitude=3.875, accuracy=71))

    [feature] = _drawn(_message(location=place, next_update_at=NOW))["features"]

    assert feature["geometry"] == {"type": "Point", "coordinates": [3.875, 43.6105]}
    assert feature["properties"]["accuracy"] == 71
    assert feature["properties"]["next_update_at"] == "2026-06-05T16:00:00.000000Z"


def test_a_closed_road_is_a_line() -> None:
    line = Polyline(coordinates=((3.9, 43.6), (3.91, 43.61)))

    [feature] = _drawn(_message(location=Location(polyline=line, point=Point(latitude=43.6, longitude=3.9))))[
        "features"
    ]

    assert feature["geometry"] == {"type": "LineString", "coordinates": [[3.9, 43.6], [3.91, 43.61]]}


def test_rings_follow_the_right_hand_rule() -> None:
    clockwise, wrong_hole = tuple(reversed(_SQUARE)), tuple(reversed(_HOLE))
    right = [[list(position) for position in ring] for ring in (_SQUARE, _HOLE)]

    for rings in ((clockwise, wrong_hole), (_SQUARE, _HOLE)):
        one = Location(area=Area(type="Polygon", coordinates=rings))
        several = Location(area=Area(type="MultiPolygon", coordinates=(rings, rings)))
        [polygon] = _drawn(_message(location=one))["features"]
        [polygons] = _drawn(_message(location=several))["features"]

        assert polygon["geometry"] == {"type": "Polygon", "coordinates": right}
        assert polygons["geometry"] == {"type": "MultiPolygon", "coordinates": [right, right]}
