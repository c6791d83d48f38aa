"""A connection of the host, in whose transaction the journal takes part."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, StaticPool, create_engine, text

from policenotify.errors import JournalError
from policenotify.journal.database.engine import file_id
from policenotify.translation import Text

# They would end the host's transaction, or change its connection for good.
_WITHHELD = frozenset({"commit", "rollback", "close", "create_function", "add_notice_handler"})

_IN_A_FILE = text("SELECT file FROM pragma_database_list WHERE name = 'main'")
# Another search path leads to other tables in the same database.
_ON_A_SERVER = text("SELECT pg_postmaster_start_time(), current_database(), to_regclass('pn_meta')::oid")


class _BorrowedConnection:
    """A driver's connection without the methods that are the host's to call."""

    def __init__(self, raw: object) -> None:
        self._raw = raw

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the driver has
        return (lambda *_given, **_named: None) if name in _WITHHELD else getattr(self._raw, name)


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


def ensure_transaction(connection: Connection) -> None:
    """Check that a connection is in a transaction that its owner ends.

    Raises:
        JournalError: It commits each statement.
    """
    raw: Any = connection.connection.dbapi_connection
    if getattr(raw, "in_transaction", False):
        return
    in_a_file = connection.dialect.name == "sqlite"
    if getattr(raw, "autocommit", False) is True or (in_a_file and raw.isolation_level is None):
        raise JournalError(
            Text(
                "This connection commits each statement by itself. Nothing was sent. Give one with a "
                "transaction: with engine.begin() as connection"
            )
        )
    if in_a_file:
        # SQLite's driver begins only before a change. An earlier savepoint would be committed at its end.
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def place_of(connection: Connection) -> object:
    """Return what distinguishes the database of a connection, and its tables, from all others."""
    if connection.dialect.name != "sqlite":
        return tuple(connection.execute(_ON_A_SERVER).one())
    return file_id(str(connection.execute(_IN_A_FILE).scalar()))  # None for one in memory
