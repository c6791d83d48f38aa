"""A channel's keep in the journal: sessions and rotating tokens, encrypted, changed by compare-and-swap."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Connection, and_, bindparam, or_, select, update

from policenotify.channel import StoredValue
from policenotify.errors import JournalError
from policenotify.journal import schema
from policenotify.journal.records import microseconds, span

if TYPE_CHECKING:
    from policenotify.journal.transactions import Transactions

_table = schema.keep
_KEPT = select(_table.c.key_version, _table.c.sealed, _table.c.version).where(
    _table.c.channel == bindparam("channel"), _table.c.name == bindparam("name"), _table.c.sealed.is_not(None)
)
_PATIENCE = 0.05  # seconds between two looks at a lease that somebody else holds


class JournalStateStore:
    """What one channel remembers between calls and processes."""

    def __init__(self, journal: Transactions, channel: str) -> None:
        self._journal = journal
        self._channel = channel

    def load(self, name: str) -> StoredValue | None:
        """The value under *name*, or `None`."""
        with self._journal.read() as connection:
            row = connection.execute(_KEPT, {"channel": self._channel, "name": name}).first()
        if row is None:
            return None
        return StoredValue(self._journal.keys.unseal(self._purpose(name), row.key_version, row.sealed), row.version)

    def compare_and_swap(self, name: str, value: str, *, version: int | None) -> bool:
        """Replace the value, if nobody else has since."""
        key_version, sealed = self._journal.keys.seal(self._purpose(name), value)
        with self._journal.write() as connection:
            self._ensure(connection, name)
            changed = connection.execute(
                update(_table)
                .where(self._is(name), _table.c.version == (version or 0))
                .values(version=(version or 0) + 1, key_version=key_version, sealed=sealed)
            )
        return bool(changed.rowcount)

    @contextmanager
    def lease(self, name: str, *, seconds: float) -> Iterator[None]:
        """Be the only one, across processes, who renews *name*; a holder who dies loses it after *seconds*.

        Raises:
            JournalError: Others have held it for all of *seconds*.
        """
        mine, clock = self._journal.entropy(16).hex(), self._journal.clock
        give_up = clock.monotonic() + seconds
        while not self._acquire(name, mine, seconds):
            if clock.monotonic() > give_up:
                raise JournalError(
                    f"Another process has been renewing {name!r} of channel {self._channel!r} for more than "
                    f"{seconds:g} s. Look for one that hangs."
                )
            clock.sleep(_PATIENCE)
        try:
            yield
        finally:
            with self._journal.write() as connection:
                connection.execute(
                    update(_table)
                    .where(self._is(name), _table.c.lease_owner == mine)
                    .values(lease_owner=None, lease_until=None)
                )

    def _acquire(self, name: str, mine: str, seconds: float) -> bool:
        now = microseconds(self._journal.now())
        with self._journal.write() as connection:
            self._ensure(connection, name)
            free = or_(_table.c.lease_until.is_(None), _table.c.lease_until <= now)
            changed = connection.execute(
                update(_table)
                .where(self._is(name), free)
                .values(lease_owner=mine, lease_until=now + span(timedelta(seconds=seconds)))
            )
        return bool(changed.rowcount)

    def _ensure(self, connection: Connection, name: str) -> None:
        if connection.execute(select(_table.c.name).where(self._is(name))).first() is None:
            schema.insert_new(connection, _table, [{"channel": self._channel, "name": name, "version": 0}])

    def _is(self, name: str) -> ColumnElement[bool]:
        return and_(_table.c.channel == self._channel, _table.c.name == name)

    def _purpose(self, name: str) -> str:
        return f"keep {self._channel} {name}"
