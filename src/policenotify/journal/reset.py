"""Delete all that was ever published: for tests."""

from __future__ import annotations

from sqlalchemy import delete

from policenotify.journal import meta, schema
from policenotify.journal.journal import Journal
from policenotify.journal.keys import Keys


def empty(url: str, *, keys: Keys) -> None:
    """Delete every row but those that a new journal has, too.

    Args:
        url: As [`open_journal`][policenotify.journal.open_journal] takes it.
        keys: The installation's keys.

    Raises:
        JournalError: There is no such journal, or it cannot be written.
    """
    journal = Journal.open(url, keys=keys)
    try:
        with journal.write() as connection:
            for table in reversed(schema.metadata.sorted_tables):
                if table is schema.meta:
                    connection.execute(delete(table).where(table.c.name.not_in(meta.OF_A_NEW_ONE)))
                else:
                    connection.execute(delete(table))
            meta.resume(connection)
    finally:
        journal.close()
