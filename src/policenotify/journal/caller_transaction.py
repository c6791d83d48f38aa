"""A transaction of the caller's, in which a publication is to be written: is it on this journal, and is it one?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, text

from policenotify.errors import JournalError

_IN_A_FILE = text("SELECT file FROM pragma_database_list WHERE name = 'main'")
# One server, one database, and the tables that are found there: another search path leads to others.
_ON_A_SERVER = text("SELECT pg_postmaster_start_time(), current_database(), to_regclass('pn_meta')::oid")


def join(connection: Connection, engine: Engine) -> None:
    """See that *connection* is on the same journal as *engine*, in a transaction that ends when its owner says so.

    Raises:
        JournalError: It is not; nothing was written.
    """
    here = connection.dialect.name == engine.dialect.name
    if here:
        with engine.connect() as ours:
            here = _place(ours) == _place(connection)
    if not here:
        raise JournalError(
            "This connection is not on the journal's database, or does not find its tables. Nothing was sent. "
            "Give one on the database (and search path) that the settings name as the journal."
        )
    raw: Any = connection.connection.dbapi_connection  # its driver's
    if getattr(raw, "in_transaction", False):
        return
    in_a_file = connection.dialect.name == "sqlite"
    if getattr(raw, "autocommit", False) is True or (in_a_file and raw.isolation_level is None):
        raise JournalError(
            "This connection commits each statement by itself. Nothing was sent. Give one with a transaction: "
            "with engine.begin() as connection"
        )
    if in_a_file:
        # SQLite's driver begins only before a change, and a savepoint before that would be committed by its end.
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _place(connection: Connection) -> tuple[object, ...]:
    if connection.dialect.name != "sqlite":
        return tuple(connection.execute(_ON_A_SERVER).one())
    found = Path(str(connection.execute(_IN_A_FILE).scalar())).stat()  # in memory: of this folder, which is no journal
    return found.st_dev, found.st_ino
