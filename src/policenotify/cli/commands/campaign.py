"""`policenotify campaign`: check and run campaigns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta, tzinfo
from pathlib import Path

import click

from policenotify import campaigns as running
from policenotify.campaigns import Campaign, ForecastEntry, RunResult, Variant, load_campaigns
from policenotify.campaigns.approval import find_approval
from policenotify.campaigns.calendar import ics as icalendar
from policenotify.campaigns.runner import upcoming, without_school_calendar
from policenotify.cli import output
from policenotify.cli.commands.draft import draft_lines
from policenotify.cli.commands.preview import preview_lines
from policenotify.cli.context import CliContext, group
from policenotify.cli.documents import json_fields
from policenotify.cli.exit_codes import Exit, worst
from policenotify.cli.options import FILE, Seconds, single_value
from policenotify.cli.output import Part
from policenotify.cli.usage import typed_reason
from policenotify.errors import InvalidImage, MessageTooLong, SettingsError
from policenotify.findings import APPROVAL_MISSING, Level
from policenotify.model.history import Outcome
from policenotify.model.receipt import Publication, local_time
from policenotify.publishing.publisher import Publisher
from policenotify.translation import AnyText, Text

_YEAR = timedelta(days=366)  # ahead in the calendar: every public holiday once
_VERDICTS = {"wait": "waits", "skip": "skipped", "merge": "merged"}
_ON_ITS_WAY = frozenset({Outcome.WAITING, Outcome.SENDING})

campaign_files = click.argument("files", metavar="FILE|FOLDER...", nargs=-1, required=True, type=FILE)
"""Decorator that adds the argument for the files of campaigns."""


@group("campaign", exits="as each command says")
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
    exits="1 a campaign is wrong, or all is stopped; 3 something is not out everywhere; 6 no journal",
)
@campaign_files
@click.option("--wait", type=Seconds(min=0), default=None, metavar="SECONDS", help="Longest time to deliver.")
def run(call: CliContext, files: tuple[str, ...], wait: float | None) -> Exit:
    """Publish what is due now, each occurrence once: for cron and timers, every minute or every quarter of an hour.

    It also tries again what earlier runs have published and is not out yet, for a week. A campaign with an error does
    not stop the others; it is published when the error is corrected.

    \b
    Examples:
      policenotify campaign run campaigns
    """
    with call.publisher() as publisher:
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
    exits="1 something would not be published; 6 no journal",
)
@campaign_files
@click.option("--posts", is_flag=True, help="Also show each message as its readers would read it.")
def check(call: CliContext, files: tuple[str, ...], *, posts: bool) -> Exit:
    """Check campaigns before they start: every message on every channel, and a year of their calendar.

    \b
    Examples:
      policenotify campaign check campaigns/ete.toml campaigns/route.toml
      policenotify campaign check campaigns/ete.toml --posts
    """
    previews: list[object] = []
    page: list[Part] = []
    with call.publisher() as publisher:
        campaigns = load_campaigns(files, allow_missing=True)
        occurrences, problems, remarks = _check(campaigns, publisher)
        for campaign, variant in ((each, message) for each in campaigns if posts for message in each.messages):
            shown = publisher.preview(variant.message, to=campaign.to or None)
            previews.append({"campaign": campaign.name, "variant": variant.name, **json_fields(shown)})
            page += [output.prose(f"{campaign.name} · {variant.name}", "bold"), *preview_lines(shown, publisher)]
    document = {
        "ok": not problems,
        "campaigns": [campaign.name for campaign in campaigns],
        "occurrences": occurrences,
        "problems": problems,
        "remarks": remarks,
        "previews": previews,
    }
    count = output.prose(
        Text.counted(
            "{count} campaign, {occurrences} occurrences in the year ahead.",
            "{count} campaigns, {occurrences} occurrences in the year ahead.",
            count=len(campaigns),
            occurrences=occurrences,
        ),
        style="bold",
    )
    page += [count, *(output.Block(text, mark="✘ ") for text in problems)]
    call.emit(document, *page, *(output.Block(text, mark="· ") for text in remarks))
    return Exit.REJECTED if problems else Exit.OK


def _check(campaigns: Sequence[Campaign], publisher: Publisher) -> tuple[int, list[AnyText], list[AnyText]]:
    """Check every message, then, if all can be published, the calendar of a year.

    Returns:
        How many occurrences are due, what forbids a message, and what would be later or not in full.
    """
    today = publisher.journal.now().astimezone(publisher.installation.zone).date()
    found: list[tuple[bool, AnyText]] = []
    for campaign in campaigns:
        for variant in campaign.messages:
            label = f"{campaign.name} · {variant.name}"
            found += [(wrong, _labelled(label, text)) for wrong, text in _check_message(campaign, variant, publisher)]
        for name in sorted(campaign.yields_to - {each.name for each in campaigns}):
            text = Text("yields to {name!r}, which is not checked with it.", name=name)
            found.append((False, _labelled(campaign.name, text)))
    found += [(False, remark) for remark in without_school_calendar(campaigns, today + _YEAR)]
    entries: Sequence[ForecastEntry] = ()
    if not any(wrong for wrong, _ in found):
        first = max(today, min(campaign.start for campaign in campaigns))
        entries = upcoming(publisher, campaigns, first, first + _YEAR)
        found += [(False, remark) for remark in _check_calendar(campaigns, entries)]
    found = list(dict.fromkeys(found))
    problems, remarks = ([text for wrong, text in found if wrong is kind] for kind in (True, False))
    return len(entries), problems, remarks


def _check_calendar(campaigns: Sequence[Campaign], entries: Sequence[ForecastEntry]) -> Iterator[AnyText]:
    for campaign in campaigns:
        times = [entry.occurrence.due for entry in entries if entry.occurrence.campaign == campaign.name]
        if not times:
            yield _labelled(campaign.name, Text("nothing is due in the year ahead."))
        if any(campaign.quiet.includes(campaign.local(due).time()) for due in times):
            yield _labelled(campaign.name, Text("it is due in its quiet hours, and waits for their end."))


def _labelled(label: str, remark: AnyText) -> Text:
    return Text("{label}: {remark}", label=label, remark=remark)


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
    draft, missing = find_approval(publisher, campaign, variant, preview.findings)
    if missing:
        yield False, missing
    for finding in preview.findings:
        if finding.code != APPROVAL_MISSING:
            yield finding.level is Level.BLOCK and draft is None, finding.text
    for channel, problem in preview.blocked.items():
        yield False, Text("waits on {channel}: {problem}", channel=channel, problem=problem)
    for post in preview.posts:
        for part in post.omitted:
            yield False, Text("left out on {channel}: {part}", channel=post.target.channel, part=part)


@campaign.command(
    "submit",
    short_help="Submit what another person must read first.",
    exits="1 a check forbids one; 6 no journal",
)
@campaign_files
@single_value("--reason", metavar="TEXT", help="Why, in your own words.")
def submit(call: CliContext, files: tuple[str, ...], reason: str | None) -> None:
    """Submit the messages that the rules of approval are about. Nothing is published.

    Another person approves each text once: policenotify approve. It is then published on all days of its campaign,
    for a year at most. A text that you change is submitted again.

    \b
    Examples:
      policenotify campaign submit campaigns
      policenotify campaign submit campaigns/temoins.toml \\
          --reason "Le parquet est d'accord, réf. 12."
    """
    with call.publisher() as publisher:
        campaigns = load_campaigns(files, allow_missing=True)
        with typed_reason():
            drafts = running.submit(publisher, campaigns, actor=call.actor, reason=reason or "")
        page = [line for draft in drafts for line in draft_lines(draft, publisher)]
        call.emit(
            {"drafts": drafts}, *(page or [output.prose(Text("No message needs the approval of another person."))])
        )


@campaign.command(
    "calendar",
    short_help="Show what is due when.",
    exits="1 a campaign is wrong; 6 no journal",
)
@campaign_files
@click.option(
    "--days", type=click.IntRange(1, 1100), default=31, show_default=True, metavar="N", help="How many days from today."
)
@single_value("--ics", metavar="FILE", help="Write it as iCalendar, for Outlook and Thunderbird.")
def calendar(call: CliContext, files: tuple[str, ...], days: int, ics: str | None) -> None:
    """Show what is due. Quiet hours, the pace, another campaign or an incident may make it wait.

    \b
    Examples:
      policenotify campaign calendar campaigns
      policenotify campaign calendar campaigns --days 365 --ics campaigns.ics
    """
    with call.publisher() as publisher:
        now = publisher.journal.now()
        campaigns = load_campaigns(files, allow_missing=True)
        today = now.astimezone(publisher.installation.zone).date()
        forecast = upcoming(publisher, campaigns, today, today + timedelta(days=days))
    if ics is not None:
        try:
            Path(ics).write_bytes(icalendar(forecast, campaigns, now=now))  # a link or a pipe is written, too
        except OSError as error:
            raise SettingsError(
                Text("{path} cannot be written ({strerror}).", path=ics, strerror=error.strerror)
            ) from error
    named = {campaign.name: campaign for campaign in campaigns}
    lines = []
    for entry in forecast:
        each = named[entry.occurrence.campaign]
        due, headline = each.local(entry.occurrence.due), each.variant(entry.variant).message.headline
        lines.append(output.Block(f"{due:%Y-%m-%d %H:%M}  {each.name} · {entry.variant} · {headline}", mark="· "))
    written = [output.prose(Text("Written: {ics}", ics=ics))] if ics is not None else []
    document = {"first": f"{today}", "last": f"{today + timedelta(days=days)}", "occurrences": forecast, "ics": ics}
    call.emit(document, *(lines or [output.prose(Text("Nothing is due."))]), *written)
