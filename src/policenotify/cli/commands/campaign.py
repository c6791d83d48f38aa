"""`policenotify campaign`: look at campaigns before they run, and at what they said."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import RenderableType
from rich.text import Text

from policenotify.cli import age_filter, completion, output
from policenotify.cli.commands.campaign_run import run, serve
from policenotify.cli.context import CliContext, common, pass_call
from policenotify.cli.exit_codes import Exit, exit_codes
from policenotify.cli.options import once

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policenotify.journal.records import PublicationSummary

_SHOWN = 20  # remarks; the rest is counted


@click.group("campaign", epilog=exit_codes("as each command says"))
@common
def campaign() -> None:
    """Say a dated series of messages on time: each once, and never over an alert.

    A campaign is a TOML file; a folder stands for all campaigns in it.

    \b
    Examples:
      policenotify campaign check campaigns
      policenotify campaign calendar campaigns --month 2026-07
      policenotify campaign run campaigns
    """  # noqa: D301 - click's mark for a paragraph that is not to be rewrapped


_files = click.argument("files", metavar="FILE|FOLDER...", nargs=-1, required=True, shell_complete=completion.files)


@campaign.command(
    "check",
    short_help="Check a year of it, on every channel.",
    epilog=exit_codes("1 something would not be said; 6 no journal"),
)
@_files
@common
@pass_call
def check(call: CliContext, files: tuple[str, ...]) -> Exit:
    """Check campaigns before the first word leaves: every message on every channel, and a year of their calendar.

    \b
    Examples:
      policenotify campaign check campaigns/ete.toml campaigns/route.toml
    """  # noqa: D301 - click's mark for a paragraph that is not to be rewrapped
    from policenotify.campaigns import load_campaigns  # noqa: PLC0415 - help needs none
    from policenotify.cli.commands.campaign_check import checked  # noqa: PLC0415 - likewise

    with closing(call.publisher()) as publisher:
        campaigns = load_campaigns(files, allow_missing=True)
        found = checked(campaigns, publisher)
        document = {
            "in_order": not found.problems,
            "campaigns": [one.name for one in campaigns],
            "occurrences": found.occurrences,
            "problems": found.problems,
            "remarks": found.remarks,
        }
        told = f"{len(campaigns)} campaigns, {found.occurrences} occurrences in the year ahead."
        call.emit(document, Text(told, style="bold"), *_lines("✘ ", found.problems), *_lines("· ", found.remarks))
    return Exit.REJECTED if found.problems else Exit.OK


def _lines(mark: str, told: Sequence[str]) -> list[Text]:
    lines = [Text(f"{mark}{line}") for line in told[:_SHOWN]]
    return [*lines, Text(f"{mark}and {len(told) - _SHOWN} more")] if len(told) > _SHOWN else lines


@campaign.command(
    "calendar",
    short_help="Show what will be said when.",
    epilog=exit_codes("1 a campaign is wrong; 6 no journal"),
)
@_files
@once("--month", metavar="YYYY-MM", help="From this month on.  [default: the current one]")
@click.option("--months", type=click.IntRange(1, 36), default=1, show_default=True, metavar="N", help="So many months.")
@once("--ics", metavar="FILE", help="Write it as iCalendar, for Outlook and Thunderbird.")
@common
@pass_call
def calendar(call: CliContext, files: tuple[str, ...], month: str | None, months: int, ics: str | None) -> Exit:
    """Show what was said and what will be, month by month, if no incident comes between.

    \b
    Examples:
      policenotify campaign calendar campaigns
      policenotify campaign calendar campaigns --month 2026-07 --months 2
      policenotify campaign calendar campaigns --months 12 --ics campaigns.ics
    """  # noqa: D301 - click's mark for a paragraph that is not to be rewrapped
    from policenotify.campaigns import load_campaigns  # noqa: PLC0415 - help needs none
    from policenotify.campaigns.ics import ics as written  # noqa: PLC0415 - likewise
    from policenotify.cli.campaign_calendar import entries, month_of, pages_of  # noqa: PLC0415 - likewise

    with closing(call.publisher()) as publisher:
        now = publisher.journal.now()
        campaigns = load_campaigns(files, allow_missing=True)
        first, last = month_of(month, months, now.astimezone(publisher.zone).date())
        shown = entries(publisher, campaigns, first, last)
        if ics is not None:
            _write(ics, written([one.planned for one in shown], campaigns, now=now))
        document = {
            "first": first.isoformat(),
            "last": last.isoformat(),
            "occurrences": [one.document() for one in shown],
            "ics": ics,
        }
        made = [Text(f"Written: {ics}")] if ics is not None else []
        call.emit(document, *pages_of(shown, campaigns, first, last), *made)
    return Exit.OK


def _write(path: str, data: bytes) -> None:
    from policenotify.errors import SettingsError  # noqa: PLC0415 - help needs none

    try:
        Path(path).write_bytes(data)
    except OSError as error:
        raise SettingsError(f"{path} cannot be written ({error.strerror}).") from error


@campaign.command(
    "preview",
    short_help="Show each message as its readers would read it.",
    epilog=exit_codes("1 a check forbids one; 6 no journal"),
)
@_files
@once("--message", metavar="NAME", help="Only the message of this name.")
@common
@pass_call
def preview(call: CliContext, files: tuple[str, ...], message: str | None) -> Exit:
    """Show each message of the campaigns as its readers would read it. Nothing is sent, nothing is written down.

    \b
    Examples:
      policenotify campaign preview campaigns/ete.toml --message otv
    """  # noqa: D301 - click's mark for a paragraph that is not to be rewrapped
    from policenotify.campaigns import load_campaigns  # noqa: PLC0415 - help needs none
    from policenotify.cli.commands.preview import document, page  # noqa: PLC0415 - likewise
    from policenotify.validation import did_you_mean  # noqa: PLC0415 - likewise

    with closing(call.publisher()) as publisher:
        campaigns = load_campaigns(files, allow_missing=True)
        names = {alternative.name for one in campaigns for alternative in one.messages}
        if message is not None and message not in names:
            raise click.BadParameter(
                f"{message!r} is no message. {did_you_mean(message, names)}", param_hint="--message"
            )
        told: list[RenderableType] = []
        documents = []
        for one in campaigns:
            for alternative in one.messages:
                if message in {None, alternative.name}:
                    seen = publisher.preview(alternative.message, to=one.to or None)
                    named = {"campaign": one.name, "alternative": alternative.name}
                    documents.append({**named, **document(seen, publisher)})
                    told += [Text(f"{one.name} · {alternative.name}", style="bold"), *page(seen, publisher)]
        call.emit({"previews": documents}, *told)
    return Exit.OK if all(one["allowed"] for one in documents) else Exit.REJECTED


@campaign.command("report", short_help="Show what was said where.", epilog=exit_codes("6 no journal"))
@once("--since", metavar="AGE", help=f"Not of before: {age_filter.HELP}.  [default: a year]")
@common
@pass_call
def report(call: CliContext, since: str | None) -> Exit:
    """Show what campaigns said where, the share of each theme, and what became of what was not said on time.

    \b
    Examples:
      policenotify campaign report --since 90d
    """  # noqa: D301 - click's mark for a paragraph that is not to be rewrapped
    from policenotify.campaigns.runner import EVENT_KIND, parse_key  # noqa: PLC0415 - help needs none
    from policenotify.campaigns.schedule import KEY_PREFIX  # noqa: PLC0415 - likewise

    with call.journal() as (settings, journal):
        after = age_filter.moment_of(since or "1y", journal.now(), option="--since")
        said = [one for one in journal.publications.by_key_prefix(KEY_PREFIX, after) if parse_key(one.key)]
        remarks = Counter(
            (str(body["campaign"]), str(body["became"])) for body in journal.audit.events(EVENT_KIND, after)
        )
        zone = settings.zone
    themes, channels, campaigns = _shares(said), _channels(said), _campaigns(said, remarks)
    document = {
        "since": after.isoformat(),
        "publications": len(said),
        "themes": themes,
        "channels": channels,
        "campaigns": campaigns,
    }
    head = Text(f"{len(said)} publications of campaigns since {output.moment(after, zone)}.", style="bold")
    rows = [f"  {one['category']}: {one['publications']} ({one['share']:.0%})" for one in themes]
    rows += [f"  on {one['channel']}: {one['posts']} posts, {one['posted']} posted" for one in channels]
    for one in campaigns:
        became = ", ".join(f"{one[name]} {name}" for name in _BECAME if one[name])
        rows.append(f"  {one['name']}: {one['said']} said{f'; {became}' if became else ''}")
    call.emit(document, head, *(output.line(row) for row in rows))
    return Exit.OK


_BECAME = {"late": "late", "waited": "wait", "skipped": "skip", "merged": "merge"}


def _shares(said: Sequence[PublicationSummary]) -> list[dict[str, object]]:
    counts = Counter(str(one.message.category) for one in said)
    return [
        {"category": category, "publications": count, "share": count / len(said)}
        for category, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    ]


def _channels(said: Sequence[PublicationSummary]) -> list[dict[str, object]]:
    posts = Counter(each.channel for one in said for each in one.deliveries)
    posted = Counter(each.channel for one in said for each in one.deliveries if each.outcome == "posted")
    return [{"channel": name, "posts": posts[name], "posted": posted[name]} for name in sorted(posts)]


def _campaigns(said: Sequence[PublicationSummary], remarks: Counter[tuple[str, str]]) -> list[dict[str, object]]:
    from policenotify.campaigns.runner import parse_key  # noqa: PLC0415 - help needs none

    counts = Counter(parts[0] for one in said if (parts := parse_key(one.key)))
    return [
        {"name": name, "said": counts[name], **{told: remarks[name, became] for told, became in _BECAME.items()}}
        for name in sorted({*counts, *(name for name, _ in remarks)})
    ]


for _one in (run, serve):
    campaign.add_command(_one)
