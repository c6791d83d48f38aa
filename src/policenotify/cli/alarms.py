"""Alarms and open incidents of an installation as text."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta, tzinfo

from rich.console import RenderableType
from rich.text import Text

from policenotify.cli import output
from policenotify.cli.exit_codes import Exit, worst
from policenotify.journal.records import Takeover
from policenotify.model.lifecycle import IncidentStatus
from policenotify.model.receipt import local_time
from policenotify.publishing.results import IncidentResult, InstallationStatus

_NAMED = 10  # incidents in one sentence
_UNITS = (("d", timedelta(days=1)), ("h", timedelta(hours=1)), ("min", timedelta(minutes=1)))


def exit_of(status: InstallationStatus) -> Exit:
    """Return the exit code of a command that reports the status."""
    attention = (
        status.stopped
        or status.blocked
        or status.removed_channels
        or status.taken_over_again
        or status.channel_problems
    )
    return worst(
        Exit.NO_WORKER if status.no_worker else Exit.OK,
        Exit.OVERDUE if status.overdue_incidents or status.overdue_readings else Exit.OK,
        Exit.ATTENTION if attention else Exit.OK,
    )


def removed_channel(name: str, incidents: tuple[str, ...]) -> str:
    """Return the alarm of a channel that is no longer in the settings.

    Args:
        name: The channel's name.
        incidents: The open incidents that were published there; none: deliveries wait for it.
    """
    if not incidents:
        return (
            f"{name} is no longer in the settings, and messages wait for it. Restore it; with retired = true "
            "no new incident is published on it."
        )
    more = len(incidents) - _NAMED
    names = ", ".join([*incidents[:_NAMED], *([f"{more:,} more incidents"] if more > 0 else [])])
    return (
        f"{name} is no longer in the settings, and its readers know of {names}, whose end would not reach them. "
        "Restore it with retired = true until they are over."
    )


def repeated_takeover(takeover: Takeover, zone: tzinfo) -> str:
    """Return what it means that a delivery was taken over twice, and what to do."""
    return (
        f"delivery {takeover.delivery} on {takeover.channel} was taken over twice within one lease, the last time "
        f"{local_time(takeover.at, zone)}: workers end while they send it, or take it from each other. It may have "
        "been sent twice. Look into the workers' logs, and at the clocks of their machines."
    )


def status_lines(status: InstallationStatus, zone: tzinfo) -> Iterator[RenderableType]:
    """Yield the alarms, the most severe first, then the open incidents."""
    if status.stopped:
        yield Text(output.plain(f"STOPPED. {status.stopped}"), style="bold")
    if status.no_worker:
        when = f"since {local_time(status.last_heartbeat, zone)}" if status.last_heartbeat else "yet"
        names = ", ".join(sorted(status.waiting))
        yield Text(
            f"NO WORKER: deliveries wait ({names}), and no worker has run {when}. "
            "Run: policenotify drain, or see that policenotify worker runs",
            style="bold",
        )
    for name, blocked in status.blocked.items():
        code = f" [{blocked.code}]" if blocked.code else ""
        cause = f"{blocked.reason}{code} {blocked.remedy}".rstrip()
        yield Text(output.plain(f"BLOCKED: {name}. {cause}"), style="bold")
        yield output.paragraph(f"Then: policenotify doctor, or policenotify resume {name}", "→ ")
    for name, problem in status.channel_problems.items():
        yield Text(output.plain(f"CANNOT BE USED: {name}. {problem.reason}"), style="bold")
        yield output.paragraph(problem.remedy, "→ ")
    for name, incidents in status.removed_channels.items():
        yield Text(output.plain(f"REMOVED: {removed_channel(name, incidents)}"), style="bold")
    for takeover in status.taken_over_again:
        yield Text(output.plain(f"TAKEN OVER TWICE: {repeated_takeover(takeover, zone)}"), style="bold")
    yield from _reading_lines(status, zone)
    left = status.open_incidents - len(status.incidents)
    count = f"{status.open_incidents:,} incidents are open, {status.overdue_incidents:,} of them overdue."
    head = "Open incidents:" if status.open_incidents else "No incident is open."
    yield Text(f"{count} The most urgent:" if left else head, style="bold")
    for incident in status.incidents:
        yield from incident_lines(incident, zone)
    if left:
        yield output.line(f"  … and {left:,} more: policenotify incidents")


def _reading_lines(status: InstallationStatus, zone: tzinfo) -> Iterator[RenderableType]:
    for reading in status.second_readings:
        overdue = "OVERDUE · " if reading.due_at <= status.at else ""
        due = local_time(reading.due_at, zone)
        yield Text(output.plain(f"{overdue}SECOND READING owed by {due}: {reading.headline}"), style="bold")
        yield output.paragraph(f"Published urgently by {reading.published_by}: {reading.reason}")
        yield output.paragraph(f"policenotify drafts {reading.publication}", "→ ")
    if status.submitted_drafts:
        yield output.line(waiting_drafts(status))


def waiting_drafts(status: InstallationStatus) -> str:
    """Return how many drafts wait, and where they are read."""
    return f"{status.submitted_drafts} drafts wait for their readers: policenotify drafts"


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
