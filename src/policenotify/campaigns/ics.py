"""Write a forecast as iCalendar (RFC 5545), for Outlook, Thunderbird and others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from icalendar import Calendar, Event

from policenotify.campaigns.forecast import ForecastEntry
from policenotify.campaigns.model import Campaign

_LENGTH = timedelta(minutes=15)  # calendars show an event without a length badly


def ics(entries: Iterable[ForecastEntry], campaigns: Sequence[Campaign], *, now: datetime) -> bytes:
    """Return an iCalendar file.

    An occurrence has the same UID in every file, so that importing again moves it.

    Args:
        entries: The forecast. What will not be published is left out.
        campaigns: Its campaigns.
        now: The time stamp of the file.
    """
    named = {campaign.name: campaign for campaign in campaigns}
    calendar = Calendar()
    calendar.add("prodid", "-//policenotify//campaigns//FR")
    calendar.add("version", "2.0")
    for entry in entries:
        campaign = named[entry.occurrence.campaign]
        message = {variant.name: variant.message for variant in campaign.messages}.get(entry.variant)
        if entry.at is None or message is None:  # a published variant may be gone from the file
            continue
        name = f"{campaign.name} {entry.occurrence.day.isoformat()}"
        event = Event()
        event.add("uid", f"{hashlib.sha256(name.encode()).hexdigest()[:32]}@policenotify")
        event.add("dtstamp", now)
        event.add("dtstart", entry.at)
        event.add("dtend", entry.at + _LENGTH)
        event.add("summary", f"{campaign.name} : {message.headline}")
        event.add("description", "\n".join(filter(None, (message.description, message.instruction))))
        event.add("categories", [message.category])
        event.add("transp", "TRANSPARENT")  # it makes no one busy
        calendar.add_component(event)
    written: bytes = calendar.to_ical()
    return written
