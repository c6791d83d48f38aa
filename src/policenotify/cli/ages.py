"""Ages as officers type them, and the options that select what is that old.

An age is short (`90d`, `36m` for months, `3y` or `3a`) or ISO 8601 (`P90D`, `P1Y6M`).
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from policenotify.cli import completion
from policenotify.cli.usage import BadParameter
from policenotify.translation import Text, text_of

if TYPE_CHECKING:
    from policenotify.journal.journal import Journal
    from policenotify.settings import Settings

_Command = TypeVar("_Command", bound=Callable[..., Any])

_SHORT_AGE = re.compile(r"(?P<number>\d{1,5})\s*(?P<unit>[dwmyja])", re.ASCII | re.IGNORECASE)
# ISO 8601-1:2019, section 5.5.2, in whole days
_ISO_AGE = re.compile(
    r"P(?=\d)(?:(?P<years>\d{1,4})Y)?(?:(?P<months>\d{1,5})M)?(?:(?P<weeks>\d{1,5})W)?(?:(?P<days>\d{1,5})D)?", re.ASCII
)
_AGE_UNITS = {"d": "days", "j": "days", "w": "weeks", "m": "months", "y": "years", "a": "years"}

AGE_FORMS: Final = Text("90d, 36m (months), 3y, P1Y6M")
"""The forms of an age, for a help text."""


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
        raise ValueError(Text("{typed!r} is not an age; write it as {age_forms}", typed=typed, age_forms=AGE_FORMS))
    if not any(parts.values()):
        raise ValueError(
            Text("{typed!r} is less than a day; write it as {age_forms}", typed=typed, age_forms=AGE_FORMS)
        )
    month = now.year * 12 + now.month - 1 - parts.get("years", 0) * 12 - parts.get("months", 0)
    year, month = month // 12, month % 12 + 1
    try:
        day = min(now.day, calendar.monthrange(year, month)[1])  # a month before 31 March is the end of February
        return now.replace(year=year, month=month, day=day) - timedelta(
            weeks=parts.get("weeks", 0), days=parts.get("days", 0)
        )
    except (ValueError, OverflowError):
        raise ValueError(
            Text("{typed!r} is longer than there are years; write it as {age_forms}", typed=typed, age_forms=AGE_FORMS)
        ) from None


def age_of(typed: str, now: datetime, *, option: str = "--older-than") -> datetime:
    """Return the moment that lies a typed age behind *now*."""
    try:
        return parse_age(typed, now.astimezone(UTC))
    except ValueError as error:
        raise BadParameter(Text("{text}.", text=text_of(error)), param_hint=option) from None


def selection_options(*, required: bool) -> Callable[[_Command], _Command]:
    """Return a decorator that adds the options for selection by age and category."""
    age = click.option(
        "--older-than", metavar="AGE", required=required, help=f"Only what was over by then: {AGE_FORMS!s}."
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
        raise BadParameter(
            Text(
                "{category!r} is not a category. {did_you_mean}",
                category=category,
                did_you_mean=did_you_mean(category, known),
            ),
            param_hint="--category",
        )
