"""`policenotify incidents`: what is open, and what is owed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import click
from rich.text import Text

from policenotify.cli import incident_lines
from policenotify.cli.context import CliContext, common, pass_call
from policenotify.cli.exit_codes import Exit, exit_codes
from policenotify.journal.records import IncidentLine
from policenotify.model.lifecycle import IncidentStatus


@click.command("incidents", epilog=exit_codes("4 with --overdue, if any is overdue; 6 no journal"))
@click.option("--overdue", is_flag=True, help="Only those whose update or end is owed.")
@click.option("--all", "everything", is_flag=True, help="Ended and cancelled ones too.")
@common
@pass_call
def incidents(call: CliContext, /, *, overdue: bool, everything: bool) -> Exit:
    """Show the open incidents, overdue ones first: where, since when, and until when a word is owed.

    With --overdue it is one for a monitor: it exits with 4 if any is overdue, and with 0 if none is.

    \b
    Examples:
      policenotify incidents
      policenotify incidents --overdue
      policenotify incidents --all --json | jq '.incidents[].id'
    """  # noqa: D301 - click's mark for a paragraph that is not to be rewrapped
    if overdue and everything:
        raise click.UsageError("Give --overdue or --all: an incident that has ended owes nothing.")
    with call.journal() as (settings, journal):
        now = journal.now()
        found = in_order(journal.incidents.list(only_open=not everything), now)
        zone = settings.zone
    late = [one for one in found if incident_lines.overdue(one, now) is not None]
    shown = late if overdue else found
    document = {
        "at": now.isoformat(),
        "overdue": len(late),
        "incidents": [incident_lines.document(one, now) for one in shown],
    }
    none = "No incident is open."
    if overdue or everything:
        none = "No incident is overdue." if overdue else "There was no incident yet."
    still = sum(one.status is IncidentStatus.OPEN for one in found)
    told = f"{len(late)} of {still} open incidents overdue:" if late else f"{still} open, none overdue:"
    lines = (part for one in shown for part in incident_lines.page(one, now, zone))
    call.emit(document, Text(told if shown else none, style="bold"), *lines)
    return Exit.OVERDUE if overdue and late else Exit.OK


def in_order(found: Sequence[IncidentLine], now: datetime) -> list[IncidentLine]:
    """Overdue ones first, the longest first; then by what is owed next; then what is over, the last one first."""
    never = datetime.max.replace(tzinfo=now.tzinfo)
    still = [one for one in found if one.status is IncidentStatus.OPEN]
    over = [one for one in found if one.status is not IncidentStatus.OPEN]
    still.sort(key=lambda one: (one.due_at or never, one.opened_at))
    return [*still, *sorted(over, key=lambda one: one.opened_at, reverse=True)]
