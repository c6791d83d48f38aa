"""One transaction for everything that reads or writes the journal, and how several things become one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from datetime import datetime

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from policenotify.channel import Clock
from policenotify.clock import MachineClock
from policenotify.errors import JournalError
from policenotify.journal import forks, joining, timekeeping
from policenotify.journal.engine import Turn, told
from policenotify.journal.postgresql import DatabaseClock
from policenotify.keys import Entropy, Keys

_KNOWN = "Nothing was sent that is not in it."

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
        self._closed = False

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
    def writing(self, *, lasting: bool = True, keeps_time: bool = True) -> Iterator[Connection]:
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
        try:
            with self._transaction(options) as connection:
                if keeps_time:
                    joined = _joined.get()
                    brief = joined is None or joined[0] is not self
                    timekeeping.follow(connection, self.clock, alone=self._in_a_file, brief=brief)
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
