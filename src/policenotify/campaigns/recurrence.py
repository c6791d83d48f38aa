"""Recurrence rules and cron expressions, read by the libraries that know them, in the campaign's own wall time.

Wall time has no daylight saving: a rule is counted in it, and only what came out is set on the clock of the world.
"""

from __future__ import annotations

import re
from calendar import isleap
from collections.abc import Iterable, Iterator, Mapping
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import islice
from zoneinfo import ZoneInfo

from policenotify.errors import MissingExtra
from policenotify.validation import did_you_mean

try:
    from cronsim import CronSim, CronSimError
    from dateutil.rrule import rrulestr
    from holidays import country_holidays
except ImportError as _error:  # pragma: no cover - of an installation without the extra
    raise MissingExtra("Campaigns", "campaigns") from _error

SCHOOL_CALENDAR_END = date(2028, 8, 31)
"""Until when the ministry has published its school calendar (zones A, B, C); what lies behind would be a guess."""

REGIONAL_CALENDARS = ("public_holidays", "long_weekends", "school_holidays")
"""Calendars that may be told for a part of France: `public_holidays:57`, `school_holidays:A`."""

_SATURDAY = 5
_LONG = 3  # days of rest in a row that people leave for
_ZONES = ("A", "B", "C")
# Alsace and the Moselle, overseas: subdivisions of the library that are no school zones.
_REGIONS = ("57", "6AE", "971", "972", "973", "974", "976", "BL", "MF", "NC", "PF", "PM", "WF")

_DAILY = {"DAILY", "WEEKLY", "MONTHLY", "YEARLY"}
_UNTIL = re.compile(r"(\d{8})(?:T(\d{6})(Z?))?", re.ASCII)
# What dateutil takes as it comes, and then counts for ever, or to the year 9999, for nothing.
_WITHIN = {"BYMONTH": 12, "BYMONTHDAY": 31, "BYYEARDAY": 366, "BYWEEKNO": 53}
_FIELDS = 5  # of a cron expression; with seconds it would have six
_ANY = datetime(2026, 1, 1)  # noqa: DTZ001 - wall time
_DAY = timedelta(days=1)


def validate_rrule(rule: str) -> str:
    """The rule, if it is one.

    Raises:
        ValueError: It is none, begins somewhere by itself, or happens more often than daily.
    """
    if "DTSTART" in rule.upper():
        raise ValueError("leave DTSTART out: the campaign's start is it")
    try:
        parts = _parts(rule)
        _refuse_parts(parts)
        _until(parts, ZoneInfo("UTC"))
        _rule(parts, _ANY, _ANY)
    except (ValueError, TypeError, AttributeError, IndexError, KeyError) as error:  # dateutil raises what comes
        raise ValueError(f"is no recurrence rule (RFC 5545, section 3.3.10): {error}") from None
    return rule


def validate_cron(expression: str) -> str:
    """The cron expression, if it is one.

    Raises:
        ValueError: It is none.
    """
    if len(expression.split()) != _FIELDS:
        raise ValueError("is no cron expression: Wrong number of fields. Write minute, hour, day, month, weekday")
    try:
        CronSim(expression, _ANY)
    except CronSimError as error:
        raise ValueError(f"is no cron expression: {error}. Write minute, hour, day, month, weekday") from None
    return expression


def rrule_times(rule: str, start: date, at: time, first: date, last: date, zone: ZoneInfo) -> Iterator[datetime]:
    """The wall times of a recurrence rule from *first* to *last*; an UNTIL in UTC is meant in this zone's time."""
    parts = _parts(rule)
    begin = datetime.combine(start, at)
    end = min(_until(parts, zone) or datetime.max, datetime.combine(last, time.max))  # noqa: DTZ901 - wall time
    if begin > end:
        return
    # dateutil compares only what it finds with the end. A rule that never happens is searched until the last year of
    # all, so the search begins in the latest years with the same calendar.
    years = _years_to_same_calendar(begin.year, end.year)
    found = _rule(parts, begin.replace(year=begin.year + years), end.replace(year=end.year + years))
    for wall in islice(found, int(parts["COUNT"]) if "COUNT" in parts else None):
        day = wall.replace(year=wall.year - years)
        if day.date() >= first:
            yield day


def _years_to_same_calendar(first: int, last: int) -> int:
    """Return how many years after *first* to *last* the latest years with the same weekdays and leap days lie."""
    earliest = max(first - 1, MINYEAR)  # the week at the turn of a year belongs to either year
    kinds = [_kind_of_year(year) for year in range(earliest, last + 1)]
    for years in range(MAXYEAR - last, 0, -1):
        if all(kind == _kind_of_year(year) for year, kind in enumerate(kinds, earliest + years)):
            return years
    return 0


def _kind_of_year(year: int) -> tuple[int, bool]:
    return date(year, 1, 1).weekday(), isleap(year)


def _refuse_parts(parts: dict[str, str]) -> None:
    if "BYEASTER" in parts:  # dateutil's own, and not the same in all years with one calendar
        raise ValueError("BYEASTER is no part of it: name a public holiday as the event")
    if parts.get("FREQ") not in _DAILY:
        raise ValueError("it needs a FREQ of DAILY, WEEKLY, MONTHLY or YEARLY")
    for name in ("INTERVAL", "COUNT"):
        if int(parts.get(name, 1)) < 1:
            raise ValueError(f"{name} must be 1 or more")
    for name in parts.keys() & _WITHIN.keys():
        if not all(1 <= abs(int(each)) <= _WITHIN[name] for each in parts[name].split(",")):
            raise ValueError(f"{name} must be from 1 to {_WITHIN[name]}, or negative, from the end")


def _parts(rule: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in rule.strip().upper().removeprefix("RRULE:").split(";"):
        name, sign, value = part.partition("=")
        if not sign or name in parts:
            raise ValueError(f"{part!r} is no part of it: write NAME=VALUE, each name once")
        parts[name] = value
    return parts


def _until(parts: dict[str, str], zone: ZoneInfo) -> datetime | None:
    """The last moment of the rule, in wall time; a day counts to its end."""
    if "UNTIL" not in parts:
        return None
    found = _UNTIL.fullmatch(parts["UNTIL"])
    if found is None:
        raise ValueError(f"UNTIL={parts['UNTIL']} is neither a day, 20270831, nor a moment, 20270831T160000Z")
    day, hour, utc = found.groups()
    if hour is None:
        return datetime.combine(date.fromisoformat(day), time.max)
    at = datetime.fromisoformat(f"{day}T{hour}")
    return at.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None) if utc else at


def _rule(parts: dict[str, str], start: datetime, end: datetime) -> Iterator[datetime]:
    kept = [f"{name}={value}" for name, value in parts.items() if name not in {"COUNT", "UNTIL"}]
    return iter(rrulestr(";".join([*kept, f"UNTIL={end:%Y%m%dT%H%M%S}"]), dtstart=start))


def cron_times(expression: str, first: date, last: date) -> Iterator[datetime]:
    """The wall times of a cron expression from *first* to *last*, the first one of each day."""
    behind = datetime.combine(first, time.min) - timedelta(minutes=1)
    while True:
        found: datetime = next(CronSim(expression, behind))
        if found.date() > last:
            return
        yield found
        behind = datetime.combine(found.date() + _DAY, time.min) - timedelta(minutes=1)


def validate_event(name: str, events: Mapping[str, tuple[date, ...]]) -> None:
    """Refuse a name that is no calendar, public holiday or event.

    Raises:
        ValueError: With the nearest right name.
    """
    kind, _, part = name.partition(":")
    if name in events or name == "weekends" or name in _names():
        return
    if kind == "school_holidays":
        if part not in _ZONES:
            raise ValueError(f"{name!r}: name the school zone, school_holidays:A, :B or :C")
    elif kind in REGIONAL_CALENDARS:
        if part and part not in _REGIONS:
            raise ValueError(f"{name!r}: there is no part of France {part!r}. {did_you_mean(part, _REGIONS)}")
    else:
        known = [*REGIONAL_CALENDARS, "weekends", *_names(), *events]
        raise ValueError(f"{name!r} is no calendar, no public holiday and no event. {did_you_mean(name, known)}")


def calendar_days(name: str, events: Mapping[str, tuple[date, ...]], first: date, last: date) -> frozenset[date]:
    """All days of a calendar or event from *first* to *last*."""
    if name in events:
        return frozenset(day for day in events[name] if first <= day <= last)
    if name == "weekends":
        return frozenset(day for day in _each(first, last) if day.weekday() >= _SATURDAY)
    return frozenset(
        day for year in range(first.year, last.year + 1) for day in _of(name, year) if first <= day <= last
    )


def first_days(name: str, events: Mapping[str, tuple[date, ...]], first: date, last: date) -> tuple[date, ...]:
    """The first day of each run of days from *first* to *last*: of holidays, of a long weekend, of an event."""
    found = calendar_days(name, events, first - _DAY, last)
    return tuple(sorted(day for day in found if day >= first and day - _DAY not in found))


def _of(name: str, year: int) -> frozenset[date]:
    kind, _, part = name.partition(":")
    if kind == "school_holidays":
        return frozenset(day for day in _france(year, f"Zone {part}", "school") if day <= SCHOOL_CALENDAR_END)
    if kind == "public_holidays":
        return frozenset(_france(year, part, "public"))
    if kind == "long_weekends":
        return _long_weekends(year, part)
    return frozenset(day for day, called in _france(year, "", "public").items() if called == name)


@lru_cache(maxsize=64)
def _long_weekends(year: int, part: str) -> frozenset[date]:
    """Three days of rest or more in a row; people take the one day between a holiday and the weekend off."""
    around = [day for near in (year - 1, year, year + 1) for day in _france(near, part, "public")]
    rest = {*around, *calendar_days("weekends", {}, date(year - 1, 12, 1), date(year + 1, 1, 31))}
    rest |= {day + _DAY for day in around if day.strftime("%u") == "4"}
    rest |= {day - _DAY for day in around if day.strftime("%u") == "2"}
    return frozenset(day for day in rest if day.year == year and _run(day, rest) >= _LONG)


def _run(day: date, rest: set[date]) -> int:
    first = last = day
    while first - _DAY in rest:
        first -= _DAY
    while last + _DAY in rest:
        last += _DAY
    return (last - first).days + 1


@lru_cache(maxsize=64)
def _france(year: int, part: str, category: str) -> Mapping[date, str]:
    return dict(
        country_holidays("FR", subdiv=part or None, years=year, language="fr", categories=(category,), expand=False)
    )


def _names() -> Iterable[str]:
    return sorted(set(_france(2026, "", "public").values()))  # the same names every year


def _each(first: date, last: date) -> Iterable[date]:
    return (first + number * _DAY for number in range((last - first).days + 1))
