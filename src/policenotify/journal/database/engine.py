"""The database behind the journal: how it is opened, and what its errors mean to an officer."""

from __future__ import annotations

import logging
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from policenotify.errors import JournalError, JournalMissing
from policenotify.journal.database import postgresql
from policenotify.journal.permissions import SHARED, exposures
from policenotify.translation import AnyText, Text

BUSY = 30
"""Seconds that a writer waits for another one."""

_SETTINGS = (
    "synchronous=FULL",  # some transactions change it: see `begin`
    "foreign_keys=ON",
    "secure_delete=ON",  # erased data is overwritten
)

ERASING = 2_000
"""Milliseconds for which an erasure that a person asked for waits for readers of the write-ahead log."""

_log = logging.getLogger("policenotify")
_LEVEL = "policenotify_synchronous"  # under which a connection notes the setting that it has
LOG = "policenotify_log"
"""Under which a connection notes which write-ahead log it has open. SQLite deletes none that is in use."""

_PREPARED = 512  # statements that a connection keeps prepared; a publication runs some 150 (sqlite3's default: 128)
_TRIES = 10  # to set a new file's mode while other processes create the same journal
_SUFFIXES = ("", "-wal", "-shm")  # the database, its write-ahead log, and the log's index

_NOT_UNDERSTOOD = Text(
    "The journal cannot be opened: its URL is not understood. Nothing was sent. Give the path of a file, "
    "or postgresql://user@host/database."
)

# Result codes (sqlite.org/rescode.html). The lower 8 bits of an extended code are its kind.
_MEANINGS = {
    sqlite3.SQLITE_BUSY: Text("another process keeps it locked. Look for one that hangs, then try again"),
    sqlite3.SQLITE_FULL: Text("the disk is full. Free some space, then try again"),
    sqlite3.SQLITE_READONLY: Text(
        "this user may not write to it. Give the user its file, those beside it (-wal, -shm) and their "
        "folder, then try again"
    ),
    sqlite3.SQLITE_CANTOPEN: Text("its file cannot be opened. Give the user its file and folder, then try again"),
    sqlite3.SQLITE_IOERR: Text("the disk fails. Check the disk, then try again"),
    sqlite3.SQLITE_CORRUPT: Text("its file is damaged. Put it aside and restore a copy"),
    sqlite3.SQLITE_NOTADB: Text("its file is not a journal, or it is damaged. Name another file, or restore a copy"),
}


def open_engine(url: str, timeout: int | None = None, *, create: bool = False) -> Engine:
    """Return the engine of a journal; see [`open_journal`][policenotify.journal.open_journal].

    Raises:
        JournalError: The URL names neither, or the folder does not exist.
        JournalMissing: There is no such file.
        MissingExtra: PostgreSQL's driver is not installed.
    """
    parsed = _parsed(url)
    if parsed.drivername in postgresql.DRIVERS:
        return postgresql.open_server(parsed, timeout)
    if parsed.drivername in {"sqlite", "sqlite+pysqlite"}:
        return _open_file(parsed, create=create)
    raise JournalError(
        Text(
            "A journal on {drivername!r} is not supported. Give the path of a file, or "
            "postgresql://user@host/database.",
            drivername=parsed.drivername,
        )
    )


def file_id(path: str) -> tuple[int, int] | None:
    """Return what distinguishes a file from all others, or None if there is none."""
    try:
        status = os.stat(path)  # noqa: PTH116 - called before each transaction
    except OSError:
        return None
    return status.st_dev, status.st_ino


def without_password(url: str) -> str:
    """Return where a journal is, for display: the path of a file, or a URL without passwords.

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
    except (SQLAlchemyError, ValueError):  # whose text may quote the URL, and so a password
        raise JournalError(_NOT_UNDERSTOOD) from None


def _open_file(parsed: URL, *, create: bool) -> Engine:
    if not parsed.database or parsed.database == ":memory:":
        raise JournalError(Text("A journal in memory would be lost with its process. Give the path of a file."))
    if parsed.query:
        raise JournalError(_NOT_UNDERSTOOD)
    if sqlite3.sqlite_version_info < (3, 37):  # it has no strict tables
        raise JournalError(
            Text(
                "SQLite {version} is too old for a journal. Use 3.37 or later, or PostgreSQL.",
                version=sqlite3.sqlite_version,
            )
        )
    path = Path(parsed.database).absolute()
    if not path.parent.is_dir():
        raise JournalError(
            Text("The journal's folder {parent!r} does not exist. Create it first.", parent=str(path.parent))
        )
    # A reader's lock on the log's index is enough to stop every writer.
    found = dict.fromkeys(exposure for suffix in _SUFFIXES for exposure in exposures(Path(f"{path}{suffix}"), SHARED))
    if found:
        reasons = Text.join(". ", found)
        raise JournalError(Text("The journal is not opened, and nothing was sent. {found}", found=reasons))
    if create:
        _create_file(path)
    else:
        _ensure_exists(path)

    def connect() -> sqlite3.Connection:
        # Only if it exists: it may have been deleted meanwhile.
        uri = f"{path.as_uri()}?mode=rw"
        connection = sqlite3.connect(uri, uri=True, timeout=BUSY, check_same_thread=False, cached_statements=_PREPARED)
        _prepare(connection)
        return connection

    # Errors and logs must not contain values. The connection used last knows the pages that it has just written.
    engine = create_engine(
        URL.create("sqlite", database=str(path)), hide_parameters=True, creator=connect, pool_use_lifo=True
    )
    event.listen(engine, "connect", lambda _, record: record.info.update({LOG: file_id(f"{path}-wal")}))
    return engine


def _create_file(path: Path) -> None:
    """Create the file before SQLite does, which would let others read it. Its log inherits the mode."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        pass
    except OSError as error:
        raise JournalError(
            Text(
                "The journal {path} cannot be created ({strerror}). Nothing was sent. Give the user write "
                "access to its folder, or name another place.",
                path=path,
                strerror=error.strerror,
            )
        ) from error


def _ensure_exists(path: Path) -> None:
    try:
        path.stat()
    except FileNotFoundError:
        raise JournalMissing(
            Text(
                "There is no journal at {path}. Nothing was sent. If it was moved or deleted, put it back "
                "together with its -wal file; if it is elsewhere, name the place in the settings (journal = "
                "…). Only for a new installation, make one: policenotify migrate",
                path=path,
            )
        ) from None
    except OSError:  # SQLite's own error explains it
        pass


def _prepare(connection: sqlite3.Connection) -> None:
    connection.isolation_level = None  # only SQLAlchemy begins transactions
    connection.text_factory = _text
    try:
        for setting in _SETTINGS:
            connection.execute(f"PRAGMA {setting}").close()
        _write_ahead(connection)
        connection.execute("SELECT name FROM sqlite_master LIMIT 1").close()  # opens the log too
    except BaseException:
        connection.close()
        raise


def _text(stored: bytes) -> str:
    """Return a stored text. Bytes that are none stop only what is read of them, not the whole statement (PEP 383)."""
    return stored.decode(errors="surrogateescape")


def _write_ahead(connection: sqlite3.Connection) -> None:
    mode = ""
    for left in reversed(range(_TRIES)):
        try:
            [mode] = connection.execute("PRAGMA journal_mode=WAL").fetchone()
            break
        except sqlite3.OperationalError as error:
            # If two processes change the mode of a new file at once, one is refused without waiting.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or not left:
                raise
        connection.execute("BEGIN IMMEDIATE").close()  # waits for the other process
        connection.execute("ROLLBACK").close()
    if mode != "wal":
        raise JournalError(
            Text(
                "The journal cannot be kept here: its file system allows only the mode {mode!r}, not "
                "write-ahead logging. Nothing was sent. Put it on a local disk.",
                mode=mode,
            )
        )


def open_connections(engine: Engine) -> set[object]:
    """Return the driver's connections that are open. The set follows as they are opened and closed."""
    opened: set[object] = set()
    event.listen(engine, "connect", lambda connection, _record: opened.add(connection))
    event.listen(engine, "close", lambda connection, _record: opened.discard(connection))
    return opened


def begin(connection: Connection, *, writes: bool, durable: bool) -> None:
    """Begin a transaction in a file.

    Not in a listener: if a connection or its dialect has one, SQLAlchemy looks for others at each statement, which
    takes a quarter of its time.

    Raises:
        SQLAlchemyError: Another process writes, or the file cannot be read.
    """
    # Acknowledged writes survive a power cut. Claims need not: after one, no process holds any. Both survive the end of
    # the process (sqlite.org/pragma.html#pragma_synchronous).
    level = "FULL" if durable else "NORMAL"
    if writes and connection.info.get(_LEVEL, "FULL") != level:  # see _SETTINGS
        connection.exec_driver_sql(f"PRAGMA synchronous={level}")
        connection.info[_LEVEL] = level
    # A writer locks at once: two that upgrade from reading to writing would fail instead of waiting.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def truncate_log(engine: Engine, *, patience: int = 0) -> bool:
    """Remove erased data from the write-ahead log of a file. Return False if another process is reading it.

    *patience* is how many milliseconds that process is waited for, while others wait to write.
    """
    if engine.dialect.name != "sqlite":
        return True
    with closing(engine.raw_connection()) as pooled:
        try:
            cursor = pooled.cursor()
            cursor.execute(f"PRAGMA busy_timeout = {patience}")
            try:
                [busy, *_] = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                cursor.execute(f"PRAGMA busy_timeout = {1000 * BUSY}")
        except sqlite3.Error:
            busy = True
    if busy and patience:
        _log.warning(
            "Erased, but another process is reading the journal: the file that ends in -wal may still hold what was "
            "erased, until the next erasure or until no process uses the journal."
        )
    return not busy


def explain(error: BaseException) -> AnyText:
    """Return what a database error means and what to do, without statement, values, address or password."""
    cause = _cause(error)
    if postgresql.is_server_error(cause):
        return postgresql.explain(error, cause)
    if isinstance(cause, NoConnectionFree):
        return Text("this process uses all its connections to it at once. Make fewer calls at once, then try again")
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    if code in _MEANINGS:
        return _MEANINGS[code]
    if isinstance(cause, sqlite3.Error) and code:
        return str(cause)  # SQLite's text names tables and columns, never values
    return type(cause).__name__


def is_missing_table(error: BaseException) -> bool:
    """Return True if a statement failed because one of the journal's tables is missing."""
    cause = _cause(error)
    if postgresql.is_server_error(cause):
        return bool(cause.sqlstate == postgresql.NO_TABLE) and '"pn_' in str(cause)
    return isinstance(cause, sqlite3.OperationalError) and str(cause).startswith("no such table: pn_")


def _cause(error: BaseException) -> Any:  # noqa: ANN401 - a driver's error
    return error.orig if isinstance(error, DBAPIError) else error
