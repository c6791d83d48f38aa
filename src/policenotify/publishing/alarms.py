"""What a person must act on in an installation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta, tzinfo

from policenotify.model.receipt import local_time
from policenotify.model.status import (
    WAITS,
    Alarm,
    AlarmLine,
    ChannelStatus,
    IncidentLine,
    InstallationStatus,
)
from policenotify.translation import AnyText, Text

_NAMED = 10  # rows in one sentence
_RESTORE = Text(
    "An incident of which a row cannot be read can only be ended or cancelled, and that goes out on its own. To mend "
    "it, restore the row from a copy, or install the newest policenotify."
)
_UNITS = (("d", timedelta(days=1)), ("h", timedelta(hours=1)), ("min", timedelta(minutes=1)))


def alarms(status: InstallationStatus, zone: tzinfo) -> Iterator[AlarmLine]:
    """Yield what a person must act on, the most urgent first. Times are in *zone*."""
    if status.settings:
        yield AlarmLine(kind=Alarm.SETTINGS, about=Text("settings"), text=status.settings)
    if status.stopped:
        yield AlarmLine(kind=Alarm.ATTENTION, about=Text("stop"), text=status.stopped)
    if status.no_worker:
        seen = status.last_heartbeat
        yield AlarmLine(
            kind=Alarm.NO_WORKER,
            about=Text("worker"),
            text=Text(
                "Deliveries wait ({names}), and no worker has run {when}.",
                names=", ".join(sorted(status.waiting)),
                when=Text("since {seen}", seen=local_time(seen, zone)) if seen else Text("yet"),
            ),
            remedy=Text("Run: policenotify drain, or see that policenotify worker runs"),
        )
    if status.damaged:
        yield AlarmLine(
            kind=Alarm.ATTENTION, about=Text("journal"), text=cannot_be_read(status.damaged), remedy=_RESTORE
        )
    yield from _overdue(status, zone)
    for channel in status.channels:
        yield from _of_channel(channel)
    if unfinished := status.unfinished_count + sum(not publication.ok for publication in status.publications):
        text = Text.counted(
            "{count} publication waits, or needs a person.",
            "{count} publications wait, or need a person.",
            count=unfinished,
        )
        remedy = "policenotify status --all"
        yield AlarmLine(kind=Alarm.ATTENTION, about=Text("deliveries"), text=text, remedy=remedy)


def cannot_be_read(rows: Sequence[str]) -> Text:
    """Return that these rows of the journal cannot be read. Ten of them are named."""
    names = Text.join(", ", [*rows[:_NAMED], *(["…"] if len(rows) > _NAMED else [])])
    return Text.counted(
        "{count} row of the journal cannot be read: {names}. Everything else goes on.",
        "{count} rows of the journal cannot be read: {names}. Everything else goes on.",
        count=len(rows),
        names=names,
    )


def _overdue(status: InstallationStatus, zone: tzinfo) -> Iterator[AlarmLine]:
    for reading in status.second_readings:
        if reading.due_at <= status.at:
            yield AlarmLine(
                kind=Alarm.OVERDUE,
                about=Text("second reading"),
                text=Text(
                    "Owed by {due}: {headline}. Published urgently by {published_by}: {reason}",
                    due=local_time(reading.due_at, zone),
                    headline=reading.headline,
                    published_by=reading.published_by,
                    reason=reading.reason,
                ),
                remedy=f"policenotify drafts {reading.publication}",
            )
    for incident in status.incidents:
        if incident.overdue_seconds is not None:
            late = duration(timedelta(seconds=incident.overdue_seconds))
            yield AlarmLine(
                kind=Alarm.OVERDUE,
                about=Text("incident {id}", id=incident.id),
                text=Text("{incident}: its next message is {late} overdue.", incident=incident.subject, late=late),
                remedy=next_message(incident),
            )


def _of_channel(channel: ChannelStatus) -> Iterator[AlarmLine]:
    about = Text("channel {name}", name=channel.name)
    if channel.state not in {"ready", "paused"}:
        state = Text.word(channel.state)
        code = f"[{channel.code}]" if channel.code else ""
        text = Text("{state}. {reason}", state=state, reason=Text.join(" ", (channel.reason, code)))
        go_on = Text("Then: policenotify doctor, or policenotify resume {name}", name=channel.name)
        known = channel.state != "blocked" or str(WAITS) in str(channel.remedy)
        remedy = Text.join(" ", (channel.remedy, "" if known else go_on))
        yield AlarmLine(kind=Alarm.ATTENTION, about=about, text=text, remedy=remedy)
    for problem in channel.blocked_for:
        text = Text(
            "It is blocked for the process that delivers on {host}: {reason}", host=problem.host, reason=problem.reason
        )
        yield AlarmLine(kind=Alarm.ATTENTION, about=about, text=text, remedy=problem.remedy)


def next_message(incident: IncidentLine) -> Text:
    """Return the commands that an overdue incident waits for."""
    return Text('policenotify end {id} "…", or policenotify update {id} "…"', id=incident.id)


def waiting_drafts(status: InstallationStatus) -> AnyText:
    """Return how many drafts wait, and where they are read."""
    return Text.counted(
        "{count} draft waits for its readers: policenotify drafts",
        "{count} drafts wait for their readers: policenotify drafts",
        count=status.submitted_drafts,
    )


def duration(span: timedelta) -> Text:
    """Return a length of time in its two largest units: `1 h 20 min`."""
    parts: list[Text] = []
    for name, unit in _UNITS:
        count, span = divmod(span, unit)
        parts += [Text("{count} {unit}", count=count, unit=Text.word(name))] if count else []
    return Text.join(" ", parts[:2]) if parts else Text("less than a minute")
