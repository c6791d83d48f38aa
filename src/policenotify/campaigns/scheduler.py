"""Decide what to do with due occurrences.

Nothing is read or written. The same history gives the same decisions, whichever process runs, and how often.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from types import MappingProxyType

from policenotify.campaigns.model import Campaign, Variant
from policenotify.campaigns.schedule import Occurrence, excluded_days, occurrences
from policenotify.publishing.alarms import duration
from policenotify.translation import AnyText, Text

LOOK_BACK = timedelta(days=31)
"""How long after its lateness limit an occurrence that no run has seen is still recorded as skipped."""

MEMORY = timedelta(days=400)
"""How far back `decide` needs the history: more than a year, for variants that alternate once a year."""

_NEVER = datetime.min.replace(tzinfo=UTC)


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
        fingerprint: See `Variant.fingerprint`.
    """

    campaign: str
    day: date
    at: datetime
    fingerprint: str


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
    campaign: Campaign,
    due: Iterable[Occurrence],
    *,
    now: datetime,
    past: Iterable[PastPublication],
    skips: Mapping[tuple[str, date], Action] = MappingProxyType({}),
    incident: str = "",
) -> tuple[Decision, ...]:
    """Decide on every occurrence of a campaign that is due and not settled.

    Args:
        campaign: The campaign. Those to which it yields come before it, and what they published is in *past*.
        due: The occurrences of all campaigns; see `due_window`. Future ones only make this one yield.
        now: The time.
        past: What all campaigns have published.
        skips: What became of those that were not published, by `Occurrence.id`: they waited, or were skipped or merged.
        incident: An open incident that inhibits the campaign.

    Returns:
        The decisions, in the order in which they are to be carried out.
    """
    in_order, history = sorted(due, key=lambda occurrence: occurrence.due), list(past)
    settled = {occurrence for occurrence, action in skips.items() if action is not Action.WAIT}
    settled |= {(publication.campaign, publication.day) for publication in history}
    others = {
        occurrence.day: occurrence.campaign for occurrence in in_order if occurrence.campaign in campaign.yields_to
    }
    open_ones = [
        occurrence
        for occurrence in in_order
        if occurrence.campaign == campaign.name and occurrence.due <= now and occurrence.id not in settled
    ]
    decisions = []
    for occurrence in open_ones:
        missed = now - occurrence.due > campaign.grace and occurrence.id not in skips
        decision = _skip(campaign, occurrence, missed=missed, last=occurrence is open_ones[-1], now=now)
        decision = decision or next(_waits(campaign, occurrence, now, history, others, incident), None)
        if decision is None:
            reason = Text("found {length} late", length=duration(now - occurrence.due)) if missed else ""
            variant = next_variant(campaign, history).name
            decision = Decision(occurrence=occurrence, action=Action.PUBLISH, variant=variant, reason=reason)
            history.append(past_publication(campaign, decision, now))
        decisions.append(decision)
    return tuple(decisions)


def _skip(campaign: Campaign, occurrence: Occurrence, *, missed: bool, last: bool, now: datetime) -> Decision | None:
    late = now - occurrence.due
    if late > campaign.late_for:
        reason = Text("not published within {length}", length=duration(campaign.late_for))
        return Decision(occurrence=occurrence, action=Action.SKIP, reason=reason)
    if campaign.missed == "merge" and not last:
        return Decision(occurrence=occurrence, action=Action.MERGE, reason=Text("a later one is due as well"))
    if campaign.missed == "skip" and missed:
        reason = Text("found {length} late", length=duration(late))
        return Decision(occurrence=occurrence, action=Action.SKIP, reason=reason)
    return None


def _waits(
    campaign: Campaign,
    occurrence: Occurrence,
    now: datetime,
    history: Sequence[PastPublication],
    others: Mapping[date, str],
    incident: str,
) -> Iterator[Decision]:
    """Yield why a campaign must publish nothing now, and until when, if that is known."""

    def wait(reason: Text, until: datetime | None) -> Decision:
        return Decision(occurrence=occurrence, action=Action.WAIT, reason=reason, until=until)

    local, pacing = campaign.local(now), campaign.pacing
    today, tomorrow = local.date(), _next(campaign, now, time.min)
    if campaign.quiet.includes(local.time()):
        yield wait(Text("quiet hours"), _next(campaign, now, campaign.quiet.ends))
    if incident:
        yield wait(Text("incident {incident} is open", incident=incident), None)
    if today in others:
        yield wait(Text("today is for {others}", others=others[today]), tomorrow)
    if today in excluded_days(campaign, today, today):
        yield wait(Text("today is excluded"), tomorrow)
    published = [_published_at(variant, history) for variant in campaign.messages]
    free_at = min(at + pacing.repeat_after if at else now for at in published)
    if free_at > now:
        yield wait(Text("all its messages were published lately"), free_at)
    times = [publication.at for publication in history]
    if times and max(times) + pacing.spacing > now:
        length = duration(pacing.spacing)
        yield wait(Text("a campaign published less than {length} ago", length=length), max(times) + pacing.spacing)
    if sum(campaign.local(at).date() == today for at in times) >= pacing.daily_cap:
        yield wait(Text("campaigns have published {daily_cap} times today", daily_cap=pacing.daily_cap), tomorrow)


def next_variant(campaign: Campaign, history: Sequence[PastPublication]) -> Variant:
    """Return the variant that was not published for the longest time."""
    return min(campaign.messages, key=lambda variant: _published_at(variant, history) or _NEVER)


def _published_at(variant: Variant, history: Iterable[PastPublication]) -> datetime | None:
    """Return when a campaign last published the text of a variant."""
    return max((past.at for past in history if past.fingerprint == variant.fingerprint), default=None)


def past_publication(campaign: Campaign, decision: Decision, now: datetime) -> PastPublication:
    """Return the publication that carries out a decision."""
    fingerprint = campaign.variant(decision.variant).fingerprint
    return PastPublication(campaign=campaign.name, day=decision.occurrence.day, at=now, fingerprint=fingerprint)


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
