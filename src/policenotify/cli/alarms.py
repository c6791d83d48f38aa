"""Alarms and open incidents of an installation as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta, tzinfo

from policenotify.cli import output
from policenotify.cli.exit_codes import Exit, worst
from policenotify.cli.output import Part
from policenotify.model.lifecycle import IncidentStatus
from policenotify.model.receipt import local_time
from policenotify.model.status import Alarm, AlarmLine, IncidentLine, InstallationStatus
from policenotify.publishing.alarms import duration, next_message, waiting_drafts
from policenotify.translation import Text

_EXITS = {
    Alarm.JOURNAL: Exit.NO_JOURNAL,
    Alarm.SETTINGS: Exit.REJECTED,
    Alarm.NO_WORKER: Exit.NO_WORKER,
    Alarm.OVERDUE: Exit.OVERDUE,
    Alarm.ATTENTION: Exit.ATTENTION,
}


def exit_of(kinds: Iterable[Alarm]) -> Exit:
    """Return the exit code of a command that reports alarms of these kinds."""
    return worst(*(_EXITS[kind] for kind in kinds))


def alarm_lines(alarms: Iterable[AlarmLine]) -> Iterator[Part]:
    """Yield each alarm with what to do."""
    for alarm in alarms:
        yield output.Block(Text("{about}: {text}", about=alarm.about, text=alarm.text), "bold", mark="✘ ")
        if alarm.remedy:
            yield output.paragraph(alarm.remedy, "→ ")


def status_lines(status: InstallationStatus, zone: tzinfo) -> Iterator[Part]:
    """Yield the alarms, what else is to be known, then the open incidents."""
    yield from alarm_lines(status.alarms)
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
    yield output.quoted(incident.headline)
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
