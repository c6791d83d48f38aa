"""Campaigns month by month, as a wall calendar has them."""

from __future__ import annotations

import re
from calendar import Calendar, monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, date, datetime, timedelta
from itertools import groupby

import click
from rich.console import RenderableType
from rich.text import Text

from policenotify.campaigns import Campaign, ForecastEntry
from policenotify.campaigns.runner import load_past, upcoming
from policenotify.campaigns.schedule import Occurrence
from policenotify.cli import output
from policenotify.cli.context import plain
from policenotify.publishing.publisher import Publisher

# Not by the locale: a report that is sent on reads the same everywhere.
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One occurrence of the calendar.

    Attributes:
        planned: What becomes of it, or became.
        headline: What it says.
        said: It has been said.
        at: When it stands in the calendar.
    """

    planned: ForecastEntry
    headline: str
    said: bool
    at: datetime

    def document(self) -> dict[str, object]:
        """The entry as JSON has it."""
        one = self.planned
        return {
            "campaign": one.occurrence.campaign,
            "day": one.occurrence.day.isoformat(),
            "due": one.occurrence.due.isoformat(),
            "at": one.at.isoformat() if one.at else None,
            "alternative": one.variant,
            "headline": self.headline,
            "said": self.said,
            "reason": one.reason,
        }


def month_of(typed: str | None, months: int, today: date) -> tuple[date, date]:
    """The first and the last day of so many months.

    Raises:
        click.BadParameter: It is no month.
    """
    found = re.fullmatch(r"(\d{4})-(0[1-9]|1[0-2])", typed or f"{today:%Y-%m}", re.ASCII)
    if found is None or found[1] == "0000":
        raise click.BadParameter(f"{typed!r} is no month; write it as 2026-07.", param_hint="--month")
    first = date(int(found[1]), int(found[2]), 1)
    number = first.year * 12 + first.month - 1 + months - 1
    year, month = number // 12, number % 12 + 1
    if year > MAXYEAR:
        raise click.BadParameter(f"{months} months from {typed} reach beyond all years.", param_hint="--months")
    return first, date(year, month, monthrange(year, month)[1])


def entries(publisher: Publisher, campaigns: Sequence[Campaign], first: date, last: date) -> list[Entry]:
    """What was said and will be from day *first* to day *last*."""
    named = {one.name: one for one in campaigns}
    now = publisher.journal.now()
    shown = []
    for said in load_past(publisher, now):
        mine = named.get(said.campaign)
        if mine is not None and first <= mine.local(said.at).date() <= last:
            occurrence = Occurrence(campaign=mine.name, day=said.day, due=said.at)
            planned = ForecastEntry(occurrence=occurrence, variant=said.variant, at=said.at)
            shown.append(_entry(planned, mine, said.fingerprint.partition("\n")[0], said=True))
    # From now on, whichever month is asked for: whose turn it is then, and what is deferred into it, follows from what
    # is said before.
    back = max((one.late_for for one in campaigns), default=timedelta(0)) + timedelta(days=1)
    for planned in upcoming(publisher, campaigns, (now - back).date(), last):
        mine = named[planned.occurrence.campaign]
        entry = _entry(planned, mine, "", said=False)
        if first <= mine.local(entry.at).date() <= last:
            shown.append(entry)
    return sorted(shown, key=lambda one: (one.at, one.planned.occurrence.campaign))


def _entry(planned: ForecastEntry, campaign: Campaign, words: str, *, said: bool) -> Entry:
    headline = {one.name: one.message.headline for one in campaign.messages}.get(planned.variant, words)
    return Entry(planned=planned, headline=headline, said=said, at=planned.at or planned.occurrence.due)


def pages_of(
    shown: Sequence[Entry], campaigns: Sequence[Campaign], first: date, last: date
) -> Iterator[RenderableType]:
    """The months, each with its days, those with something marked, and what is said on them."""
    zones = {one.name: one.zone for one in campaigns}

    def local(one: Entry) -> datetime:
        return one.at.astimezone(zones[one.planned.occurrence.campaign])

    months = {
        month: list(group) for month, group in groupby(shown, key=lambda one: (local(one).year, local(one).month))
    }
    day = first
    while day <= last:
        mine = months.get((day.year, day.month), [])
        yield from _grid(day, {local(one).day for one in mine if one.planned.at})
        for one in mine:
            yield _line(one, local(one))
        day = day.replace(day=monthrange(day.year, day.month)[1]) + timedelta(days=1)


def _grid(month: date, marked: set[int]) -> Iterator[RenderableType]:
    yield Text(f"{_MONTHS[month.month - 1]} {month.year}", style="bold")
    yield output.line("  ".join(_DAYS))
    for week in Calendar().monthdayscalendar(month.year, month.month):
        cells = (f"{day or '':>2}{'*' if day in marked else ' '}" for day in week)
        yield output.line(" ".join(cells).rstrip())


def _line(one: Entry, at: datetime) -> Text:
    planned = one.planned
    mark = "✔" if one.said else "✘" if planned.at is None else "·"
    told = f"{mark} {_DAYS[at.weekday()]} {at:%d %H:%M}  {planned.occurrence.campaign}"
    told += f" · {planned.variant} · {one.headline}" if planned.variant else ""
    told += f" ({planned.reason})" if planned.reason else ""
    return Text(plain(told))
