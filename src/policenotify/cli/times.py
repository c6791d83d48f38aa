"""Times as officers type them.

A time is an hour (`18h30`, `18:30`, `midi`), a span from now (`+30min`, `-1h`, `dans 30 min`), or a day with its hour:
`demain 18h30`, `vendredi à 9h`, `26/11/2026 18:30`, `26 novembre 18h30`, `2026-11-24T18:30`. French and English words
are understood, whatever the language of the desk.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING, Any, Literal

from policenotify.cli.context import is_terminal
from policenotify.translation import Text

if TYPE_CHECKING:
    from policenotify.cli.context import CliContext
    from policenotify.cli.output import Part
    from policenotify.cli.results import TypedTime
    from policenotify.model.message import Message

# Texts are folded first: small letters, no accents.
_CLOCK = re.compile(r"(?:[01]?\d|2[0-3])\s*[h:]\s*(?:[0-5]\d)?", re.ASCII)
_NAMED_HOURS = {"midi": "12h", "noon": "12h", "minuit": "0h", "midnight": "0h"}
_SPAN = re.compile(
    r"(?P<sign>[+-]|dans|in|il y a)\s*(?=\d)(?:(?P<days>\d{1,3})\s*(?:days?|d|jours?|j))?\s*"
    r"(?:(?P<hours>\d{1,3})\s*(?:heures?|hours?|h))?\s*(?:(?P<minutes>\d{1,4})\s*(?:minutes?|mins?|mn|m)?)?",
    re.ASCII,
)
_BACK = frozenset({"-", "il y a"})
_DAYS = {
    "avant-hier": -2, "hier": -1, "yesterday": -1, "aujourd'hui": 0, "today": 0, "ce soir": 0, "tonight": 0,
    "demain": 1, "tomorrow": 1, "apres-demain": 2,
}  # fmt: skip
_DAY = re.compile(
    r"(?:(?P<word>[a-z'-]+(?: soir)?)(?:,? (?=\d{1,2}(?:[/ ]|er ))|(?=,? |$)))?"
    r"(?:(?:le )?(?P<day>\d{1,2})(?:er)?(?:/(?P<number>\d{1,2})| (?P<month>[a-z]+))(?:[/ ](?P<year>\d{4}))?)?"
    r",? ?(?:a |at )?(?P<clock>\d{1,2} ?[h:].*|midi|noon)",
    re.ASCII,
)
_SOON = timedelta(hours=6)  # shortly before midnight an hour of the night is no surprise
_FAR = timedelta(hours=18)  # an hour that is farther away means the night in between

TIMES = {"starts_at": "starts", "expires_at": "expires", "next_update_at": "next_update"}
"""The parameter of each time of the message."""

TIME_FORMS = Text("18h30, +30min, demain 18h30, 26/11/2026 18:30, 2026-11-24T18:30")
"""The forms of a time, for a help text."""


def is_span(typed: str) -> bool:
    """Return True if it counts from now, so that typed again it is another moment."""
    return _SPAN.fullmatch(_folded(typed)) is not None


def has_no_day(typed: str) -> bool:
    """Return True if it is an hour alone, whose day follows from now."""
    return _CLOCK.fullmatch(_folded(typed)) is not None


def _folded(typed: str) -> str:
    """Return what was typed in small letters, without accents, with single spaces."""
    plain = unicodedata.normalize("NFKD", typed.replace("\u2019", "'")).casefold()
    text = " ".join("".join(letter for letter in plain if not unicodedata.combining(letter)).split())
    return _NAMED_HOURS.get(text, text)


def parse_future(typed: str, *, now: datetime, zone: tzinfo) -> datetime:
    """Return a time that lies ahead. An hour without a day is the next such hour, and so is a day without a year.

    Raises:
        ValueError: It is not a time, or has passed.
    """
    moments = _dated(typed, now=now, zone=zone) or _hours(typed, now, zone)
    moment = None
    for moment in moments:
        if moment > now:
            return moment
    if moment is not None:
        raise ValueError(Text("{typed!r} has passed already", typed=typed))
    raise _not_a_time(typed)


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
    if (match := _DAY.fullmatch(text.removeprefix("le "))) and (match["word"] or match["day"]):
        return list(_of_days(typed, match, now, zone))
    try:
        written = datetime.fromisoformat(typed.replace("h", ":") if typed[:4].isdecimal() else typed)
    except ValueError:
        written = None
    if written is None or not re.search(r"\d[T ]\d", typed):  # a day without its hour would be midnight
        raise _not_a_time(typed)
    if written.tzinfo is not None:
        return [written]
    return _local(written.date(), written.time(), zone, typed)[:1]


def _of_days(typed: str, match: re.Match[str], now: datetime, zone: tzinfo) -> Iterator[datetime]:
    """Yield the moments of an hour on a named day or date, in order.

    Raises:
        ValueError: There is no such day or hour, or the date is another day of the week.
    """
    hour = _NAMED_HOURS.get(match["clock"], match["clock"])
    today, word = now.astimezone(zone).date(), match["word"]
    weekdays, months = _names("weekdays"), _names("months")
    if not _CLOCK.fullmatch(hour) or (word and word not in weekdays and (word not in _DAYS or match["day"])):
        raise _not_a_time(typed)
    if match["day"]:
        month = months.get(match["month"], 0) + 1 if match["month"] else int(match["number"])
        if match["month"] and match["month"] not in months:
            raise _not_a_time(typed)
        years = [int(match["year"])] if match["year"] else [today.year - 1, today.year, today.year + 1]
        days = [day for year in years if (day := _date(year, month, int(match["day"])))]
        if not days:
            raise _not_a_time(typed)
        if word:
            days = [day for day in days if day.weekday() == weekdays[word]]
            if not days:
                raise ValueError(Text("{typed!r} is another day of the week; check the date", typed=typed))
    elif word in _DAYS:
        days = [today + timedelta(days=_DAYS[word])]
    else:
        days = [day for past in range(-7, 8) if (day := today + timedelta(days=past)).weekday() == weekdays[word]]
    for day in days:
        yield _local(day, _clock(hour), zone, typed)[0]


def _names(kind: Literal["weekdays", "months"]) -> dict[str, int]:
    """Return the number of each French and English name of a day of the week or of a month, from 0."""
    from policenotify.render.locales import LOCALES

    return {_folded(name): number for tag in ("fr", "en") for number, name in enumerate(getattr(LOCALES[tag], kind))}


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _clock(typed: str) -> time:
    hour, _, minute = re.sub(r"[h:]", ":", typed).partition(":")
    return time(int(hour), int(minute or 0))


def _hours(typed: str, now: datetime, zone: tzinfo) -> Iterator[datetime]:
    """Yield the moments of an hour of the day in order, from yesterday on."""
    clock, here = _clock(_folded(typed)), now.astimezone(zone)
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


def typed_times(typed: Mapping[str, Any], message: Message, *, now: datetime, zone: tzinfo) -> tuple[TypedTime, ...]:
    """Return how each typed time was understood."""
    return tuple(_typed_times(typed, message, now, zone))


def _typed_times(typed: Mapping[str, Any], message: Message, now: datetime, zone: tzinfo) -> Iterator[TypedTime]:
    from policenotify.cli.results import TypedTime

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
    from policenotify.render.locales import LOCALES

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
    if far and not call.json and is_terminal():
        how = Text("Write the time with its day, or count from now.")
        call.ask(time_lines(far), Text("Publish it with that time? yes or no"), otherwise=how)
