"""`policenotify campaign`: check, preview and run campaigns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import date, timedelta, tzinfo
from pathlib import Path

import click

from policenotify import campaigns as running
from policenotify.campaigns import Campaign, ForecastEntry, RunResult, Variant, load_campaigns
from policenotify.campaigns.approval import find_draft, is_approved, missing_approval
from policenotify.campaigns.calendar import ics as icalendar
from policenotify.campaigns.runner import upcoming, without_school_calendar
from policenotify.cli import completion, output
from policenotify.cli.commands.draft import draft_lines
from policenotify.cli.commands.preview import preview_answer, preview_lines
from policenotify.cli.context import CliContext, common, pass_context
from policenotify.cli.documents import json_fields
from policenotify.cli.exit_codes import Exit, exit_codes, worst
from policenotify.cli.options import Seconds, single_value
from policenotify.cli.output import Part
from policenotify.cli.usage import BadParameter, typed_reason
from policenotify.errors import InvalidImage, MessageTooLong, SettingsError
from policenotify.findings import APPROVAL_MISSING, Level
from policenotify.model.history import Outcome
from policenotify.model.receipt import Publication, local_time
from policenotify.publishing.publisher import Publisher
from policenotify.translation import AnyText, Text
from policenotify.validation import did_you_mean

_SHOWN = 20  # remarks; the rest is counted
_YEAR = timedelta(days=366)  # ahead in the calendar: every public holiday once
_VERDICTS = {"wait": "waits", "skip": "skipped", "merge": "merged"}
_ON_ITS_WAY = frozenset({Outcome.WAITING, Outcome.SENDING})

campaign_files = click.argument(
    "files", metavar="FILE|FOLDER...", nargs=-1, required=True, shell_complete=completion.files
)
"""Decorator that adds the argument for the files of campaigns."""


@click.group("campaign", epilog=exit_codes("as each command says"))
@common
def campaign() -> None:
    """Publish a dated series of messages on time: each once, and never over an alert.

    A campaign is a TOML file; a folder stands for all campaigns in it.

    \b
    Examples:
      policenotify campaign check campaigns
      policenotify campaign calendar campaigns --days 90
      policenotify campaign run campaigns
    """


@campaign.command(
    "run",
    short_help="Publish what is due now: for cron and timers.",
    epilog=exit_codes("1 a campaign is wrong, or all is stopped; 3 something is not out everywhere; 6 no journal"),
)
@campaign_files
@click.option("--wait", type=Seconds(min=0), default=None, metavar="SECONDS", help="Longest time to deliver.")
@common
@pass_context
def run(call: CliContext, files: tuple[str, ...], wait: float | None) -> Exit:
    """Publish what is due now, each occurrence once: for cron and timers, every minute or every quarter of an hour.

    It also tries again what earlier runs have published and is not out yet, for a week. A campaign with an error does
    not stop the others; it is published when the error is corrected.

    \b
    Examples:
      policenotify campaign run campaigns
    """
    with closing(call.publisher()) as publisher:
        wrong: dict[str, AnyText] = {}
        campaigns, actor = load_campaigns(files, errors=wrong), call.actor
        call.may_have_published = True
        limit = None if wait is None else timedelta(seconds=wait)
        result = running.run(publisher, campaigns, actor=actor, wait=limit)
        result = replace(result, problems={**wrong, **result.problems})
        call.emit(result, *_page(result, publisher.installation.zone))
    waits = publisher.installation.wait if limit is None else limit
    failed = any(_failed(each, waited=bool(waits)) for each in (*result.published, *result.unfinished))
    return worst(Exit.REJECTED if result.problems else Exit.OK, Exit.ATTENTION if failed or result.silent else Exit.OK)


def _failed(publication: Publication, *, waited: bool) -> bool:
    """Return True if a post is not out. One that waits is on its way if the call has not waited for it."""
    return any(not each.ok and (waited or each.outcome not in _ON_ITS_WAY) for each in publication)


def _page(result: RunResult, zone: tzinfo) -> Iterator[Part]:
    for publication in (*result.published, *result.unfinished):
        yield output.heading(publication, zone)
        yield from output.receipts(publication, zone)
    for decision in result.decisions:
        if decision.action in _VERDICTS:
            until = Text(", until {at}", at=local_time(decision.until, zone)) if decision.until else ""
            yield output.prose(
                Text(
                    "{label}: {verdict}: {reason}{until}.",
                    label=f"{decision.occurrence.campaign} · {decision.occurrence.day}",
                    verdict=_VERDICTS[decision.action],
                    reason=decision.reason,
                    until=until,
                )
            )
    for name, problem in result.problems.items():
        yield output.prose(Text("{name}: not published. {problem}", name=name, problem=problem))
    for line in result.calendar:
        yield output.Block(line, mark="✘ " if result.silent else "· ")
    if not (result.published or result.unfinished or result.decisions or result.problems):
        yield output.prose(Text("Nothing is due."))


@campaign.command(
    "check",
    short_help="Check every message and a year of the calendar.",
    epilog=exit_codes("1 something would not be published; 6 no journal"),
)
@campaign_files
@common
@pass_context
def check(call: CliContext, files: tuple[str, ...]) -> Exit:
    """Check campaigns before they start: every message on every channel, and a year of their calendar.

    \b
    Examples:
      policenotify campaign check campaigns/ete.toml campaigns/route.toml
    """
    with closing(call.publisher()) as publisher:
        campaigns = load_campaigns(files, allow_missing=True)
        result = _check(campaigns, publisher)
    document = {
        "ok": not result.problems,
        "campaigns": [campaign.name for campaign in campaigns],
        "occurrences": result.occurrences,
        "problems": result.problems,
        "remarks": result.remarks,
    }
    count = output.prose(
        Text.counted(
            "{count} campaign, {occurrences} occurrences in the year ahead.",
            "{count} campaigns, {occurrences} occurrences in the year ahead.",
            count=len(campaigns),
            occurrences=result.occurrences,
        ),
        style="bold",
    )
    call.emit(document, count, *_lines("✘ ", result.problems), *_lines("· ", result.remarks))
    return Exit.REJECTED if result.problems else Exit.OK


def _lines(mark: str, texts: Sequence[AnyText]) -> list[Part]:
    lines: list[Part] = [output.Block(text, mark=mark) for text in texts[:_SHOWN]]
    return (
        [*lines, output.Block(Text("and {more} more", more=len(texts) - _SHOWN), mark=mark)]
        if len(texts) > _SHOWN
        else lines
    )


@dataclass(slots=True)
class _CheckResult:
    """The result of a check.

    Attributes:
        occurrences: How many are due in the year ahead; none is counted where a message cannot be published.
        remarks: What would be published later than written, or not in full.
    """

    occurrences: int = 0
    problems: list[AnyText] = field(default_factory=list)
    remarks: list[AnyText] = field(default_factory=list)

    def add(self, label: str, remarks: Iterable[tuple[bool, AnyText]]) -> None:
        """Add what is wrong, and what is only to know."""
        for wrong, remark in remarks:
            kept, text = self.problems if wrong else self.remarks, Text("{label}: {remark}", label=label, remark=remark)
            if text not in kept:
                kept.append(text)


def _check(campaigns: Sequence[Campaign], publisher: Publisher) -> _CheckResult:
    """Check every message, then, if all can be published, the calendar of a year."""
    result = _CheckResult()
    now, names = publisher.journal.now(), {campaign.name for campaign in campaigns}
    for campaign in campaigns:
        for variant in campaign.messages:
            result.add(f"{campaign.name} · {variant.name}", _check_message(campaign, variant, publisher))
        missing = [
            (False, Text("yields to {name!r}, which is not checked with it.", name=name))
            for name in sorted(campaign.yields_to - names)
        ]
        result.add(campaign.name, missing)
    result.remarks += without_school_calendar(campaigns, now.date() + _YEAR)
    if not result.problems:
        today = now.astimezone(publisher.installation.zone).date()
        first = max(today, min(campaign.start for campaign in campaigns))
        entries = upcoming(publisher, campaigns, first, first + _YEAR)
        result.occurrences = len(entries)
        for campaign in campaigns:
            times = [entry.occurrence.due for entry in entries if entry.occurrence.campaign == campaign.name]
            if not times:
                result.add(campaign.name, [(False, Text("nothing is due in the year ahead."))])
            if any(campaign.quiet.includes(campaign.local(due).time()) for due in times):
                result.add(campaign.name, [(False, Text("it is due in its quiet hours, and waits for their end."))])
    return result


def _check_message(campaign: Campaign, variant: Variant, publisher: Publisher) -> Iterator[tuple[bool, AnyText]]:
    """Yield what forbids a message, each with True, and what is only to know."""
    try:
        preview = publisher.preview(variant.message, to=campaign.to or None)
    except (MessageTooLong, InvalidImage, SettingsError) as error:
        yield True, error.text
        return
    if not preview.posts:
        yield True, Text("no route takes it. Add one, or name its channels in 'to'.")
    for target in preview.refusals:
        yield True, Text("{channel}: {refused}", channel=target.channel, refused=target.refused)
    findings = [finding for finding in preview.findings if finding.code != APPROVAL_MISSING]
    draft = find_draft(publisher, campaign, variant) if findings != [*preview.findings] else None
    if findings != [*preview.findings] and not is_approved(draft):
        yield False, missing_approval(draft, variant)
    for finding in findings:
        yield finding.level is Level.BLOCK and not is_approved(draft), finding.text
    for channel, problem in preview.blocked.items():
        yield False, Text("waits on {channel}: {problem}", channel=channel, problem=problem)
    for post in preview.posts:
        for part in post.omitted:
            yield False, Text("left out on {channel}: {part}", channel=post.target.channel, part=part)


@campaign.command(
    "preview",
    short_help="Show each message as its readers would read it.",
    epilog=exit_codes("1 a check forbids one; 6 no journal"),
)
@campaign_files
@single_value("--message", metavar="NAME", help="Only the message of this name.")
@common
@pass_context
def preview(call: CliContext, files: tuple[str, ...], message: str | None) -> Exit:
    """Show each message of the campaigns as its readers would read it. Nothing is sent or stored.

    \b
    Examples:
      policenotify campaign preview campaigns/ete.toml --message otv
    """
    with closing(call.publisher()) as publisher:
        campaigns = load_campaigns(files, allow_missing=True)
        names = {variant.name for campaign in campaigns for variant in campaign.messages}
        if message is not None and message not in names:
            hint = did_you_mean(message, names)
            raise BadParameter(
                Text("{message!r} is not a message. {hint}", message=message, hint=hint), param_hint="--message"
            )
        page: list[Part] = []
        previews = []
        for campaign in campaigns:
            for variant in campaign.messages:
                if message in {None, variant.name}:
                    result = publisher.preview(variant.message, to=campaign.to or None, count_people=True)
                    answer = preview_answer(result, publisher)
                    previews.append({"campaign": campaign.name, "variant": variant.name, **json_fields(answer)})
                    label = output.prose(f"{campaign.name} · {variant.name}", style="bold")
                    page += [label, *preview_lines(result, publisher)]
    call.emit({"previews": previews}, *page)
    return Exit.OK if all(each["allowed"] for each in previews) else Exit.REJECTED


@campaign.command(
    "submit",
    short_help="Submit what another person must read first.",
    epilog=exit_codes("1 a check forbids one; 6 no journal"),
)
@campaign_files
@single_value("--reason", metavar="TEXT", help="Why, in your own words.")
@common
@pass_context
def submit(call: CliContext, files: tuple[str, ...], reason: str | None) -> Exit:
    """Submit the messages that the rules of approval are about. Nothing is published.

    Another person approves each text once: policenotify approve. It is then published on all days of its campaign,
    for a year at most. A text that you change is submitted again.

    \b
    Examples:
      policenotify campaign submit campaigns
      policenotify campaign submit campaigns/temoins.toml \\
          --reason "Le parquet est d'accord, réf. 12."
    """
    with closing(call.publisher()) as publisher:
        campaigns = load_campaigns(files, allow_missing=True)
        with typed_reason():
            drafts = running.submit(publisher, campaigns, actor=call.actor, reason=reason or "")
        page = [line for draft in drafts for line in draft_lines(draft, publisher)]
        call.emit(
            {"drafts": drafts}, *(page or [output.prose(Text("No message needs the approval of another person."))])
        )
    return Exit.OK


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarAnswer:
    """The answer of `campaign calendar`, with the iCalendar file if one was written."""

    first: date
    last: date
    occurrences: tuple[ForecastEntry, ...]
    ics: str | None


@campaign.command(
    "calendar",
    short_help="Show what is due when.",
    epilog=exit_codes("1 a campaign is wrong; 6 no journal"),
)
@campaign_files
@click.option(
    "--days", type=click.IntRange(1, 1100), default=31, show_default=True, metavar="N", help="How many days from today."
)
@single_value("--ics", metavar="FILE", help="Write it as iCalendar, for Outlook and Thunderbird.")
@common
@pass_context
def calendar(call: CliContext, files: tuple[str, ...], days: int, ics: str | None) -> Exit:
    """Show what is due. Quiet hours, the pace, another campaign or an incident may make it wait.

    \b
    Examples:
      policenotify campaign calendar campaigns
      policenotify campaign calendar campaigns --days 365 --ics campaigns.ics
    """
    with closing(call.publisher()) as publisher:
        now = publisher.journal.now()
        campaigns = load_campaigns(files, allow_missing=True)
        today = now.astimezone(publisher.installation.zone).date()
        forecast = upcoming(publisher, campaigns, today, today + timedelta(days=days))
    if ics is not None:
        try:
            Path(ics).write_bytes(icalendar(forecast, campaigns, now=now))
        except OSError as error:
            raise SettingsError(
                Text("{path} cannot be written ({strerror}).", path=ics, strerror=error.strerror)
            ) from error
    named = {campaign.name: campaign for campaign in campaigns}
    lines = [_line(entry, named[entry.occurrence.campaign]) for entry in forecast]
    written = [output.prose(Text("Written: {ics}", ics=ics))] if ics is not None else []
    answer = CalendarAnswer(first=today, last=today + timedelta(days=days), occurrences=forecast, ics=ics)
    call.emit(answer, *(lines or [output.prose(Text("Nothing is due."))]), *written)
    return Exit.OK


def _line(entry: ForecastEntry, campaign: Campaign) -> Part:
    at, headline = campaign.local(entry.occurrence.due), campaign.variant(entry.variant).message.headline
    return output.Block(f"{at:%Y-%m-%d %H:%M}  {campaign.name} · {entry.variant} · {headline}", mark="· ")
