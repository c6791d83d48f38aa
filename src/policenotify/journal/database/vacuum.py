"""Give the space of erased rows back."""

from __future__ import annotations

from sqlalchemy import Engine

from policenotify.errors import JournalError
from policenotify.journal.database import schema
from policenotify.journal.database.engine import BUSY


def truncate_log(engine: Engine) -> bool:
    """Remove erased data from the write-ahead log of a file. Return False if another process is reading it."""
    pooled = engine.raw_connection()
    try:
        cursor = pooled.cursor()
        [patience] = cursor.execute("PRAGMA busy_timeout").fetchone()
        cursor.execute("PRAGMA busy_timeout = 0")  # nobody waits for this: the next erasure tries again
        try:
            [busy, *_] = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {int(patience)}")
    except engine.dialect.loaded_dbapi.Error:
        return False
    finally:
        pooled.close()
    return not busy


def vacuum_file(engine: Engine) -> tuple[int, int]:
    """Give erased space of a file back to the disk. Return the size in bytes before and after."""
    pooled = engine.raw_connection()  # VACUUM runs outside transactions, and the engine begins one by itself
    try:
        cursor = pooled.cursor()

        def ask(statement: str) -> int:
            [answer, *_] = cursor.execute(statement).fetchone()
            return int(answer)

        before = ask("PRAGMA page_count") * ask("PRAGMA page_size")
        cursor.execute("VACUUM")
        cursor.execute("PRAGMA optimize").fetchall()
        # The write-ahead log holds the old pages until it is truncated (sqlite.org/pragma.html, wal_checkpoint).
        if ask("PRAGMA wal_checkpoint(TRUNCATE)"):
            raise JournalError(
                "The journal was vacuumed, but another process is still reading it: erased data may still be in the "
                "file that ends in -wal. Try again when no other process uses the journal."
            )
        return before, ask("PRAGMA page_count") * ask("PRAGMA page_size")
    finally:
        pooled.close()


def vacuum_server(engine: Engine) -> tuple[int, int]:
    """Free erased space of the tables on a server. Return the size in bytes before and after."""
    # Not FULL: that would lock all processes out while it copies the tables.
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
            for setting in ("lock_timeout", "statement_timeout"):  # the connection returns to the pool
                connection.exec_driver_sql(f"RESET {setting}")
