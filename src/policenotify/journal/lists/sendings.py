"""The repository of sendings to many people: how far they are, how they are steered, and who is in doubt."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, or_, select

from policenotify.journal.database import schema
from policenotify.journal.database.transactions import Transactions
from policenotify.journal.lists import control, doubts, progress
from policenotify.journal.order import lock, lock_key_of
from policenotify.journal.records import microseconds
from policenotify.journal.tombstones import purged_key
from policenotify.model.decision import DoubtfulPerson, Steered
from policenotify.model.history import Outcome
from policenotify.model.progress import Progress

GATEWAY = "gateway"
"""The actor of an outcome that a gateway's delivery receipt states."""

_publication = schema.publication
_ID = select(_publication.c.id).where(
    _publication.c.state == "published",
    or_(_publication.c.id == bindparam("name"), _publication.c.key.in_([bindparam("name"), bindparam("purged")])),
)


class Sendings:
    """Deliveries with recipients, as a whole."""

    def __init__(self, journal: Transactions) -> None:
        self._journal = journal

    # --- how far it is

    def progress(self, publication: str) -> Progress | None:
        """Return how far a publication is, by its id or the caller's key. None if there is no such publication.

        It reads a row for each batch of 1,000 people, and the people of those batches that are being sent.
        """
        with self._journal.read() as connection:
            names = {"name": publication, "purged": purged_key(self._journal.keys, publication)}
            found = connection.execute(_ID, names).scalar()
            return found and progress.progress_of(connection, found, self._journal.now())

    # --- steering

    def pause(self, publication: str, actor: str, *, channel: str | None = None, reason: str = "") -> Steered:
        """Stop sending a publication to people, in all processes, until `resume`. They go on waiting.

        It takes effect after the people whom a worker has marked: 25, or as many as are sent to at once.
        What follows in the incident waits behind it, but an end is sent at once to those who have it.

        Args:
            publication: The publication's id.
            actor: Who decided it.
            channel: One channel, or all that have recipients.
            reason: Why, for the journal.
        """
        self._journal.authorize(actor, "pause")
        with self._journal.write() as connection:
            rows, now = _locked(connection, publication, channel), self._journal.now()
            return control.pause(connection, publication, rows, actor, reason=reason, now=now)

    def resume(self, publication: str, actor: str, *, channel: str | None = None) -> Steered:
        """Go on with a publication that was paused, on one channel or on all."""
        self._journal.authorize(actor, "resume")
        with self._journal.write() as connection:
            rows, now = _locked(connection, publication, channel), self._journal.now()
            return control.resume(connection, publication, rows, actor, now=now)

    def abort(self, publication: str, actor: str, *, channel: str | None = None, reason: str = "") -> Steered:
        """Stop sending a publication to people, in all processes, for good. It takes effect as `pause` does.

        People who wait are `superseded`, people in doubt are held. Those who have the message keep it, and still get
        the end of its incident.

        It holds from its first transaction on. The people are settled some thousands at a time. If that is interrupted,
        the next drain goes on with it, or the same call.

        Args:
            publication: The publication's id.
            actor: Who decided it.
            channel: One channel, or all that have recipients.
            reason: Why, for the journal.
        """
        self._journal.authorize(actor, "abort")
        with self._journal.write() as connection:
            rows, now = _locked(connection, publication, channel), self._journal.now()
            done = control.start_abort(connection, publication, rows, actor, reason=reason, now=now)
        self.finish(self.ended())
        return done

    def ended(self) -> list[int]:
        """Return the deliveries that were aborted or have ended, and are not settled."""
        with self._journal.read() as connection:
            return control.unfinished(connection)

    def finish(self, ended: Iterable[int]) -> None:
        """Settle deliveries that were aborted or have ended, as far as no worker is sending them."""
        for delivery in ended:
            more = True
            while more:
                with self._journal.write() as connection:
                    lock_key_of(connection, delivery)
                    more = control.finish(connection, delivery, microseconds(self._journal.now()))

    # --- who is in doubt

    def in_doubt(self, delivery: int) -> tuple[DoubtfulPerson, ...]:
        """Return the people of a delivery who are in doubt, by their opaque keys.

        Raises:
            NotHeld: There is no such delivery.
        """
        with self._journal.read() as connection:
            return doubts.people_in_doubt(connection, delivery, None)

    def in_doubt_with_addresses(self, delivery: int, actor: str) -> tuple[DoubtfulPerson, ...]:
        """Return these people with their addresses, as far as they are stored. The journal records who saw them.

        Raises:
            NotHeld: There is no such delivery.
        """
        self._journal.authorize(actor, "show")
        with self._journal.write() as connection:
            found = doubts.people_in_doubt(connection, delivery, self._journal.keys)
            doubts.record_shown(connection, delivery, actor, len(found), self._journal.now())
        return found

    def resolve(self, delivery: int, actor: str, people: Collection[str], *, posted: bool) -> Outcome:
        """Settle some people in doubt by a person's decision: they have it, or it is sent to them again.

        Args:
            delivery: The delivery.
            actor: Who decided it.
            people: Addresses, numbers, keys or the first 12 characters of keys.
            posted: They have it.

        Returns:
            Their outcome: posted, waiting, or superseded if it was aborted or a newer message was posted meanwhile.

        Raises:
            NotHeld: One of them is not in doubt. Nothing was changed.
        """
        self._journal.authorize(actor, "resolve")
        with self._journal.write() as connection:
            found = doubts.find_in_doubt(connection, self._journal.keys, delivery, people)
            now = self._journal.now()
            return doubts.resolve(connection, delivery, actor, posted=posted, now=now, people=found)

    def settle_person(self, delivery: int, person: str, *, posted: bool, actor: str = GATEWAY) -> bool:
        """Settle one person in doubt by what the gateway's delivery receipt states. Call it for every receipt.

        Args:
            delivery: The delivery.
            person: The person's opaque key.
            posted: The gateway has delivered it. Otherwise it certainly has not, and it is sent to the person again.
            actor: Who states it.

        Returns:
            Whether the person was in doubt. If not, nothing was changed, and nothing was written.
        """
        with self._journal.read() as connection:
            if doubts.find_by_key(connection, delivery, person) is None:
                return False
        with self._journal.write() as connection:
            found = doubts.find_by_key(connection, delivery, person)  # it may have been settled meanwhile
            if found is not None:
                now = self._journal.now()
                doubts.resolve(connection, delivery, actor, posted=posted, now=now, people=[found])
        return found is not None


def _locked(connection: Connection, publication: str, channel: str | None) -> Sequence[Row[Any]]:
    """Lock what of a publication is sent to people and not settled, on one channel or on all."""
    rows = control.steerable(connection, publication, channel)
    lock(connection, *{row.ordering_key for row in rows})
    return control.steerable(connection, publication, channel)
