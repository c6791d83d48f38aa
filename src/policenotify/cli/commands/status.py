"""`policenotify status`, `incidents` and `doctor`: alarms, channels, open incidents and outcomes."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta, tzinfo

import click
from rich.table import Table
from rich.text import Text as RichText

from policenotify.cli import completion, output
from policenotify.cli.context import CliContext, command
from policenotify.cli.exit_codes import Exit, worst
from policenotify.cli.output import Part
from policenotify.cli.usage import UsageError
from policenotify.model.lifecycle import IncidentStatus
from policenotify.model.receipt import Publication, Receipt, local_time
from policenotify.model.status import Alarm, IncidentLine, InstallationStatus
from policenotify.publishing.alarms import duration, next_message, waiting_drafts
from policenotify.publishing.status import by_urgency
from policenotify.translation import Text

_ALARMS = {
    Alarm.JOURNAL: Exit.NO_JOURNAL,
    Alarm.SETTINGS: Exit.REJECTED,
    Alarm.NO_WORKER: Exit.NO_WORKER,
    Alarm.OVERDUE: Exit.OVERDUE,
    Alarm.ATTENTION: Exit.ATTENTION,
}
_LIMIT = 3  # incidents, and publications that are not finished, unless all are asked for


@command(
    "status", "1 never published, or settings wrong; 3 a channel needs attention; 4 overdue; 5 no worker; 6 no journal"
)
@click.argument("which", required=False, metavar="[INCIDENT|PUBLICATION|KEY]", shell_complete=completion.incidents)
@click.option("--last", type=click.IntRange(1, 100), default=5, show_default=True, help="How many publications.")
@click.option("--all", "everything", is_flag=True, help="All open incidents, and all that is not finished, in full.")
def status(call: CliContext, /, which: str | None, last: int, *, everything: bool) -> Exit:
    """Show open incidents (overdue ones first), each channel, the last publications, and their outcomes.

    Older publications that still wait, are held or in doubt are counted, and the most pressing ones shown. With --all
    everything is shown, in full.

    With an incident, a publication or a key: only that; it exits with 1 if it was never published.

    \b
    Examples:
      policenotify status
      policenotify status 2026-4711
      policenotify status --all --json | jq '.incidents[] | select(.overdue)'
    """
    if which is not None:
        if everything:
            raise UsageError(Text("Give --all, or an incident, a publication or a key."))
        return _status_of(call, which)
    with call.operations() as operations:
        zone = operations.zone
        answer = operations.status(last=last, limit=None if everything else _LIMIT)
    full = sys.maxsize if everything else 1
    top = [*status_lines(answer, zone), *_channels(answer, zone), output.prose()]
    call.emit(answer, *top, *_last(answer, zone, full))
    return exit_of(alarm.kind for alarm in answer.alarms)


def _status_of(call: CliContext, name: str) -> Exit:
    with call.operations() as operations:
        zone = operations.zone
        publications = operations.publications(name)
        quiet = operations.status(last=0, limit=0).no_worker
    waits = any(not receipt.outcome.is_final for publication in publications for receipt in publication)
    document = {"no_worker": quiet and waits, "publications": publications}
    call.emit(document, *_publications(publications, zone, len(publications)))
    if quiet and waits:
        return Exit.NO_WORKER
    return Exit.OK if all(publication.ok for publication in publications) else Exit.ATTENTION


def _channels(status: InstallationStatus, zone: tzinfo) -> Iterator[Part]:
    """Yield the state of each channel, and what waits there. The alarms state why, and what to do."""
    yield output.prose(Text("Channels:"), "bold")
    for channel in status.channels:
        named = f"{channel.name} ({channel.network})" if channel.network else channel.name
        text = Text("{channel}: {state}", channel=named, state=Text.word(channel.state))
        pressing = dict(sorted(channel.outcomes.items(), key=lambda item: item[0].ok))  # what needs a person first
        text = Text.join(" · ", (text, output.counts(pressing)))
        yield output.Block(text, mark="  ✔ " if channel.ok else "  ✘ ", copied=True)
        if channel.opens_at:
            opens_at = local_time(channel.opens_at, zone)
            yield output.paragraph(Text("Nothing leaves before {opens_at}.", opens_at=opens_at))
        if channel.oldest_waiting:
            oldest = local_time(channel.oldest_waiting, zone)
            yield output.paragraph(Text("The oldest has been waiting since {oldest_waiting}.", oldest_waiting=oldest))


def _last(status: InstallationStatus, zone: tzinfo, full: int) -> Iterator[Part]:
    latest, older = status.publications, status.unfinished
    yield output.prose(Text("Last publications:") if latest else Text("Nothing was published yet."), style="bold")
    yield from _publications(latest, zone, full)
    if older:
        yield output.prose(Text("\nOlder, and not finished yet:"), style="bold")
        yield from _publications(older, zone, full - len(latest))
    if (more := status.unfinished_count - len(older)) > 0:
        yield output.line(Text("  … and {unfinished_count:,} more: policenotify status --all", unfinished_count=more))


def _publications(publications: Sequence[Publication], zone: tzinfo, full: int) -> Iterator[Part]:
    """Yield the first ones, so many, and those that need a person in full, and the others in two lines."""
    for number, publication in enumerate(publications):
        yield output.heading(publication, zone)
        if number >= full and not any(map(_needs_person, publication)):
            short = Text("  {id} · {outcomes}", id=publication.id, outcomes=output.in_short(publication))
            yield output.line(short)
            continue
        names = {"id": publication.id, "key": publication.key, "actor": publication.actor}
        yield output.line(Text("  {id} · key {key} · by {actor}", **names))
        yield from output.receipts(publication, zone)


def _needs_person(receipt: Receipt) -> bool:
    """Return True if waiting does not help, for the post or for some people of a list."""
    lost = any(count and each.is_final and not each.ok for each, count in (receipt.recipients or {}).items())
    return not receipt.ok and (receipt.outcome.is_final or lost)


@command("incidents", exits="4 with --overdue, if any is overdue; 6 no journal")
@click.option("--overdue", is_flag=True, help="Only those whose update or end is overdue.")
@click.option("--all", "everything", is_flag=True, help="Ended and cancelled ones too.")
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
        raise UsageError(Text("Give --overdue or --all: an incident that has ended has no deadline."))
    with call.journal() as (settings, journal):
        now = journal.now()
        known = by_urgency(journal.incidents.list(only_open=not everything), now)
        zone = settings.zone
    late = [incident for incident in known if incident.overdue]
    shown = late if overdue else known
    open_now = sum(incident.status is IncidentStatus.OPEN for incident in known)
    head = Text.counted(
        "{count} open incident, {overdue} overdue.",
        "{count} open incidents, {overdue} overdue.",
        count=open_now,
        overdue=len(late),
    )
    lines = (part for incident in shown for part in incident_lines(incident, zone))
    document = {"at": now, "overdue": len(late), "incidents": shown}
    call.emit(document, output.prose(head if known else Text("No incident is open."), style="bold"), *lines)
    return Exit.OVERDUE if overdue and late else Exit.OK


@command(
    "doctor",
    "1 settings or keys wrong; 3 a channel is wrong, or others may read a file; 4 overdue; 5 no worker; 6 no journal",
)
def doctor(call: CliContext) -> Exit:
    """Check the installation: settings, keys, journal, every channel's credentials. Nothing is posted.

    A blocked channel that works again is resumed. One that reported too many recipients as not existing is not.

    \b
    Examples:
      policenotify doctor
      policenotify doctor --json
    """
    from policenotify.settings import diagnose

    found = diagnose(call.settings, journal=call.journal_url, actor=call.actor)
    head = [call.say(name) for name in (Text("check"), Text("state"), Text("detail"))]
    table = Table(*head, box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for line in found.lines:
        detail = RichText(output.plain(call.say(line.detail)), overflow="fold")
        table.add_row(output.plain(call.say(line.check)), call.say(Text.word(line.state)), detail)
    summary = Text("Everything is right.") if found.ok else Text("Something is wrong: see the lines marked WRONG.")
    call.emit(found, table, output.prose(summary, "bold"))
    return exit_of(found.alarms)


def exit_of(kinds: Iterable[Alarm]) -> Exit:
    """Return the exit code of a command that reports alarms of these kinds."""
    return worst(*(_ALARMS[kind] for kind in kinds))


def status_lines(status: InstallationStatus, zone: tzinfo) -> Iterator[Part]:
    """Yield the alarms, what else is to be known, then the open incidents."""
    for alarm in status.alarms:
        yield output.Block(Text("{about}: {text}", about=alarm.about, text=alarm.text), "bold", mark="✘ ")
        if alarm.remedy:
            yield output.paragraph(alarm.remedy, "→ ")
    for running in status.workers:
        seen = local_time(running.seen_at, zone, seconds=True)
        yield output.line(Text("A worker runs on {host}, seen {seen_at}.", host=running.host, seen_at=seen))
    for reading in status.second_readings:
        if reading.due_at > status.at:
            due = local_time(reading.due_at, zone)
            yield output.prose(
                Text("A second reading is owed by {due}: {headline}", due=due, headline=reading.headline)
            )
            yield output.paragraph(f"policenotify drafts {reading.publication}", "→ ")
    if status.submitted_drafts:
        yield output.line(waiting_drafts(status))
    left = status.open_incidents - len(status.incidents)
    count = Text.counted(
        "{count:,} incident is open, {overdue:,} of them overdue.",
        "{count:,} incidents are open, {overdue:,} of them overdue.",
        count=status.open_incidents,
        overdue=status.overdue_incidents,
    )
    head = Text("Open incidents:") if status.open_incidents else Text("No incident is open.")
    yield output.prose(Text("{count} The most urgent:", count=count) if left else head, style="bold")
    for incident in status.incidents:
        yield from incident_lines(incident, zone)
    if left:
        yield output.line(Text("  … and {left:,} more: policenotify incidents", left=left))


def incident_lines(incident: IncidentLine, zone: tzinfo) -> Iterator[Part]:
    """Yield an incident with its place, its deadline and what to do."""
    marks = [Text("OVERDUE")] if incident.overdue else []
    marks += [Text("exercise")] if incident.exercise else []
    named = Text.join(" · ", [*marks, incident.id, incident.category, incident.place or ""])
    yield output.line(Text("  {named}", named=named))
    yield output.paragraph(incident.headline)
    texts = [Text("Opened {at}.", at=local_time(incident.opened_at, zone))]
    if incident.status is not IncidentStatus.OPEN:
        over = Text("It was cancelled.") if incident.status is IncidentStatus.CANCELLED else Text("It has ended.")
        yield output.paragraph(Text.join(" ", [*texts, over]))
        return
    if incident.due_at:
        due, late = local_time(incident.due_at, zone), incident.overdue_seconds
        if late is None:
            texts.append(Text("The next message is due at {due}.", due=due))
        else:
            span = duration(timedelta(seconds=late))
            texts.append(Text("The next message was due at {due}: it is {duration} overdue.", due=due, duration=span))
        if incident.reminded_at:
            at = local_time(incident.reminded_at, zone)
            texts.append(Text("Reminder {number} was raised {at}.", number=incident.reminders, at=at))
    yield output.paragraph(Text.join(" ", texts))
    if incident.overdue:
        yield output.paragraph(next_message(incident), "→ ")
