"""A campaign: its messages, its schedule, its pacing, and what comes before it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from policenotify.campaigns.recurrence import validate_cron, validate_event
from policenotify.errors import SettingsError
from policenotify.model.cap import Severity
from policenotify.model.channel_settings import Name, Zone
from policenotify.model.lifecycle import FrozenModel, Stage
from policenotify.model.message import Message
from policenotify.publishing.routing import AreaCode
from policenotify.translation import AnyText, Text
from policenotify.validation import did_you_mean

_SPAN = re.compile(r"(\d{1,6})\s*(m|h|d)", re.ASCII)
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def _span(value: object) -> object:
    """Read `90m`, `3h` or `2d`. Pydantic reads ISO 8601."""
    if isinstance(value, int | float):
        raise ValueError(Text("write a number with its unit: '90m', '3h' or '2d'"))  # noqa: TRY004 - pydantic wants this one
    match = _SPAN.fullmatch(value.strip()) if isinstance(value, str) else None
    return int(match[1]) * _UNITS[match[2]] if match else value


def _day(value: object) -> object:
    """Refuse a number, which pydantic takes for the seconds since 1970."""
    if isinstance(value, int | float):
        raise ValueError("write a day: 2027-07-14")  # noqa: TRY004 - for pydantic
    return value


def _wall_time(value: time) -> time:
    if value.tzinfo is not None:
        raise ValueError(Text("write the time without a zone: the campaign has one"))
    return value


Span = Annotated[timedelta, BeforeValidator(_span), Field(ge=timedelta(0), le=timedelta(days=366))]
"""A length of time: `90m`, `3h`, `2d` or ISO 8601, `PT3H`. At most 366 days."""

Day = Annotated[date, BeforeValidator(_day)]
"""A day: `2027-07-14`."""

Wall = Annotated[time, AfterValidator(_wall_time)]
"""A time of the day in the campaign's zone: `18:00`."""

Event = Annotated[str, StringConstraints(min_length=1, max_length=64)]
"""A calendar, a public holiday in its French name, or one of the campaign's own events."""

DayOrEvent = Annotated[date | Event, Field(union_mode="left_to_right"), BeforeValidator(_day)]
"""A day, or the name of one or more."""


class Variant(FrozenModel):
    """One of the messages that a campaign publishes in turn.

    Attributes:
        name: Its name within the campaign.
        message: The standalone message, in all its languages.
    """

    name: Name
    message: Message

    @model_validator(mode="after")
    def _stands_alone(self) -> Self:
        if self.message.stage is not Stage.STANDALONE:
            raise ValueError(Text("message: a campaign's message belongs to no incident"))
        if self.message.starts_at or self.message.expires_at or self.message.next_update_at:
            raise ValueError(
                Text("message: a campaign's message has no times of its own: it is published again and again")
            )
        return self

    @property
    def fingerprint(self) -> str:
        """The text by which readers would recognise it."""
        return fingerprint_of(self.message)


def fingerprint_of(message: Message) -> str:
    """Return the text of a message. Messages with equal texts repeat each other."""
    return f"{message.headline}\n{message.description}\n{message.instruction}".casefold()


class Schedule(FrozenModel):
    """When to publish: by dates, a cron expression or an event.

    Attributes:
        dates: On these days.
        cron: A cron expression in the campaign's zone: `0 18 * 7,8 TUE,SAT`, or `0 12 * * MON#1` for the first Monday
            of each month. Of several times on one day the first counts.
        event: A calendar (`public_holidays`, `long_weekends`, `school_holidays:A` …), a public holiday (`Ascension`) or
            one of the campaign's own events.
        days_before: How many days before the event's first day. Negative numbers are after it.
        at: At what time. By default the campaign's, or that of the cron expression.
    """

    dates: tuple[Day, ...] = ()
    cron: Annotated[str, AfterValidator(validate_cron)] | None = None
    event: Event | None = None
    days_before: tuple[Annotated[int, Field(ge=-366, le=366)], ...] = Field(default=(0,), min_length=1)
    at: Wall | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(map(bool, (self.dates, self.cron, self.event))) != 1:
            raise ValueError(Text("write exactly one of dates, cron and event"))
        if self.event is None and self.days_before != (0,):
            raise ValueError(Text("days_before: goes with an event"))
        if self.cron and self.at:
            raise ValueError(Text("at: the cron expression has a time already"))
        return self


class QuietHours(FrozenModel):
    """The hours in which a campaign publishes nothing. They may span midnight.

    Attributes:
        begins: From this time on.
        ends: Until this time.
    """

    begins: Wall = time(21)
    ends: Wall = time(8)

    def includes(self, at: time) -> bool:
        """Return whether it is quiet at this time. Hours that end where they begin are empty."""
        if self.begins <= self.ends:
            return self.begins <= at < self.ends
        return at >= self.begins or at < self.ends


class Inhibition(FrozenModel):
    """Which open incidents make a campaign wait.

    Attributes:
        at_least: Those of this severity or above, by their opening or an update.
        areas: Those in one of these areas. By default where its messages are about, or anywhere.
    """

    at_least: Severity = Severity.SEVERE
    areas: tuple[AreaCode, ...] = ()


class PacingPolicy(FrozenModel):
    """How often a campaign publishes. The publications of all campaigns count, whatever their channels.

    Attributes:
        spacing: At least this long after the last one.
        daily_cap: At most so many on one day of the campaign's zone.
        repeat_after: The same text is not published again before that. X refuses a post that repeats an earlier one,
            and does not document for how long. A week is on the safe side.
    """

    spacing: Span = timedelta(hours=3)
    daily_cap: int = Field(default=2, ge=1, le=100)
    repeat_after: Span = timedelta(days=7)


class Campaign(FrozenModel):
    """A dated series of messages.

    Its name and a day identify an occurrence. Anything but the name may change while it runs.

    Attributes:
        schema_version: Version of this form.
        name: Its name, which must not change.
        messages: The variants. The one that was not published for the longest time is next.
        to: Channels or tags. By default the routes decide.
        zone: The zone of its days and hours.
        start: Its first day.
        end: Its last day, if it has one.
        at: At what time of the day.
        schedule: On which days.
        events: Days of the campaign's own, by name.
        excluded: Not on these days: dates, calendars (`weekends` …), public holidays or own events.
        quiet: The hours in which what is due waits.
        missed: What becomes of an occurrence that is found later than `grace`, because nothing was running: published
            late, skipped, or merged with those after it into one. One that had to wait is never skipped for that.
        grace: How much later than due is still on time.
        late_for: How long after its time an occurrence is still published. Then it is skipped.
        yields_to: On a day of one of these campaigns, this one waits for the next day.
        pacing: How often it publishes.
        inhibition: The incidents during which it waits.
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
        if problems := [*self._problems()]:
            raise ValueError(Text.join("\n", problems))
        return self

    def _problems(self) -> Iterator[AnyText]:
        if self.end is not None and self.end < self.start:
            yield Text("end: lies before start")
        if self.name in self.yields_to:
            yield Text("yields_to: {name!r} is this very campaign", name=self.name)
        if self.grace > self.late_for:
            yield Text("grace: is longer than late_for")
        names = [variant.name for variant in self.messages]
        if len(set(names)) < len(names):
            yield Text("messages: each name once")
        if len({variant.fingerprint for variant in self.messages}) < len(names):
            yield Text("messages: two alternatives have the same words")
        for field, event in self._named_days():
            try:
                validate_event(event, self.events)
            except ValueError as error:
                yield f"{field}: {error}"

    def _named_days(self) -> Iterator[tuple[str, str]]:
        """Yield the calendars and events that it names, each after the field."""
        yield from (
            (f"schedule[{number}].event", each.event) for number, each in enumerate(self.schedule) if each.event
        )
        yield from ((f"excluded[{number}]", day) for number, day in enumerate(self.excluded) if isinstance(day, str))

    @property
    def needs_school_calendar(self) -> bool:
        """True if some of its days follow from the school calendar, which is known until `SCHOOL_CALENDAR_END`."""
        return any(event.startswith("school_holidays:") for _, event in self._named_days())

    def variant(self, name: str) -> Variant:
        """Return a variant by its name."""
        return {variant.name: variant for variant in self.messages}[name]

    def local(self, at: datetime) -> datetime:
        """Return a moment in the campaign's zone."""
        return at.astimezone(self.zone)


def order_campaigns(campaigns: Iterable[Campaign], *, allow_missing: bool = False) -> tuple[Campaign, ...]:
    """Order campaigns so that each comes after those it yields to.

    With *allow_missing* a `yields_to` may name a campaign that is not given.

    Raises:
        SettingsError: Two have one name, one yields to an unknown one, or some yield to each other in a circle.
    """
    given = {}
    for campaign in campaigns:
        if campaign.name in given:
            raise SettingsError(
                Text("Two campaigns have the name {name!r}. Give one of them another.", name=campaign.name)
            )
        given[campaign.name] = campaign
    for campaign in given.values():
        for name in () if allow_missing else sorted(campaign.yields_to - set(given)):
            raise SettingsError(
                Text(
                    "Campaign {name!r} yields to {name_2!r}, which is not given. {did_you_mean}",
                    name=campaign.name,
                    name_2=name,
                    did_you_mean=did_you_mean(name, given),
                )
            )
    before = {name: sorted(campaign.yields_to & given.keys()) for name, campaign in sorted(given.items())}
    try:
        return tuple(given[name] for name in TopologicalSorter(before).static_order())
    except CycleError as error:
        circle = ", ".join(sorted({*error.args[1]}))
        raise SettingsError(
            Text("These campaigns yield to each other, in a circle: {circle}. Take one yields_to out.", circle=circle)
        ) from None
