"""One transaction for everything that reads or writes the journal, and how several things become one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from datetime import datetime
from json import JSONDecodeError

from pydantic import ValidationError
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from policenotify.channel import Clock
from policenotify.errors import JournalError, JournalTakenAway, PolicenotifyError
from policenotify.journal import caller_transaction, forks, timekeeping
from policenotify.journal.clock import MachineClock
from policenotify.journal.engine import Turn, lacks_a_table, only_reads, told, watch_of
from policenotify.journal.file_watch import FileWatch
from policenotify.journal.keys import Entropy, Keys
from policenotify.journal.postgresql import DatabaseClock

_log = logging.getLogger("policenotify")

_joined: ContextVar[tuple[Transactions, Connection] | None] = ContextVar("policenotify_joined", default=None)
"""The caller's transaction that this thread or task writes in, and the journal that it is on."""

_open: ContextVar[tuple[Transactions, Connection, bool] | None] = ContextVar("policenotify_open", default=None)
"""The transaction in which this thread or task does several things, the journal that it is on, whether it writes."""


@contextmanager
def _under_way(journal: Transactions, connection: Connection, *, writes: bool) -> Iterator[None]:
    before = _open.set((journal, connection, writes))
    try:
        yield
    finally:
        _open.reset(before)


@contextmanager
def _undamaged(what: str, *unreadable: type[ValueError]) -> Iterator[None]:
    """Report a stored value that cannot be read. The error for it would quote the value."""
    try:
        yield
    except unreadable as error:
        if isinstance(error, PolicenotifyError):
            raise
        why = "a stored value is damaged. Put the journal aside and restore a copy"
        raise JournalError(f"The journal could not be {what}: {why}.", published="unknown") from None


class Transactions:
    """The database of a journal, its time, and the keys of what is in it."""

    def __init__(self, engine: Engine, *, keys: Keys, clock: Clock | None, entropy: Entropy) -> None:
        self._engine = engine
        self._in_a_file = engine.dialect.name == "sqlite"
        self._turn = Turn()
        self._server_clock = None if clock or self._in_a_file else DatabaseClock()
        self.keys = keys
        self.clock: Clock = clock or self._server_clock or MachineClock()
        self.entropy = entropy
        self.id: str | None = None  # of the journal that was opened, once its tables were checked
        self._closed = False
        self._newest_event = 0  # that this process has seen
        self._watch = watch_of(engine)
        self._taken_away = ""  # what happened, once the journal was deleted or replaced
        self._alarm = threading.Lock()  # acquired once, by the thread that raises the alarm

    def __repr__(self) -> str:
        url = self._engine.url.difference_update_query(["password", "sslpassword"])
        return f"Journal({url.render_as_string(hide_password=True)})"

    def now(self) -> datetime:
        """The store's time: on PostgreSQL the server's, unless a clock was handed in."""
        if self._server_clock is not None and not self._server_clock.fresh:
            with self.read():
                pass  # which asks the server
        return self.clock.now()

    @contextmanager
    def write(self, *, lasting: bool = True, keeps_time: bool = True) -> Iterator[Connection]:
        """One transaction that writes.

        Args:
            lasting: In a file, it also survives a power cut.
            keeps_time: Where the clock was set meanwhile, what counts intervals is moved first; its tables are there.
        """
        options = {
            "policenotify_writes": True,
            "policenotify_lasting": lasting,
            "policenotify_entropy": self.entropy,
        }
        ended = False
        try:
            with self._transaction(options) as connection, _undamaged("written", ValidationError, JSONDecodeError):
                if keeps_time:
                    joined = _joined.get()
                    brief = joined is None or joined[0] is not self
                    timekeeping.follow(connection, self.clock, alone=self._in_a_file, brief=brief)
                yield connection
                ended = True
        except SQLAlchemyError as error:
            failure = self._failure(error, "written")
            failure.at_commit = ended
            raise failure from error

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One transaction that reads."""
        with self._reading() as connection, _undamaged("read", ValueError):
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        # All of it is of one moment, as it is in a file.
        options = {} if self._in_a_file else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        try:
            with self._transaction(options) as connection:
                yield connection
        except SQLAlchemyError as error:
            raise self._failure(error, "read") from error

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Until this ends, all that this thread or task reads here is of one moment: one transaction that reads."""
        with self._reading() as connection, _under_way(self, connection, writes=False):
            yield

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Until this ends, all that this thread or task writes and reads here is one transaction, which lasts."""
        with self.write() as connection, _under_way(self, connection, writes=True):
            yield

    @contextmanager
    def joined(self, connection: Connection) -> Iterator[None]:
        """Until this ends, what this thread or task reads and writes here is part of the caller's transaction.

        Each of our own is a savepoint in it: what fails leaves the caller's transaction as it was, and usable.

        Raises:
            JournalError: The connection is not on this journal, or commits by itself; nothing was written.
        """
        try:
            caller_transaction.join(connection, self._engine)
        except JournalTakenAway as error:
            self._notice(error)
            raise
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
        if self._taken_away:
            raise JournalTakenAway(self._taken_away)
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
        writes = "policenotify_writes" in options
        turn = self._turn.taken() if self._in_a_file and writes else nullcontext()
        try:
            with (
                forks.under_way(),
                turn,
                self._connect(options) as connection,
                connection.begin(),
            ):
                if self._server_clock is not None:
                    self._server_clock.ask(connection)
                yield connection
            if writes and self._watch is not None:
                self._check_commit(self._watch)
        except JournalTakenAway as error:
            self._notice(error)
            raise
        finally:
            if self._closed:  # whoever was under way when the journal was closed closes behind himself
                pool.dispose()
                self._engine.dispose()

    def _connect(self, options: Mapping[str, object]) -> Connection:
        """Return a connection, unless the alarm was raised while this thread waited for its turn."""
        if self._taken_away:
            raise JournalTakenAway(self._taken_away)
        return self._engine.connect().execution_options(**options)

    def _failure(self, error: SQLAlchemyError, what: str) -> JournalError:
        """Return what a failure of the database means; of files that were taken away it is no more than a sign."""
        try:
            if self._watch is not None:
                self._watch.check()
        except JournalTakenAway as taken_away:
            told(error)  # takes the values out of it
            self._notice(taken_away)
            return taken_away
        if self.id is not None and lacks_a_table(error):
            told(error)  # takes the values out of it
            gone = JournalTakenAway("The journal's tables were deleted while it was in use.")
            self._notice(gone)
            return gone
        if only_reads(error):  # for as long as it is open, whatever the file's mode is by then
            self._engine.dispose()
        return JournalError(f"The journal could not be {what}: {told(error)}.", published="unknown")

    def _check_commit(self, watch: FileWatch) -> None:
        """See that what was committed went into the file that other processes read."""
        try:
            watch.check()
        except JournalTakenAway as error:
            error.at_commit = True
            raise

    def _notice(self, error: JournalTakenAway) -> None:
        """Raise the alarm, once, and use no connection any more: what they would write is lost."""
        if self._alarm.acquire(blocking=False):
            self._taken_away = error.event
            _log.error("%s", error)
            self.close()

    def close(self) -> None:
        """Let go of all connections; what is under way is still written. May be called twice."""
        self._closed = True
        self._engine.dispose()
