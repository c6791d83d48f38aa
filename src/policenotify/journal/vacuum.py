"""Give the room of what was erased back to the disk, and leave no trace of it in free pages and logs."""

from __future__ import annotations

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from policenotify.errors import JournalError
from policenotify.journal import schema
from policenotify.journal.engine import BUSY, told

_NOTHING_LOST = "Nothing in it was lost or changed; say it again later."


def vacuum(engine: Engine) -> tuple[int, int]:
    """Vacuum the journal; returns its size in bytes before and after.

    Raises:
        JournalError: Others hold it for longer than this may wait.
    """
    try:
        return _sqlite(engine) if engine.dialect.name == "sqlite" else _postgresql(engine)
    except (SQLAlchemyError, engine.dialect.loaded_dbapi.Error) as error:
        raise JournalError(f"The journal could not be vacuumed: {told(error)}. {_NOTHING_LOST}") from error


def _sqlite(engine: Engine) -> tuple[int, int]:
    pooled = engine.raw_connection()  # VACUUM runs outside transactions, and the engine begins one on its own
    try:
        cursor = pooled.cursor()

        def ask(statement: str) -> int:
            [answer, *_] = cursor.execute(statement).fetchone()
            return int(answer)

        before = ask("PRAGMA page_count") * ask("PRAGMA page_size")
        cursor.execute("VACUUM")
        cursor.execute("PRAGMA optimize").fetchall()
        # The write-ahead log holds the old pages until it is cut (sqlite.org/pragma.html, wal_checkpoint).
        if ask("PRAGMA wal_checkpoint(TRUNCATE)"):
            raise JournalError(
                "The journal was vacuumed, but another process is still reading it: what was erased may still stand "
                "in the file that ends in -wal. Say it again when nobody else is at work."
            )
        return before, ask("PRAGMA page_count") * ask("PRAGMA page_size")
    finally:
        pooled.close()


def _postgresql(engine: Engine) -> tuple[int, int]:
    # Not FULL: that would lock every desk out while it copies the tables.
    names = [table.name for table in schema.metadata.sorted_tables]
    size = "SELECT sum(pg_total_relation_size(name::regclass)) FROM unnest(string_to_array('{}', ',')) AS name"
    size = size.format(",".join(names))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"SET lock_timeout = '{BUSY}s'")
        connection.exec_driver_sql("SET statement_timeout = 0")  # a journal of years takes its time
        try:
            before = connection.exec_driver_sql(size).scalar_one()
            for name in names:
                connection.exec_driver_sql(f"VACUUM (ANALYZE) {name}")
            return int(before), int(connection.exec_driver_sql(size).scalar_one())
        finally:
            for setting in ("lock_timeout", "statement_timeout"):  # the connection goes back to the pool
                connection.exec_driver_sql(f"RESET {setting}")
