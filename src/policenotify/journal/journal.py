"""The opened journal: one object with a repository for each kind of record."""

from __future__ import annotations

from sqlalchemy import false, func, select, update
from sqlalchemy.exc import SQLAlchemyError

from policenotify.channel import Clock
from policenotify.errors import JournalError, PublishingStopped
from policenotify.journal import audit, meta
from policenotify.journal.channels import Channels, seal_states_again, unblock
from policenotify.journal.damage import damaged_rows
from policenotify.journal.database import schema
from policenotify.journal.database.engine import explain, open_engine
from policenotify.journal.database.transactions import Transactions
from policenotify.journal.drafts.drafts import StoredDrafts
from policenotify.journal.figures import Figures
from policenotify.journal.incidents import Incidents
from policenotify.journal.keys import Keys
from policenotify.journal.lists import control
from policenotify.journal.lists.recipients import seal_addresses_again
from policenotify.journal.lists.sendings import Sendings
from policenotify.journal.persons.people import StoredPeople, Suppressions
from policenotify.journal.persons.reports import Reports
from policenotify.journal.publications import Publications
from policenotify.journal.queue import Deliveries
from policenotify.journal.records import microseconds
from policenotify.journal.retention import Retention
from policenotify.journal.seals import AuditLog
from policenotify.journal.subscribers import Subscribers, restart_order
from policenotify.journal.workers import Workers
from policenotify.model.history import Outcome
from policenotify.translation import Text


class Journal(Transactions):
    """What was published and what became of it: the single source of truth.

    Every method is one transaction. Database errors are raised as `JournalError`.
    """

    def __init__(
        self,
        url: str,
        *,
        keys: Keys,
        clock: Clock | None = None,
        timeout: int | None = None,
        create: bool = False,
    ) -> None:
        """Connect without checking the tables; see [`open_journal`][policenotify.journal.open_journal]."""
        try:
            engine = open_engine(url, timeout, create=create)
        except (SQLAlchemyError, OSError) as error:
            raise JournalError(
                Text("The journal cannot be opened: {explain}. Nothing was sent.", explain=explain(error))
            ) from None
        super().__init__(engine, keys=keys, clock=clock)
        self.publications: Publications = Publications(self)
        self.drafts: StoredDrafts = StoredDrafts(self)
        self.incidents: Incidents = Incidents(self)
        self.deliveries: Deliveries = Deliveries(self)
        self.sendings: Sendings = Sendings(self)
        self.channels: Channels = Channels(self)
        self.workers: Workers = Workers(self)
        self.audit: AuditLog = AuditLog(self)
        self.subscribers: Subscribers = Subscribers(self)
        self.suppressions: Suppressions = Suppressions(self)
        self.people: StoredPeople = StoredPeople(self)
        self.reports: Reports = Reports(self)
        self.retention: Retention = Retention(self)
        self.figures: Figures = Figures(self)

    def check_schema(self, *, create: bool = False) -> None:
        """Refuse tables of another version or made with other keys. With *create*, make those of an empty file."""
        if create and self.is_file:
            with self.write() as connection:
                meta.create(connection, self.keys)
        with self.read() as connection:
            keys_are_newest = meta.check(connection, self.keys)
            self.id: str | None = meta.get(connection, meta.ID)
            meta.stopped(connection, self.id)  # which notes the newest event
        if not keys_are_newest:
            with self.write() as connection:
                meta.put(connection, meta.KEYS, self.keys.fingerprint)  # refuses processes with the earlier keys

    def rotate_keys(self, newer: Keys, actor: str) -> int:
        """Use a newer version of the keys from now on. Return how many addresses and sessions were encrypted again.

        Processes with the earlier keys write nothing any more.
        """
        self.authorize(actor, "rotate")
        with self.write() as connection:
            body = {"version": newer.version, "fingerprint": newer.fingerprint}
            audit.record(connection, self.now(), actor, "keys_rotated", body)
            meta.put(connection, meta.KEYS, newer.fingerprint)
            sealed = seal_addresses_again(connection, newer) + seal_states_again(connection, newer)
        self.keys = newer
        return sealed

    def stop(self, actor: str, reason: str = "") -> None:
        """Halt all publishing and delivery, in all processes, until `resume`."""
        self.authorize(actor, "stop")
        with self.write() as connection:
            meta.stop(connection, actor, reason)
            audit.record(connection, self.now(), actor, "stopped", {"reason": reason})

    def resume(self, actor: str, channel: str | None = None) -> None:
        """Continue after `stop`, or reopen one blocked channel.

        Lists that could not be read are tried again at once.
        """
        self.authorize(actor, "resume")
        with self.write() as connection:
            now, waiting = self.now(), self.deliveries.retry_lists(channel)
            if channel is not None:
                unblock(connection, channel, actor, now=now, waits=waiting > 0)
                return
            meta.resume(connection)
            audit.record(connection, now, actor, "resumed", {})

    def mark_restored(self, actor: str) -> int:
        """Put all that is open in doubt, in a journal restored from a copy. Return how many deliveries.

        They may have been sent since the copy was made, and are looked up before they are sent again.
        """
        self.authorize(actor, "restore")
        with self.write() as connection:
            at, delivery, publication = self.now(), schema.delivery, schema.publication
            now, is_open = microseconds(at), (Outcome.WAITING, Outcome.SENDING)
            published = select(publication.c.created_at).where(publication.c.id == delivery.c.publication)
            doubted = connection.execute(
                update(delivery)
                .where(delivery.c.state.in_(is_open))
                .values(
                    state=Outcome.WAITING,
                    in_doubt=delivery.c.parent.is_(None),  # of a batch, its people are
                    owner=None,
                    lease_until=None,
                    unseen_at=None,
                    # As if it had been tried since it was published.
                    first_tried_at=func.coalesce(delivery.c.first_tried_at, published.scalar_subquery()),
                    last_tried_at=now,
                )
            ).rowcount
            people = update(schema.recipient).where(schema.recipient.c.state.in_(is_open))
            connection.execute(people.values(state=Outcome.WAITING, in_doubt=True))
            read = select(delivery.c.id).where(delivery.c.has_recipients, delivery.c.reading.is_(False))
            for name in connection.execute(read.where(delivery.c.state == Outcome.WAITING)).scalars().all():
                control.settle(connection, name, now)  # if all of its people are
            why = {"reason": Text("The journal was restored from a copy."), "code": "restored"}
            ended = update(schema.attempt).where(schema.attempt.c.ended_at.is_(None))
            connection.execute(ended.values(ended_at=now, outcome=Outcome.UNCONFIRMED, **why))
            audit.record(connection, at, actor, "restored", {"deliveries": doubted})
            if not self.is_file:
                restart_order(connection)
        return doubted

    def stopped(self) -> PublishingStopped | None:
        """Return the error that names who stopped everything, or None."""
        with self.read() as connection:
            return meta.stopped(connection, self.id)

    def damaged_rows(self, *, only_open: bool = False) -> tuple[str, ...]:
        """Return the rows that cannot be read, or only those of open incidents; see `damaged_rows` there."""
        with self.read() as connection:
            return tuple(damaged_rows(connection, only_open=only_open))

    def check_writable(self) -> None:
        """Start to write, and change nothing.

        Raises:
            JournalError: This user may only read the journal, and could publish nothing.
        """
        with self.write(durable=False) as connection:
            connection.execute(update(schema.delivery).where(false()).values(attempts=0))
