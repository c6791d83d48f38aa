"""Processes that deliver: their heartbeats, and how the host's engines learn of new deliveries."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import Connection, Row, delete, func, select, update

from policenotify.journal.database import schema
from policenotify.journal.database.columns import json_object
from policenotify.journal.database.transactions import Repository
from policenotify.journal.leases import host_of, is_dead, this_process
from policenotify.journal.records import TOLERANCE, microseconds, moment, span, storable
from policenotify.model.status import QUIET, Problem, RunningWorker
from policenotify.translation import AnyText, Text, read_text, stored_text

_FORGOTTEN = timedelta(days=7)  # heartbeats older than this are deleted
_MEND = Text("Mend it where that process runs: its environment, its secrets, its libraries.")
_log = logging.getLogger("policenotify")
_table = schema.runner


class Workers(Repository):
    """Heartbeats of the processes that deliver."""

    def heartbeat(self, *, is_worker: bool | None = None, blocked: Mapping[str, AnyText] | None = None) -> None:
        """Record a heartbeat of this process.

        Args:
            is_worker: It goes on delivering, or not any more. `None` leaves what is recorded.
            blocked: The channels that are blocked for it, each with the reason, which may hold no secret. `None` leaves
                what is recorded.
        """
        owner, now = this_process(), microseconds(self._journal.now())
        seen: dict[str, object] = {"seen_at": now}
        if is_worker is not None:
            seen["is_worker"] = is_worker
        if blocked is not None:
            texts = {channel: stored_text(text) for channel, text in blocked.items()}
            seen["blocked"] = storable(json.dumps(texts, ensure_ascii=False, sort_keys=True))
        with self._journal.write(durable=False) as connection:
            if not connection.execute(update(_table).where(_table.c.owner == owner).values(seen)).rowcount:
                connection.execute(delete(_table).where(_table.c.seen_at < now - span(_FORGOTTEN)))
                schema.insert_new(connection, _table, [{"owner": owner, **seen}])

    def running(self) -> tuple[RunningWorker, ...]:
        """Return the workers that run: seen within two minutes, and not known to have exited. The latest comes first.

        Drains are not workers.
        """
        with self._seen() as rows:
            running = filter(_is_running, rows)
            return tuple(RunningWorker(host=host_of(row.owner), seen_at=moment(row.seen_at)) for row in running)

    def blocked_channels(self) -> dict[str, tuple[Problem, ...]]:
        """Return the channels that are blocked for processes which deliver, each with their reasons.

        These are the workers that run. Without any, it is the last drain on each host, for two minutes.
        """
        found: dict[str, dict[tuple[str, str], Problem]] = {}
        with self._seen() as seen:
            rows = [row for row in seen if row.blocked is not None]
            drains = {host_of(row.owner): row for row in reversed(rows) if not row.is_worker}
            for row in [*filter(_is_running, rows)] or drains.values():
                host = host_of(row.owner)
                for channel, reason in json_object(row.blocked).items():
                    problem = Problem(reason=read_text(reason), remedy=_MEND, host=host, seen_at=moment(row.seen_at))
                    found.setdefault(channel, {}).setdefault((host, reason), problem)
        return {channel: tuple(problems.values()) for channel, problems in sorted(found.items())}

    def last_heartbeat(self) -> datetime | None:
        """Return the latest heartbeat of the past days. One from the future is of a clock that was set back since."""
        with self._journal.read() as connection:
            latest = microseconds(self._journal.now()) + span(TOLERANCE)
            seen = connection.execute(select(func.max(_table.c.seen_at)).where(_table.c.seen_at <= latest)).scalar()
            return moment(seen) if seen is not None else None

    @contextmanager
    def _seen(self) -> Iterator[Sequence[Row[Any]]]:
        """Read the processes seen within two minutes, the latest first. Some may be known to have exited.

        A damaged value in them is an error of the journal.
        """
        with self._journal.read() as connection:
            now = microseconds(self._journal.now())
            recent = _table.c.seen_at.between(now - span(QUIET) + 1, now + span(TOLERANCE))
            yield connection.execute(select(_table).where(recent).order_by(_table.c.seen_at.desc())).all()


def _is_running(row: Row[Any]) -> bool:
    return row.is_worker and not is_dead(row.owner)


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
        with _logged(runner), connection.begin_nested():
            runner.enqueue(connection)


def notify_runners(runners: Iterable[Runner]) -> None:
    """Notify the runners after the commit. A failing runner does not affect the message."""
    for runner in runners:
        with _logged(runner):
            runner.on_commit()


@contextmanager
def _logged(runner: Runner) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # noqa: BLE001 - a host's engine may fail in any way
        # A traceback would contain values.
        text = "%s was not notified that something waits (%s); it is delivered when it next looks for itself."
        _log.error(text, type(runner).__name__, type(error).__name__)
