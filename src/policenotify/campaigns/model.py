"""What a campaign is: its messages, its calendar, and how it behaves towards readers, alerts and other campaigns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Annotated, ClassVar, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from policenotify.campaigns.recurrence import validate_cron, validate_event, validate_rrule
from policenotify.errors import SettingsError
from policenotify.model.cap import Severity
from policenotify.model.lifecycle import Stage
from policenotify.model.location import Location
from policenotify.model.message import Message
from policenotify.settings.model import AreaCode, Name, Zone
from policenotify.validation import did_you_mean

_SPAN = re.compile(r"(\d{1,6})\s*(m|h|d)", re.ASCII)
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def _span(value: object) -> object:
    """A length of time as people write it; anything else is left to pydantic, which reads ISO 8601."""
    if isinstance(value, int | float):
        raise ValueError("write a number with its unit: '90m', '3h' or '2d'")  # noqa: TRY004 - for pydantic
    found = _SPAN.fullmatch(value.strip()) if isinstance(value, str) else None
    return int(found[1]) * _UNITS[found[2]] if found else value


def _day(value: object) -> object:
    """Anything but a number, which pydantic takes for the seconds since 1970."""
    if isinstance(value, int | float):
        raise ValueError("write a day: 2027-07-14")  # noqa: TRY004 - for pydantic
    return value


def _day_or_event(value: object) -> object:
    if not isinstance(value, date | str):
        raise ValueError("write a day, 2027-07-14, or the name of a calendar, a public holiday or an event of yours")  # noqa: TRY004 - the same
    return value


def _wall_time(value: time) -> time:
    if value.tzinfo is not None:
        raise ValueError("write the time without a zone: the campaign has one")
    return value


Span = Annotated[timedelta, BeforeValidator(_span), Field(ge=timedelta(0), le=timedelta(days=366))]
"""A length of time: `90m`, `3h`, `2d`, or as ISO 8601 has it, `PT3H`; at most 366 days."""

Day = Annotated[date, BeforeValidator(_day)]
"""A day: `2027-07-14`."""

Wall = Annotated[time, AfterValidator(_wall_time)]
"""A time of the day in the campaign's zone, without a zone of its own: `18:00`."""

Event = Annotated[str, StringConstraints(min_length=1, max_length=64)]
"""A calendar, a public holiday in its French name, or one of the campaign's own events."""

DayOrEvent = Annotated[date | Event, Field(union_mode="left_to_right"), BeforeValidator(_day_or_event)]
"""A day, or a name for one or more."""


class _Part(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Variant(_Part):
    """One of the messages among which a campaign takes turns.

    Attributes:
        name: Its name within the campaign.
        message: What is said, in all its languages; it stands alone.
    """

    name: Name
    message: Message

    @model_validator(mode="after")
    def _stands_alone(self) -> Self:
        if self.message.stage is not Stage.STANDALONE:
            raise ValueError("message: a campaign's message belongs to no incident")
        if self.message.starts_at or self.message.expires_at or self.message.next_update_at:
            raise ValueError("message: a campaign's message has no times of its own: it is said again and again")
        return self

    @property
    def fingerprint(self) -> str:
        """What readers would recognise: two alternatives with the same words are the same text."""
        return fingerprint_of(self.message)


def fingerprint_of(message: Message) -> str:
    """The words of a message, by which a text is known again, whatever category, place or picture it has."""
    return f"{message.headline}\n{message.description}\n{message.instruction}".casefold()


class Schedule(_Part):
    """When: exactly one of dates, a recurrence rule, a cron expression and an event. At most once a day.

    Attributes:
        dates: On these days.
        rrule: A recurrence rule of RFC 5545, section 3.3.10, counted from the campaign's start: `FREQ=WEEKLY;BYDAY=TU`.
        cron: A cron expression; its hour is that of the campaign's zone, and it is heard once a day.
        event: A calendar (`public_holidays`, `long_weekends`, `school_holidays:A` …), a public holiday (`Ascension`) or
            one of the campaign's own events.
        days_before: How many days before the event's first day; negative: after it.
        at: At what time; `None`: as the campaign says, or the cron expression.
    """

    dates: tuple[Day, ...] = ()
    rrule: Annotated[str, AfterValidator(validate_rrule)] | None = None
    cron: Annotated[str, AfterValidator(validate_cron)] | None = None
    event: Event | None = None
    days_before: tuple[Annotated[int, Field(ge=-366, le=366)], ...] = Field(default=(0,), min_length=1)
    at: Wall | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(map(bool, (self.dates, self.rrule, self.cron, self.event))) != 1:
            raise ValueError("write exactly one of dates, rrule, cron and event")
        if self.event is None and self.days_before != (0,):
            raise ValueError("days_before: goes with an event")
        if self.cron and self.at:
            raise ValueError("at: the cron expression has a time already")
        return self


class QuietHours(_Part):
    """The hours in which nothing of a campaign is said; they may reach over midnight.

    Attributes:
        begins: From this time on.
        ends: Until this time.
    """

    begins: Wall = time(21)
    ends: Wall = time(8)

    def includes(self, at: time) -> bool:
        """Whether it is quiet at this time of the day. Hours that end where they begin are none."""
        if self.begins <= self.ends:
            return self.begins <= at < self.ends
        return at >= self.begins or at < self.ends


class Inhibition(_Part):
    """When a campaign is silent: while an incident is open.

    Attributes:
        at_least: From this severity on: of its opening, or of an update.
        areas: Only in one of these areas; empty: where its messages say that they are about, or anywhere.
    """

    at_least: Severity = Severity.SEVERE
    areas: tuple[AreaCode, ...] = ()


class ChannelPacing(_Part):
    """How much one channel is asked to carry; what other campaigns said there counts too.

    Attributes:
        spacing: At least this long after the last post of any campaign.
        daily_cap: At most so many posts of campaigns on one day of the campaign's zone.
    """

    spacing: Span = timedelta(hours=3)
    daily_cap: int = Field(default=2, ge=1, le=100)


class PacingPolicy(ChannelPacing):
    """How a campaign behaves on its channels.

    Attributes:
        repeat_after: The same words are not said again before that. X refuses a post that repeats an earlier one, and
            does not say for how long; a week is on the safe side.
        channels: Another pace for single channels, by name.
    """

    repeat_after: Span = timedelta(days=7)
    channels: Mapping[Name, ChannelPacing] = Field(default_factory=dict)

    def for_channel(self, channel: str) -> ChannelPacing:
        """The pace of a channel."""
        return self.channels.get(channel, self)


class Campaign(_Part):
    """A dated series of messages.

    Its name and the day of an occurrence say which occurrence it is: at most one a day. Change whatever you like while
    it runs, but the name.

    Attributes:
        schema_version: Version of this form.
        name: Its name, for ever.
        messages: What is said, taking turns: the one that was not said for the longest time is next.
        to: Channels or tags; empty: the routes decide.
        zone: In whose time its days and hours are.
        start: Its first day.
        end: Its last day; `None`: it goes on.
        at: At what time of the day.
        schedule: When.
        events: Days of the campaign's own, by name.
        excluded: Not on these days: dates, calendars (`weekends` …), public holidays or own events.
        quiet: When nothing is said; what is due then waits.
        missed: What becomes of an occurrence that is found later than `grace`, because nothing was running: said
            late, skipped, or merged with those after it into one. What only had to wait is never skipped for that.
        grace: How much later than due is still on time.
        late_for: For how long after its time an occurrence is owed at all; then it is skipped.
        yields_to: On a day of one of these campaigns, this one waits for the next day.
        pacing: Its pace.
        inhibition: Incidents during which it waits.
    """

    schema_version: Literal[1] = 1
    name: Name
    messages: tuple[Variant, ...] = Field(min_length=1)
    to: tuple[Name, ...] = ()
    zone: Zone = ZoneInfo("Europe/Paris")
    start: Day
    end: Day | None = None
    at: Wall = time(18)
    schedule: tuple[Schedule, ...] = Field(min_length=1)
    events: Mapping[str, tuple[Day, ...]] = Field(default_factory=dict)
    excluded: tuple[DayOrEvent, ...] = ()
    quiet: QuietHours = QuietHours()
    missed: Literal["late", "skip", "merge"] = "late"
    grace: Span = timedelta(hours=1)
    late_for: Span = timedelta(days=2)
    yields_to: frozenset[Name] = frozenset()
    pacing: PacingPolicy = PacingPolicy()
    inhibition: Inhibition = Inhibition()

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        wrong = [*self._slips()]
        if wrong:
            raise ValueError("\n".join(wrong))
        return self

    def _slips(self) -> Iterator[str]:
        if self.end is not None and self.end < self.start:
            yield "end: lies before start"
        if self.name in self.yields_to:
            yield f"yields_to: {self.name!r} is this very campaign"
        if self.grace > self.late_for:
            yield "grace: is longer than late_for"
        names = [one.name for one in self.messages]
        if len(set(names)) < len(names):
            yield "messages: each name once"
        if len({one.fingerprint for one in self.messages}) < len(names):
            yield "messages: two alternatives say the same words"
        named = [(f"schedule[{number}].event", one.event) for number, one in enumerate(self.schedule) if one.event]
        named += [(f"excluded[{number}]", day) for number, day in enumerate(self.excluded) if isinstance(day, str)]
        for where, event in named:
            try:
                validate_event(event, self.events)
            except ValueError as error:
                yield f"{where}: {error}"

    def variant(self, name: str) -> Variant:
        """One of the alternatives.

        Raises:
            KeyError: It has none of this name, or none any more.
        """
        return {one.name: one for one in self.messages}[name]

    @property
    def inhibition_areas(self) -> tuple[str, ...]:
        """Where an incident silences it; empty: anywhere."""
        places = [one.message.location for one in self.messages]
        if self.inhibition.areas or None in places:
            return self.inhibition.areas
        return tuple(sorted({area for place in places if place for area in _area_of(place)}))

    def local(self, at: datetime) -> datetime:
        """A moment in the campaign's zone."""
        return at.astimezone(self.zone)


def _area_of(place: Location) -> Iterator[str]:
    """The smallest area of the COG that a place names."""
    if place.commune:
        yield f"commune:{place.commune}"
    elif place.epci:
        yield f"epci:{place.epci}"
    elif place.department:
        yield f"dept:{place.department}"


def order_campaigns(campaigns: Iterable[Campaign], *, allow_missing: bool = False) -> tuple[Campaign, ...]:
    """Campaigns that run together, in the order in which they yield: who is yielded to comes first.

    Args:
        campaigns: Which.
        allow_missing: Ignore a `yields_to` that names a campaign which is not given, instead of raising.

    Raises:
        SettingsError: Two have one name, one yields to nobody known, or some yield to each other in a circle.
    """
    given = {}
    for campaign in campaigns:
        if campaign.name in given:
            raise SettingsError(f"Two campaigns have the name {campaign.name!r}. Give one of them another.")
        given[campaign.name] = campaign
    for campaign in given.values():
        for name in () if allow_missing else sorted(campaign.yields_to - set(given)):
            raise SettingsError(
                f"Campaign {campaign.name!r} yields to {name!r}, which is not given. {did_you_mean(name, given)}"
            )
    ordered: list[Campaign] = []
    waiting = sorted(given.values(), key=lambda campaign: campaign.name)
    while waiting:
        placed = {campaign.name for campaign in ordered}
        free = [campaign for campaign in waiting if campaign.yields_to & set(given) <= placed]
        if not free:
            circle = ", ".join(campaign.name for campaign in waiting)
            raise SettingsError(f"These campaigns yield to each other, in a circle: {circle}. Take one yields_to out.")
        ordered += free
        waiting = [campaign for campaign in waiting if campaign not in free]
    return tuple(ordered)
