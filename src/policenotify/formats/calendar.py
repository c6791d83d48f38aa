"""iCalendar (RFC 5545): the events that are announced before they begin, such as planned closures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from policenotify.formats.feed import Feed, Thread
from policenotify.formats.item import Item
from policenotify.formats.period import FINAL
from policenotify.model.lifecycle import IncidentStatus
from policenotify.model.message import Category

_LONGEST: Final = 75  # octets of a line without its break (RFC 5545, section 3.1)
_ESCAPED: Final = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n"})  # section 3.3.11
_CONTROLS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


def calendar(feed: Feed) -> bytes:
    """Return an event for each thread that was announced before it began."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//policenotify//feed//EN",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
        f"NAME:{_text(feed.title)}",  # RFC 7986, section 5.1
        f"X-WR-CALNAME:{_text(feed.title)}",
        f"SOURCE;VALUE=URI:{feed.site.file_url('calendar')}",
        "REFRESH-INTERVAL;VALUE=DURATION:PT15M",
    ]
    for thread in feed.current:
        lines += _event(feed, thread)
    return b"".join(_folded(line) for line in (*lines, "END:VCALENDAR"))


def _event(feed: Feed, thread: Thread) -> Iterator[str]:
    """Yield the lines of an event, or nothing for a thread without a planned beginning."""
    shown = [item for item in thread.items if not item.withdrawn_at]
    announced = [item for item in shown if _announces(item)]
    period = thread.period
    if period is None or period.stated is None or not announced:
        return
    entry, place, over = feed.entry(thread, announced[-1]), announced[-1].message.location, period.over_at
    # What ends before it begins does not take place, and keeps the end that it would have had.
    takes_place = thread.status is not IncidentStatus.CANCELLED and (over is None or over > period.stated)
    end = over if over and takes_place else period.ends_at
    changed = max(item.withdrawn_at or item.published_at for item in thread.items)
    yield from (
        "BEGIN:VEVENT",
        f"UID:{thread.items[0].urn.removeprefix('urn:uuid:')}",  # RFC 7986, section 5.3
        f"DTSTAMP:{_utc(changed)}",
        f"CREATED:{_utc(thread.items[0].published_at)}",
        f"LAST-MODIFIED:{_utc(changed)}",
        # It rises with each message, and with each one that is withdrawn.
        f"SEQUENCE:{2 * len(thread.items) - len(shown) - 1}",
        f"DTSTART:{_utc(period.stated)}",
    )
    if end:
        yield f"DTEND:{_utc(end)}"
    yield f"STATUS:{'CONFIRMED' if takes_place else 'CANCELLED'}"
    yield f"SUMMARY:{_text(entry.heading)}"
    if entry.text:
        yield f"DESCRIPTION:{_text(entry.text)}"
    if entry.item.place:
        yield f"LOCATION:{_text(entry.item.place)}"
    if place and place.point:
        yield f"GEO:{place.point.latitude};{place.point.longitude}"
    yield from (
        f"CATEGORIES:{entry.item.message.category}",
        f"URL:{feed.site.incident_url(thread.id)}",
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
    )


def _announces(item: Item) -> bool:
    """Return True if an item states the beginning of an event that is still to come."""
    message = item.message
    if message.starts_at is None or item.stage in FINAL:
        return False
    return message.starts_at > item.published_at or message.category == Category.PLANNED_EVENT


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _text(value: str) -> str:
    return _CONTROLS.sub("", value).translate(_ESCAPED)


def _folded(line: str) -> bytes:
    """Return a line in pieces of at most 75 octets, none of which cuts a character."""
    pieces, piece = [], b""
    for character in line:
        encoded = character.encode()
        if len(piece) + len(encoded) > _LONGEST:
            pieces.append(piece)
            piece = b" "
        piece += encoded
    return b"\r\n".join((*pieces, piece)) + b"\r\n"
