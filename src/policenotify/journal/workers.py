"""Processes that deliver: their heartbeats, and how the host's engines learn of new deliveries."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import Connection, Row, and_, bindparam, delete, func, select, update

from policenotify.journal import audit, meta
from policenotify.journal.database import schema
from policenotify.journal.database.columns import json_object, whole_number
from policenotify.journal.database.transactions import Transactions
from policenotify.journal.leases import host_of, is_dead, this_process
from policenotify.journal.records import TOLERANCE, microseconds, moment, span, storable
from policenotify.log import fields
from policenotify.model.status import QUIET, RunningWorker, WorkerProblem

_log = logging.getLogger("policenotify")
_table = schema.runner
_SEEN = update(_table).where(_table.c.owner == bindparam("of_owner")).values(seen_at=bindparam("at"))
_SEEN_AS_WORKER = _SEEN.values(is_worker=True)
_UNUSABLE = update(_table).where(_table.c.owner == bindparam("of_owner")).values(unusable=bindparam("why"))
_LAST_SEEN = select(func.max(_table.c.seen_at)).where(_table.c.seen_at <= bindparam("until"))
_ACTIVE = (
    select(_table)
    .where(_table.c.seen_at > bindparam("since"), _table.c.seen_at <= bindparam("until"))
    .order_by(_table.c.seen_at.desc())
)
_WORKERS = _ACTIVE.where(_table.c.is_worker)
STARTED, STOPPED, LOST = "worker_started", "worker_stopped", "worker_lost"
"""The kinds of events that record the life of a worker."""

OVERDUE = timedelta(seconds=30)
"""A drain that has not begun after this time is requested again, because the request may be lost."""

_FORGOTTEN = timedelta(days=7)  # heartbeats older than this are deleted
_MEND = "Mend it where that process runs: its environment, its secrets, its libraries."


class Workers:
    """Heartbeats of the processes that deliver, and pending drains of the host's engines."""

    def __init__(self, journal: Transactions) -> None:
        self._journal = journal
        self._lost: set[str] = set()  # workers whose loss is recorded
        self.misses_one: bool = False
        """Whether the last look at the workers has found one that `record_lost` would record."""

    def start_heartbeat(self) -> None:
        """Record that this process is a worker from now on."""
        this = and_(_table.c.owner == this_process(), _table.c.is_worker)
        with self._journal.write(durable=False) as connection:
            if connection.execute(select(_table.c.owner).where(this)).first() is not None:
                return  # it could not deliver, and starts once more
            self.heartbeat(is_worker=True)
            audit.record(connection, self._journal.now(), audit.RUNNER, STARTED, {"host": host_of(this_process())})
        _log.info("A worker runs on %s.", host_of(this_process()), extra=fields(STARTED))

    def heartbeat(self, *, is_worker: bool = False, unusable: Mapping[str, str] | None = None) -> None:
        """Record a heartbeat of this process. A worker calls `stop_heartbeat` on shutdown.

        Args:
            is_worker: It goes on delivering.
            unusable: The channels that it cannot use, each with the reason, which may hold no secret. `None` leaves
                what is recorded.
        """
        owner, now = this_process(), microseconds(self._journal.now())
        seen = {"seen_at": now, "is_worker": True} if is_worker else {"seen_at": now}
        with self._journal.write(durable=False) as connection:
            changed = connection.execute(_SEEN_AS_WORKER if is_worker else _SEEN, {"of_owner": owner, "at": now})
            if not changed.rowcount:
                connection.execute(delete(_table).where(_table.c.seen_at < now - span(_FORGOTTEN)))
                schema.insert_new(connection, _table, [{"owner": owner, **seen}])
            if unusable is not None:
                why = storable(json.dumps(unusable, ensure_ascii=False, sort_keys=True))
                connection.execute(_UNUSABLE, {"of_owner": owner, "why": why})

    def unusable_channels(self) -> dict[str, tuple[WorkerProblem, ...]]:
        """Return the channels that processes which deliver cannot use, each with their reasons.

        These are the workers that run. Without any, it is the last drain on each host, for two minutes.
        """
        now = microseconds(self._journal.now())
        times = {"since": now - span(QUIET), "until": now + span(TOLERANCE)}
        with self._journal.read() as connection:
            rows = [row for row in connection.execute(_ACTIVE, times) if row.unusable is not None]
            workers = [row for row in rows if row.is_worker and not is_dead(row.owner)]
            drains = {host_of(row.owner): row for row in reversed(rows) if not row.is_worker}
            found: dict[str, dict[tuple[str, str], WorkerProblem]] = {}
            for row in workers or drains.values():
                host = host_of(row.owner)
                for channel, reason in json_object(row.unusable).items():
                    problem = WorkerProblem(reason=reason, remedy=_MEND, host=host, seen_at=moment(row.seen_at))
                    found.setdefault(channel, {}).setdefault((host, problem.reason), problem)
        return {channel: tuple(problems.values()) for channel, problems in sorted(found.items())}

    def stop_heartbeat(self) -> None:
        """Record that this worker is shutting down."""
        with self._journal.write() as connection:
            of_this = update(_table).where(_table.c.owner == this_process(), _table.c.is_worker)
            if connection.execute(of_this.values(is_worker=False)).rowcount:
                host = host_of(this_process())
                audit.record(connection, self._journal.now(), audit.RUNNER, STOPPED, {"host": host})
                _log.info("The worker on %s has ended in order.", host, extra=fields(STOPPED))

    def record_lost(self) -> int:
        """Record each worker that has exited without `stop_heartbeat`, once. Return their number.

        Of a worker on another machine only its silence is known, which `last_heartbeat` shows.
        """
        lost = [row.owner for row in self._workers() if row.owner not in self._lost and is_dead(row.owner)]
        if not lost:
            return 0
        recorded = []
        with self._journal.write(durable=False) as connection:
            connection.execute(select(_table.c.owner).where(_table.c.owner.in_(lost)).with_for_update()).all()
            known = _lost_before(connection)
            for owner in lost:
                if owner not in known:
                    body = {"host": host_of(owner), "owner": owner}
                    audit.record(connection, self._journal.now(), audit.RUNNER, LOST, body)
                    recorded.append(owner)
        self._lost.update(lost)
        for owner in recorded:
            _log.error(
                "The worker on %s has ended without a word, as when it is killed. What waits goes out once a worker "
                "runs: see that policenotify worker does, or policenotify drain",
                host_of(owner),
                extra=fields(LOST),
            )
        return len(recorded)

    def running(self) -> tuple[RunningWorker, ...]:
        """Return the workers that run: seen within two minutes, and not known to have exited. The latest comes first.

        Drains are not workers.
        """
        return tuple(
            RunningWorker(host=host_of(row.owner), seen_at=moment(row.seen_at))
            for row in self._workers()
            if not is_dead(row.owner)
        )

    def lost_at(self) -> datetime | None:
        """Return the last heartbeat of a worker that exited without a word, unless another process delivered since."""
        rows = self._workers()
        if not rows or not all(is_dead(row.owner) for row in rows):
            return None
        last = moment(rows[0].seen_at)
        return last if self.last_heartbeat() == last else None

    def _workers(self) -> Sequence[Row[Any]]:
        with self._journal.read() as connection:
            rows = seen_workers(connection, microseconds(self._journal.now()))
        self.misses_one = any(row.owner not in self._lost and is_dead(row.owner) for row in rows)
        return rows

    def last_worker_heartbeat(self) -> datetime | None:
        """Return the latest heartbeat of a worker, or None if all have exited or are silent."""
        return next((moment(row.seen_at) for row in self._workers() if not is_dead(row.owner)), None)

    def last_heartbeat(self) -> datetime | None:
        """Return the latest heartbeat of the past days, ignoring heartbeats dated in the future."""
        until = microseconds(self._journal.now()) + span(TOLERANCE)
        with self._journal.read() as connection:
            seen = connection.execute(_LAST_SEEN, {"until": until}).scalar()
        return moment(seen) if seen is not None else None

    def request_drain(self, runner: str) -> bool:
        """Return True if no drain is pending for this runner, and mark one as pending.

        It stays pending until `acknowledge_drain`, or until it is overdue.
        """
        name, now = f"{meta.DRAIN_REQUESTED}{runner}", microseconds(self._journal.now())
        with self._journal.read() as connection:
            if _is_pending(connection, name, now):
                return False
        with self._journal.write() as connection:
            schema.insert_new(connection, schema.meta, [{"name": name, "value": "0"}])
            connection.execute(select(schema.meta.c.name).where(schema.meta.c.name == name).with_for_update()).all()
            if _is_pending(connection, name, now):
                return False
            meta.put(connection, name, str(now))
        return True

    def acknowledge_drain(self, runner: str) -> None:
        """Record that the runner's drain has begun. Later deliveries need another request."""
        with self._journal.write() as connection:
            meta.put(connection, f"{meta.DRAIN_REQUESTED}{runner}", "0")


def seen_workers(connection: Connection, now: int) -> Sequence[Row[Any]]:
    """Return the workers seen within two minutes, the latest first. Some may be known to have exited: see `is_dead`."""
    return connection.execute(_WORKERS, {"since": now - span(QUIET), "until": now + span(TOLERANCE)}).all()


def _lost_before(connection: Connection) -> set[str]:
    """Return the workers whose loss is recorded."""
    return {str(json_object(row.body)["owner"]) for row in audit.recent_events(connection, LOST) if row.body}


def _is_pending(connection: Connection, name: str, now: int) -> bool:
    requested = whole_number(meta.get(connection, name) or "0")
    return now - span(OVERDUE) < requested <= now + span(TOLERANCE)  # later: the clock was ahead


class Runner(Protocol):
    """An engine of the host that calls `drain`, here or on another machine.

    It also drains periodically, so that a lost or repeated wake-up is harmless.
    """

    def enqueue(self, connection: Connection) -> None:
        """Announce new deliveries. What is written on *connection* is committed with them."""

    def on_commit(self) -> None:
        """React to the commit of new deliveries."""


def enqueue(connection: Connection, runners: Iterable[Runner]) -> None:
    """Notify the runners inside the transaction. A failing runner does not prevent publishing."""
    for runner in runners:
        try:
            with connection.begin_nested():
                runner.enqueue(connection)
        except Exception as error:  # noqa: BLE001 - a host's engine may fail in any way
            _log_failure(runner, error)


def notify_runners(runners: Iterable[Runner]) -> None:
    """Notify the runners after the commit. A failing runner does not affect the message."""
    for runner in runners:
        try:
            runner.on_commit()
        except Exception as error:  # noqa: BLE001 - a host's engine may fail in any way
            _log_failure(runner, error)


def _log_failure(runner: Runner, error: Exception) -> None:
    # A traceback would contain values.
    text = "%s was not notified that something waits (%s); it is delivered when it next looks for itself."
    _log.error(text, type(runner).__name__, type(error).__name__)
