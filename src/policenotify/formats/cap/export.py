"""The alerts of a feed: one for each item that a warning system can use, drawn from its message.

An alert that is out never changes, so it follows from its item and those before it, never from a later one. Only a
withdrawn item becomes a `Cancel` without words.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from xml.etree.ElementTree import Element

from policenotify.formats.cap.french_codes import CODES
from policenotify.formats.cap.reader import EVENT_CODES, NAMESPACE
from policenotify.formats.feed import Feed, Site, Thread, alert_path
from policenotify.formats.item import Item
from policenotify.formats.period import AFTER_END, FINAL, Period
from policenotify.formats.xml_text import add, document, root
from policenotify.model.cap import Certainty, ResponseType, Severity, Urgency
from policenotify.model.lifecycle import Stage
from policenotify.model.location import Location
from policenotify.model.message import Translation
from policenotify.model.post import EventInfo

VALIDITY: Final = timedelta(hours=24)
"""How long an alert without an end is valid, unless news of its category may take longer."""

_TYPES: Final = {Stage.OPENING: "Alert", Stage.STANDALONE: "Alert", Stage.CANCELLATION: "Cancel"}
_LEAST: Final = 100  # metres: the area of an alert is never empty


def alert_files(feed: Feed, thread: Thread) -> Mapping[str, bytes]:
    """Return the files of a thread's alerts by their paths.

    An item has none if its feed has no sender, its category no event code, or if neither it nor an alert before it
    has a place; nor has an end or a cancellation of what was no alert.
    """
    site, files = feed.site, {}
    earlier: list[Item] = []
    for item, event, located in _exported(site, thread):
        alert = _alert(site, item, earlier)
        if not item.withdrawn_at:
            before = thread.items[: thread.items.index(item) + 1]
            period = Period.of(before, item if item.stage in FINAL else None)
            for words in item.message.wordings:
                info = add(alert, "info")
                _info(info, site, item, event, words, period)
                _areas(info, located)
        files[alert_path(item.id)] = document(alert)
        earlier.append(item)
    return files


def alert_ids(site: Site, thread: Thread) -> frozenset[str]:
    """Return the ids of the items that have an alert, for links to it."""
    return frozenset(item.id for item, *_ in _exported(site, thread))


def _exported(site: Site, thread: Thread) -> Iterator[tuple[Item, EventInfo, Item]]:
    """Yield each item that has an alert, its event, and the item that states its place."""
    located: Item | None = None
    for item in thread.items if site.cap_sender and "cap" in site.formats else ():
        if item.event and item.event.code and (located or (item.is_located and item.stage not in FINAL)):
            located = item if located is None or (item.message.location and item.is_located) else located
            yield item, item.event, located


def _alert(site: Site, item: Item, earlier: list[Item]) -> Element:
    """Return an alert without its words, or the cancellation of a withdrawn one."""
    gone, references = item.withdrawn_at, [item] if item.withdrawn_at else earlier
    kind = _TYPES.get(item.stage, "Update") if earlier else "Alert"
    triplets = (f"{site.cap_sender},{each.id},{_time(site, each.published_at)}" for each in references)
    alert = root("alert", {"xmlns": NAMESPACE})
    _add(
        alert,
        identifier=f"{item.id}-withdrawn" if gone else item.id,
        sender=site.cap_sender,
        sent=_time(site, gone or item.published_at),
        status="Exercise" if item.message.exercise else "Actual",
        msgType="Cancel" if gone else kind,
        scope="Public",
        note=site.locale(item.language).feed.withdrawn if gone else item.title if earlier else "",
        references=" ".join(triplets),
        incidents=item.thread,
    )
    return alert


def _info(into: Element, site: Site, item: Item, event: EventInfo, words: Translation, period: Period | None) -> None:
    message, ended = item.message, item.stage is Stage.END
    urgency, certainty = message.urgency or Urgency.UNKNOWN, message.certainty or Certainty.UNKNOWN
    if period and not ended:
        urgency, certainty = period.outlook(message)
    _add(
        into,
        language=words.language,
        category=event.categories,
        event=event.label(words.language),
        responseType=(ResponseType.ALL_CLEAR,) if ended else event.responses,
        urgency=Urgency.PAST if ended else urgency,
        severity=message.severity or Severity.UNKNOWN,
        certainty=certainty,
    )
    _pair(into, "eventCode", EVENT_CODES, event.code)
    _add(
        into,
        onset=_time(site, period.stated) if period and period.stated and not ended else "",
        expires=_time(site, _expires(item, event, period)),
        senderName=item.sender or site.publisher,
        headline=words.headline,
        description=site.description(words) or words.headline,
        instruction=words.instruction,
        web=site.message_url(item.id),
    )
    if message.next_update_at:
        _pair(into, "parameter", "nextUpdate", _time(site, message.next_update_at))
    alts = words.alts or tuple(picture.alt for picture in item.pictures)
    for picture, alt in zip(item.pictures, alts, strict=False):
        resource = add(into, "resource")
        _add(resource, resourceDesc=alt, mimeType=picture.media_type, uri=site.picture_url(picture))


def _expires(item: Item, event: EventInfo, period: Period | None) -> datetime:
    """Return when a reader drops the alert: an incident that is still open must not vanish early."""
    at = item.published_at
    if item.stage is Stage.END:
        return at + AFTER_END
    if period and period.ends_at:
        return max(period.ends_at, at + AFTER_END)
    return max(at, period.starts_at if period else at) + max(VALIDITY, event.lifetime or VALIDITY)


def _areas(into: Element, item: Item) -> None:
    """Add the parts of a place that a program can find: its shape or codes, then its other departments."""
    place = item.message.location or Location()
    if place.area or place.point or place.commune or place.department in CODES:
        area = add(into, "area")
        add(area, "areaDesc", item.place or (f"Département {place.department}" if place.department else "France"))
        # CAP has no holes: rather too large than too small.
        for outer, *_ in place.area.polygons() if place.area else ():
            add(area, "polygon", " ".join(_position(y, x) for x, y in outer))
        if place.point and not place.area:
            radius = math.ceil(max(place.point.accuracy or 0, _LEAST)) / 1000
            add(area, "circle", f"{_position(place.point.latitude, place.point.longitude)} {_number(radius, 3)}")
        if place.commune or place.department in CODES:
            name, code = ("INSEE", place.commune) if place.commune else ("NUTS3", CODES[place.department or ""])
            _pair(area, "geocode", name, code)
    for department in filter(CODES.get, place.also_departments):
        area = add(into, "area")
        add(area, "areaDesc", f"Département {department}")
        _pair(area, "geocode", "NUTS3", CODES[department])


def _time(site: Site, moment: datetime) -> str:
    """Return a time with the readers' offset. UTC is `-00:00`, because `Z` is not allowed (section 3.3.2)."""
    text = moment.astimezone(site.zone).isoformat(timespec="seconds")
    return text.replace("+00:00", "-00:00")


def _position(latitude: float, longitude: float) -> str:
    return f"{_number(latitude, 6)},{_number(longitude, 6)}"


def _number(value: float, places: int) -> str:
    """Return a decimal without an exponent, which the schema does not know."""
    return f"{round(value, places) + 0.0:.{places}f}".rstrip("0").rstrip(".")  # + 0.0: no minus zero


def _pair(into: Element, name: str, value_name: str, value: str) -> None:
    _add(add(into, name), valueName=value_name, value=value)


def _add(into: Element, **texts: str | Sequence[str]) -> None:
    """Add an element for each text that is not empty."""
    for name, values in texts.items():
        for value in (values,) if isinstance(values, str) else values:
            if value:
                add(into, name, value)
