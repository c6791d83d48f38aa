"""The repository of figures: totals, which only rise, and the state of what is pending."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sqlalchemy import Connection, Text, and_, case, cast, func, or_, select, text

from policenotify.journal import meta
from policenotify.journal.audit import newest_event
from policenotify.journal.bulk import tally
from policenotify.journal.database import schema
from policenotify.journal.database.transactions import Transactions
from policenotify.journal.figures.totals import BASE, Totals, count_events
from policenotify.journal.leases import is_dead
from policenotify.journal.records import TOLERANCE, microseconds, outcome_of, priority, span
from policenotify.journal.tombstones import stored_counts
from policenotify.journal.workers import seen_workers
from policenotify.model.cap import Severity
from policenotify.model.draft import DraftState
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import IncidentStatus

_BATCH: Final = 5_000  # values in one query: SQLite takes 32,766 (sqlite.org/limits.html)
_MOST_MISSING: Final = 10_000  # numbers of events that are waited for; more are counted from the beginning
_BEGINNING: Final = 100  # transactions that get their own number a moment after that of their event
_AHEAD: Final = span(TOLERANCE)
_UNSETTLED: Final = (Outcome.WAITING, Outcome.SENDING)
_PENDING_PEOPLE: Final = frozenset({Outcome.WAITING, Outcome.SENDING, Outcome.UNCONFIRMED})
_delivery, _incident, _draft = schema.delivery, schema.incident, schema.draft
_channel, _publication, _page = schema.channel, schema.publication, schema.page

_COUNT_PENDING = (
    select(_delivery.c.channel, _delivery.c.state, _delivery.c.in_doubt, func.count().label("number"))
    .where(_delivery.c.state.in_([*_UNSETTLED, Outcome.HELD]))
    .group_by(_delivery.c.channel, _delivery.c.state, _delivery.c.in_doubt)
)
_COUNT_HELD_PEOPLE = (  # plain text, as in the index: SQLite does not match a bound value with it
    select(_delivery.c.channel, func.count(_page.c.delivery.distinct()).label("number"))
    .join(_delivery, _delivery.c.id == _page.c.delivery)
    .where(text("pn_page.held > 0"), _delivery.c.state != Outcome.HELD)
    .group_by(_delivery.c.channel)
)
_SEVERE = (_delivery.c.priority <= priority(Severity.SEVERE)).label("severe")
_OLDEST_DUE = (
    select(_delivery.c.channel, _SEVERE, func.min(_delivery.c.not_before).label("at"))
    .where(_delivery.c.state == Outcome.WAITING, _delivery.c.halt == "")
    .group_by(_delivery.c.channel, _SEVERE)
)
_OLDEST_PENDING = (
    select(_delivery.c.channel, func.min(_publication.c.created_at).label("at"))
    .join(_publication, _publication.c.id == _delivery.c.publication)
    .where(_delivery.c.state.in_(_UNSETTLED), _delivery.c.halt == "")
    .group_by(_delivery.c.channel)
)
_WITH_PEOPLE = select(_delivery.c.id, _delivery.c.channel, _delivery.c.state).where(_delivery.c.has_recipients)
_OPEN = (
    select(_incident.c.category, func.count().label("number"))
    .where(_incident.c.status == IncidentStatus.OPEN)
    .group_by(_incident.c.category)
)
_FIRST_DEADLINE = select(func.min(_incident.c.due_at)).where(_incident.c.status == IncidentStatus.OPEN)
_SUBMITTED = or_(
    _draft.c.state == DraftState.SUBMITTED,
    (_draft.c.state == DraftState.APPROVED) & (_draft.c.for_keys == ""),
)
_CHANNELS = select(_channel.c.name, _channel.c.blocked_at, _channel.c.paused_until)
_LAST_SEAL = select(func.max(schema.seal.c.at))


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalFigures:
    """What a journal holds at one moment, in numbers. Times are microseconds since 1970.

    Attributes:
        at: The journal's time.
        totals: Totals that only rise.
        recipients: How many people have which final outcome, by channel.
        pending: How many deliveries of a channel are waiting, sending, unconfirmed or held.
        oldest_due: Since when the oldest delivery that could be sent waits, by channel and whether it is of severity
            Severe or more.
        oldest_pending: When the oldest publication that is not settled was published, by channel.
        recipients_pending: How many people are still to be sent to, by channel.
        incidents_open: How many incidents are open, by category.
        incidents_overdue: How many of them have a deadline that has passed.
        first_deadline: The earliest deadline of an open incident.
        drafts_waiting: How many drafts wait for readers, or for a person who publishes them.
        oldest_draft: When the oldest of them was last changed.
        readings_overdue: How many second readings are overdue.
        blocked: The channels that send nothing until a person acts.
        paused_until: Until when the network asked for a pause, by channel.
        last_heartbeat: The latest heartbeat of a process that delivers.
        workers: How many workers run.
        stopped: Everything is stopped.
        size: Bytes of the journal's tables.
        last_seal: When events were last sealed.
    """

    at: int
    totals: Totals
    recipients: Mapping[tuple[str, Outcome], int]
    pending: Mapping[tuple[str, Outcome], int]
    oldest_due: Mapping[tuple[str, bool], int]
    oldest_pending: Mapping[str, int]
    recipients_pending: Mapping[str, int]
    incidents_open: Mapping[str, int]
    incidents_overdue: int
    first_deadline: int | None
    drafts_waiting: int
    oldest_draft: int | None
    readings_overdue: int
    blocked: frozenset[str]
    paused_until: Mapping[str, int]
    last_heartbeat: int | None
    workers: int
    stopped: bool
    size: int
    last_seal: int | None


@dataclass(slots=True)
class _Counted:
    """What this process has added up so far.

    Attributes:
        base: The stored base. A purge changes it, and everything is counted again.
        last: The newest event that was counted.
        missing: Numbers below it that no committed event has. Each may belong to a transaction that is still open, with
            a number below the one given.
        people: Final outcomes of the people of each delivery.
    """

    base: str
    last: int = 0
    missing: dict[int, int] = field(default_factory=dict)
    totals: Totals = field(default_factory=Totals)
    people: dict[int, tuple[str, Mapping[Outcome, int]]] = field(default_factory=dict)
    recipients: Counter[tuple[str, Outcome]] = field(default_factory=Counter)


class Figures:
    """Figures of the journal. What was counted once is kept in memory, so that only newer events are read."""

    def __init__(self, journal: Transactions) -> None:
        self._journal = journal
        self._counted: _Counted | None = None
        self._lock = threading.Lock()

    def read(self) -> JournalFigures:
        """Read all figures in one transaction."""
        journal = self._journal
        with self._lock, journal.read() as connection:
            counted = self._count(connection)
            now = microseconds(journal.now())
            return JournalFigures(
                at=now,
                totals=Totals(counted.totals.counts.copy(), dict(counted.totals.posted_at)),
                recipients=dict(counted.recipients),
                size=_size(connection),
                stopped=meta.stopped(connection, journal.id) is not None,
                **_deliveries(connection, now),
                **_duties(connection, now),
            )

    def _count(self, connection: Connection) -> _Counted:
        """Return the totals with the events that were added since the last time."""
        event = schema.event
        base, newest = meta.get(connection, BASE) or "", newest_event(connection)
        before = self._counted
        if before is None or before.base != base or newest < before.last or len(before.missing) > _MOST_MISSING:
            before = _Counted(base, totals=Totals.from_text(base))
        counted = replace(before, missing=dict(before.missing))
        numbers = event.c.id > counted.last
        found: set[int] = set()
        if connection.dialect.name == "postgresql":  # a file has one writer at a time
            found = _committed_late(connection, counted)
            if found:
                numbers = or_(numbers, event.c.id.in_(found))
        # Copies, so that a failure half-way changes nothing.
        scope = and_(numbers, event.c.id <= newest)
        counted.totals = Totals(before.totals.counts.copy(), dict(before.totals.posted_at))
        counted.totals.add(count_events(connection, scope))
        changed = None if counted.last == 0 else _touched(connection, scope)
        counted.people, counted.recipients = dict(before.people), before.recipients.copy()
        _count_people(connection, counted, changed)
        counted.last = newest
        self._counted = counted
        return counted


def _committed_late(connection: Connection, counted: _Counted) -> set[int]:
    """Return the missed numbers that an event has now, and note those that are missing among the newer events.

    Numbers are given when an event is added, and become visible when its transaction is committed.
    """
    event = schema.event
    snapshot = func.pg_current_snapshot()
    ends = (func.pg_snapshot_xmin(snapshot), func.pg_snapshot_xmax(snapshot))
    oldest, following = map(int, connection.execute(select(*(cast(end, Text) for end in ends))).one())
    found: set[int] = set()
    missing = sorted(counted.missing)
    for start in range(0, len(missing), _BATCH):
        numbers = missing[start : start + _BATCH]
        found.update(connection.execute(select(event.c.id).where(event.c.id.in_(numbers))).scalars())
    counted.missing = {
        number: since for number, since in counted.missing.items() if number not in found and oldest < since
    }
    if counted.last == 0:
        first = connection.execute(select(func.max(event.c.id) - _MOST_MISSING)).scalar() or 0
    else:
        first = counted.last
    seen = connection.execute(select(event.c.id).where(event.c.id > first).order_by(event.c.id)).scalars()
    expected = max(first, 0) + 1
    for number in seen:
        counted.missing |= dict.fromkeys(range(expected, number), following + _BEGINNING)
        expected = number + 1
    return found


def _touched(connection: Connection, scope: Any) -> list[int]:  # noqa: ANN401 - a condition
    """Return the deliveries with recipients that some events are about."""
    event = schema.event
    query = select(event.c.delivery).join(_delivery, _delivery.c.id == event.c.delivery)
    return list(connection.execute(query.where(scope, _delivery.c.has_recipients).distinct()).scalars())


def _count_people(connection: Connection, counted: _Counted, changed: list[int] | None) -> None:
    """Count the people of some deliveries again, or of all.

    Who has a post has it for good. Other outcomes count once the delivery is settled: until then a channel that
    reports too many people as unknown has them wait again. People who are held do not count.
    """
    rows = []
    if changed is None:
        rows = list(connection.execute(_WITH_PEOPLE).all())
    else:
        for start in range(0, len(changed), _BATCH):
            of_them = _delivery.c.id.in_(changed[start : start + _BATCH])
            rows += connection.execute(_WITH_PEOPLE.where(of_them)).all()
    for start in range(0, len(rows), _BATCH):
        part = rows[start : start + _BATCH]
        ids = [row.id for row in part]
        purged, kept = stored_counts(connection, ids), tally.count_deliveries(connection, ids)
        for row in part:
            people = purged.get(row.id) or tally.outcomes(kept.get(row.id, ()))
            settled = row.state not in _UNSETTLED
            final: dict[Outcome, int] = {
                Outcome(outcome): number
                for outcome, number in people.items()
                if number
                and outcome.is_final
                and outcome is not Outcome.HELD
                and (settled or outcome is Outcome.POSTED)
            }
            _, before = counted.people.get(row.id, ("", {}))
            for outcome in final.keys() | before.keys():
                counted.recipients[row.channel, outcome] += final.get(outcome, 0) - before.get(outcome, 0)
            counted.people[row.id] = (row.channel, final)


def _deliveries(connection: Connection, now: int) -> dict[str, Any]:
    """Return the figures of what is pending, and of the channels."""
    pending: Counter[tuple[str, Outcome]] = Counter()
    for row in connection.execute(_COUNT_PENDING):
        pending[row.channel, outcome_of(row.state, in_doubt=row.in_doubt)] += row.number
    for row in connection.execute(_COUNT_HELD_PEOPLE):
        pending[row.channel, Outcome.HELD] += row.number
    unsettled = {
        row.id: row.channel for row in connection.execute(_WITH_PEOPLE.where(_delivery.c.state.in_(_UNSETTLED)))
    }
    people: Counter[str] = Counter()
    for start in range(0, len(unsettled), _BATCH):
        for delivery, counted in tally.count_deliveries(connection, list(unsettled)[start : start + _BATCH]).items():
            people[unsettled[delivery]] += sum(each.count for each in counted if each.outcome in _PENDING_PEOPLE)
    channels = connection.execute(_CHANNELS).all()
    return {
        "pending": dict(pending),
        "oldest_due": {
            (row.channel, bool(row.severe)): row.at for row in connection.execute(_OLDEST_DUE) if row.at <= now
        },
        "oldest_pending": {row.channel: row.at for row in connection.execute(_OLDEST_PENDING)},
        "recipients_pending": dict(people),
        "blocked": frozenset(row.name for row in channels if row.blocked_at is not None),
        "paused_until": {row.name: row.paused_until for row in channels if row.paused_until is not None},
    }


def _duties(connection: Connection, now: int) -> dict[str, Any]:
    """Return the figures of what people owe, and of the processes that deliver."""
    overdue = select(func.count()).where(_incident.c.status == IncidentStatus.OPEN, _incident.c.due_at <= now)
    waiting = select(func.count(), func.min(_draft.c.changed_at)).where(_SUBMITTED, _draft.c.expires_at > now)
    drafts, oldest = connection.execute(waiting).one()
    owed = select(func.count()).select_from(_draft).where(_draft.c.due_at <= now)
    # A heartbeat from the future is of a clock that was set back since.
    seen = schema.runner.c.seen_at
    last = select(func.max(case((seen <= now + _AHEAD, seen))))
    return {
        "incidents_open": {row.category: row.number for row in connection.execute(_OPEN)},
        "incidents_overdue": connection.execute(overdue).scalar() or 0,
        "first_deadline": connection.execute(_FIRST_DEADLINE).scalar(),
        "drafts_waiting": drafts,
        "oldest_draft": oldest,
        "readings_overdue": connection.execute(owed).scalar() or 0,
        "last_heartbeat": connection.execute(last).scalar(),
        "workers": sum(not is_dead(row.owner) for row in seen_workers(connection, now)),
        "last_seal": connection.execute(_LAST_SEAL).scalar(),
    }


def _size(connection: Connection) -> int:
    """Return the bytes of the journal's tables, with their indexes."""
    if connection.dialect.name == "postgresql":
        names = [func.pg_total_relation_size(table.name) for table in schema.metadata.sorted_tables]
        return sum(connection.execute(select(*names)).one())
    pages, size = (connection.execute(text(f"PRAGMA {name}")).scalar() or 0 for name in ("page_count", "page_size"))
    return int(pages) * int(size)
