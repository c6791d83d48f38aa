"""Alarms and open incidents of an installation as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta, tzinfo

from rich.console import RenderableType
from rich.text import Text

from policenotify.cli import output
from policenotify.cli.exit_codes import Exit, worst
from policenotify.model.lifecycle import IncidentStatus
from policenotify.model.receipt import local_time
from policenotify.model.status import Alarm, IncidentResult, InstallationStatus
from policenotify.publishing.status import clock_was_set, removed_channel, waiting_drafts

_UNITS = (("d", timedelta(days=1)), ("h", timedelta(hours=1)), ("min", timedelta(minutes=1)))
_EXITS = {
    Alarm.JOURNAL: Exit.NO_JOURNAL,
    Alarm.SETTINGS: Exit.REJECTED,
    Alarm.NO_WORKER: Exit.NO_WORKER,
    Alarm.OVERDUE: Exit.OVERDUE,
    Alarm.ATTENTION: Exit.ATTENTION,
}


def exit_of(alarms: Iterable[Alarm]) -> Exit:
    """Return the exit code of a command that reports the alarms."""
    return worst(*(_EXITS[alarm] for alarm in alarms))


def status_lines(status: InstallationStatus, zone: tzinfo) -> Iterator[RenderableType]:
    """Yield the alarms, the most severe first, then the open incidents."""
    if status.stopped:
        yield Text(output.plain(f"STOPPED. {status.stopped}"), style="bold")
    if status.no_worker:
        when = f"since {local_time(status.last_heartbeat, zone)}" if status.last_heartbeat else "yet"
        if status.worker_lost_at is not None:
            when = f"since {local_time(status.worker_lost_at, zone)}, when the last one was killed"
        names = ", ".join(sorted(status.waiting))
        yield Text(
            f"NO WORKER: deliveries wait ({names}), and no worker has run {when}. "
            "Run: policenotify drain, or see that policenotify worker runs",
            style="bold",
        )
    for running in status.workers:
        yield output.line(f"A worker runs on {running.host}, seen {local_time(running.seen_at, zone, seconds=True)}.")
    for step in status.clock_steps:
        yield Text(output.plain(f"CLOCK: {clock_was_set(step, zone)}"), style="bold")
    for name, problem in status.waiting_subscribers.items():
        yield output.line(f"Events wait for the subscriber {name}: {problem}")
    yield from _channel_lines(status)
    yield from _reading_lines(status, zone)
    left = status.open_incidents - len(status.incidents)
    count = f"{status.open_incidents:,} incidents are open, {status.overdue_incidents:,} of them overdue."
    head = "Open incidents:" if status.open_incidents else "No incident is open."
    yield Text(f"{count} The most urgent:" if left else head, style="bold")
    for incident in status.incidents:
        yield from incident_lines(incident, zone)
    if left:
        yield output.line(f"  … and {left:,} more: policenotify incidents")


def _channel_lines(status: InstallationStatus) -> Iterator[RenderableType]:
    for name, blocked in status.blocked.items():
        code = f" [{blocked.code}]" if blocked.code else ""
        cause = f"{blocked.reason}{code} {blocked.remedy}".rstrip()
        yield Text(output.plain(f"BLOCKED: {name}. {cause}"), style="bold")
        yield output.paragraph(f"Then: policenotify doctor, or policenotify resume {name}", "→ ")
    for name, problem in status.channel_problems.items():
        yield Text(output.plain(f"CANNOT BE USED: {name}. {problem.reason}"), style="bold")
        yield output.paragraph(problem.remedy, "→ ")
    for name, elsewhere in status.other_worker_problems.items():
        for problem in elsewhere:
            text = f"CANNOT BE USED by the process that delivers on {problem.host}: {name}. {problem.reason}"
            yield Text(output.plain(text), style="bold")
            yield output.paragraph(problem.remedy, "→ ")
    for name, incidents in status.removed_channels.items():
        yield Text(output.plain(f"REMOVED: {removed_channel(name, incidents)}"), style="bold")


def _reading_lines(status: InstallationStatus, zone: tzinfo) -> Iterator[RenderableType]:
    for reading in status.second_readings:
        overdue = "OVERDUE · " if reading.due_at <= status.at else ""
        due = local_time(reading.due_at, zone)
        yield Text(output.plain(f"{overdue}SECOND READING owed by {due}: {reading.headline}"), style="bold")
        yield output.paragraph(f"Published urgently by {reading.published_by}: {reading.reason}")
        yield output.paragraph(f"policenotify drafts {reading.publication}", "→ ")
    if status.submitted_drafts:
        yield output.line(waiting_drafts(status))


def incident_lines(incident: IncidentResult, zone: tzinfo) -> Iterator[RenderableType]:
    """Yield an incident with its place, its deadline and what to do."""
    marks = f"{'OVERDUE · ' if incident.overdue else ''}{'exercise · ' if incident.exercise else ''}"
    place = f" · {incident.place}" if incident.place else ""
    yield output.line(f"  {marks}{incident.id} · {incident.category}{place}")
    yield output.quoted(incident.headline)
    text = f"Opened {local_time(incident.opened_at, zone)}."
    if incident.status is not IncidentStatus.OPEN:
        over = "It was cancelled." if incident.status is IncidentStatus.CANCELLED else "It has ended."
        yield output.paragraph(f"{text} {over}")
        return
    if incident.due_at:
        due, late = local_time(incident.due_at, zone), incident.overdue_seconds
        if late is None:
            text += f" The next message is due at {due}."
        else:
            text += f" The next message was due at {due}, and is overdue for {duration(timedelta(seconds=late))}."
        if incident.reminded_at:
            text += f" Reminder {incident.reminders} was raised {local_time(incident.reminded_at, zone)}."
    yield output.paragraph(text)
    if incident.overdue:
        yield output.paragraph(f'policenotify end {incident.id} "…", or policenotify update {incident.id} "…"', "→ ")


def duration(span: timedelta) -> str:
    """Return a length of time in its two largest units: `1 h 20 min`."""
    parts = []
    for name, unit in _UNITS:
        count, span = divmod(span, unit)
        parts += [f"{count} {name}"] if count else []
    return " ".join(parts[:2]) or "less than a minute"
