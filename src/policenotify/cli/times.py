"""Times and ages as officers type them.

A time is an hour (`18h30`), a span from now (`+30min`, `-1h`, `dans 30 min`), a day with its hour (`demain 18h30`,
`vendredi 9h`, `26/11 18:30`), or ISO 8601 (`2026-11-24T18:30`). An age is a number of days, weeks, months or years
(`90d`, `36mo`, `3y`), or ISO 8601 (`P1Y6M`). French and English words are understood, whatever the language of the
desk. `m` means minutes in both.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING, Any, Final, Literal

from policenotify.cli.usage import BadParameter
from policenotify.render.locales import LOCALES
from policenotify.text.comparison import strip_accents
from policenotify.translation import AnyText, Text, text_of

if TYPE_CHECKING:
    from policenotify.cli.context import CliContext
    from policenotify.cli.output import Part
    from policenotify.model.message import Message

# What is typed is folded first: small letters, no accents.
_CLOCK = re.compile(r"(?P<hour>[01]?\d|2[0-3])\s*[h:]\s*(?P<minute>[0-5]\d)?", re.ASCII)
_SPAN = re.compile(
    r"(?P<sign>[+-]|dans|in|il y a)\s*(?=\d)(?:(?P<days>\d{1,3})\s*(?:days?|d|jours?|j))?\s*"
    r"(?:(?P<hours>\d{1,3})\s*(?:heures?|hours?|h))?\s*(?:(?P<minutes>\d{1,4})\s*(?:minutes?|mins?|mn|m)?)?",
    re.ASCII,
)
_BACK = frozenset({"-", "il y a"})
_DAYS = {"hier": -1, "yesterday": -1, "aujourd'hui": 0, "today": 0, "demain": 1, "tomorrow": 1}
_DAY = re.compile(
    r"(?:le )?(?:(?P<word>[a-z']+)|(?P<day>\d{1,2})/(?P<month>\d{1,2})(?:/(?P<year>\d{4}))?),? "
    r"(?:a |at )?(?P<clock>.+)",
    re.ASCII,
)
_AGE = re.compile(
    r"(?P<number>\d{1,5})\s*(?:(?P<days>d|j|days?|jours?)|(?P<weeks>w|weeks?|semaines?)|(?P<months>mo|months?|mois)|"
    r"(?P<years>y|a|years?|ans?))",
    re.ASCII,
)
# ISO 8601-1:2019, section 5.5.2, in whole days
_ISO_AGE = re.compile(
    r"p(?=\d)(?:(?P<years>\d{1,4})y)?(?:(?P<months>\d{1,5})m)?(?:(?P<weeks>\d{1,5})w)?(?:(?P<days>\d{1,5})d)?", re.ASCII
)
_SOON = timedelta(hours=6)  # shortly before midnight an hour of the night is no surprise
_FAR = timedelta(hours=18)  # an hour that is farther away means the night in between

TIMES = {"starts_at": "starts", "expires_at": "expires", "next_update_at": "next_update"}
"""The parameter of each time of the message."""

TIME_FORMS: Final = Text("18h30, +30min, demain 18h30, 26/11 18:30, 2026-11-24T18:30")
"""The forms of a time, for a help text."""

AGE_FORMS: Final = Text("90d, 36mo, 3y, P1Y6M")
"""The forms of an age, for a help text."""


def is_span(typed: str) -> bool:
    """Return True if it counts from now, so that typed again it is another moment."""
    return _SPAN.fullmatch(_folded(typed)) is not None


def has_no_day(typed: str) -> bool:
    """Return True if it is an hour alone, whose day follows from now."""
    return _CLOCK.fullmatch(_folded(typed)) is not None


def _folded(typed: str) -> str:
    """Return what was typed in small letters, without accents, with single spaces."""
    return " ".join(strip_accents(typed.replace("\u2019", "'").casefold()).split())


def parse_future(typed: str, *, now: datetime, zone: tzinfo) -> datetime:
    """Return a time that lies ahead. An hour without a day is the next such hour, and so is a day without a year.

    Raises:
        ValueError: It is not a time, or has passed.
    """
    for moment in _dated(typed, now=now, zone=zone) or _hours(typed, now, zone):
        if moment > now:
            return moment
    raise ValueError(Text("{typed!r} has passed already", typed=typed))


def parse_near(typed: str, *, now: datetime, zone: tzinfo) -> datetime:
    """Return a time that may have passed.

    An hour without a day is today's, or that of the same night across midnight. A day without a year, and a day of the
    week, is the nearest one.

    Raises:
        ValueError: It is not a time.
    """
    if moments := _dated(typed, now=now, zone=zone):
        return min(moments, key=lambda moment: abs(moment - now))
    today = now.astimezone(zone).date()
    hours = list(_hours(typed, now, zone))
    moment = next((hour for hour in hours if hour.astimezone(zone).date() == today), hours[0])
    return moment if abs(moment - now) <= _FAR else min(hours, key=lambda hour: abs(hour - now))


def parse_age(typed: str, now: datetime) -> datetime:
    """Return the moment an age before *now*, by months and years of the calendar.

    Raises:
        ValueError: It is not an age, is less than a day, or is too long.
    """
    folded = _folded(typed)
    if match := _AGE.fullmatch(folded):
        parts = {unit: int(match["number"]) for unit in ("days", "weeks", "months", "years") if match[unit]}
    elif match := _ISO_AGE.fullmatch(folded):
        parts = {name: int(number) for name, number in match.groupdict().items() if number is not None}
    else:
        raise ValueError(Text("{typed!r} is not an age; write it as {age_forms}", typed=typed, age_forms=AGE_FORMS))
    if not any(parts.values()):
        raise ValueError(
            Text("{typed!r} is less than a day; write it as {age_forms}", typed=typed, age_forms=AGE_FORMS)
        )
    month = now.year * 12 + now.month - 1 - parts.get("years", 0) * 12 - parts.get("months", 0)
    year, month = month // 12, month % 12 + 1
    try:
        day = min(now.day, calendar.monthrange(year, month)[1])  # a month before 31 March is the end of February
        whole_days = timedelta(weeks=parts.get("weeks", 0), days=parts.get("days", 0))
        return now.replace(year=year, month=month, day=day) - whole_days
    except (ValueError, OverflowError):
        raise ValueError(
            Text("{typed!r} is longer than there are years; write it as {age_forms}", typed=typed, age_forms=AGE_FORMS)
        ) from None


def age_of(typed: str, now: datetime, *, option: str = "--older-than") -> datetime:
    """Return the moment that lies a typed age behind *now*."""
    try:
        return parse_age(typed, now.astimezone(UTC))
    except ValueError as error:
        raise BadParameter(Text("{text}.", text=text_of(error)), param_hint=option) from None


def _not_a_time(typed: str) -> ValueError:
    return ValueError(Text("{typed!r} is not a time; write it as {time_forms}", typed=typed, time_forms=TIME_FORMS))


def _dated(typed: str, *, now: datetime, zone: tzinfo) -> list[datetime]:
    """Return the times that a span or a date may mean, in order; none for an hour without a day."""
    typed, text = typed.strip(), _folded(typed)
    if _CLOCK.fullmatch(text):
        return []
    if match := _SPAN.fullmatch(text):
        days, hours, minutes = (int(match[part] or 0) for part in ("days", "hours", "minutes"))
        span = timedelta(days=days, hours=hours, minutes=minutes)
        # Posts show minutes.
        return [(now + (-span if match["sign"] in _BACK else span)).replace(second=0, microsecond=0)]
    if match := _DAY.fullmatch(text):
        clock = _clock(match["clock"])
        days_ = _days(match, now.astimezone(zone).date()) if clock else []
        if clock is None or not days_:
            raise _not_a_time(typed)
        return [_local(day, clock, zone, typed)[0] for day in days_]
    try:
        written = datetime.fromisoformat(typed.replace("h", ":") if typed[:4].isdecimal() else typed)
    except ValueError:
        written = None
    if written is None or not re.search(r"\d[T ]\d", typed):  # a day without its hour would be midnight
        raise _not_a_time(typed)
    if written.tzinfo is not None:
        return [written]
    return _local(written.date(), written.time(), zone, typed)[:1]


def _days(match: re.Match[str], today: date) -> list[date]:
    """Return the days that a word or a date may mean, in order; none if it means nothing."""
    if word := match["word"]:
        names = {_folded(name): number for tag in ("fr", "en") for number, name in enumerate(LOCALES[tag].weekdays)}
        if word in _DAYS:
            return [today + timedelta(days=_DAYS[word])]
        around = [today + timedelta(days=past) for past in range(-7, 8)]
        return [day for day in around if day.weekday() == names.get(word)]
    years = [int(match["year"])] if match["year"] else [today.year - 1, today.year, today.year + 1]
    days = [_date(year, int(match["month"]), int(match["day"])) for year in years]
    return [day for day in days if day is not None]


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _clock(typed: str) -> time | None:
    match = _CLOCK.fullmatch(typed)
    return time(int(match["hour"]), int(match["minute"] or 0)) if match else None


def _hours(typed: str, now: datetime, zone: tzinfo) -> Iterator[datetime]:
    """Yield the moments of an hour of the day in order, from yesterday on."""
    clock, here = _clock(_folded(typed)), now.astimezone(zone)
    assert clock is not None  # noqa: S101 - `_dated` has looked
    for days in (-1, 0, 1, 2):
        day = here.date() + timedelta(days=days)
        try:
            yield from _local(day, clock, zone, typed)
        except ValueError:
            if datetime.combine(day, clock) > here.replace(tzinfo=None):  # the missing hour is the one that was meant
                raise


def _local(day: date, clock: time, zone: tzinfo, typed: str) -> list[datetime]:
    """Return a local time in UTC: two moments if the clocks go back over it.

    Raises:
        ValueError: The clocks go forward over it.
    """
    both = [datetime.combine(day, clock.replace(fold=fold), zone) for fold in (0, 1)]
    try:
        round_trips = [(local, local.astimezone(UTC).astimezone(zone)) for local in both]
    except OverflowError:  # the first and the last hours of all years, which do not exist in UTC
        raise ValueError(Text("{typed!r} lies outside the years 1 to 9999 in UTC", typed=typed)) from None
    real = [local for local, back in round_trips if back.replace(tzinfo=None) == local.replace(tzinfo=None)]
    if not real:
        raise ValueError(Text("{typed!r} does not exist on {day}: the clocks go forward", typed=typed, day=day))
    return sorted({local.astimezone(UTC) for local in real})


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedTime:
    """A typed time, its moment, the name of a near day, and what to check if it is another than today."""

    field: str
    typed: str
    at: datetime
    day: Literal["yesterday", "today", "tomorrow", ""]
    warning: AnyText


def typed_times(typed: Mapping[str, Any], message: Message, *, now: datetime, zone: tzinfo) -> tuple[TypedTime, ...]:
    """Return how each typed time was understood."""
    return tuple(_typed_times(typed, message, now, zone))


def _typed_times(typed: Mapping[str, Any], message: Message, now: datetime, zone: tzinfo) -> Iterator[TypedTime]:
    names: dict[int, Literal["yesterday", "today", "tomorrow"]] = {-1: "yesterday", 0: "today", 1: "tomorrow"}
    for field, option in TIMES.items():
        at: datetime | None = getattr(message, field)
        if not typed[option] or at is None:
            continue
        text = typed[option].strip()
        days = (at.astimezone(zone).date() - now.astimezone(zone).date()) // timedelta(days=1)
        taken = (
            Text("No day was given, and {text} is taken as tomorrow's.", text=text)
            if days > 0
            else (Text("No day was given, and {text} is taken as yesterday's.", text=text))
        )
        warning = Text(
            "{taken} If another time is meant, write its day (today 18:30, 24/11/2026 18:30) or count "
            "from now (+30min). An update corrects what is published already.",
            taken=taken,
        )
        yield TypedTime(
            field=field,
            typed=text,
            at=at.astimezone(zone),
            day=names.get(days, ""),
            warning=warning if has_no_day(text) and days else "",
        )


def time_lines(times: Sequence[TypedTime]) -> Iterator[Part]:
    """Yield a line for each typed time, with its warning."""
    from policenotify.cli import output
    from policenotify.model.receipt import local_time

    for time_ in times:
        option = f"--{TIMES[time_.field].replace('_', '-')}"
        weekday = Text.word(LOCALES["en"].weekdays[time_.at.weekday()])
        moment = Text("{weekday} {at}", weekday=weekday, at=local_time(time_.at, time_.at.tzinfo))
        if time_.day:
            moment = Text("{moment} ({day})", moment=moment, day=Text.word(time_.day))
        text = Text("Time: {option} {typed}: {moment}", option=option, typed=time_.typed, moment=moment)
        yield output.line(text, "bold" if time_.warning else "")
        if time_.warning:
            yield output.paragraph(time_.warning, "! ")


def confirm_times(call: CliContext, times: Sequence[TypedTime], now: datetime) -> None:
    """Ask on a terminal whether an hour without a day means one that is far from now.

    Raises:
        click.UsageError: It does not.
    """
    far = [time_ for time_ in times if time_.warning and abs(time_.at - now) > _SOON]
    if far and call.can_ask:
        how = Text("Write the time with its day, or count from now.")
        call.ask(time_lines(far), Text("Publish it with that time? yes or no"), otherwise=how)
