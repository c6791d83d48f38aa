"""Move a journal to another database: from a file to a server, or back; as a whole or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, Table, delete, func, insert, select, text

from policenotify.channel import Clock
from policenotify.errors import JournalError
from policenotify.journal import audit, meta, queue, schema, timekeeping
from policenotify.journal.engine import shown
from policenotify.journal.journal import Journal
from policenotify.journal.keys import Entropy, Keys
from policenotify.journal.migrate import alone
from policenotify.journal.records import LEASE, microseconds
from policenotify.model.history import Outcome

_ROWS = 1_000  # read and written at once
_PICTURES = 10  # likewise; a picture is large
_ALL = 2**256  # digests of rows are added up, so that no order is needed: databases sort texts in their own ways


@dataclass(frozen=True, slots=True)
class Moved:
    """What was moved.

    Attributes:
        to: Where it is now, without passwords.
        rows: How many rows each table has.
        seals: How many sealed batches still prove their events.
        stopped: Everything was stopped, and so it still is.
    """

    to: str
    rows: Mapping[str, int]
    seals: int
    stopped: bool


def move(url: str, to: str, *, keys: Keys, actor: str, clock: Clock | None = None) -> Moved:
    """Move a journal with all that is in it, and leave the old one closed for good: it says where it went.

    Nobody may be sending meanwhile; who waits to write waits until it is done, and is then told. All numbers and ids
    stay as they are, and so do sealed batches, encrypted addresses and sessions. Every row is read back and compared.

    Args:
        url: The journal, as [`open_journal`][policenotify.journal.open_journal] takes it.
        to: The new place, likewise: with no journal in it, or with one that was just made.
        keys: The installation's keys; they stay the same.
        actor: Who does it, for the journal's events.
        clock: Tells the time; `None`: the database's own, else this machine's.

    Raises:
        JournalError: It cannot be done; names why and what to do. Nothing was changed, but if the very last step, the
            new place's commit, fails: then the old journal is closed, and the same call again completes it.
        UnsupportedVersion: One of them was made by a newer policenotify.
    """
    where = shown(to)
    if shown(url) == where:
        raise JournalError("The journal is there already. Nothing was moved.")
    old = Journal.reach(url, keys=keys, clock=clock)
    try:
        new = Journal.reach(to, keys=keys, clock=clock, create=True)
    except BaseException:
        old.close()
        raise
    try:
        # Of the two the old one is committed first: at no moment could somebody deliver from both.
        with new.write(keeps_time=False) as target:
            alone(target)
            _made(target, keys, new.entropy)
            with old.write(keeps_time=False) as source:
                _held_still(source, keys, where)
                _nobody_sends(source, microseconds(old.now()))
                if meta.moved_to(source) is None:
                    audit.record(source, old.now(), actor, "moved", {"to": where})
                rows = {table.name: _copy(source, target, table) for table in schema.metadata.sorted_tables}
                _count_on(target)
                seals, stopped = audit.verify(target, keys), meta.stopped(target) is not None
                meta.move(source, where)
    finally:
        old.close()
        new.close()
    return Moved(where, rows, seals, stopped)


def _made(target: Connection, keys: Keys, entropy: Entropy) -> None:
    """See that the new place has our tables, and nothing in them."""
    meta.create(target, keys, entropy)
    meta.check(target, keys)
    for table in schema.metadata.sorted_tables:
        known = select(func.count()).select_from(table)
        if table is schema.meta:
            known = known.where(
                table.c.name.not_in(meta.OF_A_NEW_ONE), ~table.c.name.startswith(timekeeping.FACTS, autoescape=True)
            )
        if target.execute(known).scalar_one():
            raise JournalError(
                f"There is a journal already where this one is to go: {table.name} holds something. Nothing was moved. "
                "If it was moved before, name the new place in the settings (journal = …); else empty it, or name "
                "another."
            )


def _held_still(source: Connection, keys: Keys, where: str) -> None:
    """From now on nobody else writes into the old one."""
    if source.dialect.name == "postgresql":  # a file is held by its writer
        names = ", ".join(table.name for table in schema.metadata.sorted_tables)
        source.execute(text("SET LOCAL statement_timeout = 0"))
        source.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        source.execute(text(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE"))
    meta.check(source, keys, moved_to=where)


def _nobody_sends(source: Connection, now: int) -> None:
    queue.recover(source, now, LEASE)
    sending = select(func.count()).where(schema.delivery.c.state == Outcome.SENDING)
    if count := source.execute(sending).scalar_one():
        raise JournalError(
            f"{count} deliveries are just being sent. Nothing was moved. Say policenotify stop, wait until they are "
            "done (policenotify status), and say it again; then policenotify resume."
        )


def _copy(source: Connection, target: Connection, table: Table) -> int:
    """Copy a table, and compare it with what was read; returns how many rows it has."""
    if table is schema.meta:
        target.execute(delete(table))
    count, digest = 0, 0
    for rows in _rows(source, table):
        target.execute(insert(table), [dict(zip(table.columns.keys(), row, strict=True)) for row in rows])
        count, digest = count + len(rows), digest + _digest(rows)
    arrived = [(len(rows), _digest(rows)) for rows in _rows(target, table)]
    if (count, digest % _ALL) != (sum(one for one, _ in arrived), sum(one for _, one in arrived) % _ALL):
        raise JournalError(f"What arrived in {table.name} is not what was sent. Nothing was moved. Say it again.")
    return count


def _rows(connection: Connection, table: Table) -> Iterator[Sequence[tuple[Any, ...]]]:
    query = select(table).order_by(*table.primary_key.columns)  # what a row refers to comes before it
    if table is schema.meta:
        query = query.where(table.c.name != meta.MOVED)
    some = _PICTURES if table is schema.blob else _ROWS
    for rows in connection.execute(query, execution_options={"yield_per": some}).partitions():
        yield [tuple(row) for row in rows]


def _digest(rows: Sequence[tuple[Any, ...]]) -> int:
    return sum(int.from_bytes(hashlib.sha256(repr(row).encode()).digest()) for row in rows)


def _count_on(target: Connection) -> None:
    """Let the server give the next numbers after those that are taken; a file finds them by itself."""
    if target.dialect.name != "postgresql":
        return
    for table in schema.metadata.sorted_tables:
        number: Column[Any] | None = table.autoincrement_column
        if number is not None:
            sequence = func.pg_get_serial_sequence(table.name, number.name)
            target.execute(select(func.setval(sequence, func.max(number))).having(func.max(number).is_not(None)))
