"""`policenotify campaign calendar`: campaigns month by month, as a wall calendar."""

from __future__ import annotations

import re
from calendar import Calendar, monthrange
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import MAXYEAR, date, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click

from policenotify.cli import output
from policenotify.cli.commands.campaign_run import campaign_files
from policenotify.cli.context import CliContext, common, pass_context
from policenotify.cli.exit_codes import Exit, exit_codes
from policenotify.cli.options import single_value
from policenotify.cli.output import Part
from policenotify.cli.usage import BadParameter
from policenotify.errors import SettingsError
from policenotify.render.locales import LOCALES
from policenotify.translation import AnyText, Text

if TYPE_CHECKING:
    from policenotify.campaigns import Campaign, ForecastEntry
    from policenotify.publishing.publisher import Publisher

# Not by the locale: a calendar that is sent on reads the same everywhere.
_DAYS = tuple(weekday[:2] for weekday in LOCALES["en"].weekdays)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarEntry:
    """One occurrence in the calendar of campaigns.

    Attributes:
        at: When it is published; `None`: never.
        published: It is published already.
        reason: Why it is later than due, or never.
    """

    campaign: str
    day: date
    due: datetime
    at: datetime | None
    variant: str
    headline: str
    published: bool
    reason: AnyText


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarAnswer:
    """The answer of `campaign calendar`, with the iCalendar file if one was written."""

    first: date
    last: date
    occurrences: tuple[CalendarEntry, ...]
    ics: str | None


@click.command(
    "calendar",
    short_help="Show what will be published when.",
    epilog=exit_codes("1 a campaign is wrong; 6 no journal"),
)
@campaign_files
@single_value("--month", metavar="YYYY-MM", help="From this month on.  [default: the current one]")
@click.option(
    "--months", type=click.IntRange(1, 36), default=1, show_default=True, metavar="N", help="Number of months."
)
@single_value("--ics", metavar="FILE", help="Write it as iCalendar, for Outlook and Thunderbird.")
@common
@pass_context
def calendar(call: CliContext, files: tuple[str, ...], month: str | None, months: int, ics: str | None) -> Exit:
    """Show what was and will be published, month by month, as long as no incident interferes.

    \b
    Examples:
      policenotify campaign calendar campaigns
      policenotify campaign calendar campaigns --month 2026-07 --months 2
      policenotify campaign calendar campaigns --months 12 --ics campaigns.ics
    """
    from policenotify.campaigns import load_campaigns
    from policenotify.campaigns.ics import ics as icalendar

    with closing(call.publisher()) as publisher:
        now = publisher.journal.now()
        campaigns = load_campaigns(files, allow_missing=True)
        first, last = _months(month, months, now.astimezone(publisher.installation.zone).date())
        forecast = _forecast(publisher, campaigns, first, last)
        if ics is not None:
            _write(ics, icalendar([entry for entry, _ in forecast], campaigns, now=now))
    entries = [entry for _, entry in forecast]
    written = [output.prose(Text("Written: {ics}", ics=ics))] if ics is not None else []
    answer = CalendarAnswer(first=first, last=last, occurrences=tuple(entries), ics=ics)
    call.emit(answer, *_page(entries, campaigns, first, last), *written)
    return Exit.OK


def _write(path: str, data: bytes) -> None:
    try:
        Path(path).write_bytes(data)
    except OSError as error:
        raise SettingsError(
            Text("{path} cannot be written ({strerror}).", path=path, strerror=error.strerror)
        ) from error


def _months(typed: str | None, months: int, today: date) -> tuple[date, date]:
    """Return the first and the last day of so many months."""
    match = re.fullmatch(r"(\d{4})-(0[1-9]|1[0-2])", typed or f"{today:%Y-%m}", re.ASCII)
    if match is None or match[1] == "0000":
        raise BadParameter(Text("{typed!r} is not a month; write it as 2026-07.", typed=typed), param_hint="--month")
    first = date(int(match[1]), int(match[2]), 1)
    number = first.year * 12 + first.month - 1 + months - 1
    year, month = number // 12, number % 12 + 1
    if year > MAXYEAR:
        raise BadParameter(
            Text.counted(
                "{count} month from {typed} reaches beyond all years.",
                "{count} months from {typed} reach beyond all years.",
                count=months,
                typed=typed or "",
            ),
            param_hint="--months",
        )
    return first, date(year, month, monthrange(year, month)[1])


def _forecast(
    publisher: Publisher, campaigns: Sequence[Campaign], first: date, last: date
) -> list[tuple[ForecastEntry, CalendarEntry]]:
    """Return what was and will be published from day *first* to day *last*, in order."""
    from policenotify.campaigns import ForecastEntry
    from policenotify.campaigns.runner import load_past, upcoming
    from policenotify.campaigns.schedule import Occurrence

    named = {campaign.name: campaign for campaign in campaigns}
    now = publisher.journal.now()
    pairs = []
    for past in load_past(publisher, now):
        if past.campaign in named:
            occurrence = Occurrence(campaign=past.campaign, day=past.day, due=past.at)
            entry = ForecastEntry(occurrence=occurrence, variant=past.variant, at=past.at)
            headline = past.fingerprint.partition("\n")[0]
            pairs.append((entry, _entry(entry, named[past.campaign], headline, published=True)))
    # From now on, whichever month is shown: rotation and deferral follow from what is published before.
    back = max((campaign.late_for for campaign in campaigns), default=timedelta(0)) + timedelta(days=1)
    pairs.extend(
        (entry, _entry(entry, named[entry.occurrence.campaign], "", published=False))
        for entry in upcoming(publisher, campaigns, (now - back).date(), last)
    )
    within = [
        (entry, shown)
        for entry, shown in pairs
        if first <= named[shown.campaign].local(_shown_at(shown)).date() <= last
    ]
    return sorted(within, key=lambda pair: (_shown_at(pair[1]), pair[1].campaign))


def _entry(entry: ForecastEntry, campaign: Campaign, headline: str, *, published: bool) -> CalendarEntry:

    headlines = {variant.name: variant.message.headline for variant in campaign.messages}
    return CalendarEntry(
        campaign=campaign.name,
        day=entry.occurrence.day,
        due=entry.occurrence.due,
        at=entry.at,
        variant=entry.variant,
        headline=headlines.get(entry.variant, headline),
        published=published,
        reason=entry.reason,
    )


def _shown_at(entry: CalendarEntry) -> datetime:
    return entry.at or entry.due


def _page(entries: Sequence[CalendarEntry], campaigns: Sequence[Campaign], first: date, last: date) -> Iterator[Part]:
    """Yield the months: a grid whose days with an entry are marked, then the entries."""
    zones = {campaign.name: campaign.zone for campaign in campaigns}

    def local(entry: CalendarEntry) -> datetime:
        return _shown_at(entry).astimezone(zones[entry.campaign])

    by_month = groupby(entries, key=lambda entry: (local(entry).year, local(entry).month))
    months = {month: list(group) for month, group in by_month}
    day = first
    while day <= last:
        shown = months.get((day.year, day.month), [])
        yield from _grid(day, {local(entry).day for entry in shown if entry.at})
        for entry in shown:
            yield _line(entry, local(entry))
        day = day.replace(day=monthrange(day.year, day.month)[1]) + timedelta(days=1)


def _grid(month: date, marked: set[int]) -> Iterator[Part]:
    yield output.prose(f"{LOCALES['en'].months[month.month - 1]} {month.year}", style="bold")
    yield output.line("  ".join(_DAYS))
    for week in Calendar().monthdayscalendar(month.year, month.month):
        cells = (f"{day or '':>2}{'*' if day in marked else ' '}" for day in week)
        yield output.line(" ".join(cells).rstrip())


def _line(entry: CalendarEntry, at: datetime) -> output.Block:
    mark = "✔" if entry.published else "✘" if entry.at is None else "·"
    day = Text.word(_DAYS[at.weekday()])
    text = Text("{day} {at}  {campaign}", day=day, at=f"{at:%d %H:%M}", campaign=entry.campaign)
    if entry.variant:
        text = Text.join(" · ", (text, entry.variant, entry.headline))
    if entry.reason:
        text = Text("{text} ({reason})", text=text, reason=entry.reason)
    return output.Block(text, mark=f"{mark} ")
