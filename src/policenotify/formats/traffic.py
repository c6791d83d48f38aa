"""What traffic partners read: CIFS version 2 for Waze, and DATEX II version 3.1 (CEN/TS 16157) for road operators."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final
from xml.etree.ElementTree import Element

from policenotify.formats.feed import FILES, Feed
from policenotify.formats.roads import Road, is_only_a_hazard, local_time, roads, street_of
from policenotify.formats.xml_text import add, document, root
from policenotify.model.cap import Certainty, Severity
from policenotify.model.lifecycle import Stage
from policenotify.text.characters import one_line

_NAMESPACES: Final = {
    "con": "messageContainer", "com": "common", "sit": "situation", "loc": "locationReferencing",
    "ex": "exchangeInformation", "inf": "informationManagement",
}  # fmt: skip
_LONGEST: Final = 1_024  # characters of a text, by the schema
_SEVERITY: Final = {
    Severity.EXTREME: "highest", Severity.SEVERE: "high", Severity.MODERATE: "medium", Severity.MINOR: "low",
    Severity.UNKNOWN: "unknown",
}  # fmt: skip
_PROBABILITY: Final = {
    Certainty.OBSERVED: "certain", Certainty.LIKELY: "probable", Certainty.POSSIBLE: "riskOf",
    Certainty.UNLIKELY: "riskOf", Certainty.UNKNOWN: "probable",
}  # fmt: skip


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


def datex(feed: Feed) -> bytes:
    """Return a message container with a situation publication, for a snapshot pull.

    A situation that has ended stays for one hour, with its end, and its management status is `closed` or `cancelled`.
    """
    situations = list(roads(feed, points=True))
    names = {f"xmlns:{prefix}": f"http://datex2.eu/schema/3/{name}" for prefix, name in _NAMESPACES.items()}
    names["xmlns:xsi"] = "http://www.w3.org/2001/XMLSchema-instance"
    top = root("con:messageContainer", {**names, "modelBaseVersion": "3"})
    language = feed.site.language
    payload = add(top, "con:payload", **{"xsi:type": "sit:SituationPublication"}, lang=language, modelBaseVersion="3")
    add(payload, "com:publicationTime", local_time(feed, feed.updated_at))
    _identifier(add(payload, "com:publicationCreator"), feed)
    for road in situations:
        _situation(payload, feed, road)
    exchange = add(top, "con:exchangeInformation", modelBaseVersion="3")
    context = add(exchange, "ex:exchangeContext")
    add(context, "ex:codedExchangeProtocol", "snapshotPull")
    add(context, "ex:exchangeSpecificationVersion", "2018")
    _identifier(add(add(context, "ex:supplierOrCisRequester"), "ex:internationalIdentifier"), feed)
    dynamic = add(exchange, "ex:dynamicInformation")
    add(dynamic, "ex:exchangeStatus", "undefined")
    add(dynamic, "ex:messageGenerationTimestamp", local_time(feed, feed.updated_at))
    if ended := [(road, road.thread.final.stage) for road in situations if road.thread.final]:
        managed = add(add(top, "con:informationManagement"), "inf:informationManagedResourceList")
        for road, stage in ended:
            reference = add(managed, "inf:elementReference")
            add(reference, "inf:managementStatus", "cancelled" if stage is Stage.CANCELLATION else "closed")
            add(reference, "inf:versionedReference", **_record(road))
    return document(top)


def _identifier(parent: Element, feed: Feed) -> None:
    add(parent, "com:country", "fr")
    add(parent, "com:nationalIdentifier", feed.site.publisher[:_LONGEST])


def _situation(payload: Element, feed: Feed, road: Road) -> None:
    message, kind = road.thread.newest.message, road.kind
    situation = add(payload, "sit:situation", id=road.thread.id)
    add(situation, "sit:overallSeverity", _SEVERITY[message.severity or Severity.UNKNOWN])
    add(situation, "sit:situationVersionTime", local_time(feed, road.thread.changed_at))
    header = add(situation, "sit:headerInformation")
    add(header, "com:confidentiality", "noRestriction")
    add(header, "com:informationStatus", "real")
    record = add(situation, "sit:situationRecord", **{"xsi:type": f"sit:{kind.record}"}, **_record(road))
    add(record, "sit:situationRecordCreationTime", local_time(feed, road.created_at))
    add(record, "sit:situationRecordVersionTime", local_time(feed, road.thread.changed_at))
    add(record, "sit:probabilityOfOccurrence", _PROBABILITY[road.certainty])
    _values(add(add(record, "sit:source"), "com:sourceName"), [(feed.site.language, feed.site.publisher)])
    validity = add(record, "sit:validity")
    add(validity, "com:validityStatus", "definedByValidityTimeSpec")
    period = add(validity, "com:validityTimeSpecification")
    add(period, "com:overallStartTime", local_time(feed, road.starts_at))
    if road.ends_at:
        add(period, "com:overallEndTime", local_time(feed, road.ends_at))
    comment = add(add(record, "sit:generalPublicComment"), "sit:comment")
    _values(comment, [(each.language, f"{each.headline}\n{each.instruction}") for each in message.wordings])
    _location(record, road.positions)
    if kind.record == "RoadOrCarriagewayOrLaneManagement":
        add(record, "sit:complianceOption", "mandatory")
    add(record, f"sit:{kind.record[0].lower()}{kind.record[1:]}Type", kind.value)


def _record(road: Road) -> dict[str, str]:
    return {"id": f"{road.thread.id}-1", "version": str(road.thread.version)}


def _values(parent: Element, texts: list[tuple[str, str]]) -> None:
    values = add(parent, "com:values")
    for language, text in texts:
        add(values, "com:value", text.strip()[:_LONGEST], lang=language)


def _location(record: Element, positions: tuple[str, ...]) -> None:
    if len(positions) > 1:
        line = add(record, "sit:locationReference", **{"xsi:type": "loc:LinearLocation"})
        string = add(line, "loc:gmlLineString", srsDimension="2", srsName="EPSG:4326")
        add(string, "loc:posList", " ".join(positions))
    else:
        latitude, longitude = positions[0].split()
        point = add(record, "sit:locationReference", **{"xsi:type": "loc:PointLocation"})
        position = add(add(point, "loc:pointByCoordinates"), "loc:pointCoordinates")
        add(position, "loc:latitude", latitude)
        add(position, "loc:longitude", longitude)
