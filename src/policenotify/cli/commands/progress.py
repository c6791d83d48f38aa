"""`policenotify progress`: how far a sending to many people is, from any terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING

import click

from policenotify.cli import bar, completion, output
from policenotify.cli.context import CliContext, Seconds, common, pass_context
from policenotify.cli.exit_codes import Exit, exit_codes
from policenotify.cli.lookup import find_publication
from policenotify.cli.output import Part
from policenotify.model.history import Outcome
from policenotify.model.receipt import local_time
from policenotify.translation import Text

if TYPE_CHECKING:
    from policenotify.journal.journal import Journal
    from policenotify.model.progress import Progress
    from policenotify.model.receipt import Publication
    from policenotify.settings import Settings

_LINE_EVERY = 10.0  # seconds between two lines that no terminal shows


@click.command("progress", epilog=exit_codes("1 never published; 3 a person must act; 6 no journal"))
@click.argument("which", required=False, metavar="[INCIDENT|PUBLICATION|KEY]", shell_complete=completion.publications)
@click.option("--once", is_flag=True, help="Show it once and exit.")
@click.option("--every", type=Seconds(min=0.1), metavar="SECONDS", help="Interval between two looks.")
@common
@pass_context
def progress(call: CliContext, which: str | None, once: bool, every: float | None) -> Exit:  # noqa: FBT001 - click hands options over so
    """Show how far a sending to many people is, until it is settled: counts, rate, time left, and reasons.

    It shows what any process sends, and sends nothing itself. Without a name it shows the newest publication that is
    not finished. On a terminal it draws bars; elsewhere it prints lines. With --json it answers once.

    \b
    Examples:
      policenotify progress
      policenotify progress 2026-4711
      policenotify progress 2026-4711 --json | jq '.deliveries[].refused'
    """
    with call.journal() as (settings, journal):
        publication = _publication(journal, which, settings)
        if publication is None:
            call.emit({"publication": None}, output.prose(Text("Nothing was published yet.")))
            return Exit.OK
        found = journal.sendings.progress(publication.id)
        if found is not None and found.bulk and not (once or call.json):
            found = _followed(call, journal, found, every)
        zone = settings.zone
    assert found is not None  # noqa: S101 - a publication has deliveries, and none is ever removed
    head = [
        output.heading(publication, zone),
        output.line(Text.join(" · ", (publication.id, local_time(found.at, zone)))),
    ]
    call.emit(found, *head, *_summary(found))
    return Exit.ATTENTION if any(each.needs_person for each in found.deliveries) else Exit.OK


def _publication(journal: Journal, which: str | None, settings: Settings) -> Publication | None:
    """Return the publication that is named, else the newest that is not finished, else the last one."""
    if which is not None:
        return find_publication(journal, which, settings.zone)
    if unfinished := [*journal.publications.unfinished_ids()]:
        return journal.publications.get(unfinished[-1])
    return next(iter(journal.publications.latest(1)), None)


def _followed(call: CliContext, journal: Journal, found: Progress, every: float | None) -> Progress:
    """Show the progress until it is settled. Return the last one."""
    drawn = sys.stderr.isatty()
    seconds = every or (1.0 if drawn else _LINE_EVERY)
    samples = bar.Samples()
    with bar.live() if drawn else nullcontext() as place:
        while True:
            samples.add(found)
            if place is not None:
                place.update(bar.drawn(samples, call.say), refresh=True)
            elif not found.is_settled:
                for _, line in samples.lines():
                    click.echo(output.plain(call.say(line)), err=True)
            if found.is_settled:
                return found
            journal.clock.sleep(seconds)
            found = journal.sendings.progress(found.publication) or found


def _summary(found: Progress) -> Iterator[Part]:
    """Yield the deliveries with recipients, each with its most frequent reasons."""
    samples = bar.Samples()
    samples.add(found)
    for delivery, line in samples.lines():
        yield output.line(line)
        if delivery.reason and not delivery.reasons:
            yield output.paragraph(delivery.reason)
        for reason in delivery.reasons[: output.TOP]:
            yield output.paragraph(output.reason_line(reason))
        if (more := len(delivery.reasons) - output.TOP) > 0:
            yield output.paragraph(
                Text.counted("… and {count} more reason: --json", "… and {count} more reasons: --json", count=more)
            )
        if delivery.wrong_rows:
            yield output.paragraph(
                Text.counted(
                    "{count} row of the list names nobody.",
                    "{count} rows of the list name nobody.",
                    count=delivery.wrong_rows,
                )
            )
        if delivery.people.get(Outcome.HELD):
            yield output.paragraph(Text("Who is held: policenotify held {delivery}", delivery=delivery.delivery), "→ ")
    if not found.bulk:
        yield output.prose(Text("It is sent to no list of people."))
