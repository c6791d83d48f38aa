"""The journal, opened: one object behind which all its tables are."""

from __future__ import annotations

import secrets

from sqlalchemy.exc import SQLAlchemyError

from policenotify.channel import Clock
from policenotify.errors import JournalError, PublishingStopped
from policenotify.journal import audit, meta, results
from policenotify.journal.archive import Records
from policenotify.journal.deliveries import Delivering
from policenotify.journal.engine import open_engine, told
from policenotify.journal.keys import Entropy, Keys
from policenotify.journal.publication_reader import Telling
from policenotify.journal.publication_writer import Saying


class Journal(Saying, Telling, Delivering, Records):
    """What was said and what became of it: the single source of truth.

    Every method is one transaction. Errors of the database are raised as `JournalError`.
    """

    @classmethod
    def open(
        cls,
        url: str,
        *,
        keys: Keys,
        clock: Clock | None = None,
        entropy: Entropy = secrets.token_bytes,
        patience: int | None = None,
        create: bool = False,
    ) -> Journal:
        """Open the journal; see [`open_journal`][policenotify.journal.open_journal]."""
        journal = cls.reach(url, keys=keys, clock=clock, entropy=entropy, patience=patience, create=create)
        try:
            journal.check_schema(create=create)
        except BaseException:
            journal.close()
            raise
        return journal

    @classmethod
    def reach(
        cls,
        url: str,
        *,
        keys: Keys,
        clock: Clock | None = None,
        entropy: Entropy = secrets.token_bytes,
        patience: int | None = None,
        create: bool = False,
    ) -> Journal:
        """Return the journal before its tables are checked; *create*: make a missing file."""
        try:
            engine = open_engine(url, patience, create=create)
        except (SQLAlchemyError, OSError) as error:
            raise JournalError(f"The journal cannot be opened: {told(error)}. Nothing was sent.") from error
        return cls(engine, keys=keys, clock=clock, entropy=entropy)

    def check_schema(self, *, create: bool = False) -> None:
        """Refuse tables of another version or of other keys; *create*: make those of an empty file."""
        if create and self._in_a_file:
            with self.write(keeps_time=False) as connection:
                meta.create(connection, self.keys, self.entropy)
        with self.read() as connection:
            newest = meta.check(connection, self.keys)
            self.id: str | None = meta.id_of(connection)
        if not newest:
            with self.write() as connection:
                meta.take_new_keys(connection, self.keys)

    def stop(self, actor: str, reason: str = "") -> None:
        """Halt everything at once, in all processes, until `resume`."""
        with self.write() as connection:
            meta.stop(connection, actor, reason)
            audit.record(connection, self.now(), actor, "stopped", {"reason": reason})

    def resume(self, actor: str, channel: str | None = None) -> None:
        """Go on after `stop`, or with one channel that was blocked."""
        with self.write() as connection:
            if channel is not None:
                results.unblock(connection, channel, actor, now=self.now())
                return
            meta.resume(connection)
            audit.record(connection, self.now(), actor, "resumed", {})

    def stopped(self) -> PublishingStopped | None:
        """The error that says who stopped everything, while it is stopped."""
        with self.read() as connection:
            return meta.stopped(connection, self.id)
