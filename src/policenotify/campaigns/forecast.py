"""Forecast publications: the decisions of a coming period on a simulated clock."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from heapq import heappop, heappush

from policenotify.campaigns.model import Campaign
from policenotify.campaigns.schedule import Occurrence, occurrences
from policenotify.campaigns.scheduler import Action, ChannelsOf, PastPublication, SkipRecord, decide, past_publication
from policenotify.translation import AnyText, Text


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastEntry:
    """What will become of an occurrence.

    Attributes:
        variant: The variant that will be published, if any.
        at: When it will be published.
        reason: Why it is published later than due, or not at all.
    """

    occurrence: Occurrence
    variant: str = ""
    at: datetime | None = None
    reason: AnyText = ""


def forecast(
    campaigns: Sequence[Campaign],
    first: date,
    last: date,
    *,
    now: datetime | None = None,
    past: Sequence[PastPublication] = (),
    skips: Sequence[SkipRecord] = (),
    channels_of: ChannelsOf,
) -> tuple[ForecastEntry, ...]:
    """Return what will be published if it always runs and no incident is open.

    Args:
        campaigns: The campaigns, as `order_campaigns` orders them.
        first: First day of the occurrences.
        last: Last day of the occurrences.
        now: Nothing is published before. By default the time of the first occurrence.
        past: What was published. Those occurrences are left out.
        skips: What was not published.
        channels_of: Returns the channels of a variant.
    """
    named = {campaign.name: campaign for campaign in campaigns}
    series = sorted(
        (occurrence for campaign in campaigns for occurrence in occurrences(campaign, first, last)),
        key=lambda occurrence: occurrence.due,
    )
    dues = [occurrence.due for occurrence in series]
    # The time in which a past publication or occurrence can still change a decision.
    spans = [max(campaign.late_for, campaign.pacing.spacing) for campaign in campaigns]
    memory = max(spans, default=timedelta(0)) + timedelta(days=2)
    times = [max(due, now) if now else due for due in sorted(set(dues))]
    history, records, entries = list(past), list(skips), list[ForecastEntry]()
    reasons: dict[tuple[str, date], AnyText] = {}
    while times:
        at = heappop(times)
        while times and times[0] <= at:
            heappop(times)
        near = series[bisect_left(dues, at - memory) : bisect_left(dues, at + timedelta(days=2))]
        latest = {(each.campaign, each.fingerprint): each for each in history}
        relevant = [
            each for each in history if at - each.at <= memory or latest[each.campaign, each.fingerprint] is each
        ]
        for decision in decide(campaigns, near, now=at, past=relevant, skips=records, channels_of=channels_of):
            occurrence, waited = decision.occurrence, reasons.get(decision.occurrence.id, "")
            campaign = named[occurrence.campaign]
            if decision.action is Action.PUBLISH:
                history.append(past_publication(campaign, decision, at, channels_of))
                reason = decision.reason or waited
                entries.append(ForecastEntry(occurrence=occurrence, variant=decision.variant, at=at, reason=reason))
                continue
            records.append(SkipRecord(campaign=campaign.name, day=occurrence.day, action=decision.action))
            if decision.action is Action.WAIT:
                reasons.setdefault(occurrence.id, decision.reason)
                too_late = occurrence.due + campaign.late_for + timedelta(microseconds=1)
                heappush(times, min(decision.until or too_late, too_late))
            else:
                reason = Text.join(": ", (decision.reason, waited))
                entries.append(ForecastEntry(occurrence=occurrence, reason=reason))
    return tuple(sorted(entries, key=lambda entry: (entry.at or entry.occurrence.due, entry.occurrence.campaign)))
