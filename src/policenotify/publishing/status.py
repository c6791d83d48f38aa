"""Read the state of an installation: its channels, and what needs a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from policenotify.channel import ChannelConfig
from policenotify.errors import Unavailable
from policenotify.journal.records import moment
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import IncidentStatus
from policenotify.model.status import (
    MEND,
    ChannelStatus,
    IncidentLine,
    InstallationStatus,
    Problem,
    SecondReading,
)
from policenotify.translation import Text

if TYPE_CHECKING:
    from policenotify.journal.figures import JournalFigures
    from policenotify.journal.journal import Journal
    from policenotify.model.draft import Draft

_NAMED = 10  # incidents in one sentence
_WAITS = frozenset({Outcome.WAITING, Outcome.SENDING, Outcome.UNCONFIRMED})


def why_blocked(channel: ChannelConfig, had_recipients: Callable[[str], bool]) -> Problem | None:
    """Return why its settings or its people block the channel now, if so. Of its audiences the first rows are read.

    Empty audiences block it if *had_recipients* returns that the channel of that name had people before.
    """
    if channel.blocked:
        reason = Text("The channel {name!r} is blocked: {why}", name=channel.name, why=channel.blocked)
        return Problem(reason=reason, remedy=MEND)
    if not channel.capabilities.recipients:
        return None
    from policenotify.delivery.audience_reader import check_audiences  # noqa: PLC0415 - most networks have no lists

    try:
        check_audiences(channel, had_recipients)
    except Unavailable as problem:
        return Problem(reason=problem.reason, remedy=problem.remedy)
    return None


def read_blocked(journal: Journal, configs: Mapping[str, ChannelConfig]) -> dict[str, Problem]:
    """Return the channels on which nothing is sent until a person acts, by name, and why."""
    found = {
        name: Problem(reason=error.reason, remedy=error.remedy, code=error.code)
        for name, error in journal.channels.blocked().items()
    }
    for name, config in configs.items():
        if (problem := why_blocked(config, journal.deliveries.had_recipients)) is not None:
            found[name] = problem  # to be mended first
    return found


def by_urgency(incidents: Iterable[IncidentLine], now: datetime) -> list[IncidentLine]:
    """Return the open incidents by their deadline, then the closed ones, newest first."""
    never = datetime.max.replace(tzinfo=now.tzinfo)
    results = []
    for incident in incidents:
        due = incident.due_at if incident.status is IncidentStatus.OPEN else None
        late = (now - due) // timedelta(seconds=1) if due and due <= now else None
        results.append(replace(incident, overdue_seconds=late))
    open_now = [incident for incident in results if incident.status is IncidentStatus.OPEN]
    closed = [incident for incident in results if incident.status is not IncidentStatus.OPEN]
    open_now.sort(key=lambda incident: (incident.due_at or never, incident.opened_at))
    return [*open_now, *sorted(closed, key=lambda incident: incident.opened_at, reverse=True)]


def read_status(
    journal: Journal, configs: Mapping[str, ChannelConfig], *, limit: int | None = None
) -> InstallationStatus:
    """Read the journal and the lists of recipients: all open incidents, or at most *limit*, and no publications."""
    figures, stopped = journal.figures.read(people=False), journal.stopped()
    now = moment(figures.at)
    return InstallationStatus(
        at=now,
        stopped=stopped.text if stopped else None,
        last_heartbeat=journal.workers.last_heartbeat(),
        workers=journal.workers.running(),
        channels=read_channels(journal, configs, figures),
        open_incidents=sum(figures.incidents_open.values()),
        overdue_incidents=figures.incidents_overdue,
        incidents=tuple(
            by_urgency(journal.incidents.list() if limit is None else journal.incidents.earliest_due(limit), now)
        ),
        damaged=journal.damaged_rows(only_open=True),
        second_readings=tuple(map(_second_reading, journal.drafts.owed(limit))),
        overdue_readings=figures.drafts.readings_overdue,
        submitted_drafts=figures.drafts.waiting,
    )


def read_channels(
    journal: Journal, configs: Mapping[str, ChannelConfig], figures: JournalFigures
) -> tuple[ChannelStatus, ...]:
    """Read the state of each channel, in the order of the settings, then of those that were removed from them."""
    deliveries = journal.deliveries
    blocked, elsewhere = read_blocked(journal, configs), journal.workers.blocked_channels()
    opens = journal.channels.opens_at({name: config.rate for name, config in configs.items()})
    due = deliveries.due({name: None for name, config in configs.items() if not config.blocked})
    statuses = [
        ChannelStatus(
            name=name,
            network=config.network,
            account=config.account,
            retired=config.retired,
            exercise=config.exercise,
            **_state(blocked.get(name), opens.get(name)),
            due_at=due.get(name),
            blocked_for=tuple(
                problem
                for problem in elsewhere.get(name, ())  # of other processes, and not known here
                if name not in blocked or str(problem.reason) not in str(blocked[name].reason)
            ),
            **_counts(figures, name),
        )
        for name, config in configs.items()
    ]
    removed = _removed(journal, configs, figures)
    statuses += [
        ChannelStatus(
            name=name,
            state="removed",
            reason=_why_missed(incidents),
            remedy=(
                Text("Restore it with retired = true until they are over.")
                if incidents
                else Text("Restore it; with retired = true no new incident is published on it.")
            ),
            incidents=incidents,
            **_counts(figures, name),
        )
        for name, incidents in removed.items()
    ]
    return tuple(statuses)


def _state(blocked: Problem | None, opens_at: datetime | None) -> dict[str, object]:
    if blocked is not None:
        return {"state": "blocked", "reason": blocked.reason, "remedy": blocked.remedy, "code": blocked.code}
    return {"state": "paused" if opens_at else "ready", "opens_at": opens_at}


def _why_missed(incidents: tuple[str, ...]) -> Text:
    """Return what is lost with a channel that is no longer in the settings, of which readers know these incidents."""
    if not incidents:
        return Text("It is no longer in the settings, and messages wait for it.")
    more = len(incidents) - _NAMED
    others = Text.counted("{count:,} more incident", "{count:,} more incidents", count=more) if more > 0 else ""
    return Text(
        "It is no longer in the settings, and its readers know of {names}, whose end would not reach them.",
        names=Text.join(", ", (*incidents[:_NAMED], others)),
    )


def _counts(figures: JournalFigures, name: str) -> dict[str, object]:
    outcomes: Counter[Outcome] = Counter()
    for key, number in (*figures.deliveries.items(), *figures.pending.items()):
        outcomes[Outcome(key[-1])] += number if key[0] == name else 0
    since = figures.oldest_pending.get(name)
    return {
        "outcomes": {each: outcomes[each] for each in Outcome if outcomes[each]},
        "oldest_waiting": None if since is None else moment(since),
    }


def _removed(
    journal: Journal, configs: Mapping[str, ChannelConfig], figures: JournalFigures
) -> dict[str, tuple[str, ...]]:
    """Return the channels that the settings lack, with the open incidents published there."""
    carried = journal.incidents.open_by_channel()
    awaited = {name for name, outcome in figures.pending if outcome in _WAITS}
    return {name: carried.get(name, ()) for name in sorted((carried.keys() | awaited) - configs.keys())}


def _second_reading(draft: Draft) -> SecondReading:
    return SecondReading(
        publication=draft.publication or draft.id,
        headline=draft.message.headline,
        reason=draft.urgent,
        published_by=draft.published_by,
        due_at=draft.second_due_at or draft.created_at,
        reminders=draft.reminders,
    )
