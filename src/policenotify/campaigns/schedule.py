"""When a campaign is due: (campaign, days) → occurrences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from policenotify.campaigns import recurrence
from policenotify.campaigns.model import Campaign, Schedule

KEY_PREFIX = "campaign "
"""How the key of every publication of a campaign begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """One day of a campaign.

    Attributes:
        campaign: The campaign's name.
        day: Which day, in the campaign's zone: with the name it says which occurrence it is.
        due: When it is due.
    """

    campaign: str
    day: date
    due: datetime

    @property
    def id(self) -> tuple[str, date]:
        """Which occurrence it is, whatever hour it has."""
        return self.campaign, self.day

    def key(self, alternative: str) -> str:
        """The key under which it is published."""
        return f"{KEY_PREFIX}{self.campaign} {self.day.isoformat()} {alternative}"


def occurrences(campaign: Campaign, first: date, last: date) -> tuple[Occurrence, ...]:
    """The occurrences of a campaign from day *first* to day *last*, at most one a day, in order.

    An hour that the change to summer time leaves out is said an hour later; one that the change back has twice, the
    first time.
    """
    first, last = max(first, campaign.start), min(last, campaign.end or date.max)
    if first > last:
        return ()
    hours: dict[date, time] = {}
    for schedule in campaign.schedule:
        for wall in _walls(campaign, schedule, first, last):
            hours[wall.date()] = min(hours.get(wall.date(), time.max), wall.time())
    free = excluded_days(campaign, first, last)
    return tuple(
        Occurrence(campaign=campaign.name, day=day, due=_moment(campaign, day, at))
        for day, at in sorted(hours.items())
        if day not in free
    )


def excluded_days(campaign: Campaign, first: date, last: date) -> frozenset[date]:
    """The days from *first* to *last* on which a campaign says nothing."""
    named = (one for one in campaign.excluded if isinstance(one, str))
    found = (recurrence.calendar_days(name, campaign.events, first, last) for name in named)
    return frozenset(one for one in campaign.excluded if isinstance(one, date)).union(*found)


def _walls(campaign: Campaign, schedule: Schedule, first: date, last: date) -> Iterator[datetime]:
    at = schedule.at or campaign.at
    if schedule.rrule:
        yield from recurrence.rrule_times(schedule.rrule, campaign.start, at, first, last, campaign.zone)
    elif schedule.cron:
        yield from recurrence.cron_times(schedule.cron, first, last)
    else:
        yield from (
            datetime.combine(day, at) for day in _dates(campaign, schedule, first, last) if first <= day <= last
        )


def _dates(campaign: Campaign, schedule: Schedule, first: date, last: date) -> Iterator[date]:
    yield from schedule.dates
    for before in schedule.days_before if schedule.event else ():
        moved = timedelta(days=before)
        for day in recurrence.first_days(schedule.event or "", campaign.events, first + moved, last + moved):
            yield day - moved


def _moment(campaign: Campaign, day: date, at: time) -> datetime:
    return datetime.combine(day, at, tzinfo=campaign.zone).astimezone(UTC)
