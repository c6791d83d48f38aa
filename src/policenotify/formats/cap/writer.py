"""Write an alert as XML, in the order of the schema."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from xml.etree.ElementTree import Element

from policenotify.formats.cap.alert import NAMESPACE, Alert, AlertArea, Info, Pair, Reference
from policenotify.formats.xml_text import add, document, root


def write(alert: Alert) -> bytes:
    """Return the file of an alert. Equal alerts have equal bytes."""
    top = root("alert", {"xmlns": NAMESPACE})
    add(top, "identifier", alert.identifier)
    add(top, "sender", alert.sender)
    add(top, "sent", cap_time(alert.sent))
    add(top, "status", alert.status)
    add(top, "msgType", alert.message_type)
    _optional(top, source=alert.source)
    add(top, "scope", alert.scope)
    _optional(top, restriction=alert.restriction)
    for code in alert.codes:
        add(top, "code", code)
    _optional(top, note=alert.note, references=written(alert.references), incidents=alert.incidents)
    for info in alert.infos:
        _info(add(top, "info"), info)
    return document(top)


def cap_time(moment: datetime) -> str:
    """Return a time in whole seconds with its offset. UTC is `-00:00`, because `Z` is not allowed (section 3.3.2)."""
    text = moment.isoformat(timespec="seconds")
    offset = text[-6:] if text[-6:] != "+00:00" else "-00:00"
    return text[:19] + offset


def written(references: Iterable[Reference]) -> str:
    """Return the triplets of `references`."""
    return " ".join(f"{each.sender},{each.identifier},{cap_time(each.sent)}" for each in references)


def _info(into: Element, info: Info) -> None:
    add(into, "language", info.language)
    for category in info.categories:
        add(into, "category", category)
    add(into, "event", info.event)
    for response in info.responses:
        add(into, "responseType", response)
    add(into, "urgency", info.urgency)
    add(into, "severity", info.severity)
    add(into, "certainty", info.certainty)
    _pairs(into, "eventCode", info.event_codes)
    times = {"effective": info.effective, "onset": info.onset, "expires": info.expires}
    _optional(into, **{name: cap_time(time) for name, time in times.items() if time})
    _optional(into, senderName=info.sender_name, headline=info.headline, description=info.description)
    _optional(into, instruction=info.instruction, web=info.web, contact=info.contact)
    _pairs(into, "parameter", info.parameters)
    for resource in info.resources:
        child = add(into, "resource")
        add(child, "resourceDesc", resource.description)
        add(child, "mimeType", resource.mime_type)
        _optional(child, uri=resource.uri)
    for area in info.areas:
        _area(add(into, "area"), area)


def _area(into: Element, area: AlertArea) -> None:
    add(into, "areaDesc", area.description)
    for polygon in area.polygons:
        points = (f"{_degrees(latitude)},{_degrees(longitude)}" for latitude, longitude in polygon)
        add(into, "polygon", " ".join(points))
    for circle in area.circles:
        centre = f"{_degrees(circle.latitude)},{_degrees(circle.longitude)}"
        add(into, "circle", f"{centre} {_number(circle.radius, 3)}")
    _pairs(into, "geocode", area.geocodes)


def _degrees(value: float) -> str:
    return _number(value, 6)


def _number(value: float, places: int) -> str:
    """Return a decimal without an exponent, which the schema does not know."""
    return f"{round(value, places) + 0.0:.{places}f}".rstrip("0").rstrip(".")  # + 0.0: no minus zero


def _pairs(into: Element, name: str, pairs: Iterable[Pair]) -> None:
    for pair in pairs:
        child = add(into, name)
        add(child, "valueName", pair.name)
        add(child, "value", pair.value)


def _optional(into: Element, **texts: str) -> None:
    for name, text in texts.items():
        if text:
            add(into, name, text)
