"""Give the space of erased rows back."""

from __future__ import annotations

from sqlalchemy import Connection, Engine, func, select, text
from sqlalchemy.exc import SQLAlchemyError

from policenotify.errors import JournalError
from policenotify.journal.database import schema
from policenotify.journal.database.engine import explain
from policenotify.translation import Text


def size(connection: Connection) -> int:
    """Return the bytes of the journal's tables, with their indexes."""
    if connection.dialect.name == "postgresql":
        names = [func.pg_total_relation_size(table.name) for table in schema.metadata.sorted_tables]
        return sum(connection.execute(select(*names)).one())
    pages, bytes_each = (
        connection.execute(text(f"PRAGMA {name}")).scalar_one() for name in ("page_count", "page_size")
    )
    return int(pages) * int(bytes_each)


def truncate_log(engine: Engine) -> bool:
    """Remove erased data from the write-ahead log of a file. Return False if another process is reading it."""
    if engine.dialect.name != "sqlite":
        return True
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


def vacuum(engine: Engine) -> tuple[int, int]:
    """Give erased space back to the disk, or to the tables on a server. Return the size in bytes before and after.

    Raises:
        JournalError: Other processes use the journal for longer than this may wait.
    """
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            before = size(connection)
            if engine.dialect.name == "sqlite":
                connection.exec_driver_sql("VACUUM")
                connection.exec_driver_sql("PRAGMA optimize").all()
            else:
                connection.detach()  # the pool gets another one, without this setting
                connection.exec_driver_sql("SET statement_timeout = 0")  # a journal of years takes its time
                # Not FULL: that would lock all processes out while it copies the tables.
                connection.exec_driver_sql(f"VACUUM (ANALYZE) {', '.join(schema.metadata.tables)}")
            after = size(connection)
    except (SQLAlchemyError, engine.dialect.loaded_dbapi.Error) as error:
        raise JournalError(
            Text(
                "The journal could not be vacuumed: {explain}. Nothing in it was lost or changed. Try again later.",
                explain=explain(error),
            )
        ) from None
    # The write-ahead log holds the old pages until it is truncated (sqlite.org/pragma.html, wal_checkpoint).
    if not truncate_log(engine):
        raise JournalError(
            Text(
                "The journal was vacuumed, but another process is still reading it: erased data may still be "
                "in the file that ends in -wal. Try again when no other process uses the journal."
            )
        )
    return before, after
