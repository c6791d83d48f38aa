"""Times and ages as officers type them.

A time is an hour (`18h30`), a span from now (`+30min`, `-1h`, `dans 30 min`), a day with its hour (`demain 18h30`,
`26/11 18:30`), or ISO 8601 (`2026-11-24T18:30`). An age is a number of days, weeks, months or years (`90d`, `36mo`,
`3y`). French and English words are understood, whatever the language of the desk. `m` means minutes in both.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING, Any, Final, Literal

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
    rf"(?:(?P<word>{'|'.join(_DAYS)})|(?P<day>\d{{1,2}})/(?P<month>\d{{1,2}})(?:/(?P<year>\d{{4}}))?) "
    r"(?:a |at )?(?P<clock>.+)",
    re.ASCII,
)
_AGE = re.compile(
    r"(?P<number>\d{1,5})\s*(?:(?P<days>d|j|days?|jours?)|(?P<weeks>w|weeks?|semaines?)|(?P<months>mo|months?|mois)|"
    r"(?P<years>y|a|years?|ans?))",
    re.ASCII,
)
_SOON = timedelta(hours=6)  # shortly before midnight an hour of the night is no surprise
_FAR = timedelta(hours=18)  # an hour that is farther away means the night in between

TIMES = {"starts_at": "starts", "expires_at": "expires", "next_update_at": "next_update"}
"""The parameter of each time of the message."""

_NEAR: Final[Mapping[int, Literal["yesterday", "today", "tomorrow"]]] = {-1: "yesterday", 0: "today", 1: "tomorrow"}

TIME_FORMS: Final = Text("18h30, +30min, demain 18h30, 26/11 18:30, 2026-11-24T18:30")
"""The forms of a time, for a help text."""

AGE_FORMS: Final = Text("90d, 36mo, 3y")
"""The forms of an age, for a help text."""


def is_span(typed: str) -> bool:
    """Return True if it counts from now, so that typed again it is another moment."""
    return _SPAN.fullmatch(_folded(typed)) is not None


def _folded(typed: str) -> str:
    """Return what was typed in small letters, without accents, with single spaces."""
    return " ".join(strip_accents(typed.replace("\u2019", "'").casefold()).split())


def parse_future(typed: str, *, now: datetime, zone: tzinfo) -> datetime:
    """Return a time that lies ahead. An hour without a day is the next such hour, and so is a day without a year.

    Raises:
        ValueError: It is not a time, or has passed.
    """
    for moment in _moments(typed, now, zone):
        if moment > now:
            return moment
    raise ValueError(Text("{typed!r} has passed already", typed=typed))


def parse_near(typed: str, *, now: datetime, zone: tzinfo) -> datetime:
    """Return a time that may have passed.

    An hour without a day is today's, or that of the same night across midnight. A day without a year is the nearest.

    Raises:
        ValueError: It is not a time.
    """
    moments = list(_moments(typed, now, zone))
    today = [moment for moment in moments if moment.astimezone(zone).date() == now.astimezone(zone).date()]
    if today and abs(today[0] - now) <= _FAR:
        return today[0]
    return min(moments, key=lambda moment: abs(moment - now))


def parse_age(typed: str, now: datetime) -> datetime:
    """Return the moment an age before *now*, by months and years of the calendar.

    Raises:
        ValueError: It is not an age, is less than a day, or is too long.
    """
    match = _AGE.fullmatch(_folded(typed))
    if not match or not int(match["number"]):
        raise ValueError(Text("{typed!r} is not an age; write it as {age_forms}", typed=typed, age_forms=AGE_FORMS))
    number = int(match["number"])
    days = number * (7 if match["weeks"] else 1) if match["days"] or match["weeks"] else 0
    month = now.year * 12 + now.month - 1 - (0 if days else number * (12 if match["years"] else 1))
    year, month = month // 12, month % 12 + 1
    try:
        day = min(now.day, calendar.monthrange(year, month)[1])  # a month before 31 March is the end of February
        return now.replace(year=year, month=month, day=day) - timedelta(days=days)
    except (ValueError, OverflowError):
        raise ValueError(
            Text("{typed!r} is longer than there are years; write it as {age_forms}", typed=typed, age_forms=AGE_FORMS)
        ) from None


def _moments(typed: str, now: datetime, zone: tzinfo) -> Iterable[datetime]:
    """Return the moments that were meant, in order: several of an hour without a day, or a day without a year."""
    typed, text = typed.strip(), _folded(typed)
    today = now.astimezone(zone).date()
    if clock := _clock(text):
        return _hours(clock, typed, now, zone)
    if match := _SPAN.fullmatch(text):
        days, hours, minutes = (int(match[part] or 0) for part in ("days", "hours", "minutes"))
        span = timedelta(days=days, hours=hours, minutes=minutes)
        # Posts show minutes.
        return [(now + (-span if match["sign"] in _BACK else span)).replace(second=0, microsecond=0)]
    try:
        if (match := _DAY.fullmatch(text)) and (clock := _clock(match["clock"])):
            if match["word"]:
                dates = [today + timedelta(days=_DAYS[match["word"]])]
            else:
                years = [int(match["year"])] if match["year"] else [today.year - 1, today.year, today.year + 1]
                day, month = int(match["day"]), int(match["month"])
                dates = [date(year, month, day) for year in years if day <= calendar.monthrange(year, month)[1]]
            if dates:
                return [_local(day, clock, zone, typed)[0] for day in dates]
        written = datetime.fromisoformat(typed.replace("h", ":") if typed[:4].isdecimal() else typed)
    except ValueError as error:
        if isinstance(text_of(error), Text):  # an hour that the clocks skip
            raise
        written = None
    if written is None or not re.search(r"\d[T ]\d", typed):  # a day without its hour would be midnight
        raise ValueError(Text("{typed!r} is not a time; write it as {time_forms}", typed=typed, time_forms=TIME_FORMS))
    return [written] if written.tzinfo else _local(written.date(), written.time(), zone, typed)[:1]


def _clock(typed: str) -> time | None:
    match = _CLOCK.fullmatch(typed)
    return time(int(match["hour"]), int(match["minute"] or 0)) if match else None


def _hours(clock: time, typed: str, now: datetime, zone: tzinfo) -> Iterator[datetime]:
    """Yield the moments of an hour of the day in order, from yesterday on."""
    here = now.astimezone(zone)
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
    local = datetime.combine(day, clock)
    try:
        both = {local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
        real = sorted(moment for moment in both if moment.astimezone(zone).replace(tzinfo=None) == local)
    except OverflowError:  # the first and the last hours of all years, which do not exist in UTC
        raise ValueError(Text("{typed!r} lies outside the years 1 to 9999 in UTC", typed=typed)) from None
    if not real:
        raise ValueError(Text("{typed!r} does not exist on {day}: the clocks go forward", typed=typed, day=day))
    return real


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedTime:
    """A typed time, its moment, the name of a near day, and what to check of an hour of another day."""

    field: str
    typed: str
    at: datetime
    day: Literal["yesterday", "today", "tomorrow", ""]
    warning: AnyText


def typed_times(typed: Mapping[str, Any], message: Message, *, now: datetime, zone: tzinfo) -> tuple[TypedTime, ...]:
    """Return how each typed time was understood."""
    warning = Text(
        "No day was given. If another time is meant, write its day (today 18:30, 24/11/2026 18:30) or count from now "
        "(+30min). An update corrects what is published already."
    )
    times = []
    for field, option in TIMES.items():
        moment: datetime | None = getattr(message, field)
        if typed[option] and moment is not None:
            text, at = typed[option].strip(), moment.astimezone(zone)
            days = (at.date() - now.astimezone(zone).date()).days
            check = warning if days and _clock(_folded(text)) else ""
            times.append(TypedTime(field=field, typed=text, at=at, day=_NEAR.get(days, ""), warning=check))
    return tuple(times)


def time_lines(times: Sequence[TypedTime]) -> Iterator[Part]:
    """Yield a line for each typed time, with its warning."""
    from policenotify.cli import output
    from policenotify.model.receipt import local_time

    for each in times:
        option = f"--{TIMES[each.field].replace('_', '-')}"
        weekday = Text.word(LOCALES["en"].weekdays[each.at.weekday()])
        moment = Text("{weekday} {at}", weekday=weekday, at=local_time(each.at, each.at.tzinfo))
        if each.day:
            moment = Text("{moment} ({day})", moment=moment, day=Text.word(each.day))
        text = Text("Time: {option} {typed}: {moment}", option=option, typed=each.typed, moment=moment)
        yield output.line(text, "bold" if each.warning else "")
        if each.warning:
            yield output.paragraph(each.warning, "! ")


def confirm_times(call: CliContext, times: Sequence[TypedTime], now: datetime) -> None:
    """Ask on a terminal whether an hour without a day means one that is far from now.

    Raises:
        click.UsageError: It does not.
    """
    far = [each for each in times if each.warning and abs(each.at - now) > _SOON]
    if far and call.can_ask:
        how = Text("Write the time with its day, or count from now.")
        call.ask(time_lines(far), Text("Publish it with that time? yes or no"), otherwise=how)
