"""What is written when something is published."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from policenotify.journal import meta, notify, pending, publications, tombstones
from policenotify.journal.notify import Runner
from policenotify.journal.records import NewDelivery, NewPublication, UnrenderedDelivery
from policenotify.journal.transactions import Transactions
from policenotify.model.message import Message


class Saying(Transactions):
    """Writes what is published."""

    def publish(self, draft: NewPublication, runners: Iterable[Runner] = ()) -> str:
        """Write a publication with all its deliveries; returns its id, or that of the one its key already names.

        Args:
            draft: What is said.
            runners: Who is told of it, inside the transaction.

        Raises:
            IdempotencyConflict: The key names another content.
            InvalidTransition: It follows what was purged.
            publish.CourseChanged: The incident moved on since its history was read.
            PublishingStopped: Everything is stopped.
        """
        try:
            with self.write() as connection:
                if (error := meta.stopped(connection, self.id)) is not None:
                    raise error
                if (first := tombstones.repeated(connection, self.keys, draft.key, draft.digest)) is not None:
                    return first
                publications.write(connection, draft, self.keys)
                # Now that its course is locked: a purge may have come first, for which the lock was waited.
                tombstones.refuse_purged(connection, draft.message)
                notify.enqueue(connection, runners)
        except publications.CourseChanged:
            # Who was faster may have said this very thing.
            if (first := self.repeated(draft.key, draft.digest)) is None:
                raise
            return first
        return draft.id

    def word(self, one: UnrenderedDelivery, drafted: Sequence[NewDelivery]) -> bool:
        """Give a delivery that waits without words its own; returns whether it still waited."""
        with self.write() as connection:
            return pending.word(connection, self.keys, one, drafted, now=self.now())

    def refuse_unworded(self, one: UnrenderedDelivery, why: str) -> None:
        """Settle a delivery for which no words can be made."""
        with self.write() as connection:
            pending.refuse(connection, one, why, now=self.now())

    def keep_refused(self, draft: NewPublication) -> None:
        """Keep a draft that a check refused."""
        with self.write() as connection:
            publications.keep_refused(connection, draft)

    def repeated(self, key: str, digest: str) -> str | None:
        """The publication that the caller's key already names, if it says the same; see `publish`."""
        with self.read() as connection:
            return tombstones.repeated(connection, self.keys, key, digest)

    def refuse_purged(self, message: Message) -> None:
        """Refuse what follows something that was purged.

        Raises:
            InvalidTransition: There are no words left to set right, and no post to answer.
        """
        with self.read() as connection:
            tombstones.refuse_purged(connection, message)
