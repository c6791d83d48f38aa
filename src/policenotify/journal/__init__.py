"""The journal: what was said and what became of it, the single source of truth.

The SQL toolkit is imported when a journal is opened, not before.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policenotify.channel import Clock
    from policenotify.journal.journal import Journal
    from policenotify.journal.keys import Entropy, Keys

__all__ = ["open_journal"]


def open_journal(
    url: str,
    *,
    keys: Keys,
    clock: Clock | None = None,
    entropy: Entropy = secrets.token_bytes,
    patience: int | None = None,
    create: bool = False,
) -> Journal:
    """Open the journal. Only `policenotify init` and `migrate` make one, unless *create* asks for it.

    Args:
        url: The path of an SQLite file, or a URL: `sqlite:///…`, `postgresql://user@host/database`.
        keys: The installation's keys.
        clock: Tells the time; `None`: on PostgreSQL the server does, else this machine.
        entropy: Gives that many unpredictable bytes.
        patience: Seconds for which a server that does not answer is waited for; `None`: as the URL says, else 10.
        create: Make a missing journal in a file: for tests and demonstrations.

    Raises:
        JournalError: It cannot be opened, or was made with other keys; names what to do.
        JournalMissing: There is none.
        UnsupportedVersion: A newer policenotify made it.
        MissingExtra: It is on PostgreSQL, and the driver is not installed.
    """
    from policenotify.journal.journal import Journal  # noqa: PLC0415 - brings the SQL toolkit

    return Journal.open(url, keys=keys, clock=clock, entropy=entropy, patience=patience, create=create)
