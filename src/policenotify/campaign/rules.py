"""Recurrence rules and cron expressions, read by the libraries that know them, in the campaign's own wall time.

Wall time has no daylight saving: a rule is counted in it, and only what came out is set on the clock of the world.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

from policenotify.errors import MissingExtra

try:
    from cronsim import CronSim, CronSimError
    from dateutil.rrule import rrulestr
except ImportError as _error:  # pragma: no cover - of an installation without the extra
    raise MissingExtra("Campaigns", "campaigns") from _error

_DAILY = re.compile(r"(?:^|[:;\s])FREQ=(?:DAILY|WEEKLY|MONTHLY|YEARLY)(?:;|$)", re.IGNORECASE)
_ANY = datetime(2026, 1, 1)  # noqa: DTZ001 - wall time
_DAY = timedelta(days=1)


def refuse_rrule(rule: str) -> str:
    """The rule, if it is one.

    Raises:
        ValueError: It is none, begins somewhere by itself, or happens more often than daily.
    """
    if not _DAILY.search(rule):
        raise ValueError("needs a FREQ of DAILY, WEEKLY, MONTHLY or YEARLY (RFC 5545, section 3.3.10)")
    if "DTSTART" in rule.upper():
        raise ValueError("leave DTSTART out: the campaign's start is it")
    try:
        rrulestr(rule, dtstart=_ANY)
    except (ValueError, TypeError, AttributeError, IndexError, KeyError) as error:  # dateutil raises what comes
        raise ValueError(f"is no recurrence rule (RFC 5545, section 3.3.10): {error}") from None
    return rule


def refuse_cron(expression: str) -> str:
    """The cron expression, if it is one.

    Raises:
        ValueError: It is none.
    """
    try:
        CronSim(expression, _ANY)
    except CronSimError as error:
        raise ValueError(f"is no cron expression: {error}. Write minute, hour, day, month, weekday") from None
    return expression


def by_rrule(rule: str, start: date, at: time, first: date, last: date) -> Iterator[datetime]:
    """The wall times of a recurrence rule from *first* to *last*."""
    found = rrulestr(rule, dtstart=datetime.combine(start, at))
    yield from found.between(datetime.combine(first, time.min), datetime.combine(last, time.max), inc=True)


def by_cron(expression: str, first: date, last: date) -> Iterator[datetime]:
    """The wall times of a cron expression from *first* to *last*, the first one of each day."""
    behind = datetime.combine(first, time.min) - timedelta(minutes=1)
    while True:
        found: datetime = next(CronSim(expression, behind))
        if found.date() > last:
            return
        yield found
        behind = datetime.combine(found.date() + _DAY, time.min) - timedelta(minutes=1)
