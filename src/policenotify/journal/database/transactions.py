"""Transactions on the journal: every read and every write runs in one."""

from __future__ import annotations

import logging
import os
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple, TypeAlias
from weakref import WeakSet

from sqlalchemy import Connection, Engine, delete, or_
from sqlalchemy.exc import SQLAlchemyError

from policenotify.channel import Clock
from policenotify.errors import JournalError, JournalTakenAway, NotAllowed
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
    open_connections,
    truncate_log,
)
from policenotify.journal.database.host_connection import ensure_transaction, place_of
from policenotify.journal.database.postgresql import DatabaseClock
from policenotify.journal.keys import Keys
from policenotify.journal.records import TOLERANCE, DamagedRow, DamagedValue, microseconds, span
from policenotify.model.message import Message
from policenotify.translation import AnyText, Text
from policenotify.validation import LONGEST_NAME, is_name

_log = logging.getLogger("policenotify")

_LOCK_INTERVAL = 0.05  # seconds between two tries to acquire a lock that another process holds


class _Current(NamedTuple):
    """The transaction that this thread or task has open.

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
_refused: set[object] = set()  # files, and journals on a server, that the parent of this process was using
_inherited: list[object] = []  # connections of the parent, which are neither used nor closed here


May: TypeAlias = Callable[[str, str, Message | None], bool | str]
"""A rule of the installation: may this actor do this, with this message? `True`, or the reason why not."""


class Transactions:
    """The journal's database, clock and keys, and the transactions on it."""

    def __init__(self, engine: Engine, *, keys: Keys, clock: Clock | None) -> None:
        self._engine = engine
        self.is_file: bool = engine.dialect.name == "sqlite"
        self._path = engine.url.database or ""
        self._file = file_id(self._path) if self.is_file else None
        self._writing = threading.Lock()  # SQLite has one writer at a time. A thread that waits here is woken at once
        self._connections = open_connections(engine)
        self.keys = keys
        self.clock: Clock = clock or (MachineClock() if self.is_file else DatabaseClock())
        self.may: May | None = None
        self.id: str | None = None  # set once the tables were checked
        self.newest_event: meta.KnownEvent = meta.KnownEvent()  # the newest committed one that this process has seen
        self._closed = False
        self._taken_away: AnyText = ""  # what happened, once the journal was deleted or replaced
        self._alarm = threading.Lock()  # acquired once, by the thread that raises the alarm
        self.log_holds_erased: bool = False  # the write-ahead log could not be truncated yet
        _journals.add(self)

    def authorize(self, actor: str, action: str, message: Message | None = None) -> None:
        """Ask the installation's rule whether an actor may do something. A rule that fails refuses.

        Raises:
            ValueError: *actor* is empty, too long or cannot be printed: the journal would not show who acted.
            NotAllowed: The rule refuses. The journal records that.
        """
        if not is_name(actor):
            raise ValueError(
                Text(
                    "actor: 1 to {longest_name} printable characters are needed. Nothing was changed",
                    longest_name=LONGEST_NAME,
                )
            )
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

    def uptime(self) -> Uptime:
        """Return the moment by a clock that cannot be set, or the server's time on PostgreSQL."""
        self.now()  # asks the server
        return Uptime.now(self.clock)

    def now(self) -> datetime:
        """Return the journal's time: the server's on PostgreSQL, unless a clock was passed in."""
        if isinstance(self.clock, DatabaseClock) and not self.clock.fresh:
            with self.read():
                pass  # asks the server
        return self.clock.now()

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Connection]:
        """Run one transaction that writes. Reads and writes of this thread or task within it are part of it.

        Args:
            durable: In a file, the commit survives a power cut too.
        """
        with self._transaction(writes=True, durable=durable) as connection, _readable(Text("written")):
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Run one transaction that reads. Reads of this thread or task within it are part of it."""
        with self._transaction() as connection, _readable(Text("read")):
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Run all reads of this thread or task in one transaction, so that they see one state."""
        with self._transaction():
            yield

    @contextmanager
    def joined(self, connection: Connection) -> Iterator[None]:
        """Run all reads and writes of this thread or task inside the caller's transaction.

        Each of them is a savepoint. A failure leaves the caller's transaction unchanged and usable.

        Raises:
            JournalError: The connection is not on this journal, or it commits every statement. Nothing was written.
        """
        try:
            place = place_of(connection) if connection.dialect.name == self._engine.dialect.name else None
            with self.read() as ours:
                if place != place_of(ours):
                    raise JournalError(
                        Text(
                            "This connection is not on the journal's database, or does not find its tables. "
                            "Nothing was sent. Give one on the database (and search path) that the settings "
                            "name as the journal."
                        )
                    )
                meta.stopped(ours, self.id)
            ensure_transaction(connection)
        except SQLAlchemyError as error:
            raise JournalError(
                Text("Your transaction cannot be joined: {explain}. Nothing was sent.", explain=explain(error))
            ) from None
        # It may have begun earlier than what is known now. What it adds is known only to the caller.
        options = self._options(meta.KnownEvent())
        with _entered(_Current(self, connection.execution_options(**options), writes=True, joined=True)):
            yield

    @contextmanager
    def lock(self, name: str, *, seconds: float) -> Iterator[None]:
        """Hold an exclusive lock on *name* across processes. Wait at most *seconds* for the current holder.

        A lock that its holder does not release expires after *seconds*.

        Raises:
            JournalError: Other processes held the lock all the time.
        """
        holder = secrets.token_hex(16)
        give_up = self.clock.monotonic() + seconds
        while not self._acquire(name, holder, seconds):
            if self.clock.monotonic() > give_up:
                raise JournalError(
                    Text(
                        "Another process has held the lock on {name} for more than {seconds} s. Look for one "
                        "that hangs.",
                        name=name,
                        seconds=f"{seconds:g}",
                    )
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
        # One that lasts longer than it was asked for was written by a clock that was ahead.
        void = or_(table.c.lease_until <= now, table.c.lease_until > now + table.c.length + span(TOLERANCE))
        with self.write() as connection:
            connection.execute(delete(table).where(table.c.name == name, void))
            return bool(schema.insert_new(connection, table, [row]))

    def _options(self, known: meta.KnownEvent) -> dict[str, Any]:
        """Return what a connection carries. The *known* event is in the journal, or that was set back."""
        return {"policenotify_keys": self.keys, meta.SEEN: [known]}

    @contextmanager
    def _transaction(self, *, writes: bool = False, durable: bool = True) -> Iterator[Connection]:
        """Take part in the transaction that this thread or task has open, or begin one."""
        if (self._file or self) in _refused:
            raise JournalError(
                Text(
                    "This process was forked while its parent was using the journal, and cannot use it. "
                    "Nothing was sent. Open the journal after the fork, or start the process in another way "
                    "(multiprocessing: spawn)."
                )
            )
        current, ended = _current.get(), False
        try:
            if current is None or current.journal is not self or (writes and not current.writes):
                with self._begun(writes=writes, durable=durable) as connection:
                    yield connection
                    ended = True
            elif current.joined:
                with current.connection.begin_nested():
                    yield current.connection
            else:
                yield current.connection
        except (SQLAlchemyError, JournalTakenAway) as error:
            failure = self._failure(error, Text("written") if writes else Text("read"))
            failure.at_commit = failure.at_commit or ended
            raise failure from None  # a database's own text may quote values

    @contextmanager
    def _begun(self, *, writes: bool, durable: bool) -> Iterator[Connection]:
        options, pool = self._options(self.newest_event), self._engine.pool
        if not writes and not self.is_file:  # one snapshot, as SQLite has anyway
            options["isolation_level"] = "REPEATABLE READ"
        # If another thread keeps its turn for too long, SQLite decides.
        turn = writes and self.is_file and self._writing.acquire(timeout=BUSY)
        try:
            self._check_files()
            with self._engine.connect().execution_options(**options) as connection, connection.begin():
                if self.is_file:
                    begin(connection, writes=writes, durable=durable)
                log = connection.info.get(LOG)
                self._check_files(log)
                if isinstance(self.clock, DatabaseClock):
                    self.clock.ask(connection)
                with _entered(_Current(self, connection, writes)):
                    yield connection
            if writes:
                self._check_files(log)
            self.newest_event = max(self.newest_event, *options[meta.SEEN])
        finally:
            if turn:
                self._writing.release()
            if self._closed:
                self._engine.dispose()
            if pool is not self._engine.pool:  # it was replaced meanwhile: this connection is the last to go
                pool.dispose()

    def before_fork(self) -> None:
        """Close idle connections.

        SQLite keeps in the process's memory which lock it has on a file. A child that inherits that does not lock the
        file itself, and the last other process to close it deletes the log that the child writes.
        """
        self._engine.dispose()

    def after_fork(self) -> None:
        """Leave the parent's connections alone in the child (How to corrupt an SQLite database file, section 2.6).

        Of an open connection SQLite's locks would stay in the memory of the child, whichever connection that opens.
        """
        if self._connections:
            _refused.add(self._file or self)
        self._writing = threading.Lock()
        _inherited.append([self._engine.pool, *self._connections])
        self._connections.clear()
        self._engine.dispose(close=False)

    def _check_files(self, log: object = None) -> None:
        """Check that the file, and the log of the connection in use, are still those that were opened."""
        if event := self._change_of_files(log):
            raise JournalTakenAway(event)

    def _change_of_files(self, log: object = None) -> AnyText:
        """Return what has happened to the files, or an empty text.

        SQLite continues to write to deleted files, which no other process reads (sqlite.org/howtocorrupt.html,
        section 4).
        """
        for path, known in ((self._path, self._file), (f"{self._path}-wal", log)):
            if not self._taken_away and known is not None and (found := file_id(path)) != known:
                change = Text("was deleted or moved") if found is None else Text("was replaced by another file")
                return Text("The journal's file {path} {change} while it was in use.", path=path, change=change)
        return self._taken_away

    def _failure(self, error: SQLAlchemyError | JournalTakenAway, action: Text) -> JournalError:
        """Translate a failure. If the journal was taken away, raise the alarm once and write nothing more."""
        taken_away = error if isinstance(error, JournalTakenAway) else None
        if taken_away is None and (event := self._change_of_files()):
            taken_away = JournalTakenAway(event)
        if taken_away is None and self.id is not None and is_missing_table(error):
            taken_away = JournalTakenAway(Text("The journal's tables were deleted while it was in use."))
        if taken_away is None:
            self._engine.dispose()  # one that was opened for reading only stays so whatever the file's mode becomes
            return JournalError(
                Text("The journal could not be {action}: {explain}.", action=action, explain=explain(error)),
                published="unknown",
            )
        if self._alarm.acquire(blocking=False):
            self._taken_away = taken_away.event
            _log.error("%s", taken_away)
            self.close()
        return taken_away

    def clear_log(self, patience: int = 0) -> None:
        """Remove erased data from the write-ahead log; see `truncate_log`. What fails is left to the next call."""
        self.log_holds_erased = not truncate_log(self._engine, patience=patience)

    def close(self) -> None:
        """Close all connections. Open transactions are still committed. May be called twice."""
        self._closed = True
        self._engine.dispose()


class Repository:
    """A kind of record of the journal, and what is done with it."""

    def __init__(self, journal: Transactions) -> None:
        self._journal = journal


@contextmanager
def _entered(current: _Current) -> Iterator[None]:
    before = _current.get()
    _current.set(current)
    try:
        yield
    finally:
        if _current.get() is current:  # a generator may end in another context than it began in
            _current.set(before)


@contextmanager
def _readable(action: Text) -> Iterator[None]:
    """Report a stored value that cannot be read, and what cannot be stored. Any other error is the program's own."""
    try:
        yield
    except (UnicodeEncodeError, OverflowError):  # of what was given: what is stored was encoded once
        raise JournalError(
            Text(
                "The journal was not {action}: a text holds half a character, or a number is too large. "
                "Write it again.",
                action=action,
            )
        ) from None
    except DamagedValue as error:
        raise JournalError(
            Text(
                "The journal could not be {action}: {row} cannot be read. Nothing else is concerned. Restore that row "
                "from a copy; all rows that cannot be read: policenotify doctor.",
                action=action,
                row=error.row if isinstance(error, DamagedRow) else Text("a stored value"),
            ),
            published="unknown",
        ) from None


def _each(does: Callable[[Transactions], None]) -> None:
    for journal in list(_journals):
        does(journal)


if hasattr(os, "register_at_fork"):  # pragma: no branch  # POSIX
    os.register_at_fork(
        before=partial(_each, Transactions.before_fork), after_in_child=partial(_each, Transactions.after_fork)
    )
