"""Transactions on the journal: every read and every write runs in one."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from json import JSONDecodeError
from typing import NamedTuple, TypeAlias
from weakref import WeakSet

from pydantic import ValidationError
from sqlalchemy import (
    Connection,
    Dialect,
    Engine,
    delete,
    or_,
    update,
)
from sqlalchemy.exc import SQLAlchemyError

from policenotify.channel import Clock
from policenotify.errors import JournalError, JournalTakenAway, NotAllowed, PolicenotifyError
from policenotify.journal import audit, meta
from policenotify.journal.clock import MachineClock, Uptime
from policenotify.journal.database import schema
from policenotify.journal.database.engine import (
    BUSY,
    LOG,
    begin,
    explain,
    file_id,
    is_missing_table,
    is_read_only,
)
from policenotify.journal.database.host_connection import ensure_transaction, place_of
from policenotify.journal.database.postgresql import DatabaseClock
from policenotify.journal.keys import Entropy, Keys
from policenotify.journal.records import TOLERANCE, DamagedValue, microseconds, span
from policenotify.model.message import Message
from policenotify.validation import LONGEST_NAME, is_name

_log = logging.getLogger("policenotify")

# Of values that are stored. Any other error is a fault of the program, not of the journal.
_UNREADABLE = (ValidationError, JSONDecodeError, DamagedValue)

_LOCK_INTERVAL = 0.05  # seconds between two tries to acquire a lock that another process holds


class _Current(NamedTuple):
    """The transaction that this thread or task has open, or takes part in.

    Attributes:
        writes: It may write.
        joined: It is the caller's: each read and write is a savepoint in it.
    """

    journal: Transactions
    connection: Connection
    writes: bool
    joined: bool = False


_current: ContextVar[_Current | None] = ContextVar("policenotify_transaction", default=None)
_journals: WeakSet[Transactions] = WeakSet()
_left_open: set[tuple[int, int] | None] = set()  # files of which the parent of this process had a connection in use
_inherited: list[object] = []  # what a forked child keeps of its parent's connections, and does not use


May: TypeAlias = Callable[[str, str, Message | None], bool | str]
"""A rule of the installation: may this actor do this, with this message? `True`, or the reason why not."""


class Transactions:
    """The journal's database, clock and keys, and the transactions on it."""

    def __init__(self, engine: Engine, *, keys: Keys, clock: Clock | None, entropy: Entropy) -> None:
        self._engine = engine
        self._is_file = engine.dialect.name == "sqlite"
        self._path = engine.url.database or ""
        self._file = file_id(self._path) if self._is_file else None
        self._writing = threading.Lock()  # SQLite has one writer at a time. A thread that waits here is woken at once
        self._in_use: set[object] = set()  # one mark for each connection in use
        self._idle = False  # no connection was opened since the last fork began
        self._forked = self._file is not None and self._file in _left_open
        self._server_clock = None if clock or self._is_file else DatabaseClock()
        self.keys = keys
        self.clock: Clock = clock or self._server_clock or MachineClock()
        self.entropy = entropy
        self.may: May | None = None
        self.id: str | None = None  # set once the tables were checked
        self.newest_event: meta.KnownEvent = meta.KnownEvent()  # the newest committed one that this process has seen
        self._closed = False
        self._taken_away = ""  # what happened, once the journal was deleted or replaced
        self._alarm = threading.Lock()  # acquired once, by the thread that raises the alarm
        _journals.add(self)

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

    def uptime(self) -> Uptime:
        """Return the moment by a clock that cannot be set, or the server's time on PostgreSQL."""
        self.now()  # asks the server
        return Uptime.now(self.clock)

    def now(self) -> datetime:
        """Return the journal's time: the server's on PostgreSQL, unless a clock was passed in."""
        if self._server_clock is not None and not self._server_clock.fresh:
            with self.read():
                pass  # asks the server
        return self.clock.now()

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Connection]:
        """Run one transaction that writes. Reads and writes of this thread or task within it are part of it.

        Args:
            durable: In a file, the commit survives a power cut too.
        """
        seen: list[meta.KnownEvent] = []
        options = {"policenotify_keys": self.keys, "policenotify_entropy": self.entropy, meta.SEEN: seen}
        ended = False
        try:
            with self._transaction(options, writes=True, durable=durable) as connection, _readable("written"):
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
        with self._reading() as connection, _entered(_Current(self, connection, writes=False)):
            yield

    @contextmanager
    def joined(self, connection: Connection) -> Iterator[None]:
        """Run all reads and writes of this thread or task inside the caller's transaction.

        Each of them is a savepoint. A failure leaves the caller's transaction unchanged and usable.

        Raises:
            JournalError: The connection is not on this journal, or it commits every statement. Nothing was written.
        """
        seen = self.newest_event
        try:
            place = place_of(connection) if connection.dialect.name == self.dialect.name else None
            with self.read() as ours:
                if place != place_of(ours):
                    raise JournalError(
                        "This connection is not on the journal's database, or does not find its tables. Nothing was "
                        "sent. Give one on the database (and search path) that the settings name as the journal."
                    )
                if self.id is not None:
                    self.standing(ours, seen)
            ensure_transaction(connection)
        except (SQLAlchemyError, OSError) as error:
            raise JournalError(f"Your transaction cannot be joined: {explain(error)}. Nothing was sent.") from error
        # What it adds is known only to the caller, who may roll it back.
        options = {"policenotify_keys": self.keys, "policenotify_entropy": self.entropy, meta.SEEN: []}
        with _entered(_Current(self, connection.execution_options(**options), writes=True, joined=True)):
            yield

    def standing(self, connection: Connection, seen: meta.KnownEvent) -> meta.Standing:
        """Return whether anything may be sent now. Called before each claim, and before anything is sent.

        Args:
            connection: To the journal.
            seen: The newest event known before the connection's snapshot began.

        Raises:
            JournalTakenAway: This is not the journal that was opened, or an older state of it.
        """
        current = self._joinable(writes=False)
        if current is not None and (current.joined or not current.writes):  # that snapshot may have begun earlier
            return meta.standing(connection, self.id, meta.KnownEvent())
        found = meta.standing(connection, self.id, seen)
        uncommitted: list[meta.KnownEvent] | None = connection.get_execution_options().get(meta.SEEN)
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
    def _transaction(
        self, options: Mapping[str, object], *, writes: bool = False, durable: bool = True
    ) -> Iterator[Connection]:
        if self._forked:
            raise JournalError(
                "This process was forked while its parent was using the journal, and cannot use it. Nothing was sent. "
                "Open the journal after the fork, or start the process in another way (multiprocessing: spawn)."
            )
        if (current := self._joinable(writes=writes)) is not None:
            if current.joined:
                with current.connection.begin_nested():
                    self._ask_server(current.connection)
                    yield current.connection
            else:
                if self._server_clock is not None and not self._server_clock.fresh:
                    self._ask_server(current.connection)
                yield current.connection
            return
        pool = self._engine.pool
        try:
            with self._turn(writes=writes), self._using():
                self._check_file()
                with self._engine.connect().execution_options(**options) as connection, connection.begin():
                    if self._is_file:
                        begin(connection, writes=writes, durable=durable)
                    log = connection.info.get(LOG)
                    self._check_file(log)
                    self._ask_server(connection)
                    if writes:
                        with _entered(_Current(self, connection, writes=True)):
                            yield connection
                    else:
                        yield connection
                if writes:
                    self._check_file(log, at_commit=True)
        except JournalTakenAway as error:
            self._notice(error)
            raise
        finally:
            if self._closed:  # a transaction that was open at close() cleans up after itself
                pool.dispose()
                self._engine.dispose()

    def _joinable(self, *, writes: bool) -> _Current | None:
        """Return the open transaction that a read or write is part of, if there is one."""
        current = _current.get()
        if current is None or current.journal is not self:
            return None
        return current if current.writes or not writes else None

    @contextmanager
    def _turn(self, *, writes: bool) -> Iterator[None]:
        """Wait for this thread's turn to write to a file. If another one keeps it for too long, SQLite decides."""
        lock = self._writing
        acquired = writes and self._is_file and lock.acquire(timeout=BUSY)
        try:
            yield
        finally:
            if acquired:
                lock.release()

    @contextmanager
    def _using(self) -> Iterator[None]:
        """Mark that a connection is in use, for a fork meanwhile."""
        mark = object()
        self._in_use.add(mark)
        self._idle = False
        try:
            yield
        finally:
            self._in_use.discard(mark)

    def before_fork(self) -> None:
        """Close idle connections.

        SQLite keeps in the process's memory which lock it has on a file. A child that inherits that does not lock the
        file itself, and the last other process to close it deletes the log that the child writes.
        """
        self._idle = True
        if self._in_use:
            self._idle = False
        else:
            self._engine.dispose()

    def after_fork(self) -> None:
        """Leave the parent's connections alone in the child (How to corrupt an SQLite database file, section 2.6).

        Of a connection in use SQLite's locks would stay in the memory of the child, whichever connection that opens.
        """
        if self._in_use or not self._idle:
            self._forked = True
            _left_open.add(self._file)
        self._writing = threading.Lock()
        _inherited.append(self._engine.pool)  # the driver would complain about open connections that are deleted
        self._engine.dispose(close=False)

    def _ask_server(self, connection: Connection) -> None:
        if self._server_clock is not None:
            self._server_clock.ask(connection)

    def _check_file(self, log: object = None, *, at_commit: bool = False) -> None:
        """Check that the file, and the log of the connection in use, are still those that were opened.

        SQLite continues to write to deleted files, which no other process reads (sqlite.org/howtocorrupt.html,
        section 4).
        """
        if self._taken_away:
            raise JournalTakenAway(self._taken_away)
        if not self._is_file:
            return
        for path, known in ((self._path, self._file), (f"{self._path}-wal", log)):
            if known is not None and (found := file_id(path)) != known:
                change = "was deleted or moved" if found is None else "was replaced by another file"
                error = JournalTakenAway(f"The journal's file {path} {change} while it was in use.")
                error.at_commit = at_commit
                raise error

    def _failure(self, error: SQLAlchemyError, action: str) -> JournalError:
        """Translate a database failure. Files that were taken away explain it first."""
        try:
            self._check_file()
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
def _entered(current: _Current) -> Iterator[None]:
    before = _current.set(current)
    try:
        yield
    finally:
        _current.reset(before)


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


def _before_fork() -> None:
    for journal in list(_journals):
        journal.before_fork()


def _after_fork() -> None:
    for journal in list(_journals):
        journal.after_fork()


if hasattr(os, "register_at_fork"):  # pragma: no branch  # POSIX
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork)
