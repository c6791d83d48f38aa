"""The journal: what was published and what became of it, the single source of truth.

The SQL toolkit is imported when a journal is opened, not before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policenotify.channel import Clock
    from policenotify.journal.journal import Journal
    from policenotify.journal.keys import Keys

__all__ = ["open_journal"]


def open_journal(
    url: str,
    *,
    keys: Keys,
    clock: Clock | None = None,
    timeout: int | None = None,
    create: bool = False,
) -> Journal:
    """Open the journal. Only `policenotify init` and `migrate` create one, unless *create* is set.

    Args:
        url: The path of an SQLite file, or a URL: `sqlite:///…`, `postgresql://user@host/database`.
        keys: The installation's keys.
        clock: The clock. By default the server's on PostgreSQL, else this machine's.
        timeout: Seconds to wait for a server that does not answer. By default as in the URL, else 10.
        create: Create a missing journal in a file. For tests and demonstrations.

    Raises:
        JournalError: It cannot be opened, or was made with other keys.
        JournalMissing: There is no journal.
        UnsupportedVersion: A newer policenotify made it.
        MissingExtra: It is on PostgreSQL, and the driver is not installed.
    """
    from policenotify.journal.journal import Journal  # noqa: PLC0415 - loads the SQL toolkit

    journal = Journal(url, keys=keys, clock=clock, timeout=timeout, create=create)
    try:
        journal.check_schema(create=create)
    except BaseException:
        journal.close()
        raise
    return journal
