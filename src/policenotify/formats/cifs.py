"""CIFS version 2: closures and incidents for Waze, as XML and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping

from policenotify.formats.feed import FILES, Feed
from policenotify.formats.roads import is_only_a_hazard, street_of
from policenotify.formats.situations import RoadSituation, local_time, road_situations
from policenotify.formats.xml_text import add, document, root
from policenotify.model.cap import Severity


def cifs(feed: Feed) -> Mapping[str, bytes]:
    """Return the closures of a feed in both forms. Each stays for one hour after its end."""
    incidents = [_incident(feed, each) for each in road_situations(feed, points=False)]
    return {FILES["cifs"]: _xml(incidents), FILES["cifs_json"]: _json(incidents)}


def _xml(incidents: list[dict[str, str]]) -> bytes:
    top = root("incidents", {})
    for fields in incidents:
        incident = add(top, "incident", id=fields["id"])
        for name, text in fields.items():
            if name == "source":
                add(add(incident, "source"), "reference", text)
            elif name != "id":
                add(incident, name, text)
    return document(top)


def _json(incidents: list[dict[str, str]]) -> bytes:
    entries = [
        {"incident": {name: {"reference": text} if name == "source" else text for name, text in fields.items()}}
        for fields in incidents
    ]
    return json.dumps({"incidents": entries}, ensure_ascii=False, indent=1).encode() + b"\n"


def _incident(feed: Feed, situation: RoadSituation) -> dict[str, str]:
    """Return the elements of one incident by name, in the order of the documentation."""
    place = situation.place
    kind, subtype = _kind(situation)
    fields = {
        "id": situation.thread.id,
        "creationtime": local_time(feed, situation.created_at),
        "updatetime": local_time(feed, situation.changed_at),
        "source": feed.site.publisher,
        "type": kind,
        "subtype": subtype,
        "polyline": " ".join(situation.positions),
        "street": street_of(place),
        "direction": "ONE_DIRECTION" if place.road and place.road.direction else "BOTH_DIRECTIONS",
        "starttime": local_time(feed, situation.starts_at),
        "endtime": local_time(feed, situation.ends_at) if situation.ends_at else "",
        "description": situation.description,
    }
    return {name: text for name, text in fields.items() if text}


def _kind(situation: RoadSituation) -> tuple[str, str]:
    """Return type and subtype."""
    message, kind = situation.newest.message, situation.kind
    if is_only_a_hazard(kind, situation.place):
        return "HAZARD", "HAZARD_ON_ROAD"
    if kind.type == "ACCIDENT":
        severe = (message.severity or Severity.UNKNOWN).at_least(Severity.SEVERE)
        return kind.type, "ACCIDENT_MAJOR" if severe else "ACCIDENT_MINOR"
    return kind.type, kind.subtype
