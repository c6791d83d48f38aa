"""iCalendar (RFC 5545): the events that are announced before they begin, such as planned closures."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any

import icalendar

from policenotify.formats.feed import Feed, Thread
from policenotify.formats.item import Item
from policenotify.formats.period import FINAL
from policenotify.formats.xml_text import printable
from policenotify.model.lifecycle import IncidentStatus
from policenotify.model.message import Category


def calendar(feed: Feed) -> bytes:
    """Return an event for each thread that was announced before it began."""
    whole = icalendar.Calendar()
    properties = {
        "VERSION": "2.0",
        "PRODID": "-//policenotify//feed//EN",
        "CALSCALE": "GREGORIAN",
        "METHOD": "PUBLISH",
        "NAME": feed.title,  # RFC 7986, section 5.1
        "X-WR-CALNAME": feed.title,
    }
    _add(whole, properties)
    whole.add("SOURCE", feed.site.file_url("calendar"), {"VALUE": "URI"})
    whole.add("REFRESH-INTERVAL", timedelta(minutes=15), {"VALUE": "DURATION"})
    for thread in feed.current:
        if properties := _event(feed, thread):
            event = icalendar.Event()
            _add(event, properties)
            whole.add_component(event)
    return bytes(whole.to_ical())


def _event(feed: Feed, thread: Thread) -> dict[str, Any]:
    """Return the properties of an event, or none for a thread without a planned beginning."""
    announced = [item for item in thread.items if not item.withdrawn_at and _announces(item)]
    period = thread.period
    if period is None or period.stated is None or not announced:
        return {}
    entry, place, over = feed.entry(thread, announced[-1]), announced[-1].message.location, period.over_at
    # What ends before it begins does not take place, and keeps the end that it would have had.
    takes_place = thread.status is not IncidentStatus.CANCELLED and (over is None or over > period.stated)
    end = over if over and takes_place else period.ends_at
    return {
        "UID": thread.items[0].urn.removeprefix("urn:uuid:"),  # RFC 7986, section 5.3
        "DTSTAMP": thread.changed_at.astimezone(UTC),
        "SEQUENCE": thread.version - 1,
        "DTSTART": period.stated.astimezone(UTC),
        "DTEND": end and end.astimezone(UTC),
        "STATUS": "CONFIRMED" if takes_place else "CANCELLED",
        "SUMMARY": entry.heading,
        "DESCRIPTION": entry.plain_text,
        "LOCATION": entry.item.place,
        "GEO": place.point and (place.point.latitude, place.point.longitude) if place else None,
        "CATEGORIES": entry.item.message.category,
        "URL": feed.site.incident_url(thread.id),
        "TRANSP": "TRANSPARENT",
    }


def _announces(item: Item) -> bool:
    """Return True if an item states the beginning of an event that is still to come."""
    message = item.message
    if message.starts_at is None or item.stage in FINAL:
        return False
    return message.starts_at > item.published_at or message.category == Category.PLANNED_EVENT


def _add(into: icalendar.Component, properties: dict[str, Any]) -> None:
    for name, value in properties.items():
        if value not in {None, ""}:
            into.add(name, printable(value) if isinstance(value, str) else value)
