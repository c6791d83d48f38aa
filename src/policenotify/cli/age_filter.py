"""Which part of the journal is meant, by age (`90d`, `36m`, `3y`, or ISO 8601: `P90D`, `P1Y6M`) and category."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import click

from policenotify.cli import completion

if TYPE_CHECKING:
    from policenotify.journal.journal import Journal
    from policenotify.settings import Settings

_Command = TypeVar("_Command", bound=Callable[..., Any])

_SHORT = re.compile(r"(?P<number>\d{1,5})\s*(?P<unit>[dwmyja])", re.ASCII | re.IGNORECASE)
# ISO 8601-1:2019, section 5.5.2; of whole days, as a retention is
_ISO = re.compile(
    r"P(?=\d)(?:(?P<years>\d{1,4})Y)?(?:(?P<months>\d{1,5})M)?(?:(?P<weeks>\d{1,5})W)?(?:(?P<days>\d{1,5})D)?", re.ASCII
)
_UNITS = {"d": "days", "j": "days", "w": "weeks", "m": "months", "y": "years", "a": "years"}

HELP = "90d, 36m (months), 3y, P1Y6M"
"""The forms, for a help text."""


def ago(typed: str, now: datetime) -> datetime:
    """The moment that lies an age behind *now*: months and years are those of the calendar.

    Raises:
        ValueError: It is no age, less than a day, or too long.
    """
    typed = typed.strip()
    if found := _SHORT.fullmatch(typed):
        parts = {_UNITS[found["unit"].lower()]: int(found["number"])}
    elif found := _ISO.fullmatch(typed.upper()):
        parts = {name: int(number) for name, number in found.groupdict().items() if number is not None}
    else:
        raise ValueError(f"{typed!r} is no age; write it as {HELP}")
    if not any(parts.values()):
        raise ValueError(f"{typed!r} is less than a day; write it as {HELP}")
    month = now.year * 12 + now.month - 1 - parts.get("years", 0) * 12 - parts.get("months", 0)
    year, month = month // 12, month % 12 + 1
    try:
        day = min(now.day, calendar.monthrange(year, month)[1])  # a month before 31 March is the end of February
        return now.replace(year=year, month=month, day=day) - timedelta(
            weeks=parts.get("weeks", 0), days=parts.get("days", 0)
        )
    except (ValueError, OverflowError):
        raise ValueError(f"{typed!r} is longer than there are years; write it as {HELP}") from None


def chosen(required: bool) -> Callable[[_Command], _Command]:  # noqa: FBT001 - says whether there must be an age
    """The options that choose by age and category."""
    age = click.option("--older-than", metavar="AGE", required=required, help=f"What was over by then: {HELP}.")
    category = click.option(
        "--category", metavar="CODE", shell_complete=completion.categories, help="Only that category."
    )
    return lambda command: age(category(command))


def moment_of(typed: str, now: datetime, *, option: str = "--older-than") -> datetime:
    """The moment of an age that was typed.

    Raises:
        click.BadParameter: It is no age.
    """
    try:
        return ago(typed, now.astimezone(UTC))
    except ValueError as error:
        raise click.BadParameter(f"{error}.", param_hint=option) from None


def known_category(category: str | None, settings: Settings, opened: Journal) -> None:
    """Refuse a slip: a purge of nothing would look as if it were done. What the settings had once is no slip."""
    from policenotify.settings import profiles_of  # noqa: PLC0415 - help needs none
    from policenotify.validation import did_you_mean  # noqa: PLC0415 - likewise

    if category is None:
        return
    known = {*profiles_of(settings), *(one.category for one in opened.incidents.list(only_open=False))}
    if category not in known:
        raise click.BadParameter(
            f"{category!r} is no category. {did_you_mean(category, known)}", param_hint="--category"
        )
