"""A calendar for Outlook, Thunderbird and the like: iCalendar, RFC 5545."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from icalendar import Calendar, Event

from policenotify.campaigns.forecast import ForecastEntry
from policenotify.campaigns.model import Campaign

_LASTS = timedelta(minutes=15)  # an event without a length is shown badly


def ics(planned: Iterable[ForecastEntry], campaigns: Sequence[Campaign], *, now: datetime) -> bytes:
    """The plan as an iCalendar file. An occurrence has the same UID in every file: importing again moves it.

    Args:
        planned: What will be said; what never will is left out.
        campaigns: Whose it is.
        now: When the file is made.
    """
    named = {campaign.name: campaign for campaign in campaigns}
    calendar = Calendar()
    calendar.add("prodid", "-//policenotify//campaigns//FR")
    calendar.add("version", "2.0")
    for one in planned:
        campaign = named[one.occurrence.campaign]
        message = {each.name: each.message for each in campaign.messages}.get(one.variant)
        if one.at is None or message is None:  # what was said has been taken out of the file since
            continue
        name = f"{campaign.name} {one.occurrence.day.isoformat()}"
        event = Event()
        event.add("uid", f"{hashlib.sha256(name.encode()).hexdigest()[:32]}@policenotify")
        event.add("dtstamp", now)
        event.add("dtstart", one.at)
        event.add("dtend", one.at + _LASTS)
        event.add("summary", f"{campaign.name} : {message.headline}")
        event.add("description", "\n".join(filter(None, (message.description, message.instruction))))
        event.add("categories", [message.category])
        event.add("transp", "TRANSPARENT")  # nobody is busy meanwhile
        calendar.add_component(event)
    written: bytes = calendar.to_ical()
    return written
