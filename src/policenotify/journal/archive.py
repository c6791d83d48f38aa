"""What is kept for those who come later, and what is forgotten."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from sqlalchemy import select

from policenotify.journal import audit, export, recipients, retention, schema, vacuum
from policenotify.journal.records import microseconds
from policenotify.journal.retention import Purged, Wanted
from policenotify.journal.transactions import Transactions


class Records(Transactions):
    """Keeps, proves and forgets."""

    def record(self, actor: str, kind: str, body: Mapping[str, object], *, channel: str | None = None) -> None:
        """Add an event."""
        with self.write() as connection:
            audit.record(connection, self.now(), actor, kind, body, channel=channel)

    def seal(self) -> int:
        """Close and sign the events since the last seal; returns how many there were."""
        with self.write() as connection:
            return audit.seal(connection, self.keys, self.now())

    def sealed(self) -> str:
        """The digest of the last seal, to be kept elsewhere; empty: there is none."""
        table = schema.seal
        with self.read() as connection:
            last = connection.execute(select(table.c.digest).order_by(table.c.id.desc()).limit(1)).scalar()
        return last or ""

    def verify(self) -> int:
        """Check every sealed batch; returns how many there are. Raises `JournalError` where one was changed."""
        with self.read() as connection:
            return audit.verify(connection, self.keys)

    def erase_addresses(self) -> int:
        """Erase the addresses that nothing needs any more; returns how many."""
        with self.write() as connection:
            return recipients.erase(connection, microseconds(self.now()))

    def export(self, *, before: datetime | None = None, category: str | None = None) -> Iterator[bytes]:
        """The journal as JSON Lines that strangers can prove; see [`export`][policenotify.journal.export].

        Args:
            before: Only what was published by then; `None`: all.
            category: Only that category; `None`: all.
        """
        wanted = None
        if before is not None or category is not None:
            wanted = Wanted(before=microseconds(before or self.now()), category=category)
        with self.read() as connection:
            yield from export.lines(connection, self.keys, wanted)

    def purge(self, before: datetime, actor: str, *, category: str | None = None, dry_run: bool = False) -> Purged:
        """Forget the words and the people of what was over by *before*; that it was said, when and by whom, stays.

        Only closed incidents all of whose publications are that old, messages outside incidents, and drafts that a
        check refused; never what is still to be sent or held for a person. Each transaction is short. What events said
        is gone with their salts; the seals, which chain the commitments, still verify.

        Args:
            before: All of it must have been said and over by then.
            actor: Who wants it.
            category: Only that category; `None`: all.
            dry_run: Only count.
        """
        return retention.purge(self, before, actor, category=category, dry_run=dry_run)

    def vacuum(self) -> tuple[int, int]:
        """Give the room of what was erased back; returns the size in bytes before and after.

        Raises:
            JournalError: Others hold the journal for longer than this may wait.
        """
        return vacuum.vacuum(self._engine)
