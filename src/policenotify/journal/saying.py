"""What is written when something is published."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from policenotify.journal import facts, kicking, publish, purged, unworded
from policenotify.journal.kicking import Runner
from policenotify.journal.transactions import Transactions
from policenotify.journal.values import Draft, Drafted, Unworded
from policenotify.message import Message


class Saying(Transactions):
    """Writes what is published."""

    def publish(self, draft: Draft, runners: Iterable[Runner] = ()) -> str:
        """Write a publication with all its deliveries; returns its id, or that of the one its key already names.

        Args:
            draft: What is said.
            runners: Who is told of it, inside the transaction.

        Raises:
            KeyReused: The key names another content.
            IllegalCourse: It follows what was purged.
            publish.CourseChanged: The incident moved on since its history was read.
            Stopped: Everything is stopped.
        """
        try:
            with self.writing() as connection:
                if (error := facts.stopped(connection, self.id)) is not None:
                    raise error
                if (first := purged.repeated(connection, self.keys, draft.key, draft.digest)) is not None:
                    return first
                publish.write(connection, draft, self.keys)
                # Now that its course is locked: a purge may have come first, for which the lock was waited.
                purged.refuse_purged(connection, draft.message)
                kicking.kick(connection, runners)
        except publish.CourseChanged:
            # Who was faster may have said this very thing.
            if (first := self.repeated(draft.key, draft.digest)) is None:
                raise
            return first
        return draft.id

    def word(self, one: Unworded, drafted: Sequence[Drafted]) -> bool:
        """Give a delivery that waits without words its own; returns whether it still waited."""
        with self.writing() as connection:
            return unworded.word(connection, self.keys, one, drafted, now=self.now())

    def refuse_unworded(self, one: Unworded, why: str) -> None:
        """Settle a delivery for which no words can be made."""
        with self.writing() as connection:
            unworded.refuse(connection, one, why, now=self.now())

    def keep_refused(self, draft: Draft) -> None:
        """Keep a draft that a check refused."""
        with self.writing() as connection:
            publish.keep_refused(connection, draft)

    def repeated(self, key: str, digest: str) -> str | None:
        """The publication that the caller's key already names, if it says the same; see `publish`."""
        with self.reading() as connection:
            return purged.repeated(connection, self.keys, key, digest)

    def refuse_purged(self, message: Message) -> None:
        """Refuse what follows something that was purged.

        Raises:
            IllegalCourse: There are no words left to set right, and no post to answer.
        """
        with self.reading() as connection:
            purged.refuse_purged(connection, message)
