"""Times as the desk types them: `18h30`, `18:30`, `+30m`, `2026-11-24T18:30`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo

_CLOCK = re.compile(r"(?:[01]?\d|2[0-3])\s*[hH:]\s*(?:[0-5]\d)?", re.ASCII)
_SPAN = re.compile(
    r"(?P<sign>[+-])\s*(?=\d)(?:(?P<days>\d{1,3})\s*(?:d|j))?\s*(?:(?P<hours>\d{1,3})\s*h)?\s*(?:(?P<minutes>\d{1,4})\s*(?:m|min)?)?",
    re.ASCII | re.IGNORECASE,
)
_FAR = timedelta(hours=18)  # a past or coming hour farther away than this was meant for the night in between

HELP = "18h30, 18:30, +30m, 2026-11-24T18:30"
"""The forms, for a help text."""


def is_span(typed: str) -> bool:
    """Whether it counts from now: typed again, it is another moment."""
    return _SPAN.fullmatch(typed.strip()) is not None


def is_hour(typed: str) -> bool:
    """Return True if it is an hour of the day, whose day is not written."""
    return _CLOCK.fullmatch(typed.strip()) is not None


def coming(typed: str, *, now: datetime, zone: tzinfo) -> datetime:
    """A time that lies ahead: of an hour, the next one.

    Args:
        typed: What was typed.
        now: The time, aware.
        zone: In whose time it was typed.

    Raises:
        ValueError: It is no time, or does not lie ahead.
    """
    found = _written(typed, now=now, zone=zone) or next(at for at in _hours(typed, now, zone) if at > now)
    if found <= now:
        raise ValueError(f"{typed!r} has passed already")
    return found


def about_now(typed: str, *, now: datetime, zone: tzinfo) -> datetime:
    """A time that may lie behind: of an hour, today's, or that of the same night on the other side of midnight.

    Args:
        typed: What was typed.
        now: The time, aware.
        zone: In whose time it was typed.

    Raises:
        ValueError: It is no time.
    """
    if found := _written(typed, now=now, zone=zone):
        return found
    today = now.astimezone(zone).date()
    hours = list(_hours(typed, now, zone))
    mine = next((at for at in hours if at.astimezone(zone).date() == today), hours[0])
    return mine if abs(mine - now) <= _FAR else min(hours, key=lambda at: abs(at - now))


def _written(typed: str, *, now: datetime, zone: tzinfo) -> datetime | None:
    """A span from now, or a date with its time; `None`: it is an hour of the day."""
    typed = typed.strip()
    if _CLOCK.fullmatch(typed):
        return None
    if found := _SPAN.fullmatch(typed):
        days, hours, minutes = (int(found[part] or 0) for part in ("days", "hours", "minutes"))
        span = timedelta(days=days, hours=hours, minutes=minutes)
        # Readers are told minutes.
        return (now + (span if found["sign"] == "+" else -span)).replace(second=0, microsecond=0)
    try:
        written = datetime.fromisoformat(typed.replace("h", ":") if typed[:4].isdecimal() else typed)
    except ValueError:
        written = None
    if written is None or not re.search(r"\d[T ]\d", typed):  # a day without its hour would be midnight
        raise ValueError(f"{typed!r} is no time; write it as {HELP}")
    if written.tzinfo is not None:
        return written
    return _local(written.date(), written.time(), zone, typed)[0]


def _hours(typed: str, now: datetime, zone: tzinfo) -> Iterator[datetime]:
    """An hour of the day, from yesterday's on, in order."""
    hour, _, minute = re.sub(r"[hH:]", ":", typed.strip()).partition(":")
    at, here = time(int(hour), int(minute or 0)), now.astimezone(zone)
    for days in (-1, 0, 1, 2):
        day = here.date() + timedelta(days=days)
        try:
            yield from _local(day, at, zone, typed)
        except ValueError:
            if datetime.combine(day, at) > here.replace(tzinfo=None):  # it was meant, not only passed over
                raise


def _local(day: date, hour: time, zone: tzinfo, typed: str) -> list[datetime]:
    """A time of the zone: two when the clocks go back over it.

    Raises:
        ValueError: The clocks go forward over it.
    """
    both = [datetime.combine(day, hour.replace(fold=fold), zone) for fold in (0, 1)]
    try:
        back = [(at, at.astimezone(UTC).astimezone(zone)) for at in both]
    except OverflowError:  # the first and the last hours of all years, which are none in UTC
        raise ValueError(f"{typed!r} lies outside the years 1 to 9999 in UTC") from None
    real = [at for at, again in back if again.replace(tzinfo=None) == at.replace(tzinfo=None)]
    if not real:
        raise ValueError(f"{typed!r} does not exist on {day}: the clocks go forward")
    return sorted({at.astimezone(UTC) for at in real})
