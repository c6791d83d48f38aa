"""Recurrence rules, cron expressions and named calendars, in the campaign's wall time.

Wall time has no daylight saving: a rule is counted in it, and only the result is converted to UTC. Public and school
holidays are those of the library `holidays`, which follows the Code du travail (art. L3133-1), the local law of
Alsace-Moselle and overseas, and the ministry's school calendar (data.education.gouv.fr).
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
from policenotify.translation import Text
from policenotify.validation import did_you_mean

try:
    from cronsim import CronSim, CronSimError
    from dateutil.rrule import rrulestr
    from holidays import country_holidays
except ImportError as _error:  # pragma: no cover - of an installation without the extra
    raise MissingExtra("Campaigns", "campaigns") from _error

SCHOOL_CALENDAR_END = date(2028, 8, 31)
"""The last day of the school calendar (zones A, B, C) that the ministry has published."""

REGIONAL_CALENDARS = ("public_holidays", "long_weekends", "school_holidays")
"""Calendars of which there is one for a part of France: `public_holidays:57`, `school_holidays:A`."""

_SATURDAY = 5
_LONG = 3  # days of rest in a row that people leave for
_ZONES = ("A", "B", "C")
# Alsace and the Moselle, overseas: subdivisions of the library that are no school zones.
_REGIONS = ("57", "6AE", "971", "972", "973", "974", "976", "BL", "MF", "NC", "PF", "PM", "WF")

_DAILY = {"DAILY", "WEEKLY", "MONTHLY", "YEARLY"}
_UNTIL = re.compile(r"(\d{8})(?:T(\d{6})(Z?))?", re.ASCII)
# Beyond these dateutil counts for ever, or to the year 9999, and finds nothing.
_WITHIN = {"BYMONTH": 12, "BYMONTHDAY": 31, "BYYEARDAY": 366, "BYWEEKNO": 53}
_FIELDS = 5  # of a cron expression; with seconds it would have six
_ANY = datetime(2026, 1, 1)  # noqa: DTZ001 - wall time
_DAY = timedelta(days=1)


def validate_rrule(rule: str) -> str:
    """Return the rule if it is a recurrence rule without a start of its own, at most daily.

    Raises:
        ValueError: It is not.
    """
    if "DTSTART" in rule.upper():
        raise ValueError(Text("leave DTSTART out: the campaign's start is it"))
    try:
        parts = _parts(rule)
        _refuse_parts(parts)
        _until(parts, ZoneInfo("UTC"))
        _rule(parts, _ANY, _ANY)
    except (ValueError, TypeError, AttributeError, IndexError, KeyError) as error:  # dateutil raises what comes
        raise ValueError(Text("is not a recurrence rule (RFC 5545, section 3.3.10): {error}", error=error)) from None
    return rule


def validate_cron(expression: str) -> str:
    """Return the expression if it is a cron expression.

    Raises:
        ValueError: It is not.
    """
    if len(expression.split()) != _FIELDS:
        raise ValueError(
            Text("is not a cron expression: Wrong number of fields. Write minute, hour, day, month, weekday")
        )
    try:
        CronSim(expression, _ANY)
    except CronSimError as error:
        raise ValueError(
            Text("is not a cron expression: {error}. Write minute, hour, day, month, weekday", error=error)
        ) from None
    return expression


def rrule_times(rule: str, start: date, at: time, first: date, last: date, zone: ZoneInfo) -> Iterator[datetime]:
    """Yield the wall times of a recurrence rule. An UNTIL in UTC is converted to *zone*."""
    parts = _parts(rule)
    begin = datetime.combine(start, at)
    end = min(_until(parts, zone) or datetime.max, datetime.combine(last, time.max))  # noqa: DTZ901 - wall time
    if begin > end:
        return
    # dateutil compares only what it finds with the end, and searches a rule that never happens until the last year
    # there is. So the search begins in the latest years with the same calendar.
    years = _years_to_same_calendar(begin.year, end.year)
    walls = _rule(parts, begin.replace(year=begin.year + years), end.replace(year=end.year + years))
    for wall in islice(walls, int(parts["COUNT"]) if "COUNT" in parts else None):
        day = wall.replace(year=wall.year - years)
        if day.date() >= first:
            yield day


def _years_to_same_calendar(first: int, last: int) -> int:
    """Return in how many years, at most, these years' weekdays and leap days repeat."""
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
        raise ValueError(Text("BYEASTER is not part of it: name a public holiday as the event"))
    if parts.get("FREQ") not in _DAILY:
        raise ValueError(Text("it needs a FREQ of DAILY, WEEKLY, MONTHLY or YEARLY"))
    for name in ("INTERVAL", "COUNT"):
        if int(parts.get(name, 1)) < 1:
            raise ValueError(Text("{name} must be 1 or more", name=name))
    for name in parts.keys() & _WITHIN.keys():
        if not all(1 <= abs(int(each)) <= _WITHIN[name] for each in parts[name].split(",")):
            raise ValueError(
                Text("{name} must be from 1 to {within}, or negative, from the end", name=name, within=_WITHIN[name])
            )


def _parts(rule: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in rule.strip().upper().removeprefix("RRULE:").split(";"):
        name, sign, value = part.partition("=")
        if not sign or name in parts:
            raise ValueError(Text("{part!r} is not part of it: write NAME=VALUE, each name once", part=part))
        parts[name] = value
    return parts


def _until(parts: dict[str, str], zone: ZoneInfo) -> datetime | None:
    """Return the last moment of the rule, in wall time. A day counts to its end."""
    if "UNTIL" not in parts:
        return None
    match = _UNTIL.fullmatch(parts["UNTIL"])
    if match is None:
        raise ValueError(
            Text("UNTIL={parts} is neither a day, 20270831, nor a moment, 20270831T160000Z", parts=parts["UNTIL"])
        )
    day, hour, utc = match.groups()
    if hour is None:
        return datetime.combine(date.fromisoformat(day), time.max)
    at = datetime.fromisoformat(f"{day}T{hour}")
    return at.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None) if utc else at


def _rule(parts: dict[str, str], start: datetime, end: datetime) -> Iterator[datetime]:
    kept = [f"{name}={value}" for name, value in parts.items() if name not in {"COUNT", "UNTIL"}]
    return iter(rrulestr(";".join([*kept, f"UNTIL={end:%Y%m%dT%H%M%S}"]), dtstart=start))


def cron_times(expression: str, first: date, last: date) -> Iterator[datetime]:
    """Yield the wall times of a cron expression, the first one of each day."""
    after = datetime.combine(first, time.min) - timedelta(minutes=1)
    while (wall := next(CronSim(expression, after))).date() <= last:
        yield wall
        after = datetime.combine(wall.date() + _DAY, time.min) - timedelta(minutes=1)


def validate_event(name: str, events: Mapping[str, tuple[date, ...]]) -> None:
    """Check that a name is a calendar, a public holiday or an event.

    Raises:
        ValueError: It is not. The error names the nearest one.
    """
    kind, _, part = name.partition(":")
    if name in events or name == "weekends" or name in _names():
        return
    if kind == "school_holidays":
        if part not in _ZONES:
            raise ValueError(Text("{name!r}: name the school zone, school_holidays:A, :B or :C", name=name))
    elif kind in REGIONAL_CALENDARS:
        if part and part not in _REGIONS:
            raise ValueError(
                Text(
                    "{name!r}: there is no part of France {part!r}. {did_you_mean}",
                    name=name,
                    part=part,
                    did_you_mean=did_you_mean(part, _REGIONS),
                )
            )
    else:
        known = [*REGIONAL_CALENDARS, "weekends", *_names(), *events]
        raise ValueError(
            Text(
                "{name!r} is neither a calendar, a public holiday nor an event. {did_you_mean}",
                name=name,
                did_you_mean=did_you_mean(name, known),
            )
        )


def calendar_days(name: str, events: Mapping[str, tuple[date, ...]], first: date, last: date) -> frozenset[date]:
    """Return all days of a calendar or event from *first* to *last*."""
    if name in events:
        return frozenset(day for day in events[name] if first <= day <= last)
    if name == "weekends":
        return frozenset(day for day in _each(first, last) if day.weekday() >= _SATURDAY)
    return frozenset(
        day for year in range(first.year, last.year + 1) for day in _of(name, year) if first <= day <= last
    )


def first_days(name: str, events: Mapping[str, tuple[date, ...]], first: date, last: date) -> tuple[date, ...]:
    """Return the first day of each run of days, such as a long weekend."""
    days = calendar_days(name, events, first - _DAY, last)
    return tuple(sorted(day for day in days if day >= first and day - _DAY not in days))


def _of(name: str, year: int) -> frozenset[date]:
    kind, _, part = name.partition(":")
    if kind == "school_holidays":
        return frozenset(day for day in _france(year, f"Zone {part}", "school") if day <= SCHOOL_CALENDAR_END)
    if kind == "public_holidays":
        return frozenset(_france(year, part, "public"))
    if kind == "long_weekends":
        return _long_weekends(year, part)
    return frozenset(day for day, holiday in _france(year, "", "public").items() if holiday == name)


@lru_cache(maxsize=64)
def _long_weekends(year: int, part: str) -> frozenset[date]:
    """Return the runs of three or more days of rest. A day between two of them counts."""
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
