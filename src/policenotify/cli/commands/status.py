"""`policenotify status`: what is open and owed, what waits, what was published last, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING

import click
from rich.console import RenderableType
from rich.text import Text

from policenotify.cli import completion, output
from policenotify.cli.acceptance import channels_in, noted
from policenotify.cli.alarms import Alarms
from policenotify.cli.context import CliContext, common, pass_call, plain
from policenotify.cli.exit_codes import Exit, exit_codes, worst
from policenotify.cli.lookup import unknown
from policenotify.journal.records import ChannelSummary
from policenotify.model.receipt import Publication

if TYPE_CHECKING:
    from policenotify.journal.journal import Journal

_EXITS = exit_codes(
    "1 never published, or settings wrong; 3 a channel needs attention; 4 overdue; 5 nobody delivers; 6 no journal"
)
_MOST = 3  # incidents, and publications that are not settled, unless all are asked for
_SCREEN = 36  # lines: a publication that does not fit is shown in short
_SHORT = 2  # lines


@click.command("status", epilog=_EXITS)
@click.argument(
    "which", required=False, metavar="[INCIDENT|PUBLICATION|KEY]", shell_complete=completion.ended_incidents
)
@click.option("--last", type=click.IntRange(1, 100), default=5, show_default=True, help="How many publications.")
@click.option("--all", "everything", is_flag=True, help="All open incidents, and all that is not settled, in full.")
@common
@pass_call
def status(call: CliContext, /, which: str | None, last: int, *, everything: bool) -> Exit:
    """Show open incidents (overdue ones first), what waits, the last publications, and what became of them.

    However long ago it was published: what still waits, is held or in doubt is counted, and the most pressing of it is
    shown. With --all everything is shown.

    With an incident, a publication or a key: only that; it exits with 1 if it was never published.

    \b
    Examples:
      policenotify status
      policenotify status 2026-4711
      policenotify status --all --json | jq '.incidents[] | select(.overdue)'
    """  # noqa: D301 - click's mark for a paragraph that is not to be rewrapped
    if which is not None:
        if everything:
            raise click.UsageError("Give --all, or an incident, a publication or a key.")
        return _one(call, which)
    with call.journal() as (settings, journal):
        channels, wrong = channels_in(settings)
        alarms = Alarms.read(journal, channels, most=None if everything else _MOST)
        shown = noted(journal.publications.latest(last), channels)
        ids = _pressing(journal, shown)
        read = map(journal.publications.get, ids if everything else ids[:_MOST])
        older = noted(filter(None, read), channels)
        summaries = journal.deliveries.channel_summaries()
        zone = settings.zone
    document = {
        "settings": wrong or None,
        **alarms.document(),
        "deliveries": {one.name: _document(one) for one in summaries},
        "publications": [output.document(one) for one in shown],
        "unfinished_count": len(ids),
        "unfinished": [output.document(one) for one in older],
    }
    settings_wrong = [Text(plain(wrong), style="bold")] if wrong else []
    top = [*settings_wrong, *alarms.page(zone), *_counts(summaries, zone), Text()]
    call.emit(document, *top, *_last(shown, older, len(ids), zone, None if everything else _SCREEN - len(top)))
    unwell = Exit.OK if all(one.ok for one in shown) and not ids else Exit.ATTENTION
    return worst(alarms.exit, unwell, Exit.REJECTED if wrong else Exit.OK)


def _one(call: CliContext, which: str) -> Exit:
    with call.journal() as (settings, journal):
        channels, _ = channels_in(settings)
        alarms = Alarms.read(journal, channels, most=0)
        shown = noted(_found(journal, which, settings.zone), channels)
        zone = settings.zone
    waits = any(not receipt.outcome.is_final for one in shown for receipt in one)
    document = {"nobody_delivering": alarms.nobody and waits, "publications": [output.document(one) for one in shown]}
    call.emit(document, *_publications(shown, zone, None))
    if alarms.nobody and waits:
        return Exit.NO_WORKER
    return Exit.OK if all(one.ok for one in shown) else Exit.ATTENTION


def _found(journal: Journal, which: str, zone: tzinfo) -> tuple[Publication, ...]:
    history = journal.incidents.history(which)
    named = [entry.publication for entry in history.entries] or [which]
    found = tuple(one for one in map(journal.publications.get, named) if one is not None)
    if not found:
        raise unknown(journal, which, history, zone)
    return found


def _pressing(journal: Journal, shown: Iterable[Publication]) -> list[str]:
    """Return what else is not settled: what a person must settle first, then what has waited longest."""
    needs_person = dict(journal.publications.unfinished_ids())
    for one in shown:
        needs_person.pop(one.id, None)
    return sorted(needs_person, key=lambda one: not needs_person[one])


def _document(channel: ChannelSummary) -> dict[str, object]:
    return {
        "outcomes": dict(channel.outcomes),
        "oldest_waiting": channel.oldest.isoformat() if channel.oldest else None,
    }


def _counts(channels: Sequence[ChannelSummary], zone: tzinfo) -> Iterator[RenderableType]:
    if channels:
        yield Text("\nDeliveries:", style="bold")
    for one in channels:
        pressing = sorted(one.outcomes.items(), key=lambda item: item[0].ok)
        counts = ", ".join(f"{count:,} {outcome}" for outcome, count in pressing)
        since = f"; the oldest waits since {output.moment(one.oldest, zone)}" if one.oldest else ""
        yield output.line(f"  {one.name}: {counts}{since}")


def _last(
    shown: Sequence[Publication], older: Sequence[Publication], unfinished: int, zone: tzinfo, room: int | None
) -> Iterator[RenderableType]:
    yield Text("Last publications:" if shown else "Nothing was published yet.", style="bold")
    newest = list(_publications(shown, zone, None if room is None else room - _SHORT * len(older)))
    yield from newest
    if older:
        yield Text("\nOlder, and not settled yet:", style="bold")
        yield from _publications(older, zone, None if room is None else room - len(newest))
    if unfinished > len(older):
        yield output.line(f"  … and {unfinished - len(older):,} more: policenotify status --all")


def _publications(shown: Sequence[Publication], zone: tzinfo, room: int | None) -> Iterator[RenderableType]:
    """Yield each in full while there is room for it and for the others in short; `None`: there is."""
    for number, one in enumerate(shown, 1):
        block = [
            output.heading(one, zone),
            output.line(f"  {one.id} · key {one.key} · by {one.actor}"),
            *output.receipts(one, zone),
        ]
        if room is not None:
            if len(block) + _SHORT * (len(shown) - number) > room:
                block = [output.heading(one, zone), output.line(f"  {one.id} · {output.in_short(one)}")]
            room -= len(block)
        yield from block
