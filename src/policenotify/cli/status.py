"""`policenotify status`: what is open and owed, what was said last, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo
from typing import TYPE_CHECKING

import click
from rich.console import RenderableType
from rich.text import Text

from policenotify.cli import pages
from policenotify.cli.alarms import Alarms
from policenotify.cli.call import Call, common, pass_call
from policenotify.cli.exits import Exit, worst
from policenotify.errors import IllegalCourse
from policenotify.receipt import Publication

if TYPE_CHECKING:
    from policenotify.journal.store import Journal


@click.command("status", short_help="Show what is open, owed, and what became of it.")
@click.argument("which", required=False, metavar="[INCIDENT|PUBLICATION|KEY]")
@click.option("--last", type=click.IntRange(1, 100), default=5, show_default=True, help="How many publications.")
@common
@pass_call
def status(call: Call, which: str | None, last: int) -> Exit:
    """Show open incidents (overdue ones first), the last publications, and what became of them.

    With an incident, a publication or a key: only that; it exits with 1 if it was never published.

    \b
    Examples:
      policenotify status
      policenotify status 2026-4711
      policenotify status --json | jq '.incidents[] | select(.overdue)'
    """  # noqa: D301 - click's mark for a paragraph that is not to be rewrapped
    with call.journal() as (settings, journal):
        alarms = Alarms.read(journal, settings.channels)
        shown = journal.latest(last) if which is None else _found(journal, which)
        zone = settings.zone
    document = {"publications": [pages.document(one) for one in shown]}
    unwell = Exit.IN_ORDER if all(one.in_order for one in shown) else Exit.ATTENTION
    if which is not None:
        waits = any(not receipt.outcome.settled for one in shown for receipt in one)
        call.tell({"nobody_delivering": alarms.nobody and waits, **document}, *_publications(shown, zone))
        return Exit.NOBODY if alarms.nobody and waits else unwell
    call.tell({**alarms.document(), **document}, *alarms.page(zone), Text(), *_last(shown, zone))
    return worst(alarms.exit, unwell)


def _found(journal: Journal, which: str) -> tuple[Publication, ...]:
    if (one := journal.publication(which)) is not None:
        return (one,)
    history = journal.history(which)
    if not history.entries:
        raise IllegalCourse(f"There is no incident, publication or key {which!r}. {history.known()}", incident=which)
    found = (journal.publication(entry.publication) for entry in history.entries)
    return tuple(one for one in found if one is not None)


def _last(shown: tuple[Publication, ...], zone: tzinfo) -> Iterator[RenderableType]:
    yield Text("Last publications:" if shown else "Nothing was published yet.", style="bold")
    yield from _publications(shown, zone)


def _publications(shown: tuple[Publication, ...], zone: tzinfo) -> Iterator[RenderableType]:
    for one in shown:
        yield pages.heading(one, zone)
        yield pages.line(f"  {one.id} · key {one.key} · by {one.actor}")
        yield from pages.receipts(one, zone)
