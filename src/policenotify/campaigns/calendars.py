"""Named calendars: French public holidays, long weekends, school holidays and weekends.

Public and school holidays are those of the library `holidays`, which follows the Code du travail (art. L3133-1), the
local law of Alsace-Moselle and overseas, and the ministry's school calendar (data.education.gouv.fr).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from functools import lru_cache

from policenotify.errors import MissingExtra
from policenotify.validation import did_you_mean

try:
    from holidays import country_holidays
except ImportError as _error:  # pragma: no cover - of an installation without the extra
    raise MissingExtra("Campaigns", "campaigns") from _error

SCHOOL_UNTIL = date(2028, 8, 31)
"""Until when the ministry has published its school calendar (zones A, B, C); what lies behind would be a guess."""

WITH_REGION = ("public_holidays", "long_weekends", "school_holidays")
"""Calendars that may be told for a part of France: `public_holidays:57`, `school_holidays:A`."""

_SATURDAY = 5
_LONG = 3  # days of rest in a row that people leave for
_DAY = timedelta(days=1)
_ZONES = ("A", "B", "C")
# Alsace and the Moselle, overseas: subdivisions of the library that are no school zones.
_REGIONS = ("57", "6AE", "971", "972", "973", "974", "976", "BL", "MF", "NC", "PF", "PM", "WF")


def refuse_unknown(name: str, events: Mapping[str, tuple[date, ...]]) -> None:
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
    elif kind in WITH_REGION:
        if part and part not in _REGIONS:
            raise ValueError(f"{name!r}: there is no part of France {part!r}. {did_you_mean(part, _REGIONS)}")
    else:
        known = [*WITH_REGION, "weekends", *_names(), *events]
        raise ValueError(f"{name!r} is no calendar, no public holiday and no event. {did_you_mean(name, known)}")


def days(name: str, events: Mapping[str, tuple[date, ...]], first: date, last: date) -> frozenset[date]:
    """All days of a calendar or event from *first* to *last*."""
    if name in events:
        return frozenset(day for day in events[name] if first <= day <= last)
    if name == "weekends":
        return frozenset(day for day in _each(first, last) if day.weekday() >= _SATURDAY)
    return frozenset(
        day for year in range(first.year, last.year + 1) for day in _of(name, year) if first <= day <= last
    )


def firsts(name: str, events: Mapping[str, tuple[date, ...]], first: date, last: date) -> tuple[date, ...]:
    """The first day of each run of days from *first* to *last*: of holidays, of a long weekend, of an event."""
    found = days(name, events, first - _DAY, last)
    return tuple(sorted(day for day in found if day >= first and day - _DAY not in found))


def _of(name: str, year: int) -> frozenset[date]:
    kind, _, part = name.partition(":")
    if kind == "school_holidays":
        return frozenset(day for day in _france(year, f"Zone {part}", "school") if day <= SCHOOL_UNTIL)
    if kind == "public_holidays":
        return frozenset(_france(year, part, "public"))
    if kind == "long_weekends":
        return _long_weekends(year, part)
    return frozenset(day for day, called in _france(year, "", "public").items() if called == name)


@lru_cache(maxsize=64)
def _long_weekends(year: int, part: str) -> frozenset[date]:
    """Three days of rest or more in a row; people take the one day between a holiday and the weekend off."""
    around = [day for near in (year - 1, year, year + 1) for day in _france(near, part, "public")]
    rest = {*around, *days("weekends", {}, date(year - 1, 12, 1), date(year + 1, 1, 31))}
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
