"""Days, times and lengths of time, as people write them in a campaign's file."""

from __future__ import annotations

import re
from datetime import date, time, timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

_SPAN = re.compile(r"(\d{1,6})\s*(m|h|d)", re.ASCII)
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def _span(value: object) -> object:
    """A length of time as people write it; anything else is left to pydantic, which reads ISO 8601."""
    if isinstance(value, int | float):
        raise ValueError("write a number with its unit: '90m', '3h' or '2d'")  # noqa: TRY004 - for pydantic
    found = _SPAN.fullmatch(value.strip()) if isinstance(value, str) else None
    return int(found[1]) * _UNITS[found[2]] if found else value


def _day(value: object) -> object:
    """Anything but a number, which pydantic takes for the seconds since 1970."""
    if isinstance(value, int | float):
        raise ValueError("write a day: 2027-07-14")  # noqa: TRY004 - for pydantic
    return value


def _day_or_event(value: object) -> object:
    if not isinstance(value, date | str):
        raise ValueError("write a day, 2027-07-14, or the name of a calendar, a public holiday or an event of yours")  # noqa: TRY004 - the same
    return value


def _wall_time(value: time) -> time:
    if value.tzinfo is not None:
        raise ValueError("write the time without a zone: the campaign has one")
    return value


Span = Annotated[timedelta, BeforeValidator(_span), Field(ge=timedelta(0), le=timedelta(days=366))]
"""A length of time: `90m`, `3h`, `2d`, or as ISO 8601 has it, `PT3H`; at most 366 days."""

Day = Annotated[date, BeforeValidator(_day)]
"""A day: `2027-07-14`."""

Wall = Annotated[time, AfterValidator(_wall_time)]
"""A time of the day in the campaign's zone, without a zone of its own: `18:00`."""

Event = Annotated[str, StringConstraints(min_length=1, max_length=64)]
"""A calendar, a public holiday in its French name, or one of the campaign's own events."""

DayOrEvent = Annotated[date | Event, Field(union_mode="left_to_right"), BeforeValidator(_day_or_event)]
"""A day, or a name for one or more."""
