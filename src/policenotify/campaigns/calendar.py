"""The calendar of coming publications, also as iCalendar (RFC 5545) for Outlook, Thunderbird and others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from icalendar import Calendar, Event

from policenotify.campaigns.model import Campaign
from policenotify.campaigns.schedule import Occurrence, occurrences
from policenotify.campaigns.scheduler import PastPublication, next_variant

_LENGTH = timedelta(minutes=15)  # calendars show an event without a length badly


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastEntry:
    """A coming occurrence, and the variant whose turn it is."""

    occurrence: Occurrence
    variant: str


def forecast(
    campaigns: Sequence[Campaign], first: date, last: date, *, past: Iterable[PastPublication] = ()
) -> tuple[ForecastEntry, ...]:
    """Return what is due and not published yet, in order, with the variants in turn.

    Quiet hours, the pace, another campaign or an incident may make it wait. The *past* is what was published.
    """
    history = list(past)
    done = {(each.campaign, each.day) for each in history}
    coming = [(each, campaign) for campaign in campaigns for each in occurrences(campaign, first, last)]
    entries = []
    for occurrence, campaign in sorted(coming, key=lambda each: each[0].due):
        if occurrence.id not in done:
            variant = next_variant(campaign, history)
            entries.append(ForecastEntry(occurrence=occurrence, variant=variant.name))
            history.append(
                PastPublication(
                    campaign=campaign.name, day=occurrence.day, at=occurrence.due, fingerprint=variant.fingerprint
                )
            )
    return tuple(entries)


def ics(entries: Iterable[ForecastEntry], campaigns: Sequence[Campaign], *, now: datetime) -> bytes:
    """Return an iCalendar file of a forecast, with *now* as its time stamp.

    An occurrence has the same UID in every file, so that importing again moves it.
    """
    named = {campaign.name: campaign for campaign in campaigns}
    calendar = Calendar()
    calendar.add("prodid", "-//policenotify//campaigns//FR")
    calendar.add("version", "2.0")
    for entry in entries:
        occurrence, campaign = entry.occurrence, named[entry.occurrence.campaign]
        message = campaign.variant(entry.variant).message
        name = f"{campaign.name} {occurrence.day.isoformat()}"
        event = Event()
        event.add("uid", f"{hashlib.sha256(name.encode()).hexdigest()[:32]}@policenotify")
        event.add("dtstamp", now)
        event.add("dtstart", occurrence.due)
        event.add("dtend", occurrence.due + _LENGTH)
        event.add("summary", f"{campaign.name} : {message.headline}")
        event.add("description", "\n".join(filter(None, (message.description, message.instruction))))
        event.add("categories", [message.category])
        event.add("transp", "TRANSPARENT")  # it makes no one busy
        calendar.add_component(event)
    written: bytes = calendar.to_ical()
    return written
