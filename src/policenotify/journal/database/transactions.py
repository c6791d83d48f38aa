"""Transactions on the journal: every read and every write runs in one."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from contextvars import ContextVar
from datetime import datetime, timedelta
from json import JSONDecodeError
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import ValidationError
from sqlalchemy import (
    Connection,
    Dialect,
    Engine,
    StaticPool,
    create_engine,
    delete,
    or_,
    text,
    update,
)
from sqlalchemy.exc import SQLAlchemyError

from policenotify.channel import Clock
from policenotify.errors import JournalError, JournalTakenAway, NotAllowed, PolicenotifyError
from policenotify.journal import audit, clock_change, meta
from policenotify.journal.clock import MachineClock
from policenotify.journal.database import schema
from policenotify.journal.database.engine import (
    FileWatch,
    KeptConnection,
    WriterQueue,
    begin,
    brief_transaction,
    explain,
    is_missing_table,
    is_read_only,
    watch_of,
)
from policenotify.journal.database.postgresql import DatabaseClock, single_statement
from policenotify.journal.keys import Entropy, Keys
from policenotify.journal.records import TOLERANCE, DamagedValue, microseconds, span
from policenotify.model.message import Message
from policenotify.validation import LONGEST_NAME, is_name

_log = logging.getLogger("policenotify")

# Of values that are stored. Any other error is a fault of the program, not of the journal.
_UNREADABLE = (ValidationError, JSONDecodeError, DamagedValue)

# They would end the host's transaction, or change its connection for good.
_WITHHELD = frozenset({"commit", "rollback", "close", "create_function", "add_notice_handler"})

_IN_A_FILE = text("SELECT file FROM pragma_database_list WHERE name = 'main'")
# Another search path leads to other tables in the same database.
_ON_A_SERVER = text("SELECT pg_postmaster_start_time(), current_database(), to_regclass('pn_meta')::oid")

_SEEN = "policenotify_seen"  # the option under which a transaction that writes notes the newest events that it has seen
_LOCK_INTERVAL = 0.05  # seconds between two tries to acquire a lock that another process holds
_FORK_TIMEOUT = 5.0  # seconds; a transaction takes milliseconds unless the disk hangs

_joined: ContextVar[tuple[Transactions, Connection] | None] = ContextVar("policenotify_joined", default=None)
"""The caller's transaction that this thread or task takes part in, with its journal."""

_open: ContextVar[tuple[Transactions, Connection, bool] | None] = ContextVar("policenotify_open", default=None)
"""The transaction that this thread or task has open, with its journal and whether it writes."""


May: TypeAlias = Callable[[str, str, Message | None], bool | str]
"""A rule of the installation: may this actor do this, with this message? `True`, or the reason why not."""


class Transactions:
    """The journal's database, clock and keys, and the transactions on it."""

    def __init__(self, engine: Engine, *, keys: Keys, clock: Clock | None, entropy: Entropy) -> None:
        self._engine = engine
        self._is_file = engine.dialect.name == "sqlite"
        self._writers = WriterQueue()
        self._of_thread = threading.local()
        self._server_clock = None if clock or self._is_file else DatabaseClock()
        self.keys = keys
        self.clock: Clock = clock or self._server_clock or MachineClock()
        self.entropy = entropy
        self.may: May | None = None
        self.id: str | None = None  # set once the tables were checked
        self.newest_event: int = 0  # the highest number of a committed event that this process has seen
        self._closed = False
        self._watch = watch_of(engine)
        self._taken_away = ""  # what happened, once the journal was deleted or replaced
        self._alarm = threading.Lock()  # acquired once, by the thread that raises the alarm

    @property
    def is_file(self) -> bool:
        """The journal is a file of SQLite."""
        return self._is_file

    @property
    def dialect(self) -> Dialect:
        """The database's SQL."""
        return self._engine.dialect

    def authorize(self, actor: str, action: str, message: Message | None = None) -> None:
        """Ask the installation's rule whether an actor may do something. A rule that fails refuses.

        Raises:
            ValueError: *actor* is empty, too long or cannot be printed: the journal would not show who acted.
            NotAllowed: The rule refuses. The journal records that.
        """
        if not is_name(actor):
            raise ValueError(f"actor: 1 to {LONGEST_NAME} printable characters are needed. Nothing was changed")
        if self.may is None:
            return
        try:
            answer = self.may(actor, action, message)
        except Exception as error:  # noqa: BLE001 - a host's own function may raise anything
            answer = f"its rule failed: {type(error).__name__}"
        if answer is True:
            return
        with self.write() as connection:
            audit.record(connection, self.now(), actor, "denied", {"action": action})
        raise NotAllowed(actor, action, answer if isinstance(answer, str) else "")

    def __repr__(self) -> str:
        url = self._engine.url.difference_update_query(["password", "sslpassword"])
        return f"Journal({url.render_as_string(hide_password=True)})"

    def now(self) -> datetime:
        """Return the journal's time: the server's on PostgreSQL, unless a clock was passed in."""
        if self._server_clock is not None and not self._server_clock.fresh:
            with self.read():
                pass  # asks the server
        return self.clock.now()

    @contextmanager
    def write(self, *, durable: bool = True, follow_clock: bool = True) -> Iterator[Connection]:
        """Run one transaction that writes.

        Args:
            durable: In a file, the commit survives a power cut too.
            follow_clock: Adjust stored intervals first if the clock was set. The tables must exist.
        """
        seen: list[int] = []
        options = {
            "policenotify_writes": True,
            "policenotify_durable": durable,
            _SEEN: seen,
            "policenotify_entropy": self.entropy,
            "policenotify_keys": self.keys,
        }
        ended = False
        try:
            with self._transaction(options) as connection, _readable("written"):
                if follow_clock:
                    joined = _joined.get()
                    brief = joined is None or joined[0] is not self
                    clock_change.follow(connection, self.clock, single_host=self._is_file, brief=brief)
                yield connection
                ended = True
            self.newest_event = max([self.newest_event, *seen])
        except SQLAlchemyError as error:
            failure = self._failure(error, "written")
            failure.at_commit = ended
            raise failure from error

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Run one transaction that reads."""
        with self._reading() as connection, _readable("read"):
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        # PostgreSQL then reads one snapshot, as SQLite does anyway.
        options = {} if self._is_file else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        try:
            with self._transaction(options) as connection:
                yield connection
        except SQLAlchemyError as error:
            raise self._failure(error, "read") from error

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Run all reads of this thread or task in one transaction, so that they see one state."""
        with self._reading() as connection, _opened(self, connection, writes=False):
            yield

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[None]:
        """Run all reads and writes of this thread or task in one transaction; see `write`."""
        with self.write(durable=durable) as connection, _opened(self, connection, writes=True):
            yield

    @contextmanager
    def joined(self, connection: Connection) -> Iterator[None]:
        """Run all reads and writes of this thread or task inside the caller's transaction.

        Each of them is a savepoint. A failure leaves the caller's transaction unchanged and usable.

        Raises:
            JournalError: The connection is not on this journal, or it commits every statement. Nothing was written.
        """
        try:
            _check_joinable(connection, self._engine)
        except JournalTakenAway as error:
            self._notice(error)
            raise
        except (SQLAlchemyError, OSError) as error:
            raise JournalError(f"Your transaction cannot be joined: {explain(error)}. Nothing was sent.") from error
        connection.execution_options(policenotify_entropy=self.entropy, policenotify_keys=self.keys)
        before = _joined.set((self, connection))
        try:
            yield
        finally:
            _joined.reset(before)

    def briefly(self, step: Callable[[Any], bool]) -> bool:
        """Run a short transaction on the driver's cursor, outside of any other transaction.

        In a file it is not flushed to disk, as with `durable=False`. It does not follow the clock. An error of the
        database undoes it, and counts as nothing done: the same work in `write` finds it again and explains it.

        Args:
            step: Its work: on a server one statement. If it returns False, it is undone in a file, and has changed
                nothing on a server.

        Returns:
            Whether it was done.

        Raises:
            JournalTakenAway: It was committed to a file that other processes do not read.
        """
        if self._taken_away or _joined.get() is not None or _open.get() is not None:
            return False
        kept: KeptConnection | None = getattr(self._of_thread, "kept", None)
        turn = self._writers.turn() if self._is_file else nullcontext()
        run = brief_transaction if self._is_file else single_statement
        try:
            with no_fork(), turn:
                if kept is not None:
                    done = kept.run(run, step)
                else:
                    with closing(self._engine.raw_connection()) as borrowed:
                        done = run(borrowed, step)
        except (SQLAlchemyError, self._engine.dialect.loaded_dbapi.Error):
            return False
        if done and self._watch is not None:
            try:
                self._check_commit(self._watch)
            except JournalTakenAway as error:
                self._notice(error)
                raise
        return done

    @contextmanager
    def keeping_connection(self) -> Iterator[None]:
        """Give the short transactions of this thread one connection of their own.

        To take one from the pool for each takes as long as its work. Other threads find as many in the pool as before.
        """
        if getattr(self._of_thread, "kept", None) is not None:
            yield
            return
        kept = self._of_thread.kept = KeptConnection(self._engine)
        try:
            yield
        finally:
            self._of_thread.kept = None
            kept.close()

    def standing(self, connection: Connection, seen: int) -> meta.Standing:
        """Return whether anything may be sent now. Called before each claim, and before anything is sent.

        Args:
            connection: To the journal.
            seen: The newest event known before the connection's snapshot began.

        Raises:
            JournalTakenAway: This is not the journal that was opened, or an older state of it.
        """
        found = meta.standing(connection, self.id)
        if found.newest_event < seen:
            raise JournalTakenAway("The journal was set back to an older state while it was in use.")
        uncommitted: list[int] | None = connection.get_execution_options().get(_SEEN)
        if uncommitted is not None:  # the event may be of this transaction, which others do not see yet
            uncommitted.append(found.newest_event)
        else:
            self.newest_event = max(self.newest_event, found.newest_event)
        return found

    @contextmanager
    def lock(self, name: str, *, seconds: float) -> Iterator[None]:
        """Hold an exclusive lock on *name* across processes. Wait at most *seconds* for the current holder.

        A lock that its holder does not release expires after *seconds*.

        Args:
            name: What is locked. The error quotes it.
            seconds: How long the lock is valid, and how long it is waited for.

        Raises:
            JournalError: Other processes held the lock all the time.
        """
        holder = self.entropy(16).hex()
        give_up = self.clock.monotonic() + seconds
        while not self._acquire(name, holder, seconds):
            if self.clock.monotonic() > give_up:
                raise JournalError(
                    f"Another process has held the lock on {name} for more than {seconds:g} s. Look for one that hangs."
                )
            self.clock.sleep(_LOCK_INTERVAL)
        try:
            yield
        finally:
            table = schema.lock
            with self.write() as connection:
                connection.execute(delete(table).where(table.c.name == name, table.c.owner == holder))

    def _acquire(self, name: str, holder: str, seconds: float) -> bool:
        table, now, length = schema.lock, microseconds(self.now()), span(timedelta(seconds=seconds))
        row = {"name": name, "owner": holder, "lease_until": now + length, "length": length}
        with self.write() as connection:
            # One that lasts longer than it was asked for was written by a clock that was ahead.
            void = or_(table.c.lease_until <= now, table.c.lease_until > now + table.c.length + span(TOLERANCE))
            expired = update(table).where(table.c.name == name, void).values(row)
            return bool(connection.execute(expired).rowcount or schema.insert_new(connection, table, [row]))

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
        turn = self._writers.turn() if self._is_file and writes else nullcontext()
        try:
            with no_fork(), turn, self._connect(options) as connection, connection.begin():
                self._begin(connection, options)
                yield connection
            if writes and self._watch is not None:
                self._check_commit(self._watch)
        except JournalTakenAway as error:
            self._notice(error)
            raise
        finally:
            if self._closed:  # a transaction that was open at close() cleans up after itself
                pool.dispose()
                self._engine.dispose()

    def _connect(self, options: Mapping[str, object]) -> Connection:
        """Return a connection, unless the alarm was raised while this thread waited for its turn."""
        if self._taken_away:
            raise JournalTakenAway(self._taken_away)
        return self._engine.connect().execution_options(**options)

    def _begin(self, connection: Connection, options: Mapping[str, object]) -> None:
        if self._watch is not None:
            self._watch.check()
            writes = "policenotify_writes" in options
            begin(connection, writes=writes, durable=bool(options.get("policenotify_durable")))
        if self._server_clock is not None:
            self._server_clock.ask(connection)

    def _failure(self, error: SQLAlchemyError, action: str) -> JournalError:
        """Translate a database failure. Files that were taken away explain it first."""
        try:
            if self._watch is not None:
                self._watch.check()
        except JournalTakenAway as taken_away:
            explain(error)  # strips the values
            self._notice(taken_away)
            return taken_away
        if self.id is not None and is_missing_table(error):
            explain(error)  # strips the values
            gone = JournalTakenAway("The journal's tables were deleted while it was in use.")
            self._notice(gone)
            return gone
        if is_read_only(error):  # an open connection stays read-only whatever the file's mode becomes
            self._engine.dispose()
        return JournalError(f"The journal could not be {action}: {explain(error)}.", published="unknown")

    def _check_commit(self, watch: FileWatch) -> None:
        """Check that the commit reached the file that other processes read."""
        try:
            watch.check()
        except JournalTakenAway as error:
            error.at_commit = True
            raise

    def _notice(self, error: JournalTakenAway) -> None:
        """Raise the alarm once and close all connections, whose writes would be lost."""
        if self._alarm.acquire(blocking=False):
            self._taken_away = error.event
            _log.error("%s", error)
            self.close()

    def close(self) -> None:
        """Close all connections. Open transactions are still committed. May be called twice."""
        self._closed = True
        self._engine.dispose()


@contextmanager
def _opened(journal: Transactions, connection: Connection, *, writes: bool) -> Iterator[None]:
    before = _open.set((journal, connection, writes))
    try:
        yield
    finally:
        _open.reset(before)


@contextmanager
def _readable(action: str) -> Iterator[None]:
    """Report a stored value that cannot be read without quoting it, as its own error would."""
    try:
        yield
    except UnicodeEncodeError:  # of what was given: what is stored was encoded once
        raise JournalError(
            f"The journal was not {action}: a text holds half a character (a lone surrogate), which cannot be stored. "
            "Write it again."
        ) from None
    except OverflowError:  # of a driver; PostgreSQL's own error says the same
        raise JournalError(f"The journal was not {action}: a number is too large. Write it again.") from None
    except _UNREADABLE as error:
        if isinstance(error, PolicenotifyError):
            raise
        why = "a stored value is damaged. Put the journal aside and restore a copy"
        raise JournalError(f"The journal could not be {action}: {why}.", published="unknown") from None


class _BorrowedConnection:
    """A driver's connection without the methods that are the host's to call."""

    def __init__(self, raw: object) -> None:
        self._raw = raw

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the driver has
        return _ignore if name in _WITHHELD else getattr(self._raw, name)


def _ignore(*_given: object, **_named: object) -> None:
    pass


@contextmanager
def borrowed(raw: object) -> Iterator[Connection]:
    """Wrap a connection of `sqlite3` or psycopg 3, to be passed to `publish(connection=…)`."""
    in_a_file = isinstance(raw, sqlite3.Connection)
    lent: Any = _BorrowedConnection(raw)
    engine = create_engine(
        "sqlite://" if in_a_file else "postgresql+psycopg://",
        creator=lambda: lent,
        poolclass=StaticPool,
        hide_parameters=True,
        **({} if in_a_file else {"use_native_hstore": False}),  # it would need the real connection
    )
    with engine.connect() as connection:
        yield connection


def _check_joinable(connection: Connection, engine: Engine) -> None:
    """Check that *connection* is on the journal of *engine*, in a transaction that its owner ends.

    Raises:
        JournalError: It is not. Nothing was written.
    """
    same = connection.dialect.name == engine.dialect.name
    if same:
        with engine.connect() as ours:
            same = _place(ours) == _place(connection)
    if not same:
        raise JournalError(
            "This connection is not on the journal's database, or does not find its tables. Nothing was sent. "
            "Give one on the database (and search path) that the settings name as the journal."
        )
    raw: Any = connection.connection.dbapi_connection
    if getattr(raw, "in_transaction", False):
        return
    in_a_file = connection.dialect.name == "sqlite"
    if getattr(raw, "autocommit", False) is True or (in_a_file and raw.isolation_level is None):
        raise JournalError(
            "This connection commits each statement by itself. Nothing was sent. Give one with a transaction: "
            "with engine.begin() as connection"
        )
    if in_a_file:
        # SQLite's driver begins only before a change. An earlier savepoint would be committed at its end.
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _place(connection: Connection) -> tuple[object, ...]:
    if connection.dialect.name != "sqlite":
        return tuple(connection.execute(_ON_A_SERVER).one())
    # A database in memory has no path: this then is the folder, which is not a journal.
    status = Path(str(connection.execute(_IN_A_FILE).scalar())).stat()
    return status.st_dev, status.st_ino


class _ForkGate:
    """Keep forks and transactions of this process apart.

    SQLite keeps in the process's memory which of its connections holds which lock. A child forked during a transaction
    would find the lock held for ever, by a connection that it does not have (How to corrupt an SQLite database file,
    section 2.6).
    """

    def __init__(self) -> None:
        self._renew()
        self.inside: dict[int, int] = {}  # transactions by thread
        self.shut = False

    def __enter__(self) -> None:
        thread = threading.get_ident()
        with self.lock:
            if self.shut:  # a thread that is inside already must not wait for a fork that waits for it
                self.changed.wait_for(lambda: not self.shut or thread in self.inside, timeout=_FORK_TIMEOUT)
            self.inside[thread] = self.inside.get(thread, 0) + 1

    def __exit__(self, *_: object) -> None:
        thread = threading.get_ident()
        with self.lock:
            self.inside[thread] -= 1
            if not self.inside[thread]:
                del self.inside[thread]
            if self.shut:  # else nobody waits
                self.changed.notify_all()

    def close(self) -> None:
        thread = threading.get_ident()
        with self.lock:
            self.shut = True
            self.changed.wait_for(lambda: not self.inside.keys() - {thread}, timeout=_FORK_TIMEOUT)

    def open(self) -> None:
        with self.lock:
            self.shut = False
            self.changed.notify_all()

    def _renew(self) -> None:
        # Not entered by way of the condition, whose methods are Python's: a Ctrl-C in them would leave it locked.
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)

    def reset(self) -> None:
        """Forget, in the child, the parent's other threads, one of which may have held the lock."""
        thread = threading.get_ident()
        self._renew()
        self.shut = False
        self.inside = {known: count for known, count in self.inside.items() if known == thread}


_fork_gate = _ForkGate()


def no_fork() -> AbstractContextManager[None]:
    """Keep this process from forking meanwhile."""
    return _fork_gate


if hasattr(os, "register_at_fork"):  # pragma: no branch  # POSIX
    os.register_at_fork(before=_fork_gate.close, after_in_parent=_fork_gate.open, after_in_child=_fork_gate.reset)
