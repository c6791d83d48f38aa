"""The journal, opened: one object behind which all its tables are."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, Text, delete, func, select, update
from sqlalchemy.exc import SQLAlchemyError

from policenotify.channel import Clock, Keep, Picture, Recipient, RecipientOutcome, Request
from policenotify.clock import SystemClock
from policenotify.errors import Blocked, InvalidPicture, JournalError, Stopped
from policenotify.journal import (
    addresses,
    claim,
    events,
    export,
    facts,
    forks,
    history,
    joining,
    kicking,
    limiter,
    owed,
    publish,
    purge,
    purged,
    resolve,
    schema,
    series,
    set_back,
    settle,
    vacuum,
)
from policenotify.journal.engine import Turn, open_engine, told
from policenotify.journal.keeping import JournalKeep
from policenotify.journal.kicking import Runner
from policenotify.journal.owner import is_dead, this_process
from policenotify.journal.postgresql import DatabaseClock
from policenotify.journal.purge import Purged, Wanted
from policenotify.journal.values import (
    QUIET,
    Claimed,
    Draft,
    IncidentLine,
    SaidUnder,
    Settlement,
    microseconds,
    moment,
    span,
)
from policenotify.keys import Entropy, Keys
from policenotify.message import Message
from policenotify.rate import Rate
from policenotify.receipt import History, Outcome, Publication

_KNOWN = "Nothing was sent that is not in it."
_FORGOTTEN = timedelta(days=7)  # after which a runner that was not seen again is no news any more

_joined: ContextVar[tuple[Journal, Connection] | None] = ContextVar("policenotify_joined", default=None)
"""The caller's transaction that this thread or task writes in, and the journal that it is on."""

_open: ContextVar[tuple[Journal, Connection, bool] | None] = ContextVar("policenotify_open", default=None)
"""The transaction in which this thread or task does several things, the journal that it is on, whether it writes."""


@contextmanager
def _under_way(journal: Journal, connection: Connection, *, writes: bool) -> Iterator[None]:
    before = _open.set((journal, connection, writes))
    try:
        yield
    finally:
        _open.reset(before)


class Journal:
    """What was said and what became of it: the single source of truth.

    Every method is one transaction. Errors of the database are raised as `JournalError`.
    """

    def __init__(self, engine: Engine, *, keys: Keys, clock: Clock | None, entropy: Entropy) -> None:
        self._engine = engine
        self._in_a_file = engine.dialect.name == "sqlite"
        self._turn = Turn()
        self._server_clock = None if clock or self._in_a_file else DatabaseClock()
        self.keys = keys
        self.clock: Clock = clock or self._server_clock or SystemClock()
        self.entropy = entropy
        self._closed = False

    @classmethod
    def open(
        cls,
        url: str,
        *,
        keys: Keys,
        clock: Clock | None = None,
        entropy: Entropy = secrets.token_bytes,
        patience: int | None = None,
    ) -> Journal:
        """Open the journal; see [`open_journal`][policenotify.journal.open_journal]."""
        journal = cls.reach(url, keys=keys, clock=clock, entropy=entropy, patience=patience)
        try:
            journal.check_schema()
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
    ) -> Journal:
        """The journal, whose tables nobody has looked at yet."""
        try:
            engine = open_engine(url, patience)
        except (SQLAlchemyError, OSError) as error:
            raise JournalError(f"The journal cannot be opened: {told(error)}. Nothing was sent.") from error
        return cls(engine, keys=keys, clock=clock, entropy=entropy)

    def __repr__(self) -> str:
        url = self._engine.url.difference_update_query(["password", "sslpassword"])
        return f"Journal({url.render_as_string(hide_password=True)})"

    def now(self) -> datetime:
        """The store's time: on PostgreSQL the server's, unless a clock was handed in."""
        if self._server_clock is not None and not self._server_clock.fresh:
            with self.reading():
                pass  # which asks the server
        return self.clock.now()

    @contextmanager
    def writing(self, *, lasting: bool = True) -> Iterator[Connection]:
        """One transaction that writes; *lasting*: in a file, it also survives a power cut."""
        options = {
            "policenotify_writes": True,
            "policenotify_lasting": lasting,
            "policenotify_entropy": self.entropy,
        }
        try:
            with self._transaction(options) as connection:
                yield connection
        except SQLAlchemyError as error:
            raise JournalError(f"The journal could not be written: {told(error)}. {_KNOWN}") from error

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One transaction that reads."""
        # All of it is of one moment, as it is in a file.
        options = {} if self._in_a_file else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        try:
            with self._transaction(options) as connection:
                yield connection
        except SQLAlchemyError as error:
            raise JournalError(f"The journal could not be read: {told(error)}. {_KNOWN}") from error

    @contextmanager
    def at_one_moment(self) -> Iterator[None]:
        """Until this ends, all that this thread or task reads here is of one moment: one transaction that reads."""
        with self.reading() as connection, _under_way(self, connection, writes=False):
            yield

    @contextmanager
    def as_one(self) -> Iterator[None]:
        """Until this ends, all that this thread or task writes and reads here is one transaction, which lasts."""
        with self.writing() as connection, _under_way(self, connection, writes=True):
            yield

    @contextmanager
    def joined(self, connection: Connection) -> Iterator[None]:
        """Until this ends, what this thread or task reads and writes here is part of the caller's transaction.

        Each of our own is a savepoint in it: what fails leaves the caller's transaction as it was, and usable.

        Raises:
            JournalError: The connection is not on this journal, or commits by itself; nothing was written.
        """
        try:
            joining.join(connection, self._engine)
        except (SQLAlchemyError, OSError) as error:
            raise JournalError(f"Your transaction cannot be joined: {told(error)}. Nothing was sent.") from error
        connection.execution_options(policenotify_entropy=self.entropy)
        before = _joined.set((self, connection))
        try:
            yield
        finally:
            _joined.reset(before)

    @contextmanager
    def _transaction(self, options: Mapping[str, object]) -> Iterator[Connection]:
        joined, within = _joined.get(), _open.get()
        if joined is not None and joined[0] is self:
            with joined[1].begin_nested():
                if self._server_clock is not None:
                    self._server_clock.ask(joined[1])
                yield joined[1]
            return
        if within is not None and within[0] is self and (within[2] or "policenotify_writes" not in options):
            if self._server_clock is not None and not self._server_clock.fresh:
                self._server_clock.ask(within[1])
            yield within[1]
            return
        pool = self._engine.pool
        turn = self._turn.taken() if self._in_a_file and "policenotify_writes" in options else nullcontext()
        try:
            with (
                forks.under_way(),
                turn,
                self._engine.connect().execution_options(**options) as connection,
                connection.begin(),
            ):
                if self._server_clock is not None:
                    self._server_clock.ask(connection)
                yield connection
        finally:
            if self._closed:  # whoever was under way when the journal was closed closes behind himself
                pool.dispose()
                self._engine.dispose()

    def close(self) -> None:
        """Let go of all connections; what is under way is still written. May be called twice."""
        self._closed = True
        self._engine.dispose()

    # --- the journal itself

    def check_schema(self) -> None:
        """Create the tables of an empty file; refuse those of another version or of other keys."""
        if self._in_a_file:
            with self.reading() as connection:
                absent = facts.version(connection) is None
            if absent:
                with self.writing() as connection:
                    facts.create(connection, self.keys)
        with self.reading() as connection:
            newest = facts.check(connection, self.keys)
        if not newest:
            with self.writing() as connection:
                facts.take_new_keys(connection, self.keys)

    def stop(self, actor: str, reason: str = "") -> None:
        """Halt everything at once, in all processes, until `resume`."""
        with self.writing() as connection:
            facts.stop(connection, actor, reason)
            events.record(connection, self.now(), actor, "stopped", {"reason": reason})

    def resume(self, actor: str, channel: str | None = None) -> None:
        """Go on after `stop`, or with one channel that was blocked."""
        with self.writing() as connection:
            if channel is not None:
                settle.unblock(connection, channel, actor, now=self.now())
                return
            facts.resume(connection)
            events.record(connection, self.now(), actor, "resumed", {})

    def stopped(self) -> Stopped | None:
        """The error that says who stopped everything, while it is stopped."""
        with self.reading() as connection:
            return facts.stopped(connection)

    # --- publishing

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
                if (error := facts.stopped(connection)) is not None:
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

    # --- reading

    def history(self, incident: str) -> History:
        """The course of one incident so far."""
        with self.reading() as connection:
            return history.history(connection, incident)

    def history_of(self, publication: str) -> History | None:
        """The course of a publication outside incidents."""
        with self.reading() as connection:
            return history.history_of(connection, publication)

    def incidents(self, *, only_open: bool = True) -> tuple[IncidentLine, ...]:
        """The incidents, the latest first."""
        with self.reading() as connection:
            return history.incidents(connection, only_open=only_open)

    def owed(self) -> tuple[tuple[datetime, int], ...]:
        """For each open incident: until when a word is owed, and which reminder of it was raised last (0: none)."""
        with self.reading() as connection:
            return owed.owed(connection)

    def remind(self, incident: str, due_at: datetime, level: int) -> bool:
        """Write down that the desk is reminded of a word that it owes; once for each deadline and level.

        Returns:
            Whether it is ours to raise; `False`: another process did, or the word was said meanwhile.
        """
        with self.writing() as connection:
            return owed.remind(connection, incident, due_at, level, now=self.now())

    def carrying(self) -> dict[str, tuple[str, ...]]:
        """The channels where something of an open incident is out, or may be: and which incidents."""
        with self.reading() as connection:
            return owed.carrying(connection)

    def publication(self, wanted: str) -> Publication | None:
        """A publication and what became of it, by its id or by the caller's key.

        Of a purged one the message says that it was purged, and when; category, stage and outcomes are as they were.
        """
        with self.reading() as connection:
            found = history.publication(connection, wanted)
            found = found or history.publication(connection, purged.purged_key(self.keys, wanted))
            return purged.counted(connection, found) if found else None

    def latest(self, count: int) -> tuple[Publication, ...]:
        """The last publications, the newest first."""
        with self.reading() as connection:
            return tuple(purged.counted(connection, one) for one in history.latest(connection, count))

    def said_under(self, prefix: str, since: datetime) -> tuple[SaidUnder, ...]:
        """The publications since a moment whose key begins so, the oldest first."""
        with self.reading() as connection:
            return series.said_under(connection, prefix, since)

    def recorded(self, kind: str, since: datetime) -> tuple[Mapping[str, object], ...]:
        """The bodies of the events of a kind since a moment, the oldest first; not of those that were purged."""
        with self.reading() as connection:
            return series.recorded(connection, kind, since)

    def unfinished(self) -> tuple[Publication, ...]:
        """The publications of which something is still to come, or is held for a person; the newest first."""
        with self.reading() as connection:
            return history.unfinished(connection)

    def unsettled(self, publication: str) -> Mapping[str, datetime | None]:
        """The channels where something is still to come: the time before which it will not; `None`: under way."""
        with self.reading() as connection:
            return history.unsettled(connection, publication)

    def blocked(self) -> dict[str, Blocked]:
        """The channels on which nothing more goes out until a person acts, and why."""
        table = schema.channel
        with self.reading() as connection:
            rows = connection.execute(select(table).where(table.c.blocked_at.is_not(None))).all()
        return {row.name: Blocked(row.reason, remedy=row.remedy, code=row.code) for row in rows}

    def picture(self, digest: str, alt: str) -> Picture:
        """A picture that was published before, with its bytes.

        Raises:
            InvalidPicture: The journal does not have it.
        """
        with self.reading() as connection:
            row = connection.execute(select(schema.blob).where(schema.blob.c.digest == digest)).first()
        if row is None:
            raise InvalidPicture(f"The journal has no picture {digest}. Give the picture itself, by path or data.")
        return Picture(
            digest=digest, media_type=row.media_type, width=row.width, height=row.height, alt=alt, data=row.data
        )

    # --- delivering

    def mark(self) -> str:
        """Another text than before, once anybody has written down that something was said, settled or decided.

        It costs next to nothing, so that whoever waits may ask every second.
        """
        with self.reading() as connection:
            if self._in_a_file:  # writers come one after the other, so that the last event is the newest
                return str(connection.execute(select(func.max(schema.event.c.id))).scalar())
            # Another one after each transaction that wrote (postgresql.org/docs/current/functions-info.html).
            return str(connection.execute(select(func.pg_current_snapshot().cast(Text))).scalar())

    def saw_runner(self, *, stays: bool = False) -> None:
        """Somebody is delivering; who *stays* goes on until he says that he is leaving."""
        owner, now = this_process(), microseconds(self.now())
        table = schema.runner
        seen = {"seen_at": now, "stays": True} if stays else {"seen_at": now}
        with self.writing(lasting=False) as connection:
            changed = connection.execute(update(table).where(table.c.owner == owner).values(**seen))
            if not changed.rowcount:
                connection.execute(delete(table).where(table.c.seen_at < now - span(_FORGOTTEN)))
                schema.insert_new(connection, table, [{"owner": owner, **seen}])

    def left_runner(self) -> None:
        """Who stayed is leaving."""
        table = schema.runner
        with self.writing() as connection:
            connection.execute(update(table).where(table.c.owner == this_process()).values(stays=False))

    def worker_seen(self) -> datetime | None:
        """When somebody who stays was last delivering; `None`: nobody does, or he is dead or silent."""
        table, since = schema.runner, microseconds(self.now()) - span(QUIET)
        query = select(table).where(table.c.stays, table.c.seen_at > since).order_by(table.c.seen_at.desc())
        with self.reading() as connection:
            rows = connection.execute(query).all()
        return next((moment(row.seen_at) for row in rows if not is_dead(row.owner)), None)

    def runner_seen(self) -> datetime | None:
        """When somebody was last delivering, in the last days."""
        with self.reading() as connection:
            seen = connection.execute(select(func.max(schema.runner.c.seen_at))).scalar()
        return moment(seen) if seen is not None else None

    def promise(self, runner: str) -> bool:
        """Whether a runner is to be asked to come: nobody has promised that it will. From now on somebody has.

        One promise is enough until it is [kept][policenotify.journal.store.Journal.keep_promise], or is overdue.
        """
        now = microseconds(self.now())
        with self.reading() as connection:
            if facts.is_promised(connection, runner, now):
                return False
        with self.writing() as connection:
            return facts.promise(connection, runner, now)

    def keep_promise(self, runner: str) -> None:
        """The runner has come: for what is written from now on, it is to be asked again."""
        with self.writing() as connection:
            facts.keep_promise(connection, runner)

    def recover(self) -> int:
        """Take back what dead or silent runners held; returns how many deliveries.

        What waits for a time that was one of a clock since set back is due at once.
        """
        with self.writing(lasting=False) as connection:
            now = microseconds(self.now())
            set_back.put_right(connection, now)
            return claim.recover(connection, now)

    def due(self, channels: Iterable[str], *, rates: Mapping[str, Rate | None] | None = None) -> dict[str, datetime]:
        """When each channel has something to do next; nothing while everything is stopped."""
        with self.reading() as connection:
            if facts.stopped(connection) is not None:
                return {}
            known = rates or {}
            return claim.due(connection, {name: known.get(name) for name in channels}, microseconds(self.now()))

    def opens_at(self, rates: Mapping[str, Rate | None]) -> dict[str, datetime]:
        """When the next post may leave on each channel, given its rate; those where it may leave now are left out."""
        with self.reading() as connection:
            now = microseconds(self.now())
            opens = limiter.opens_at(connection, rates, now)
        return {name: moment(at) for name, at in opens.items() if at is not None and at > now}

    def severe_is_ready(self, channel: str) -> bool:
        """Whether something Severe or more waits on the channel, to be sent now."""
        with self.reading() as connection:
            return claim.severe_is_ready(connection, channel, microseconds(self.now()))

    def claim(
        self, channel: str, owner: str, *, lease: timedelta, severe_only: bool = False, rate: Rate | None = None
    ) -> Claimed | None:
        """Take the channel's next delivery, or nothing; nothing either while its rate lets nothing out."""
        with self.writing(lasting=False) as connection:
            if facts.stopped(connection) is not None:
                return None
            now = microseconds(self.now())
            return claim.claim(connection, channel, owner, now=now, lease=lease, severe_only=severe_only, rate=rate)

    def begin(self, claimed: Claimed, request: Request, wording: str, *, rate: Rate | None = None) -> Claimed:
        """Write down that *request* is about to be said. Nothing may leave before this returns.

        Raises:
            LostLease: The delivery is no longer ours.
            RateReached: Others were faster since it was claimed, and the channel's rate lets nothing out yet.
            Stopped: Everything was stopped meanwhile.
        """
        with self.writing() as connection:
            if (error := facts.stopped(connection)) is not None:
                raise error
            return claim.begin(connection, claimed, request, wording, now=microseconds(self.now()), rate=rate)

    def settle(self, claimed: Claimed, became: Settlement) -> None:
        """Write down what became of the attempt; of a mass delivery: what became of all who still wait.

        Raises:
            LostLease: It is no longer ours to say.
        """
        if claimed.mass:
            self.settle_mass(claimed, became)
            return
        with self.writing() as connection:
            settle.settle(connection, claimed, became, now=self.now())

    def block(self, channel: str, error: Blocked) -> bool:
        """Let nothing more out on a channel until a person acts; returns whether that is news."""
        with self.writing() as connection:
            return settle.block(connection, channel, error, now=self.now())

    def pause(self, channel: str, until: datetime) -> None:
        """The network asked the account to wait."""
        with self.writing() as connection:
            settle.pause(connection, channel, until)

    def next_people(
        self, claimed: Claimed, limit: int, *, hold_doubt: bool, rate: Rate | None = None
    ) -> tuple[Recipient, ...]:
        """The next people of a delivery, marked as being written to; empty while everything is stopped.

        People in doubt are held rather than written to again where *hold_doubt*.

        Raises:
            LostLease: The delivery is no longer ours.
            RateReached: The channel's rate, which counts people, lets nobody be written to yet.
        """
        with self.writing() as connection:
            if facts.stopped(connection) is not None:
                return ()

            def mark(most: int) -> tuple[Recipient, ...]:
                claim.still_ours(connection, claimed)
                return addresses.next_people(
                    connection, self.keys, claimed.id, claimed.attempts, most, hold_doubt=hold_doubt
                )

            if rate is None:
                return mark(limit)
            return limiter.take_people(connection, claimed.channel, rate, microseconds(self.now()), limit, mark)

    def settle_people(
        self, claimed: Claimed, outcomes: Sequence[RecipientOutcome], *, hold_doubt: bool, lease: timedelta
    ) -> None:
        """Write down what became of some people, and keep the delivery a while longer."""
        with self.writing() as connection:
            settle.settle_people(connection, claimed, outcomes, now=self.now(), hold_doubt=hold_doubt, lease=lease)

    def settle_mass(self, claimed: Claimed, became: Settlement) -> Outcome:
        """Write down what a mass delivery has come to, from what became of its people.

        Args:
            claimed: The delivery.
            became: Says why and when again, should somebody still wait; final for all others if it is final.

        Returns:
            What it has come to.
        """
        with self.writing() as connection:
            return settle.settle_mass(connection, claimed, became, now=self.now())

    def resolve(self, delivery: int, actor: str, *, posted: bool) -> None:
        """A person says what became of what is held: it is out, or it is to be said again.

        Raises:
            JournalError: Nothing of this delivery is held.
        """
        with self.writing() as connection:
            resolve.resolve(connection, delivery, actor, posted=posted, now=self.now())

    def keep(self, channel: str) -> Keep:
        """What one channel remembers between calls and processes."""
        return JournalKeep(self, channel)

    # --- records

    def record(self, actor: str, kind: str, body: Mapping[str, object], *, channel: str | None = None) -> None:
        """Add an event."""
        with self.writing() as connection:
            events.record(connection, self.now(), actor, kind, body, channel=channel)

    def seal(self) -> int:
        """Close and sign the events since the last seal; returns how many there were."""
        with self.writing() as connection:
            return events.seal(connection, self.keys, self.now())

    def sealed(self) -> str:
        """The digest of the last seal, to be kept elsewhere; empty: there is none."""
        table = schema.seal
        with self.reading() as connection:
            last = connection.execute(select(table.c.digest).order_by(table.c.id.desc()).limit(1)).scalar()
        return last or ""

    def verify(self) -> int:
        """Check every sealed batch; returns how many there are. Raises `JournalError` where one was changed."""
        with self.reading() as connection:
            return events.verify(connection, self.keys)

    def erase_addresses(self) -> int:
        """Erase the addresses that nothing needs any more; returns how many."""
        with self.writing() as connection:
            return addresses.erase(connection, microseconds(self.now()))

    def export(self, *, before: datetime | None = None, category: str | None = None) -> Iterator[bytes]:
        """The journal as JSON Lines that strangers can prove; see [`export`][policenotify.journal.export].

        Args:
            before: Only what was published by then; `None`: all.
            category: Only that category; `None`: all.
        """
        wanted = None
        if before is not None or category is not None:
            wanted = Wanted(before=microseconds(before or self.now()), category=category)
        with self.reading() as connection:
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
        return purge.purge(self, before, actor, category=category, dry_run=dry_run)

    def vacuum(self) -> tuple[int, int]:
        """Give the room of what was erased back; returns the size in bytes before and after.

        Raises:
            JournalError: Others hold the journal for longer than this may wait.
        """
        return vacuum.vacuum(self._engine)
