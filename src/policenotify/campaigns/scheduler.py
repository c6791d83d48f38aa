"""Decide what to do with due occurrences.

Nothing is read or written. The same history gives the same decisions, whichever process runs, and how often.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from types import MappingProxyType

from policenotify.campaigns.model import Campaign, Variant
from policenotify.campaigns.schedule import Occurrence, excluded_days, occurrences
from policenotify.translation import AnyText, Text

LOOK_BACK = timedelta(days=31)
"""How long after its lateness limit an occurrence that no run has seen is still recorded as skipped."""

MEMORY = timedelta(days=400)
"""How far back `decide` needs the history: more than a year, for variants that alternate once a year."""

ChannelsOf = Callable[[Campaign, Variant], frozenset[str]]
"""Returns the channels of a variant of a campaign."""


class Action(StrEnum):
    """What becomes of an occurrence."""

    PUBLISH = "publish"  # now
    WAIT = "wait"  # although it is due
    SKIP = "skip"  # for good
    MERGE = "merge"  # skipped for good, because a later one is published instead


@dataclass(frozen=True, slots=True, kw_only=True)
class PastPublication:
    """A publication of a campaign in the journal, of the occurrence on *day*.

    Attributes:
        variant: The name of the variant.
        channels: The names of its channels.
        fingerprint: See `Variant.fingerprint`.
    """

    campaign: str
    day: date
    variant: str
    at: datetime
    channels: frozenset[str]
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SkipRecord:
    """The journal's record of an occurrence that waited, or was skipped or merged."""

    campaign: str
    day: date
    action: Action


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do with an occurrence.

    Attributes:
        variant: The variant to publish, if any.
        reason: Why it waits, is skipped or merged, or is late.
        until: When to decide again, if that is known.
    """

    occurrence: Occurrence
    action: Action
    variant: str = ""
    reason: AnyText = ""
    until: datetime | None = None


def decide(
    campaigns: Sequence[Campaign],
    due: Iterable[Occurrence],
    *,
    now: datetime,
    past: Sequence[PastPublication],
    skips: Iterable[SkipRecord] = (),
    inhibited: Mapping[str, str] = MappingProxyType({}),
    channels_of: ChannelsOf,
) -> tuple[Decision, ...]:
    """Decide on every occurrence that is due and not settled.

    Args:
        campaigns: The campaigns, as `order_campaigns` orders them.
        due: Their occurrences from `LOOK_BACK` and the longest `late_for` ago until the end of today. Future ones only
            make other campaigns yield.
        now: The time.
        past: What was published.
        skips: What was not.
        inhibited: The campaigns that an open incident inhibits, each with its incident.
        channels_of: Returns the channels of a variant.

    Returns:
        The decisions, in the order in which they are to be carried out.
    """
    in_order = sorted(due, key=lambda occurrence: (occurrence.due, occurrence.campaign))
    skips = tuple(skips)
    done = {(publication.campaign, publication.day) for publication in past}
    done |= {(skip.campaign, skip.day) for skip in skips if skip.action is not Action.WAIT}
    waited = {(skip.campaign, skip.day) for skip in skips if skip.action is Action.WAIT}
    history = list(past)
    decisions = []
    for campaign in campaigns:
        open_ones = [
            occurrence
            for occurrence in in_order
            if occurrence.campaign == campaign.name and occurrence.due <= now and occurrence.id not in done
        ]
        others = {
            occurrence.day: occurrence.campaign for occurrence in in_order if occurrence.campaign in campaign.yields_to
        }
        for number, occurrence in enumerate(open_ones, start=1):
            missed = now - occurrence.due > campaign.grace and occurrence.id not in waited
            decision = (
                _skip(campaign, occurrence, missed=missed, last=number == len(open_ones), now=now)
                or _wait(campaign, occurrence, now, history, others, inhibited, channels_of)
                or _publish(campaign, occurrence, now, history, channels_of, missed=missed)
            )
            if decision.action is Action.PUBLISH:
                history.append(past_publication(campaign, decision, now, channels_of))
            decisions.append(decision)
    return tuple(decisions)


def _skip(campaign: Campaign, occurrence: Occurrence, *, missed: bool, last: bool, now: datetime) -> Decision | None:
    late = now - occurrence.due
    if late > campaign.late_for:
        reason = Text("not published within {length}", length=_length(campaign.late_for))
        return Decision(occurrence=occurrence, action=Action.SKIP, reason=reason)
    if campaign.missed == "merge" and not last:
        return Decision(occurrence=occurrence, action=Action.MERGE, reason=Text("a later one is due as well"))
    if campaign.missed == "skip" and missed:
        return Decision(
            occurrence=occurrence, action=Action.SKIP, reason=Text("found {length} late", length=_length(late))
        )
    return None


def _wait(
    campaign: Campaign,
    occurrence: Occurrence,
    now: datetime,
    history: Sequence[PastPublication],
    others: Mapping[date, str],
    inhibited: Mapping[str, str],
    channels_of: ChannelsOf,
) -> Decision | None:
    def wait(reason: AnyText, until: datetime | None) -> Decision:
        return Decision(occurrence=occurrence, action=Action.WAIT, reason=reason, until=until)

    local = campaign.local(now)
    today, tomorrow = local.date(), _next(campaign, now, time.min)
    if campaign.quiet.includes(local.time()):
        return wait(Text("quiet hours"), _next(campaign, now, campaign.quiet.ends))
    if campaign.name in inhibited:
        return wait(Text("incident {inhibited} is open", inhibited=inhibited[campaign.name]), None)
    if today in others:
        return wait(Text("today is for {others}", others=others[today]), tomorrow)
    if today in excluded_days(campaign, today, today):
        return wait(Text("today is excluded"), tomorrow)
    free_at = []
    for variant in campaign.messages:
        published = _published_at(campaign, variant, history, channels_of)
        free_at.append(published + campaign.pacing.repeat_after if published else now)
    if min(free_at) > now:
        return wait(Text("all its messages were published lately"), min(free_at))
    # The pacing is that of all its channels, whichever of the variants goes there.
    channels = frozenset().union(*(channels_of(campaign, variant) for variant in campaign.messages))
    return next((wait(*full) for full in _full_channels(campaign, channels, now, history)), None)


def _full_channels(
    campaign: Campaign, channels: frozenset[str], now: datetime, history: Sequence[PastPublication]
) -> Iterator[tuple[AnyText, datetime]]:
    """Yield why a channel must not carry more now, and until when."""
    today, pacing = campaign.local(now).date(), campaign.pacing
    for channel in sorted(channels):
        times = [publication.at for publication in history if channel in publication.channels]
        if times and max(times) + pacing.spacing > now:
            length = _length(pacing.spacing)
            reason = Text("{channel} carried a post less than {length} ago", channel=channel, length=length)
            yield reason, max(times) + pacing.spacing
        if sum(campaign.local(at).date() == today for at in times) >= pacing.daily_cap:
            reason = Text("{channel} has had its {daily_cap} of today", channel=channel, daily_cap=pacing.daily_cap)
            yield reason, _next(campaign, now, time.min)


def _publish(
    campaign: Campaign,
    occurrence: Occurrence,
    now: datetime,
    history: Sequence[PastPublication],
    channels_of: ChannelsOf,
    *,
    missed: bool,
) -> Decision:
    """Publish the variant that was not published for the longest time."""

    def age(variant: Variant) -> float:
        published = _published_at(campaign, variant, history, channels_of)
        return published.timestamp() if published else 0

    reason = Text("found {length} late", length=_length(now - occurrence.due)) if missed else ""
    variant = min(campaign.messages, key=age).name
    return Decision(occurrence=occurrence, action=Action.PUBLISH, variant=variant, reason=reason)


def _published_at(
    campaign: Campaign, variant: Variant, history: Sequence[PastPublication], channels_of: ChannelsOf
) -> datetime | None:
    """Return when one of the variant's channels last had its text."""
    channels = channels_of(campaign, variant)
    times = (past.at for past in history if past.fingerprint == variant.fingerprint and past.channels & channels)
    return max(times, default=None)


def past_publication(campaign: Campaign, decision: Decision, now: datetime, channels_of: ChannelsOf) -> PastPublication:
    """Return the publication that carries out a decision."""
    variant = campaign.variant(decision.variant)
    return PastPublication(
        campaign=campaign.name,
        day=decision.occurrence.day,
        variant=variant.name,
        at=now,
        channels=channels_of(campaign, variant),
        fingerprint=variant.fingerprint,
    )


def due_window(campaigns: Iterable[Campaign], now: datetime) -> tuple[Occurrence, ...]:
    """Return the occurrences that `decide` needs."""
    return tuple(
        occurrence
        for campaign in campaigns
        for occurrence in occurrences(
            campaign,
            campaign.local(now - campaign.late_for - LOOK_BACK).date(),
            campaign.local(now + timedelta(days=1)).date(),
        )
    )


def _next(campaign: Campaign, now: datetime, wall: time) -> datetime:
    """Return the next moment at which clocks in the campaign's zone show this time."""
    local = campaign.local(now)
    day = local.date() if local.time() < wall else local.date() + timedelta(days=1)
    return datetime.combine(day, wall, tzinfo=campaign.zone).astimezone(now.tzinfo)


def _length(span: timedelta) -> str:
    """Return a length of time in short: `3 h`, `2 d`, `45 min`."""
    minutes = span // timedelta(minutes=1)
    if minutes >= 2 * 24 * 60 and minutes % (24 * 60) == 0:
        return f"{minutes // (24 * 60)} d"
    return f"{minutes // 60} h" if minutes >= 2 * 60 else f"{minutes} min"
