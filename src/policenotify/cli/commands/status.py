"""`policenotify status` and `incidents`: alarms, open incidents and outcomes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING

import click
from rich.console import RenderableType
from rich.text import Text

from policenotify.cli import completion, output
from policenotify.cli.alarms import exit_of, incident_lines, status_lines
from policenotify.cli.context import CliContext, common, pass_context
from policenotify.cli.exit_codes import Exit, exit_codes, worst
from policenotify.cli.lookup import configured_channels, not_found, with_notes
from policenotify.cli.results import ChannelDeliveries, IncidentsAnswer, StatusAnswer
from policenotify.model.lifecycle import IncidentStatus
from policenotify.model.receipt import Publication, local_time
from policenotify.publishing.results import InstallationStatus, PublicationResult, by_urgency

if TYPE_CHECKING:
    from policenotify.journal.journal import Journal
    from policenotify.journal.records import ChannelSummary

_EXITS = exit_codes(
    "1 never published, or settings wrong; 3 a channel needs attention; 4 overdue; 5 no worker; 6 no journal"
)
_LIMIT = 3  # incidents, and publications that are not finished, unless all are asked for
_SCREEN = 36  # lines: a publication that does not fit is shown in short
_SHORT = 2  # lines


@click.command("status", epilog=_EXITS)
@click.argument(
    "which", required=False, metavar="[INCIDENT|PUBLICATION|KEY]", shell_complete=completion.ended_incidents
)
@click.option("--last", type=click.IntRange(1, 100), default=5, show_default=True, help="How many publications.")
@click.option("--all", "everything", is_flag=True, help="All open incidents, and all that is not finished, in full.")
@common
@pass_context
def status(call: CliContext, /, which: str | None, last: int, *, everything: bool) -> Exit:
    """Show open incidents (overdue ones first), what waits, the last publications, and their outcomes.

    Older publications that still wait, are held or in doubt are counted, and the most pressing ones shown. With --all
    everything is shown.

    With an incident, a publication or a key: only that; it exits with 1 if it was never published.

    \b
    Examples:
      policenotify status
      policenotify status 2026-4711
      policenotify status --all --json | jq '.incidents[] | select(.overdue)'
    """
    if which is not None:
        if everything:
            raise click.UsageError("Give --all, or an incident, a publication or a key.")
        return _status_of(call, which)
    with call.journal() as (settings, journal):
        channels, wrong = configured_channels(settings)
        installation = InstallationStatus.read(journal, channels, limit=None if everything else _LIMIT)
        latest = with_notes(journal.publications.latest(last), channels)
        ids = _unfinished(journal, latest)
        older = with_notes(filter(None, map(journal.publications.get, ids if everything else ids[:_LIMIT])), channels)
        summaries = journal.deliveries.channel_summaries()
        zone = settings.zone
    answer = StatusAnswer(
        **vars(installation),
        settings=wrong or None,
        deliveries={
            channel.name: ChannelDeliveries(outcomes=channel.outcomes, oldest_waiting=channel.oldest)
            for channel in summaries
        },
        publications=tuple(map(PublicationResult.of, latest)),
        unfinished_count=len(ids),
        unfinished=tuple(map(PublicationResult.of, older)),
    )
    settings_lines = [Text(output.plain(wrong), style="bold")] if wrong else []
    top = [*settings_lines, *status_lines(installation, zone), *_counts(summaries, zone), Text()]
    rows = None if everything else _SCREEN - len(top)
    call.emit(answer, *top, *_last(latest, older, len(ids), zone, rows))
    finished = all(publication.ok for publication in latest) and not ids
    return worst(exit_of(installation), Exit.OK if finished else Exit.ATTENTION, Exit.REJECTED if wrong else Exit.OK)


def _status_of(call: CliContext, name: str) -> Exit:
    with call.journal() as (settings, journal):
        channels, _ = configured_channels(settings)
        installation = InstallationStatus.read(journal, channels, limit=0)
        publications = with_notes(_publications_of(journal, name, settings.zone), channels)
        zone = settings.zone
    waits = any(not receipt.outcome.is_final for publication in publications for receipt in publication)
    no_worker = installation.no_worker and waits
    document = {
        "no_worker": no_worker,
        "publications": [
            PublicationResult.of(publication).model_dump(mode="json", exclude_none=True) for publication in publications
        ],
    }
    call.emit(document, *_publications(publications, zone, None))
    if no_worker:
        return Exit.NO_WORKER
    return Exit.OK if all(publication.ok for publication in publications) else Exit.ATTENTION


def _publications_of(journal: Journal, name: str, zone: tzinfo) -> tuple[Publication, ...]:
    history = journal.incidents.history(name)
    ids = [entry.publication for entry in history.entries] or [name]
    publications = tuple(filter(None, map(journal.publications.get, ids)))
    if not publications:
        raise not_found(journal, name, history, zone)
    return publications


def _unfinished(journal: Journal, latest: Iterable[Publication]) -> list[str]:
    """Return the ids of other unfinished publications, those that need a person first."""
    needs_person = dict(journal.publications.unfinished_ids())
    for publication in latest:
        needs_person.pop(publication.id, None)
    return sorted(needs_person, key=lambda name: not needs_person[name])


def _counts(channels: Sequence[ChannelSummary], zone: tzinfo) -> Iterator[RenderableType]:
    if channels:
        yield Text("\nDeliveries:", style="bold")
    for channel in channels:
        pressing = sorted(channel.outcomes.items(), key=lambda item: item[0].ok)
        counts = ", ".join(f"{count:,} {outcome}" for outcome, count in pressing)
        since = f"; the oldest waits since {local_time(channel.oldest, zone)}" if channel.oldest else ""
        yield output.line(f"  {channel.name}: {counts}{since}")


def _last(
    latest: Sequence[Publication], older: Sequence[Publication], unfinished: int, zone: tzinfo, rows: int | None
) -> Iterator[RenderableType]:
    yield Text("Last publications:" if latest else "Nothing was published yet.", style="bold")
    newest = list(_publications(latest, zone, None if rows is None else rows - _SHORT * len(older)))
    yield from newest
    if older:
        yield Text("\nOlder, and not finished yet:", style="bold")
        yield from _publications(older, zone, None if rows is None else rows - len(newest))
    if unfinished > len(older):
        yield output.line(f"  … and {unfinished - len(older):,} more: policenotify status --all")


def _publications(publications: Sequence[Publication], zone: tzinfo, rows: int | None) -> Iterator[RenderableType]:
    """Yield each in full while it and the others in short fit into *rows* lines."""
    for number, publication in enumerate(publications, 1):
        block = [
            output.heading(publication, zone),
            output.line(f"  {publication.id} · key {publication.key} · by {publication.actor}"),
            *output.receipts(publication, zone),
        ]
        if rows is not None:
            if len(block) + _SHORT * (len(publications) - number) > rows:
                short = f"  {publication.id} · {output.in_short(publication)}"
                block = [output.heading(publication, zone), output.line(short)]
            rows -= len(block)
        yield from block


@click.command("incidents", epilog=exit_codes("4 with --overdue, if any is overdue; 6 no journal"))
@click.option("--overdue", is_flag=True, help="Only those whose update or end is overdue.")
@click.option("--all", "everything", is_flag=True, help="Ended and cancelled ones too.")
@common
@pass_context
def incidents(call: CliContext, /, *, overdue: bool, everything: bool) -> Exit:
    """Show the open incidents, overdue ones first: place, opening and deadline of the next message.

    With --overdue it is for a monitor: it exits with 4 if any is overdue, and with 0 if none is.

    \b
    Examples:
      policenotify incidents
      policenotify incidents --overdue
      policenotify incidents --all --json | jq '.incidents[].id'
    """
    if overdue and everything:
        raise click.UsageError("Give --overdue or --all: an incident that has ended has no deadline.")
    with call.journal() as (settings, journal):
        now = journal.now()
        known = by_urgency(journal.incidents.list(only_open=not everything), now)
        zone = settings.zone
    late = [incident for incident in known if incident.overdue]
    shown = late if overdue else known
    none = "No incident is open."
    if overdue or everything:
        none = "No incident is overdue." if overdue else "There was no incident yet."
    open_now = sum(incident.status is IncidentStatus.OPEN for incident in known)
    count = f"{len(late)} of {open_now} open incidents overdue:" if late else f"{open_now} open, none overdue:"
    lines = (part for incident in shown for part in incident_lines(incident, zone))
    answer = IncidentsAnswer(at=now, overdue=len(late), incidents=tuple(shown))
    call.emit(answer, Text(count if shown else none, style="bold"), *lines)
    return Exit.OVERDUE if overdue and late else Exit.OK
