"""People who are not written to: those who left, and those whom a network reports as not existing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, or_, select, true, update

from policenotify.journal.audit import record
from policenotify.journal.database import schema
from policenotify.journal.database.transactions import Repository
from policenotify.journal.lists.recipients import KEY_SHOWN, recipient_keys
from policenotify.journal.records import microseconds, moment
from policenotify.model.person import Source, Suppression
from policenotify.translation import AnyText

_WEIGHTS: Final = [*Source]
_table, _report = schema.suppression, schema.report


class Suppressions(Repository):
    """The people who are not written to, by channel."""

    def list(self, channel: str | None = None) -> tuple[Suppression, ...]:
        """Return who is suppressed now: on one channel, also by what holds for all, or on any."""
        query = select(_table)
        if channel is not None:
            query = query.where(_table.c.channel.in_([channel, schema.EVERYWHERE]))
        with self._journal.read() as connection:
            return tuple(map(suppression_of, connection.execute(query.order_by(_table.c.channel, _table.c.key))))

    def add(self, addresses: Iterable[str], channel: str | None, actor: str, *, evidence: str) -> bool:
        """Stop writing to a person, at once, by a decision of the service. The addresses are spelled as channels do.

        Returns:
            False if the person was suppressed so, or for a weightier reason, already.
        """
        self._journal.authorize(actor, "suppress")
        keys = recipient_keys(self._journal.keys, addresses)
        source = Source.OPERATOR
        with self._journal.write() as connection:
            now = self._journal.now()
            return suppress(connection, now, channel=channel, keys=keys, source=source, evidence=evidence, actor=actor)

    def release(self, channel: str | None, recipients: Collection[str] | None, actor: str) -> int:
        """Write again to a suppressed person, or to all of a channel.

        Args:
            channel: The channel's name, `"*"` for the suppressions that hold for all channels, or `None` for any.
            recipients: Addresses, numbers, or beginnings of keys. `None` stands for everybody.
            actor: Who decided it.

        Returns:
            How many suppressions were ended.
        """
        found = true() if channel is None else _table.c.channel == channel
        if recipients is not None:
            same = _table.c.key.in_(recipient_keys(self._journal.keys, recipients))
            begins = (_table.c.key.startswith(each, autoescape=True) for each in recipients if len(each) >= KEY_SHOWN)
            found = and_(found, or_(same, *begins))
        self._journal.authorize(actor, "release")
        with self._journal.write() as connection:
            return release(connection, self._journal.now(), found, actor)


def suppression_of(row: Row[Any]) -> Suppression:
    """Return a stored suppression."""
    return Suppression(
        channel=None if row.channel == schema.EVERYWHERE else row.channel,
        key=row.key,
        source=Source(row.source),
        evidence=row.evidence,
        since=moment(row.at),
    )


def suppress(
    connection: Connection,
    now: datetime,
    *,
    channel: str | None,
    keys: Iterable[str],
    source: Source,
    evidence: AnyText,
    actor: str,
) -> bool:
    """Store that some people are not written to from now on. Repeating it changes nothing.

    Returns:
        False if all were suppressed so already, for a reason that weighs as much.
    """
    name = channel or schema.EVERYWHERE
    columns = {"source": source.value, "evidence": evidence, "at": microseconds(now)}
    newly = [key for key in keys if _store(connection, {"channel": name, "key": key, **columns})]
    if newly:
        body = {"recipients": newly, "source": source.value}
        record(connection, now, actor, "suppressed", body, channel=name)
    return bool(newly)


def _store(connection: Connection, row: Mapping[str, Any]) -> bool:
    """Store a suppression, unless one holds that weighs as much. Return whether it was stored."""
    if schema.insert_new(connection, _table, [row]):
        return True
    same = and_(_table.c.channel == row["channel"], _table.c.key == row["key"])
    stored = connection.execute(select(_table.c.source).where(same).with_for_update()).scalar_one()
    if _WEIGHTS.index(Source(row["source"])) <= _WEIGHTS.index(Source(stored)):
        return False
    connection.execute(update(_table).where(same).values(row))
    return True


def release(connection: Connection, now: datetime, found: ColumnElement[bool], actor: str) -> int:
    """End some suppressions, and forget the reports that led to them. Return how many."""
    rows = connection.execute(select(_table.c.channel, _table.c.key).where(found)).all()
    connection.execute(delete(_report).where(_report.c.key.in_(select(_table.c.key).where(found))))
    connection.execute(delete(_table).where(found))
    for channel in sorted({row.channel for row in rows}):
        keys = [row.key for row in rows if row.channel == channel]
        record(connection, now, actor, "released", {"recipients": keys}, channel=channel)
    return len(rows)
