"""`policenotify campaign`: check, preview and report campaigns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from policenotify.cli import output
from policenotify.cli.commands.campaign_calendar import calendar
from policenotify.cli.commands.campaign_run import campaign_files, run, serve
from policenotify.cli.commands.draft import draft_lines
from policenotify.cli.context import CliContext, common, pass_context
from policenotify.cli.documents import json_fields
from policenotify.cli.exit_codes import Exit, exit_codes
from policenotify.cli.options import single_value
from policenotify.cli.output import Part
from policenotify.cli.times import AGE_FORMS, age_of
from policenotify.cli.usage import BadParameter, typed_reason
from policenotify.model.receipt import local_time
from policenotify.translation import AnyText, Text

if TYPE_CHECKING:
    from policenotify.campaigns import Campaign, ForecastEntry
    from policenotify.journal.records import PublicationSummary
    from policenotify.publishing.publisher import Publisher

_SHOWN = 20  # remarks; the rest is counted
_YEAR = timedelta(days=366)  # ahead in the calendar: every public holiday once
_REMARKS = {"late": "late", "waited": "wait", "skipped": "skip", "merged": "merge"}


@click.group("campaign", epilog=exit_codes("as each command says"))
@common
def campaign() -> None:
    """Publish a dated series of messages on time: each once, and never over an alert.

    A campaign is a TOML file; a folder stands for all campaigns in it.

    \b
    Examples:
      policenotify campaign check campaigns
      policenotify campaign calendar campaigns --month 2026-07
      policenotify campaign run campaigns
    """


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
    from policenotify.campaigns import load_campaigns

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
        occurrences: How many are planned in the year ahead; none is counted where a message cannot be published.
        remarks: What would be published later than written, or not in full.
    """

    occurrences: int = 0
    problems: list[AnyText] = field(default_factory=list)
    remarks: list[AnyText] = field(default_factory=list)


def _check(campaigns: Sequence[Campaign], publisher: Publisher) -> _CheckResult:
    """Check every message, then, if all can be published, the calendar of a year."""
    result = _CheckResult()
    _check_messages(campaigns, publisher, result)
    names = {campaign.name for campaign in campaigns}
    for campaign in campaigns:
        for name in sorted(campaign.yields_to - names):
            result.remarks.append(
                Text("{name}: yields to {name_2!r}, which is not checked with it.", name=campaign.name, name_2=name)
            )
    if not result.problems:
        _check_calendar(campaigns, publisher, result)
    return result


def _check_messages(campaigns: Sequence[Campaign], publisher: Publisher, result: _CheckResult) -> None:
    """Collect what forbids a message, and the remarks of the checks on the others."""
    from policenotify.campaigns.approval import find_draft, is_approved, missing_approval
    from policenotify.campaigns.runner import Texts, duplicate_text
    from policenotify.errors import InvalidImage, MessageTooLong, SettingsError
    from policenotify.findings import APPROVAL_MISSING, Level

    remarks: list[AnyText] = []
    texts: Texts = {}
    for campaign in campaigns:
        result.problems += [
            Text("{name}: pacing.channels names {name_2!r}, which is not a channel.", name=campaign.name, name_2=name)
            for name in sorted(set(campaign.pacing.channels) - set(publisher.installation.channel_configs))
        ]
        for variant in campaign.messages:
            label = f"{campaign.name} · {variant.name}"
            try:
                preview = publisher.preview(variant.message, to=campaign.to or None)
            except (MessageTooLong, InvalidImage, SettingsError) as error:
                result.problems.append(Text("{label}: {error}", label=label, error=error))
                continue
            if not preview.posts:
                result.problems.append(
                    Text("{label}: no route takes it. Add one, or name its channels in 'to'.", label=label)
                )
            if campaign.pacing.repeat_after and (same := duplicate_text(campaign, variant, preview.posts, texts)):
                result.problems.append(Text("{name}: {same}", name=campaign.name, same=same))
            result.problems += [
                Text("{label}: {channel}: {refused}", label=label, channel=target.channel, refused=target.refused)
                for target in preview.refusals
            ]
            others = [finding for finding in preview.findings if finding.code != APPROVAL_MISSING]
            draft = find_draft(publisher, campaign, variant) if others != [*preview.findings] else None
            approved = is_approved(draft)
            if others != [*preview.findings] and not approved:
                remarks.append(Text("{label}: {missing}", label=label, missing=missing_approval(draft, variant)))
            for finding in others:
                blocks = finding.level is Level.BLOCK and not approved
                (result.problems if blocks else remarks).append(
                    Text("{label}: {finding}", label=label, finding=finding)
                )
            remarks += [
                Text("{label}: waits on {channel}: {problem}", label=label, channel=channel, problem=problem)
                for channel, problem in preview.blocked.items()
            ]
            remarks += [
                Text("{label}: left out on {channel}: {part}", label=label, channel=w.target.channel, part=part)
                for w in preview.posts
                for part in w.omitted
            ]
    result.remarks += dict.fromkeys(remarks)


def _check_calendar(campaigns: Sequence[Campaign], publisher: Publisher, result: _CheckResult) -> None:
    """Collect what finds no place in the calendar, and what is moved."""
    from policenotify.campaigns.runner import upcoming

    today = publisher.journal.now().astimezone(publisher.installation.zone).date()
    first = max(today, min(campaign.start for campaign in campaigns))
    forecast = upcoming(publisher, campaigns, first, first + _YEAR)
    result.occurrences = len(forecast)
    for campaign in campaigns:
        entries = [entry for entry in forecast if entry.occurrence.campaign == campaign.name]
        if not entries:
            result.remarks.append(Text("{name}: nothing is due in the year ahead.", name=campaign.name))
        for entry in entries:
            _check_entry(entry, campaign, result)


def _check_entry(entry: ForecastEntry, campaign: Campaign, result: _CheckResult) -> None:
    label = f"{campaign.name} · {entry.occurrence.day}"
    if entry.at is None and not str(entry.reason).startswith("a later one"):
        result.problems.append(Text("{label}: would never be published: {reason}.", label=label, reason=entry.reason))
    elif entry.at != entry.occurrence.due:
        moved = Text("waits until {at}", at=local_time(entry.at, campaign.zone)) if entry.at else Text("is merged")
        result.remarks.append(Text("{label}: {moved}: {reason}.", label=label, moved=moved, reason=entry.reason))


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
    from policenotify.campaigns import load_campaigns
    from policenotify.cli.commands.preview import preview_answer, preview_lines
    from policenotify.validation import did_you_mean

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
    from policenotify.campaigns import load_campaigns
    from policenotify.campaigns import submit as submit_campaigns

    with closing(call.publisher()) as publisher:
        campaigns = load_campaigns(files, allow_missing=True)
        with typed_reason():
            drafts = submit_campaigns(publisher, campaigns, actor=call.actor, reason=reason or "")
        page = [line for draft in drafts for line in draft_lines(draft, publisher)]
        call.emit(
            {"drafts": drafts},
            *(page or [output.prose(Text("No message needs the approval of another person."))]),
        )
    return Exit.OK


@campaign.command("report", short_help="Show what was published where.", epilog=exit_codes("6 no journal"))
@single_value("--since", metavar="AGE", help=f"From this age on: {AGE_FORMS!s}.  [default: a year]")
@common
@pass_context
def report(call: CliContext, since: str | None) -> Exit:
    """Show what campaigns published where, the share of each theme, and what was late, skipped or merged.

    \b
    Examples:
      policenotify campaign report --since 90d
    """
    from policenotify.campaigns.runner import EVENT_KIND, parse_key
    from policenotify.campaigns.schedule import KEY_PREFIX

    with call.journal() as (settings, journal):
        after = age_of(since or "1y", journal.now(), option="--since")
        summaries = journal.publications.by_key_prefix(KEY_PREFIX, after)
        published = [publication for publication in summaries if parse_key(publication.key)]
        remarks = Counter(
            (str(body["campaign"]), str(body["action"])) for body in journal.audit.events(EVENT_KIND, after)
        )
        zone = settings.zone
    counts = Counter(parts[0] for publication in published if (parts := parse_key(publication.key)))
    themes, channels, campaigns = _themes(published), _channels(published), _campaigns(counts, remarks)
    document = {
        "since": after.isoformat(),
        "publications": len(published),
        "themes": themes,
        "channels": channels,
        "campaigns": campaigns,
    }
    head = output.prose(
        Text.counted(
            "{count} publication of campaigns since {after}.",
            "{count} publications of campaigns since {after}.",
            count=len(published),
            after=local_time(after, zone),
        ),
        style="bold",
    )
    call.emit(document, head, *map(output.line, _report_lines(themes, channels, campaigns)))
    return Exit.OK


def _report_lines(
    themes: list[dict[str, object]], channels: list[dict[str, object]], campaigns: list[dict[str, object]]
) -> Iterator[AnyText]:
    for theme in themes:
        yield f"  {theme['category']}: {theme['publications']} ({theme['share']:.0%})"
    for channel in channels:
        yield Text.counted(
            "  on {channel}: {count} post, {posted} posted",
            "  on {channel}: {count} posts, {posted} posted",
            count=int(str(channel["posts"])),
            channel=channel["channel"],
            posted=channel["posted"],
        )
    for row in campaigns:
        published = Text("{name}: {published} published", name=row["name"], published=row["published"])
        remarks = Text.join(
            ", ", (Text("{count} {remark}", count=row[name], remark=Text.word(name)) for name in _REMARKS if row[name])
        )
        yield Text.join("", ("  ", Text.join("; ", (published, remarks))))


def _themes(published: Sequence[PublicationSummary]) -> list[dict[str, object]]:
    counts = Counter(str(publication.message.category) for publication in published)
    return [
        {"category": category, "publications": count, "share": count / len(published)}
        for category, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    ]


def _channels(published: Sequence[PublicationSummary]) -> list[dict[str, object]]:
    deliveries = [delivery for publication in published for delivery in publication.deliveries]
    posts = Counter(delivery.channel for delivery in deliveries)
    posted = Counter(delivery.channel for delivery in deliveries if delivery.outcome == "posted")
    return [{"channel": name, "posts": posts[name], "posted": posted[name]} for name in sorted(posts)]


def _campaigns(counts: Counter[str], remarks: Counter[tuple[str, str]]) -> list[dict[str, object]]:
    return [
        {
            "name": name,
            "published": counts[name],
            **{remark: remarks[name, verdict] for remark, verdict in _REMARKS.items()},
        }
        for name in sorted({*counts, *(name for name, _ in remarks)})
    ]


for _command in (calendar, run, serve):
    campaign.add_command(_command)
