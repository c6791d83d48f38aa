"""iCalendar (RFC 5545): the events that are announced before they begin, such as planned closures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from policenotify.formats.feed import Feed, Thread
from policenotify.formats.item import Item
from policenotify.formats.places import place_words
from policenotify.model.lifecycle import IncidentStatus, Stage
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
        lines.extend(_event(feed, thread))
    lines.append("END:VCALENDAR")
    return b"".join(_folded(line) for line in lines)


def _event(feed: Feed, thread: Thread) -> Iterator[str]:
    """Yield the lines of an event, or nothing for a thread without a planned beginning."""
    shown = [item for item in thread.items if not item.withdrawn_at]
    announced = [item for item in shown if _announces(item)]
    start = next((item.message.starts_at for item in reversed(announced)), None)
    if start is None:
        return
    entry = feed.entry(thread, announced[-1])
    end = _end(thread, announced, start)
    changed = max(item.withdrawn_at or item.published_at for item in thread.items)
    yield from (
        "BEGIN:VEVENT",
        f"UID:{thread.items[0].urn.removeprefix('urn:uuid:')}",  # RFC 7986, section 5.3
        f"DTSTAMP:{_utc(changed)}",
        f"CREATED:{_utc(thread.items[0].published_at)}",
        f"LAST-MODIFIED:{_utc(changed)}",
        # It rises with each message, and with each one that is withdrawn.
        f"SEQUENCE:{2 * len(thread.items) - len(shown) - 1}",
        f"DTSTART:{_utc(start)}",
    )
    if end is not None and end > start:
        yield f"DTEND:{_utc(end)}"
    # What ends before it begins does not take place.
    takes_place = thread.status is not IncidentStatus.CANCELLED and (end is None or end > start)
    yield f"STATUS:{'CONFIRMED' if takes_place else 'CANCELLED'}"
    yield f"SUMMARY:{_text(entry.heading)}"
    if entry.text:
        yield f"DESCRIPTION:{_text(entry.text)}"
    location = entry.item.message.location
    if words := place_words(location):
        yield f"LOCATION:{_text(words)}"
    if location and location.point:
        yield f"GEO:{location.point.latitude};{location.point.longitude}"
    yield from (
        f"CATEGORIES:{entry.item.message.category}",
        f"URL:{feed.site.incident_url(thread.id)}",
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
    )


def _announces(item: Item) -> bool:
    """Return True if an item names the beginning of an event that is still to come."""
    message = item.message
    if message.stage in {Stage.END, Stage.CANCELLATION} or message.starts_at is None:
        return False
    return message.starts_at > item.published_at or message.category == Category.PLANNED_EVENT


def _end(thread: Thread, announced: list[Item], start: datetime) -> datetime | None:
    if thread.final is not None:
        return thread.final.message.starts_at or thread.final.published_at
    ends = (item.message.expires_at for item in reversed(announced))
    return next((end for end in ends if end and end > start), None)


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
