"""`policenotify status`: what is open and owed, what was said last, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo
from typing import TYPE_CHECKING

import click
from rich.console import RenderableType
from rich.text import Text

from policenotify.cli import completing, pages
from policenotify.cli.alarms import Alarms
from policenotify.cli.call import Call, common, pass_call, plain
from policenotify.cli.exits import Exit, exit_codes, worst
from policenotify.cli.unverified import channels_in, noted
from policenotify.cli.which import unknown
from policenotify.receipt import Publication

if TYPE_CHECKING:
    from policenotify.journal.store import Journal

_EXITS = exit_codes(
    "1 never published, or settings wrong; 3 a channel needs attention; 4 overdue; 5 nobody delivers; 6 no journal"
)


@click.command("status", epilog=_EXITS)
@click.argument(
    "which", required=False, metavar="[INCIDENT|PUBLICATION|KEY]", shell_complete=completing.ended_incidents
)
@click.option("--last", type=click.IntRange(1, 100), default=5, show_default=True, help="How many publications.")
@common
@pass_call
def status(call: Call, which: str | None, last: int) -> Exit:
    """Show open incidents (overdue ones first), the last publications, and what became of them.

    However long ago it was published: what still waits, is held or in doubt is shown too.

    With an incident, a publication or a key: only that; it exits with 1 if it was never published.

    \b
    Examples:
      policenotify status
      policenotify status 2026-4711
      policenotify status --json | jq '.incidents[] | select(.overdue)'
    """  # noqa: D301 - click's mark for a paragraph that is not to be rewrapped
    with call.journal() as (settings, journal):
        channels, wrong = channels_in(settings)
        alarms = Alarms.read(journal, channels)
        shown = noted(journal.latest(last) if which is None else _found(journal, which, settings.zone), channels)
        named = {one.id for one in shown}
        older = noted((one for one in journal.unfinished() if one.id not in named), channels) if which is None else ()
        zone = settings.zone
    document: dict[str, object] = {"publications": [pages.document(one) for one in shown]}
    unwell = Exit.IN_ORDER if all(one.in_order for one in shown) and not older else Exit.ATTENTION
    if which is not None:
        waits = any(not receipt.outcome.settled for one in shown for receipt in one)
        call.tell({"nobody_delivering": alarms.nobody and waits, **document}, *_publications(shown, zone))
        return Exit.NOBODY if alarms.nobody and waits else unwell
    document["unfinished"] = [pages.document(one) for one in older]
    settings_wrong = [Text(plain(wrong), style="bold")] if wrong else []
    page = (*settings_wrong, *alarms.page(zone), Text(), *_last(shown, older, zone))
    call.tell({"settings": wrong or None, **alarms.document(), **document}, *page)
    return worst(alarms.exit, unwell, Exit.NOT_PUBLISHED if wrong else Exit.IN_ORDER)


def _found(journal: Journal, which: str, zone: tzinfo) -> tuple[Publication, ...]:
    history = journal.history(which)
    named = [entry.publication for entry in history.entries] or [which]
    found = tuple(one for one in map(journal.publication, named) if one is not None)
    if not found:
        raise unknown(journal, which, history, zone)
    return found


def _last(shown: tuple[Publication, ...], older: tuple[Publication, ...], zone: tzinfo) -> Iterator[RenderableType]:
    yield Text("Last publications:" if shown else "Nothing was published yet.", style="bold")
    yield from _publications(shown, zone)
    if older:
        yield Text("\nOlder, and not settled yet:", style="bold")
        yield from _publications(older, zone)


def _publications(shown: tuple[Publication, ...], zone: tzinfo) -> Iterator[RenderableType]:
    for one in shown:
        yield pages.heading(one, zone)
        yield pages.line(f"  {one.id} · key {one.key} · by {one.actor}")
        yield from pages.receipts(one, zone)
