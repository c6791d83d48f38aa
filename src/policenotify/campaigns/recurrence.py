"""Cron expressions and named calendars, in the campaign's wall time.

Wall time has no daylight saving: days are counted in it, and only the result is converted to UTC. Public and school
holidays are those of the library `holidays`, which follows the Code du travail (art. L3133-1), the local law of
Alsace-Moselle and overseas, and the ministry's school calendar (data.education.gouv.fr).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from functools import lru_cache

from policenotify.errors import MissingExtra
from policenotify.translation import Text
from policenotify.validation import did_you_mean

try:
    from cronsim import CronSim, CronSimError
    from holidays import country_holidays
except ImportError as _error:  # pragma: no cover - of an installation without the extra
    raise MissingExtra("Campaigns", "campaigns") from _error

SCHOOL_CALENDAR_END = date(2028, 8, 31)
"""The last day of the school calendar (zones A, B, C) that the ministry has published."""

_SATURDAY = 5
_LONG = 3  # days of rest in a row that people leave for
_ZONES = ("A", "B", "C")
# Alsace and the Moselle, overseas: subdivisions of the library that are no school zones.
_REGIONS = ("57", "6AE", "971", "972", "973", "974", "976", "BL", "MF", "NC", "PF", "PM", "WF")

_FIELDS = 5  # of a cron expression; with seconds it would have six
_ANY = datetime(2026, 1, 1)  # noqa: DTZ001 - wall time
_DAY = timedelta(days=1)


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
    regional = (f"{kind}:{part}" for kind in ("public_holidays", "long_weekends") for part in _REGIONS)
    school = (f"school_holidays:{zone}" for zone in _ZONES)
    named = _france(2026, "", "public").values()  # the same names every year
    known = {"public_holidays", "long_weekends", "weekends", *regional, *school, *named, *events}
    if name not in known:
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
        days = (first + number * _DAY for number in range((last - first).days + 1))
        return frozenset(day for day in days if day.weekday() >= _SATURDAY)
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
