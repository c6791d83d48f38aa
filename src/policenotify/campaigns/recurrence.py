"""Recurrence rules and cron expressions, read by the libraries that know them, in the campaign's own wall time.

Wall time has no daylight saving: a rule is counted in it, and only what came out is set on the clock of the world.
"""

from __future__ import annotations

import re
from calendar import isleap
from collections.abc import Iterator
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from policenotify.errors import MissingExtra

try:
    from cronsim import CronSim, CronSimError
    from dateutil.rrule import rrulestr
except ImportError as _error:  # pragma: no cover - of an installation without the extra
    raise MissingExtra("Campaigns", "campaigns") from _error

_DAILY = {"DAILY", "WEEKLY", "MONTHLY", "YEARLY"}
_UNTIL = re.compile(r"(\d{8})(?:T(\d{6})(Z?))?", re.ASCII)
# What dateutil takes as it comes, and then counts for ever, or to the year 9999, for nothing.
_WITHIN = {"BYMONTH": 12, "BYMONTHDAY": 31, "BYYEARDAY": 366, "BYWEEKNO": 53}
_FIELDS = 5  # of a cron expression; with seconds it would have six
_ANY = datetime(2026, 1, 1)  # noqa: DTZ001 - wall time
_DAY = timedelta(days=1)


def refuse_rrule(rule: str) -> str:
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


def refuse_cron(expression: str) -> str:
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


def by_rrule(rule: str, start: date, at: time, first: date, last: date, zone: ZoneInfo) -> Iterator[datetime]:
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


def by_cron(expression: str, first: date, last: date) -> Iterator[datetime]:
    """The wall times of a cron expression from *first* to *last*, the first one of each day."""
    behind = datetime.combine(first, time.min) - timedelta(minutes=1)
    while True:
        found: datetime = next(CronSim(expression, behind))
        if found.date() > last:
            return
        yield found
        behind = datetime.combine(found.date() + _DAY, time.min) - timedelta(minutes=1)
