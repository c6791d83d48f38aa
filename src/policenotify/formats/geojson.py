"""GeoJSON (RFC 7946): the open incidents, for maps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from policenotify.formats.feed import Feed, Thread
from policenotify.formats.period import Period
from policenotify.formats.xml_text import timestamp
from policenotify.model.location import Location, Ring


def geojson(feed: Feed) -> bytes:
    """Return a feature for each open incident, the one with the newest message first."""
    collection = {
        "type": "FeatureCollection",
        "title": feed.title,
        "publisher": feed.site.publisher,
        "url": feed.site.url,
        "features": [_feature(feed, thread, thread.period) for thread in feed.open if thread.period],
    }
    return json.dumps(collection, ensure_ascii=False, indent=1).encode() + b"\n"


def _feature(feed: Feed, thread: Thread, period: Period) -> dict[str, Any]:
    newest, message = thread.newest, thread.newest.message
    # A withdrawn item has no place.
    located = next((item for item in reversed(thread.items) if item.message.location), newest)
    place = located.message.location
    urgency, certainty = period.outlook(message)
    properties = {
        "id": newest.id,
        "incident": thread.id,
        "stage": message.stage,
        "category": message.category,
        "severity": message.severity,
        "urgency": urgency,
        "certainty": certainty,
        "exercise": message.exercise,
        "headline": message.headline,
        "instruction": message.instruction,
        "place": located.place,
        "accuracy": place.point.accuracy if place and place.point else None,
        "since": timestamp(period.starts_at),
        "next_update_at": message.next_update_at and timestamp(message.next_update_at),
        "expires": period.ends_at and timestamp(period.ends_at),
        "past_end": period.is_past(feed.now),
        "updated": timestamp(newest.published_at),
        "url": feed.site.incident_url(thread.id),
        "languages": {
            words.language: {"headline": words.headline, "instruction": words.instruction} for words in message.wordings
        },
    }
    return {"type": "Feature", "id": thread.id, "geometry": _geometry(place), "properties": properties}


def _geometry(place: Location | None) -> dict[str, Any] | None:
    if place and place.area:
        polygons = [_right_handed(rings) for rings in place.area.polygons()]
        return {"type": place.area.type, "coordinates": polygons if place.area.type == "MultiPolygon" else polygons[0]}
    if place and place.polyline:
        return {"type": "LineString", "coordinates": place.polyline.coordinates}
    if place and place.point:
        return {"type": "Point", "coordinates": (place.point.longitude, place.point.latitude)}
    return None


def _right_handed(rings: Sequence[Ring]) -> list[Ring]:
    """Return a polygon, its outer ring counterclockwise and its holes clockwise (RFC 7946, section 3.1.6)."""
    # Twice the area of each, positive if it runs counterclockwise.
    areas = (sum(x * below - left * y for (x, y), (left, below) in pairwise(ring)) for ring in rings)
    outer, *holes = (ring if area >= 0 else ring[::-1] for ring, area in zip(rings, areas, strict=True))
    return [outer, *(hole[::-1] for hole in holes)]
