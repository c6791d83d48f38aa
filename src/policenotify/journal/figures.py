"""Figures for metrics and the status, counted in the journal when asked for. A purge takes nothing from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, func, select, text

from policenotify.journal import meta
from policenotify.journal.database import schema
from policenotify.journal.database.transactions import Repository
from policenotify.journal.drafts.rows import DraftCounts, count_drafts
from policenotify.journal.lists import recipients as lists
from policenotify.journal.records import microseconds, outcome_of, priority
from policenotify.journal.workers import Workers
from policenotify.model.cap import Severity
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import IncidentStatus

_UNSETTLED: Final = (Outcome.WAITING, Outcome.SENDING)
_OPEN_STATES: Final = (*_UNSETTLED, Outcome.HELD)
_TO_SEND: Final = frozenset({*_UNSETTLED, Outcome.UNCONFIRMED})
_delivery, _publication = schema.delivery, schema.publication
_batch, _IS_BATCH = _delivery.alias("batch"), _delivery.c.parent.is_not(None)
_incident, _channel = schema.incident, schema.channel
_NUMBER: Final = func.count().label("number")

_PUBLICATIONS = select(_publication.c.category, _publication.c.stage, _publication.c.severity, _publication.c.state)
_PUBLICATIONS = _PUBLICATIONS.add_columns(_NUMBER).group_by(*_PUBLICATIONS.selected_columns)
_SETTLED = (  # one index holds all it needs
    select(_delivery.c.channel, _delivery.c.operation, _delivery.c.state, _NUMBER)
    .where(_delivery.c.state.not_in(_OPEN_STATES), ~_IS_BATCH)
    .group_by(_delivery.c.state, _delivery.c.channel, _delivery.c.operation)
)
_PEOPLE = (
    select(_delivery.c.channel, _delivery.c.state, _batch.c.counts, _NUMBER)
    .join(_batch, _delivery.c.id == _batch.c.parent)
    .where(_batch.c.counts.is_not(None))
    .group_by(_delivery.c.channel, _delivery.c.state, _batch.c.counts)
)
_BEING_SENT = select(_delivery.c.id, _delivery.c.channel).where(
    text("has_recipients"), _delivery.c.state.in_(_UNSETTLED)
)
_PENDING = (
    select(_delivery.c.channel, _delivery.c.state, _delivery.c.in_doubt, _NUMBER)
    .where(_delivery.c.state.in_(_OPEN_STATES), ~_IS_BATCH)
    .group_by(_delivery.c.channel, _delivery.c.state, _delivery.c.in_doubt)
)
_HELD_PEOPLE = (  # plain text, as in the index: SQLite does not match a bound value with it
    select(_delivery.c.channel, func.count(_batch.c.parent.distinct()).label("number"))
    .join(_batch, _delivery.c.id == _batch.c.parent)
    .where(text("batch.held > 0"), _delivery.c.state != Outcome.HELD)
    .group_by(_delivery.c.channel)
)
_SEVERE = (_delivery.c.priority <= priority(Severity.SEVERE)).label("severe")
_OLDEST_DUE = (
    select(_delivery.c.channel, _SEVERE, func.min(_delivery.c.not_before).label("at"))
    .where(_delivery.c.state == Outcome.WAITING, _delivery.c.halt == "", ~_IS_BATCH)
    .group_by(_delivery.c.channel, _SEVERE)
)
_OLDEST_PENDING = (
    select(_delivery.c.channel, func.min(_publication.c.created_at).label("at"))
    .join(_publication, _publication.c.id == _delivery.c.publication)
    .where(_delivery.c.state.in_(_UNSETTLED), _delivery.c.halt == "")
    .group_by(_delivery.c.channel)
)
_OPEN = select(_incident.c.category, _incident.c.due_at).where(_incident.c.status == IncidentStatus.OPEN)
_LAST_SEAL = select(func.max(schema.seal.c.at))
_CHANNELS = select(_channel.c.name, _channel.c.blocked_at, _channel.c.paused_until)


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalFigures:
    """What a journal holds at one moment, in numbers. Times are microseconds since 1970.

    Attributes:
        at: The journal's time.
        publications: How many there are by category, stage, severity and state.
        deliveries: How many are settled, by channel, operation and outcome.
        recipients: How many people have which final outcome, by channel.
        pending: How many deliveries of a channel are waiting, sending, unconfirmed or held.
        oldest_due: Since when the oldest delivery that could be sent waits, by channel and whether it is of severity
            Severe or more.
        oldest_pending: When the oldest publication that is not settled was published, by channel.
        recipients_pending: How many people are still to be sent to, by channel.
        incidents_open: How many incidents are open, by category.
        first_deadline: The earliest deadline of an open incident.
        drafts: How many drafts wait for a person.
        blocked: The channels that send nothing until a person acts.
        paused_until: Until when the network asked for a pause, by channel.
        last_heartbeat: The latest heartbeat of a process that delivers.
        last_seal: When events were last sealed.
    """

    at: int
    publications: Mapping[tuple[str, str, str, str], int]
    deliveries: Mapping[tuple[str, str, Outcome], int]
    recipients: Mapping[tuple[str, Outcome], int]
    pending: Mapping[tuple[str, Outcome], int]
    oldest_due: Mapping[tuple[str, bool], int]
    oldest_pending: Mapping[str, int]
    recipients_pending: Mapping[str, int]
    incidents_open: Mapping[str, int]
    incidents_overdue: int
    first_deadline: int | None
    drafts: DraftCounts
    blocked: frozenset[str]
    paused_until: Mapping[str, int]
    last_heartbeat: int | None
    workers: int
    stopped: bool
    last_seal: int | None


class Figures(Repository):
    """Figures of the journal."""

    def read(self, *, people: bool = True) -> JournalFigures:
        """Read all figures in one transaction. Counting *people* reads each batch of each list."""
        journal, workers = self._journal, Workers(self._journal)
        with journal.read() as connection:
            now, seen = microseconds(journal.now()), workers.last_heartbeat()
            recipients, recipients_pending = _people(connection) if people else ({}, {})
            channels = connection.execute(_CHANNELS).all()
            due = connection.execute(_OLDEST_DUE).all()
            incidents = connection.execute(_OPEN).all()
            deadlines = [row.due_at for row in incidents if row.due_at is not None]
            return JournalFigures(
                at=now,
                publications={tuple(row[:-1]): row.number for row in connection.execute(_PUBLICATIONS)},
                deliveries={
                    (row.channel, row.operation, outcome_of(row.state)): row.number
                    for row in connection.execute(_SETTLED)
                },
                recipients=recipients,
                pending=_pending(connection),
                oldest_due={(row.channel, bool(row.severe)): row.at for row in due if row.at <= now},
                oldest_pending={row.channel: row.at for row in connection.execute(_OLDEST_PENDING)},
                recipients_pending=recipients_pending,
                incidents_open=Counter(row.category for row in incidents),
                incidents_overdue=sum(at <= now for at in deadlines),
                first_deadline=min(deadlines, default=None),
                drafts=count_drafts(connection, now),
                blocked=frozenset(row.name for row in channels if row.blocked_at is not None),
                paused_until={row.name: row.paused_until for row in channels if row.paused_until is not None},
                last_heartbeat=microseconds(seen) if seen else None,
                workers=len(workers.running()),
                stopped=meta.stopped(connection, journal.id) is not None,
                last_seal=connection.execute(_LAST_SEAL).scalar(),
            )


def _people(connection: Connection) -> tuple[Counter[tuple[str, Outcome]], Counter[str]]:
    """Return how many people have which final outcome, and how many are still to be sent to.

    Who has a post has it for good. Other outcomes count once the delivery is settled: until then a channel that
    reports too many people as unknown has them wait again. People who are held do not count.
    """
    recipients: Counter[tuple[str, Outcome]] = Counter()
    for row in connection.execute(_PEOPLE):
        for outcome, count in lists.outcomes(lists.from_text(row.counts)).items():
            final = outcome.is_final and outcome is not Outcome.HELD and row.state not in _OPEN_STATES
            if count and (final or outcome is Outcome.POSTED):
                recipients[row.channel, outcome] += row.number * count
    channels = {row.id: row.channel for row in connection.execute(_BEING_SENT)}
    pending: Counter[str] = Counter()
    for delivery, reasons in lists.counts(connection, channels).items():
        pending[channels[delivery]] += sum(each.count for each in reasons if each.outcome in _TO_SEND)
    return recipients, pending


def _pending(connection: Connection) -> Counter[tuple[str, Outcome]]:
    """Return how many deliveries are not settled, or are held, also for some of their people only."""
    pending: Counter[tuple[str, Outcome]] = Counter()
    for row in connection.execute(_PENDING):
        pending[row.channel, outcome_of(row.state, in_doubt=row.in_doubt)] += row.number
    for row in connection.execute(_HELD_PEOPLE):
        pending[row.channel, Outcome.HELD] += row.number
    return pending
