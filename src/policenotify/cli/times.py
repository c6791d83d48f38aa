"""Times and ages as officers type them.

A time is an hour (`18h30`, `18:30`), a span from now (`+30m`, `-1h`) or a date with its hour (`2026-11-24T18:30`).
An age is short (`90d`, `36m` for months, `3y` or `3a`) or ISO 8601 (`P90D`, `P1Y6M`).
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from policenotify.cli import completion

if TYPE_CHECKING:
    from rich.console import RenderableType

    from policenotify.cli.results import TypedTime
    from policenotify.journal.journal import Journal
    from policenotify.model.message import Message
    from policenotify.settings import Settings

_Command = TypeVar("_Command", bound=Callable[..., Any])

_CLOCK = re.compile(r"(?:[01]?\d|2[0-3])\s*[hH:]\s*(?:[0-5]\d)?", re.ASCII)
_SPAN = re.compile(
    r"(?P<sign>[+-])\s*(?=\d)(?:(?P<days>\d{1,3})\s*(?:d|j))?\s*(?:(?P<hours>\d{1,3})\s*h)?\s*(?:(?P<minutes>\d{1,4})\s*(?:m|min)?)?",
    re.ASCII | re.IGNORECASE,
)
_SHORT_AGE = re.compile(r"(?P<number>\d{1,5})\s*(?P<unit>[dwmyja])", re.ASCII | re.IGNORECASE)
# ISO 8601-1:2019, section 5.5.2, in whole days
_ISO_AGE = re.compile(
    r"P(?=\d)(?:(?P<years>\d{1,4})Y)?(?:(?P<months>\d{1,5})M)?(?:(?P<weeks>\d{1,5})W)?(?:(?P<days>\d{1,5})D)?", re.ASCII
)
_AGE_UNITS = {"d": "days", "j": "days", "w": "weeks", "m": "months", "y": "years", "a": "years"}
_FAR = timedelta(hours=18)  # an hour that is farther away means the night in between

TIMES = {"starts_at": "starts", "expires_at": "expires", "next_update_at": "next_update"}
"""The parameter of each time of the message."""

TIME_FORMS = "18h30, 18:30, +30m, 2026-11-24T18:30"
"""The forms of a time, for a help text."""

AGE_FORMS = "90d, 36m (months), 3y, P1Y6M"
"""The forms of an age, for a help text."""


def is_span(typed: str) -> bool:
    """Return True if it counts from now, so that typed again it is another moment."""
    return _SPAN.fullmatch(typed.strip()) is not None


def parse_future(typed: str, *, now: datetime, zone: tzinfo) -> datetime:
    """Return a time that lies ahead. An hour without a day is the next such hour.

    Raises:
        ValueError: It is not a time, or has passed.
    """
    moment = _dated(typed, now=now, zone=zone) or next(hour for hour in _hours(typed, now, zone) if hour > now)
    if moment <= now:
        raise ValueError(f"{typed!r} has passed already")
    return moment


def parse_near(typed: str, *, now: datetime, zone: tzinfo) -> datetime:
    """Return a time that may have passed.

    An hour without a day is today's, or that of the same night across midnight.

    Raises:
        ValueError: It is not a time.
    """
    if moment := _dated(typed, now=now, zone=zone):
        return moment
    today = now.astimezone(zone).date()
    hours = list(_hours(typed, now, zone))
    moment = next((hour for hour in hours if hour.astimezone(zone).date() == today), hours[0])
    return moment if abs(moment - now) <= _FAR else min(hours, key=lambda hour: abs(hour - now))


def _dated(typed: str, *, now: datetime, zone: tzinfo) -> datetime | None:
    """Return the time of a span or a date; `None` for an hour without a day."""
    typed = typed.strip()
    if _CLOCK.fullmatch(typed):
        return None
    if match := _SPAN.fullmatch(typed):
        days, hours, minutes = (int(match[part] or 0) for part in ("days", "hours", "minutes"))
        span = timedelta(days=days, hours=hours, minutes=minutes)
        # Posts show minutes.
        return (now + (span if match["sign"] == "+" else -span)).replace(second=0, microsecond=0)
    try:
        written = datetime.fromisoformat(typed.replace("h", ":") if typed[:4].isdecimal() else typed)
    except ValueError:
        written = None
    if written is None or not re.search(r"\d[T ]\d", typed):  # a day without its hour would be midnight
        raise ValueError(f"{typed!r} is not a time; write it as {TIME_FORMS}")
    if written.tzinfo is not None:
        return written
    return _local(written.date(), written.time(), zone, typed)[0]


def _hours(typed: str, now: datetime, zone: tzinfo) -> Iterator[datetime]:
    """Yield the moments of an hour of the day in order, from yesterday on."""
    hour, _, minute = re.sub(r"[hH:]", ":", typed.strip()).partition(":")
    clock, here = time(int(hour), int(minute or 0)), now.astimezone(zone)
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
        raise ValueError(f"{typed!r} lies outside the years 1 to 9999 in UTC") from None
    real = [local for local, back in round_trips if back.replace(tzinfo=None) == local.replace(tzinfo=None)]
    if not real:
        raise ValueError(f"{typed!r} does not exist on {day}: the clocks go forward")
    return sorted({local.astimezone(UTC) for local in real})


def parse_age(typed: str, now: datetime) -> datetime:
    """Return the moment an age before *now*, by months and years of the calendar.

    Raises:
        ValueError: It is not an age, is less than a day, or is too long.
    """
    typed = typed.strip()
    if match := _SHORT_AGE.fullmatch(typed):
        parts = {_AGE_UNITS[match["unit"].lower()]: int(match["number"])}
    elif match := _ISO_AGE.fullmatch(typed.upper()):
        parts = {name: int(number) for name, number in match.groupdict().items() if number is not None}
    else:
        raise ValueError(f"{typed!r} is not an age; write it as {AGE_FORMS}")
    if not any(parts.values()):
        raise ValueError(f"{typed!r} is less than a day; write it as {AGE_FORMS}")
    month = now.year * 12 + now.month - 1 - parts.get("years", 0) * 12 - parts.get("months", 0)
    year, month = month // 12, month % 12 + 1
    try:
        day = min(now.day, calendar.monthrange(year, month)[1])  # a month before 31 March is the end of February
        return now.replace(year=year, month=month, day=day) - timedelta(
            weeks=parts.get("weeks", 0), days=parts.get("days", 0)
        )
    except (ValueError, OverflowError):
        raise ValueError(f"{typed!r} is longer than there are years; write it as {AGE_FORMS}") from None


def age_of(typed: str, now: datetime, *, option: str = "--older-than") -> datetime:
    """Return the moment that lies a typed age behind *now*."""
    try:
        return parse_age(typed, now.astimezone(UTC))
    except ValueError as error:
        raise click.BadParameter(f"{error}.", param_hint=option) from None


def selection_options(*, required: bool) -> Callable[[_Command], _Command]:
    """Return a decorator that adds the options for selection by age and category."""
    age = click.option(
        "--older-than", metavar="AGE", required=required, help=f"Only what was over by then: {AGE_FORMS}."
    )
    category = click.option(
        "--category", metavar="CODE", shell_complete=completion.categories, help="Only this category."
    )
    return lambda command: age(category(command))


def check_category(category: str | None, settings: Settings, journal: Journal) -> None:
    """Reject an unknown category: a typo must not look like a successful purge.

    Categories that occur in the journal are accepted: the settings may have had them once.
    """
    from policenotify.settings import profiles_of
    from policenotify.validation import did_you_mean

    if category is None:
        return
    known = {*profiles_of(settings), *(incident.category for incident in journal.incidents.list(only_open=False))}
    if category not in known:
        raise click.BadParameter(
            f"{category!r} is not a category. {did_you_mean(category, known)}", param_hint="--category"
        )


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
        warning = (
            f"No day was given, and {text} is taken as {names.get(days, '')}'s. If another time is meant, write its "
            "day (2026-11-24T18:30) or count from now (+30m). An update corrects what is published already."
        )
        yield TypedTime(
            field=field,
            typed=text,
            at=at.astimezone(zone),
            day=names.get(days, ""),
            warning=warning if _CLOCK.fullmatch(text) and days else "",
        )


def time_lines(times: Sequence[TypedTime]) -> Iterator[RenderableType]:
    """Yield a line for each typed time, with its warning."""
    from policenotify.cli import output
    from policenotify.render.locales import LOCALES

    for time_ in times:
        option = f"--{TIMES[time_.field].replace('_', '-')}"
        day = f" ({time_.day})" if time_.day else ""
        weekday = LOCALES["en"].weekdays[time_.at.weekday()]
        text = f"Time: {option} {time_.typed}: {weekday} {time_.at:%Y-%m-%d %H:%M}{day}"
        yield output.line(text, "bold" if time_.warning else "")
        if time_.warning:
            yield output.paragraph(time_.warning, "! ")
