"""What is to be done now: (what is due, the time, what was said, what is open) → decisions. Nothing is read or written.

Who runs, how often, and after what pause makes no difference: the same past gives the same decisions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from types import MappingProxyType

from policenotify.campaigns.model import Campaign, Variant
from policenotify.campaigns.schedule import Occurrence, excluded_days, occurrences
from policenotify.model.message import Message
from policenotify.publishing.routing import Contains, Route

LOOK_BACK = timedelta(days=31)
"""For how long after it is owed no more an occurrence that nobody saw is still written down as skipped."""

MEMORY = timedelta(days=400)
"""How far back `decide` is to be told what was said: more than a year, for what takes turns once a year."""

Reach = Callable[[Campaign, Variant], frozenset[str]]
"""The channels that an alternative of a campaign goes to."""


Communes = Callable[[str], Iterable[str]]
"""The communes of an EPCI, by their codes; none of one that there is not."""


class Action(StrEnum):
    """What becomes of an occurrence."""

    PUBLISH = "publish"  # now
    WAIT = "wait"  # it is due, and must wait
    SKIP = "skip"  # never
    MERGE = "merge"  # never; a later one is said in its stead


@dataclass(frozen=True, slots=True, kw_only=True)
class PastPublication:
    """A publication of a campaign, as the journal has it.

    Attributes:
        campaign: The campaign's name.
        day: Which of its occurrences.
        variant: Which of its messages.
        at: When it was published.
        channels: Where.
        fingerprint: What readers would recognise, as `Variant.words` has it.
    """

    campaign: str
    day: date
    variant: str
    at: datetime
    channels: frozenset[str]
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SkipRecord:
    """What the journal remarked of an occurrence that was not said.

    Attributes:
        campaign: The campaign's name.
        day: Which of its occurrences.
        action: `wait`, `skip` or `merge`.
    """

    campaign: str
    day: date
    action: Action


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is to be done with an occurrence.

    Attributes:
        occurrence: Which.
        action: What.
        variant: What is said, where it is said now.
        reason: Why it waits, is skipped or merged; why it is late.
        until: When to look again, if that is known.
    """

    occurrence: Occurrence
    action: Action
    variant: str = ""
    reason: str = ""
    until: datetime | None = None


def decide(
    campaigns: Sequence[Campaign],
    due: Iterable[Occurrence],
    *,
    now: datetime,
    past: Sequence[PastPublication],
    skips: Iterable[SkipRecord] = (),
    inhibited: Mapping[str, str] = MappingProxyType({}),
    reach: Reach,
) -> tuple[Decision, ...]:
    """Decide on everything that is due and not settled.

    Args:
        campaigns: Who yields to whom first, as `together` orders them.
        due: Occurrences from `LOOK_BACK` and the longest `late_for` ago until the end of today; those to come are
            only yielded to.
        now: The time.
        past: What was said.
        skips: What was remarked.
        inhibited: The campaigns that an open incident silences, each with its incident; see `inhibited_campaigns`.
        reach: The channels of an alternative.

    Returns:
        The decisions, in the order in which they are to be carried out.
    """
    given = sorted(due, key=lambda one: (one.due, one.campaign))
    remarked = tuple(skips)
    done = {(one.campaign, one.day) for one in past}
    done |= {(note.campaign, note.day) for note in remarked if note.action is not Action.WAIT}
    waited = {(note.campaign, note.day) for note in remarked if note.action is Action.WAIT}
    said = list(past)
    decisions = []
    for campaign in campaigns:
        mine = [one for one in given if one.campaign == campaign.name and one.due <= now and one.id not in done]
        yields = {one.day: one.campaign for one in given if one.campaign in campaign.yields_to}
        for number, one in enumerate(mine):
            missed = now - one.due > campaign.grace and one.id not in waited
            made = _never(campaign, one, missed=missed, last=number == len(mine) - 1, now=now)
            made = made or _wait(campaign, one, now, said, yields, inhibited, reach)
            if made is None:
                made = _say(campaign, one, now, said, reach, missed=missed)
            if made.action is Action.PUBLISH:
                said.append(past_publication(campaign, made, now, reach))
            decisions.append(made)
    return tuple(decisions)


def _never(campaign: Campaign, one: Occurrence, *, missed: bool, last: bool, now: datetime) -> Decision | None:
    if now - one.due > campaign.late_for:
        return Decision(occurrence=one, action=Action.SKIP, reason=f"not said within {_length(campaign.late_for)}")
    if campaign.missed == "merge" and not last:
        return Decision(occurrence=one, action=Action.MERGE, reason="a later one is due as well")
    if campaign.missed == "skip" and missed:
        return Decision(occurrence=one, action=Action.SKIP, reason=f"found {_length(now - one.due)} late")
    return None


def _wait(
    campaign: Campaign,
    one: Occurrence,
    now: datetime,
    said: Sequence[PastPublication],
    yields: Mapping[date, str],
    inhibited: Mapping[str, str],
    reach: Reach,
) -> Decision | None:
    def waits(reason: str, until: datetime | None) -> Decision:
        return Decision(occurrence=one, action=Action.WAIT, reason=reason, until=until)

    local = campaign.local(now)
    if campaign.quiet.includes(local.time()):
        return waits("quiet hours", _next(campaign, now, campaign.quiet.ends))
    if campaign.name in inhibited:
        return waits(f"incident {inhibited[campaign.name]} is open", None)
    today = local.date()
    if today in yields:
        return waits(f"today is for {yields[today]}", _next(campaign, now, time.min))
    if today in excluded_days(campaign, today, today):
        return waits("today is excluded", _next(campaign, now, time.min))
    free = []
    for alternative in campaign.messages:
        channels = reach(campaign, alternative)
        again = max(
            (p.at for p in said if p.fingerprint == alternative.fingerprint and p.channels & channels), default=None
        )
        free.append(again + campaign.pacing.repeat_after if again else now)
    if min(free) > now:
        return waits("all its messages were said lately", min(free))
    # The pace is that of all its channels, whichever of the alternatives goes there.
    channels = frozenset().union(*(reach(campaign, alternative) for alternative in campaign.messages))
    return next((waits(*full) for full in _full(campaign, channels, now, said)), None)


def _full(
    campaign: Campaign, channels: frozenset[str], now: datetime, said: Sequence[PastPublication]
) -> Iterator[tuple[str, datetime]]:
    """The channels that are to carry nothing more just now, and until when."""
    today = campaign.local(now).date()
    for channel in sorted(channels):
        pace = campaign.pacing.for_channel(channel)
        there = [one.at for one in said if channel in one.channels]
        if there and max(there) + pace.spacing > now:
            yield f"{channel} carried a post less than {_length(pace.spacing)} ago", max(there) + pace.spacing
        if sum(campaign.local(at).date() == today for at in there) >= pace.daily_cap:
            yield f"{channel} has had its {pace.daily_cap} of today", _next(campaign, now, time.min)


def _say(
    campaign: Campaign, one: Occurrence, now: datetime, said: Sequence[PastPublication], reach: Reach, *, missed: bool
) -> Decision:
    """Say the alternative that was not said for the longest time; of those never said, the first."""

    def last_said(number: int) -> tuple[float, int]:
        alternative = campaign.messages[number]
        channels = reach(campaign, alternative)
        times = (p.at.timestamp() for p in said if p.fingerprint == alternative.fingerprint and p.channels & channels)
        return max(times, default=0), number

    chosen = campaign.messages[min(range(len(campaign.messages)), key=last_said)]
    late = f"found {_length(now - one.due)} late" if missed else ""
    return Decision(occurrence=one, action=Action.PUBLISH, variant=chosen.name, reason=late)


def past_publication(campaign: Campaign, made: Decision, now: datetime, reach: Reach) -> PastPublication:
    """A decision to say something, carried out."""
    alternative = campaign.variant(made.variant)
    return PastPublication(
        campaign=campaign.name,
        day=made.occurrence.day,
        variant=made.variant,
        at=now,
        channels=reach(campaign, alternative),
        fingerprint=alternative.fingerprint,
    )


def inhibited_campaigns(
    campaigns: Iterable[Campaign], alerts: Sequence[Message], contains: Contains, communes: Communes
) -> dict[str, str]:
    """The campaigns that are silent while incidents are open, each with one of these.

    Args:
        campaigns: Which.
        alerts: What was said (resolved) of the open incidents, each with the place of its incident.
        contains: The tables of places.
        communes: Likewise.
    """
    inhibited = {}
    for campaign in campaigns:
        grave = Route(to=("all",), at_least=campaign.inhibition.at_least)
        for alert in alerts:
            if grave.matches(alert, contains) and _near(alert, campaign.inhibition_areas, contains, communes):
                inhibited[campaign.name] = alert.incident or ""
    return inhibited


def _near(alert: Message, areas: tuple[str, ...], contains: Contains, communes: Communes) -> bool:
    """Whether an alert is for one of the areas, or for a place that reaches into one; no areas: all of them."""
    place = alert.location
    if not areas or place is None or not (place.commune or place.epci or place.department or place.also_departments):
        return True  # what names no place, or only a road, may be here
    whole = set(place.also_departments) | ({place.department} if not (place.commune or place.epci) else set())
    departments = [f"dept:{code}" for code in whole if code]
    for kind, _, code in (area.partition(":") for area in areas):
        if kind == "dept" and place.epci and _reaches(communes(place.epci), (f"dept:{code}",), contains):
            return True
        if kind == "epci" and _reaches(communes(code), departments, contains):
            return True
        if kind == "commune" and any(contains(department, code) for department in departments):
            return True
    return Route(to=("all",), areas=areas).matches(alert, contains)


def _reaches(communes: Iterable[str], areas: Iterable[str], contains: Contains) -> bool:
    return any(contains(area, commune) for commune in communes for area in areas)


def due_window(campaigns: Iterable[Campaign], now: datetime) -> tuple[Occurrence, ...]:
    """The occurrences that `decide` is to be told of."""
    return tuple(
        one
        for campaign in campaigns
        for one in occurrences(
            campaign,
            campaign.local(now - campaign.late_for - LOOK_BACK).date(),
            campaign.local(now + timedelta(days=1)).date(),
        )
    )


def _next(campaign: Campaign, now: datetime, wall: time) -> datetime:
    """The next moment at which clocks in the campaign's zone show this time."""
    local = campaign.local(now)
    day = local.date() if local.time() < wall else local.date() + timedelta(days=1)
    return datetime.combine(day, wall, tzinfo=campaign.zone).astimezone(now.tzinfo)


def _length(span: timedelta) -> str:
    """A length of time in a few words: `3 h`, `2 d`, `45 min`."""
    minutes = span // timedelta(minutes=1)
    if minutes >= 2 * 24 * 60 and minutes % (24 * 60) == 0:
        return f"{minutes // (24 * 60)} d"
    return f"{minutes // 60} h" if minutes >= 2 * 60 else f"{minutes} min"
