"""What will be said: the decisions of a time to come, made one after the other on a clock that is only counted."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from heapq import heappop, heappush

from policenotify.campaigns.model import Campaign
from policenotify.campaigns.schedule import Occurrence, occurrences
from policenotify.campaigns.scheduler import Action, PastPublication, Reach, SkipRecord, decide, past_publication


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastEntry:
    """What will become of an occurrence if nothing unforeseen happens.

    Attributes:
        occurrence: Which.
        variant: What will be said; empty: nothing.
        at: When; `None`: never.
        reason: Why it is later than due, or never.
    """

    occurrence: Occurrence
    variant: str = ""
    at: datetime | None = None
    reason: str = ""


def forecast(
    campaigns: Sequence[Campaign],
    first: date,
    last: date,
    *,
    now: datetime | None = None,
    past: Sequence[PastPublication] = (),
    skips: Sequence[SkipRecord] = (),
    reach: Reach,
) -> tuple[ForecastEntry, ...]:
    """What will be said from day *first* to day *last*, if somebody is always running and no incident is open.

    Args:
        campaigns: As `together` orders them.
        first: First day of the occurrences.
        last: Last day of the occurrences.
        now: Nothing is said before; `None`: from the first occurrence on.
        past: What was said; occurrences that were are not told again.
        skips: What was remarked.
        reach: The channels of an alternative.
    """
    named = {campaign.name: campaign for campaign in campaigns}
    series = sorted((one for c in campaigns for one in occurrences(c, first, last)), key=lambda one: one.due)
    dues = [one.due for one in series]
    behind = max((max(one.late_for, *_spacings(one)) for one in campaigns), default=timedelta(0)) + timedelta(days=2)
    times = [max(due, now) if now else due for due in sorted(set(dues))]
    said, remarks, told = list(past), list(skips), list[ForecastEntry]()
    why: dict[tuple[str, date], str] = {}
    while times:
        at = heappop(times)
        while times and times[0] <= at:
            heappop(times)
        near = series[bisect_left(dues, at - behind) : bisect_left(dues, at + timedelta(days=2))]
        latest = {(one.campaign, one.fingerprint): one for one in said}
        matters = [one for one in said if at - one.at <= behind or latest[one.campaign, one.fingerprint] is one]
        made = decide(campaigns, near, now=at, past=matters, skips=remarks, reach=reach)
        for one in made:
            campaign = named[one.occurrence.campaign]
            reason = one.reason or why.get(one.occurrence.id, "")
            if one.action is Action.WAIT:
                why.setdefault(one.occurrence.id, one.reason)
                remarks.append(SkipRecord(campaign=campaign.name, day=one.occurrence.day, action=Action.WAIT))
                over = one.occurrence.due + campaign.late_for + timedelta(microseconds=1)
                heappush(times, min(one.until or over, over))
            elif one.action is Action.PUBLISH:
                said.append(past_publication(campaign, one, at, reach))
                told.append(ForecastEntry(occurrence=one.occurrence, variant=one.variant, at=at, reason=reason))
            else:
                remarks.append(SkipRecord(campaign=campaign.name, day=one.occurrence.day, action=one.action))
                reason = ": ".join(filter(None, (one.reason, why.get(one.occurrence.id, ""))))
                told.append(ForecastEntry(occurrence=one.occurrence, reason=reason))
    return tuple(sorted(told, key=lambda one: (one.at or one.occurrence.due, one.occurrence.campaign)))


def _spacings(campaign: Campaign) -> tuple[timedelta, ...]:
    return (campaign.pacing.spacing, *(pace.spacing for pace in campaign.pacing.channels.values()))
