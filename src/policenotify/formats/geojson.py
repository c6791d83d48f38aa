"""GeoJSON (RFC 7946): the open incidents, for maps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import TypeAlias

from policenotify.formats.feed import Feed, Thread
from policenotify.formats.places import place_words
from policenotify.formats.xml_text import timestamp
from policenotify.model.location import Area, Location

_Object: TypeAlias = dict[str, object]
_Position: TypeAlias = tuple[float, float]


def geojson(feed: Feed) -> bytes:
    """Return a feature for each open incident, the one with the newest message first."""
    collection = {
        "type": "FeatureCollection",
        "title": feed.title,
        "publisher": feed.site.publisher,
        "url": feed.site.url,
        "features": [_feature(feed, thread) for thread in feed.open],
    }
    return json.dumps(collection, ensure_ascii=False, indent=1).encode() + b"\n"


def _feature(feed: Feed, thread: Thread) -> _Object:
    items = [item for item in thread.items if not item.withdrawn_at]
    newest, message = items[-1], items[-1].message
    place = next((item.message.location for item in reversed(items) if item.message.location), None)
    point = place.point if place else None
    properties = {
        "id": newest.id,
        "incident": thread.id,
        "stage": message.stage,
        "category": message.category,
        "severity": message.severity,
        "urgency": message.urgency,
        "certainty": message.certainty,
        "exercise": message.exercise,
        "headline": message.headline,
        "instruction": message.instruction,
        "place": place_words(place),
        "accuracy": point.accuracy if point else None,
        "since": timestamp(items[0].message.starts_at or items[0].published_at),
        "next_update_at": _time(message.next_update_at),
        "expires": _time(message.expires_at),
        "updated": timestamp(newest.published_at),
        "url": feed.site.incident_url(thread.id),
        "languages": {
            words.language: {"headline": words.headline, "instruction": words.instruction} for words in message.wordings
        },
    }
    return {"type": "Feature", "id": thread.id, "geometry": _geometry(place), "properties": properties}


def _time(moment: datetime | None) -> str | None:
    return timestamp(moment) if moment else None


def _geometry(place: Location | None) -> _Object | None:
    if place and place.area:
        return {"type": place.area.type, "coordinates": _right_handed(place.area)}
    if place and place.polyline:
        return {"type": "LineString", "coordinates": place.polyline.coordinates}
    if place and place.point:
        return {"type": "Point", "coordinates": (place.point.longitude, place.point.latitude)}
    return None


def _right_handed(area: Area) -> object:
    """Return the coordinates with outer rings counterclockwise and holes clockwise (RFC 7946, section 3.1.6)."""

    def polygon(rings: Sequence[Sequence[_Position]]) -> list[Sequence[_Position]]:
        return [
            ring if (_signed_area(ring) < 0) == (number > 0) else tuple(reversed(ring))
            for number, ring in enumerate(rings)
        ]

    if area.type == "Polygon":
        return polygon(area.coordinates)  # type: ignore[arg-type]  # `type` decides the depth
    return [polygon(rings) for rings in area.coordinates]  # type: ignore[arg-type]  # `type` decides the depth


def _signed_area(ring: Sequence[_Position]) -> float:
    """Return twice the area of a ring, positive if it runs counterclockwise."""
    return sum(x * below - left * y for (x, y), (left, below) in pairwise(ring))
