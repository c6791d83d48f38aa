"""The occurrences of a campaign: (campaign, days) → occurrences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from policenotify.campaigns import recurrence
from policenotify.campaigns.model import Campaign, Schedule

KEY_PREFIX = "campaign "
"""The beginning of the key of every publication of a campaign."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """One day of a campaign.

    Attributes:
        campaign: The campaign's name.
        day: The day, in the campaign's zone. Name and day identify the occurrence.
    """

    campaign: str
    day: date
    due: datetime

    @property
    def id(self) -> tuple[str, date]:
        """The campaign and day, which stay the same if the hour changes."""
        return self.campaign, self.day

    @property
    def key(self) -> str:
        """The key under which it is published: once, whichever message another machine or an edited file chooses."""
        return f"{KEY_PREFIX}{self.campaign} {self.day.isoformat()}"


def occurrences(campaign: Campaign, first: date, last: date) -> tuple[Occurrence, ...]:
    """Return the occurrences of a campaign in order, at most one a day.

    An hour that the change to summer time leaves out is an hour later. Of an hour that the change back repeats, the
    first counts.
    """
    first, last = max(first, campaign.start), min(last, campaign.end or date.max)
    if first > last:
        return ()
    hours: dict[date, time] = {}
    for schedule in campaign.schedule:
        for wall in _wall_times(campaign, schedule, first, last):
            hours[wall.date()] = min(hours.get(wall.date(), time.max), wall.time())
    excluded = excluded_days(campaign, first, last)
    return tuple(
        Occurrence(campaign=campaign.name, day=day, due=datetime.combine(day, at, tzinfo=campaign.zone).astimezone(UTC))
        for day, at in sorted(hours.items())
        if day not in excluded
    )


def excluded_days(campaign: Campaign, first: date, last: date) -> frozenset[date]:
    """Return the excluded days of a campaign from *first* to *last*."""
    names = [each for each in campaign.excluded if isinstance(each, str)]
    named = (recurrence.calendar_days(name, campaign.events, first, last) for name in names)
    return frozenset(each for each in campaign.excluded if isinstance(each, date)).union(*named)


def _wall_times(campaign: Campaign, schedule: Schedule, first: date, last: date) -> Iterator[datetime]:
    if schedule.cron:
        yield from recurrence.cron_times(schedule.cron, first, last)
    days = [*schedule.dates]
    for before in (timedelta(days=number) for number in schedule.days_before if schedule.event):
        found = recurrence.first_days(schedule.event or "", campaign.events, first + before, last + before)
        days += (day - before for day in found)
    yield from (datetime.combine(day, schedule.at or campaign.at) for day in days if first <= day <= last)
