"""Make the journal's tables, or bring older ones to this version: on demand, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sqlalchemy import Connection, func, select, text

from policenotify.channel import Clock
from policenotify.errors import JournalError, UnsupportedVersion
from policenotify.journal import audit, meta, schema
from policenotify.journal.journal import Journal
from policenotify.journal.keys import Keys

Step = Callable[[Connection], None]


def _reminders(connection: Connection) -> None:
    """1 to 2: reminders of a word that is owed, runners that stay, waits, people held, when a post was first not found.

    And no table of schedules: campaigns are files, and what was said of them is in the publications' keys. Nothing ever
    wrote to that table.
    """
    for added in (
        "pn_incident ADD COLUMN reminders INTEGER DEFAULT 0 NOT NULL",
        "pn_incident ADD COLUMN reminded_at BIGINT",
        "pn_runner ADD COLUMN stays BOOLEAN DEFAULT false NOT NULL",
        "pn_delivery ADD COLUMN unseen_at BIGINT",
        "pn_delivery ADD COLUMN backoff BIGINT DEFAULT 0 NOT NULL",
    ):
        connection.execute(text(f"ALTER TABLE {added}"))
    connection.execute(text("CREATE INDEX pn_recipient_held ON pn_recipient (delivery) WHERE state = 'held'"))
    connection.execute(text("DROP TABLE pn_schedule"))


STEPS: Mapping[int, Step] = MappingProxyType({1: _reminders})
"""How tables of a version become those of the next one. A step that was released is never changed."""

_LOCK = 0x706E_6D69  # "pnmi": any number that nobody else takes for an advisory lock in this database


@dataclass(frozen=True, slots=True)
class Migrated:
    """What was done.

    Attributes:
        before: The version that was found; `None`: there were no tables.
        after: The version that there is now.
    """

    before: int | None
    after: int


def migrate(  # the last two are for tests
    url: str,
    *,
    keys: Keys,
    actor: str,
    clock: Clock | None = None,
    steps: Mapping[int, Step] = STEPS,
    known: int = schema.SCHEMA_VERSION,
) -> Migrated:
    """Make the tables of a journal, or bring older ones to this version; those of this version stay as they are.

    All or nothing: what fails in the middle leaves the journal as it was. Two at once do it once.

    Args:
        url: As [`open_journal`][policenotify.journal.open_journal] takes it.
        keys: The installation's keys.
        actor: Who does it, for the journal's events.
        clock: Tells the time; `None`: the database's own, else this machine's.
        steps: From which version to the next how.
        known: The version to reach.

    Raises:
        JournalError: It cannot be done; names why and what to do. Nothing was changed.
        UnsupportedVersion: The tables are of a newer policenotify.
    """
    journal = Journal.reach(url, keys=keys, clock=clock, create=True)
    try:
        with journal.write(keeps_time=False) as connection:
            alone(connection)
            before = meta.version(connection)
            if before is None:
                meta.create(connection, keys, journal.entropy)
            after = schema.SCHEMA_VERSION if before is None else before
            if after > known:
                raise UnsupportedVersion("journal", after, known)
            while after < known:
                steps[after](connection)
                after += 1
            meta.now_of(connection, after)
            meta.give_id(connection, journal.entropy)
            meta.check(connection, keys, known=known)
            if before not in {None, after}:
                audit.record(connection, journal.now(), actor, "migrated", {"from": before, "to": after})
    finally:
        journal.close()
    return Migrated(before, after)


def alone(connection: Connection) -> None:
    """Nobody else makes or changes tables until this transaction ends; in a file that is so anyway.

    Raises:
        JournalError: The database cannot hold a journal.
    """
    if connection.dialect.name != "postgresql":
        return
    if (encoding := connection.execute(text("SHOW server_encoding")).scalar()) != "UTF8":
        raise JournalError(
            f"The journal's database is encoded in {encoding}, which not every name can be written in. "
            "Nothing was changed. Create it with: ENCODING 'UTF8' TEMPLATE template0"
        )
    connection.execute(text("SET LOCAL statement_timeout = 0"))  # an index of years takes its time
    connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
    connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
