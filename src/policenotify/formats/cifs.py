"""CIFS version 2: closures and incidents for Waze, as XML and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping

from policenotify.formats.feed import FILES, Feed
from policenotify.formats.roads import Road, is_only_a_hazard, local_time, roads, street_of
from policenotify.formats.xml_text import add, document, root
from policenotify.model.cap import Severity
from policenotify.text.characters import one_line


def cifs(feed: Feed) -> Mapping[str, bytes]:
    """Return the closures of a feed in both forms. Each stays for one hour after its end."""
    incidents = [_incident(feed, road) for road in roads(feed, points=False)]
    top = root("incidents", {})
    for fields in incidents:
        element = add(top, "incident", id=fields["id"])
        for name, text in fields.items():
            if name == "source":
                add(add(element, name), "reference", text)
            elif name != "id":
                add(element, name, text)
    entries = [{"incident": {**fields, "source": {"reference": fields["source"]}}} for fields in incidents]
    text = json.dumps({"incidents": entries}, ensure_ascii=False, indent=1)
    return {FILES["cifs"]: document(top), FILES["cifs_json"]: text.encode() + b"\n"}


def _incident(feed: Feed, road: Road) -> dict[str, str]:
    """Return the elements of one incident by name, in the order of the documentation."""
    place = road.place
    kind, subtype = _kind(road)
    fields = {
        "id": road.thread.id,
        "creationtime": local_time(feed, road.created_at),
        "updatetime": local_time(feed, road.thread.changed_at),
        "source": feed.site.publisher,
        "type": kind,
        "subtype": subtype,
        "polyline": " ".join(road.positions),
        "street": street_of(place),
        "direction": "ONE_DIRECTION" if place.road and place.road.direction else "BOTH_DIRECTIONS",
        "starttime": local_time(feed, road.starts_at),
        "endtime": local_time(feed, road.ends_at) if road.ends_at else "",
        "description": one_line(road.thread.newest.message.headline),
    }
    return {name: text for name, text in fields.items() if text}


def _kind(road: Road) -> tuple[str, str]:
    if is_only_a_hazard(road.kind, road.place):
        return "HAZARD", "HAZARD_ON_ROAD"
    if road.kind.type == "ACCIDENT":
        severe = (road.thread.newest.message.severity or Severity.UNKNOWN).at_least(Severity.SEVERE)
        return "ACCIDENT", "ACCIDENT_MAJOR" if severe else "ACCIDENT_MINOR"
    return road.kind.type, road.kind.subtype
