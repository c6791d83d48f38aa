"""Alarms and open incidents of an installation as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta, tzinfo

from policenotify.cli import output
from policenotify.cli.exit_codes import Exit, worst
from policenotify.cli.output import Part
from policenotify.model.lifecycle import IncidentStatus
from policenotify.model.receipt import local_time
from policenotify.model.status import Alarm, IncidentLine, InstallationStatus
from policenotify.publishing.status import clock_was_set, removed_channel, waiting_drafts
from policenotify.translation import Text

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


def status_lines(status: InstallationStatus, zone: tzinfo) -> Iterator[Part]:
    """Yield the alarms, the most severe first, then the open incidents."""
    if status.stopped:
        yield output.prose(Text("STOPPED. {stopped}", stopped=status.stopped), "bold")
    if status.no_worker:
        seen = status.last_heartbeat
        when = Text("since {seen}", seen=local_time(seen, zone)) if seen else Text("yet")
        if status.worker_lost_at is not None:
            when = Text(
                "since {worker_lost_at}, when the last one was killed",
                worker_lost_at=local_time(status.worker_lost_at, zone),
            )
        names = ", ".join(sorted(status.waiting))
        yield output.prose(
            Text(
                "NO WORKER: deliveries wait ({names}), and no worker has run {when}. Run: policenotify "
                "drain, or see that policenotify worker runs",
                names=names,
                when=when,
            ),
            style="bold",
        )
    for running in status.workers:
        yield output.line(
            Text(
                "A worker runs on {host}, seen {seen_at}.",
                host=running.host,
                seen_at=local_time(running.seen_at, zone, seconds=True),
            )
        )
    for step in status.clock_steps:
        yield output.prose(Text("CLOCK: {step}", step=clock_was_set(step, zone)), "bold")
    for name, problem in status.waiting_subscribers.items():
        yield output.line(Text("Events wait for the subscriber {name}: {problem}", name=name, problem=problem))
    yield from _channel_lines(status)
    yield from _reading_lines(status, zone)
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


def _channel_lines(status: InstallationStatus) -> Iterator[Part]:
    for name, blocked in status.blocked.items():
        cause = Text.join(" ", (blocked.reason, f"[{blocked.code}]" if blocked.code else "", blocked.remedy))
        yield output.prose(Text("BLOCKED: {name}. {cause}", name=name, cause=cause), "bold")
        yield output.paragraph(Text("Then: policenotify doctor, or policenotify resume {name}", name=name), "→ ")
    for name, problem in status.channel_problems.items():
        yield output.prose(Text("CANNOT BE USED: {name}. {reason}", name=name, reason=problem.reason), "bold")
        yield output.paragraph(problem.remedy, "→ ")
    for name, elsewhere in status.other_worker_problems.items():
        for problem in elsewhere:
            text = Text(
                "CANNOT BE USED by the process that delivers on {host}: {name}. {reason}",
                host=problem.host,
                name=name,
                reason=problem.reason,
            )
            yield output.prose(text, "bold")
            yield output.paragraph(problem.remedy, "→ ")
    for name, incidents in status.removed_channels.items():
        yield output.prose(Text("REMOVED: {removed}", removed=removed_channel(name, incidents)), "bold")


def _reading_lines(status: InstallationStatus, zone: tzinfo) -> Iterator[Part]:
    for reading in status.second_readings:
        overdue = Text("OVERDUE · ") if reading.due_at <= status.at else ""
        due = local_time(reading.due_at, zone)
        yield output.prose(
            Text(
                "{overdue}SECOND READING owed by {due}: {headline}", overdue=overdue, due=due, headline=reading.headline
            ),
            "bold",
        )
        yield output.paragraph(
            Text(
                "Published urgently by {published_by}: {reason}",
                published_by=reading.published_by,
                reason=reading.reason,
            )
        )
        yield output.paragraph(f"policenotify drafts {reading.publication}", "→ ")
    if status.submitted_drafts:
        yield output.line(waiting_drafts(status))


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
        yield output.paragraph(f'policenotify end {incident.id} "…", or policenotify update {incident.id} "…"', "→ ")


def duration(span: timedelta) -> Text:
    """Return a length of time in its two largest units: `1 h 20 min`."""
    parts: list[Text] = []
    for name, unit in _UNITS:
        count, span = divmod(span, unit)
        parts += [Text("{count} {unit}", count=count, unit=Text.word(name))] if count else []
    return Text.join(" ", parts[:2]) if parts else Text("less than a minute")
