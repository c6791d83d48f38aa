"""The database behind the journal: how it is opened, and what its failures mean in an officer's words."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from sqlalchemy import URL, Connection, Engine, Pool, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError, StatementError

from policenotify.errors import JournalError, JournalMissing
from policenotify.journal import postgresql
from policenotify.journal.file_watch import FileWatch

BUSY = 30
"""Seconds that a writer waits for another one; `?timeout=` in the URL says otherwise."""

_SETTINGS = (
    "synchronous=FULL",  # but for some transactions: see _begin
    "foreign_keys=ON",
    "secure_delete=ON",  # what is erased is overwritten, not only forgotten
)

_TURNS = 10  # how often a new file's mode is asked for while other processes are making the same journal

# Result codes (sqlite.org/rescode.html); the lower 8 bits of an extended code are its kind.
_TOLD = {
    sqlite3.SQLITE_BUSY: "another process does not let go of it. Look for one that hangs, then try again",
    sqlite3.SQLITE_FULL: "the disk is full. Make room, then try again",
    sqlite3.SQLITE_READONLY: "this user may not write to it. Give the user its file and folder, then try again",
    sqlite3.SQLITE_CANTOPEN: "its file cannot be opened. Give the user its file and folder, then try again",
    sqlite3.SQLITE_IOERR: "the disk fails. Look after the disk, then try again",
    sqlite3.SQLITE_CORRUPT: "its file is damaged. Put it aside and restore a copy",
    sqlite3.SQLITE_NOTADB: "its file is no journal, or it is damaged. Name another file, or restore a copy",
}

_engines: WeakSet[Engine] = WeakSet()
_watches: WeakKeyDictionary[Engine, FileWatch] = WeakKeyDictionary()
_inherited: list[Pool] = []


class Turn:
    """Whose turn it is to write among the threads of this process.

    SQLite lets one write at a time. Who has to wait looks again after ever longer pauses, up to a tenth of a second;
    a thread is woken at once.
    """

    def __init__(self) -> None:
        self._lock, self._process = threading.Lock(), os.getpid()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Wait for the turn; where somebody keeps it for too long SQLite itself decides."""
        if self._process != os.getpid():  # whoever had it is no thread of a forked child
            self._lock, self._process = threading.Lock(), os.getpid()
        lock = self._lock
        mine = lock.acquire(timeout=BUSY)
        try:
            yield
        finally:
            if mine:
                lock.release()


def open_engine(url: str, patience: int | None = None, *, create: bool = False) -> Engine:
    """Return the engine of a journal: a path, or a URL of an SQLite file or of a database on PostgreSQL.

    Args:
        url: Where it is.
        patience: Seconds for which a server that does not answer is waited for; `None`: the usual.
        create: Make a missing file, which only its owner may read.

    Raises:
        JournalError: It is neither, or its folder does not exist.
        JournalMissing: There is no such file.
        MissingExtra: PostgreSQL's driver is not installed.
    """
    parsed = _parsed(url)
    if parsed.drivername in postgresql.DRIVERS:
        engine = postgresql.open_server(parsed, patience)
    elif parsed.drivername in {"sqlite", "sqlite+pysqlite"}:
        engine = _open_file(parsed, create=create)
    else:
        raise JournalError(
            f"A journal on {parsed.drivername!r} is not supported. "
            "Give the path of a file, or postgresql://user@host/database."
        )
    _engines.add(engine)
    return engine


def shown(url: str) -> str:
    """Where a journal is, for people: the path of a file, or a URL without its passwords.

    Raises:
        JournalError: The URL is not understood.
    """
    parsed = _parsed(url)
    if parsed.drivername not in postgresql.DRIVERS and parsed.database:
        return parsed.database
    secret = ["password", "sslpassword"]
    return parsed.set(password=None).difference_update_query(secret).render_as_string(hide_password=False)


def _parsed(url: str) -> URL:
    try:
        return make_url(url) if "://" in url else URL.create("sqlite", database=url)
    except (SQLAlchemyError, ValueError) as error:
        error.args = (type(error).__name__,)  # its own words may quote the URL, and so a password
        error.__traceback__ = None
        raise JournalError(
            "The journal cannot be opened: its URL is not understood. Nothing was sent. "
            "Give the path of a file, or postgresql://user@host/database."
        ) from error


def watch_of(engine: Engine) -> FileWatch | None:
    """Return what notices that the files of this engine's journal are taken away; `None`: it is on a server."""
    return _watches.get(engine)


def _open_file(parsed: URL, *, create: bool) -> Engine:
    if not parsed.database or parsed.database == ":memory:":
        raise JournalError("A journal in memory would be lost with its process. Give the path of a file.")
    path = Path(parsed.database).absolute()
    if not path.parent.is_dir():
        raise JournalError(f"The journal's folder {str(path.parent)!r} does not exist. Create it first.")
    if create:
        _create_file(path)
    elif _is_missing(path):
        raise JournalMissing(
            f"There is no journal at {path}. Nothing was sent. If it was moved or deleted, put it back together with "
            "its -wal file; if it is elsewhere, name the place in the settings (journal = …). Only for a new "
            "installation, make one: policenotify migrate"
        )
    if "timeout" not in parsed.query:
        parsed = parsed.update_query_dict({"timeout": str(BUSY)})
    # Values stay out of errors and logs.
    engine = create_engine(parsed, hide_parameters=True)
    watch = _watches[engine] = FileWatch(str(path))

    def connect(_dialect: object, _record: object, arguments: list[Any], named: dict[str, Any]) -> None:
        """Keep SQLite from making a file that was deleted meanwhile, or from opening another."""
        watch.opening()
        arguments[0] = _uri(path)
        named["uri"] = True

    def connected(connection: sqlite3.Connection, _record: object) -> None:
        _prepare(connection, watch)

    def closed(_connection: object, _record: object) -> None:
        watch.closed()

    def begin(connection: Connection) -> None:
        watch.check()
        _begin(connection)

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "connect", connected)
    event.listen(engine, "close", closed)
    event.listen(engine, "begin", begin)
    return engine


def _create_file(path: Path) -> None:
    """Make the file before SQLite does, which would let others read it; its log inherits the mode."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        pass
    except OSError as error:
        raise JournalError(
            f"The journal {path} cannot be made ({error.strerror}). Nothing was sent. Give the user its folder, or "
            "name another place."
        ) from error


def _is_missing(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return True
    except OSError:  # SQLite's own failure says what is wrong
        pass
    return False


def _uri(path: Path) -> str:
    """Return the URI by which SQLite opens a file only if it is there."""
    return f"{path.as_uri()}?mode=rw"


def _prepare(connection: sqlite3.Connection, watch: FileWatch) -> None:
    connection.isolation_level = None  # SQLAlchemy's BEGIN below is the only one
    try:
        for setting in _SETTINGS:
            connection.execute(f"PRAGMA {setting}").close()
        _write_ahead(connection)
        connection.execute("SELECT name FROM sqlite_master LIMIT 1").close()  # opens the log, too
        watch.opened()
    except BaseException:
        connection.close()
        raise


def _write_ahead(connection: sqlite3.Connection) -> None:
    turns = iter(range(_TURNS))
    while (mode := _mode(connection, last=next(turns) == _TURNS - 1)) is None:
        connection.execute("BEGIN IMMEDIATE").close()  # waits until the other has done
        connection.execute("ROLLBACK").close()
    if mode != "wal":
        raise JournalError(
            f"The journal cannot be kept here: its file system allows only the mode {mode!r}, not write-ahead logging. "
            "Nothing was sent. Put it on a local disk."
        )


def _mode(connection: sqlite3.Connection, *, last: bool) -> str | None:
    """The mode that the file is in now; `None`: another process is changing it too, ask again."""
    try:
        [mode] = connection.execute("PRAGMA journal_mode=WAL").fetchone()
    except sqlite3.OperationalError as error:
        # Of two that change the mode of a new file together one is refused at once, however long it would wait.
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY and not last:
            return None
        raise
    return str(mode)


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if not options.get("policenotify_writes", False):
        connection.exec_driver_sql("BEGIN")
        return
    # What was acknowledged survives a power cut; who holds a delivery need not, once there are no holders any more.
    # Either survives the end of the process (sqlite.org/pragma.html#pragma_synchronous).
    lasting = options.get("policenotify_lasting", True)
    connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if lasting else 'NORMAL'}")
    # A writer takes the lock at once: two that upgrade from reading to writing would fail, not wait.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def told(error: BaseException) -> str:
    """What a failure of the database means and what to do, without a statement or its values."""
    cause: Any = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(error, StatementError):
        error.hide_parameters = True  # also on a connection of the caller's
    if postgresql.of_server(cause):
        said = postgresql.told(error)
        postgresql.hush(error)
        return said
    kind = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    if kind in _TOLD:
        return _TOLD[kind]
    if isinstance(cause, sqlite3.Error) and kind:
        return str(cause)  # of SQLite itself: it names tables and columns, never a value
    if isinstance(cause, sqlite3.OperationalError):  # the driver's own: it quotes the bytes that it cannot decode
        for quoting in (error, cause):
            quoting.args = (type(cause).__name__,)
        error.__traceback__ = None
        return _TOLD[sqlite3.SQLITE_CORRUPT]
    return type(cause).__name__


def only_reads(error: BaseException) -> bool:
    """Return True if a statement failed because SQLite has opened the file for reading."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return getattr(cause, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_READONLY


def lacks_a_table(error: BaseException) -> bool:
    """Return True if a statement failed because one of the journal's tables is not there."""
    cause: Any = error.orig if isinstance(error, DBAPIError) else error
    if postgresql.of_server(cause):
        return bool(cause.sqlstate == postgresql.NO_TABLE) and '"pn_' in str(cause)
    return isinstance(cause, sqlite3.OperationalError) and str(cause).startswith("no such table: pn_")


def _forget_connections() -> None:
    # How to corrupt an SQLite database file, section 2.6: a connection must not be carried across a fork.
    # Nor is it let go: the driver would complain of what it finds open.
    for engine in list(_engines):
        _inherited.append(engine.pool)
        engine.dispose(close=False)


if hasattr(os, "register_at_fork"):  # pragma: no branch  # POSIX
    os.register_at_fork(after_in_child=_forget_connections)
