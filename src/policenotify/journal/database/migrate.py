"""Create, move and empty journals, each in one transaction: wholly or not at all."""

from __future__ import annotations

from contextlib import closing

from sqlalchemy import Connection, delete, func, insert, select, text

from policenotify.channel import Clock
from policenotify.errors import JournalError
from policenotify.journal import audit, meta, seals, subscribers
from policenotify.journal.database import schema
from policenotify.journal.database.engine import without_password
from policenotify.journal.database.postgresql import grants
from policenotify.journal.journal import Journal
from policenotify.journal.keys import Keys
from policenotify.model.history import Outcome
from policenotify.translation import Text

_LOCK = 0x706E_6D69  # "pnmi": any number that no other program uses as an advisory lock in this database
_ROWS = 100  # rows copied at once; some hold an image


def migrate(url: str, *, keys: Keys, grant_to: str | None = None) -> bool:
    """Create the tables of a journal, unless it has them. Two processes at once create them once.

    Args:
        url: See [`open_journal`][policenotify.journal.open_journal].
        keys: The installation's keys.
        grant_to: The role on PostgreSQL that gets what publishing, delivering and sealing need.

    Returns:
        Whether they were created.

    Raises:
        JournalError: It failed. Nothing was changed.
        UnsupportedVersion: A newer policenotify made the tables.
    """
    with closing(Journal(url, keys=keys, create=True)) as journal, journal.write() as connection:
        _lock_schema(connection)
        if grant_to is not None and connection.dialect.name != "postgresql":
            raise JournalError(Text("A journal in a file has no roles to grant anything to. Nothing was changed."))
        created = meta.create(connection, keys)
        meta.check(connection, keys)
        for statement in grants(grant_to).splitlines() if grant_to is not None else ():
            connection.exec_driver_sql(statement)
    return created


def move(url: str, to: str, *, keys: Keys, actor: str, clock: Clock | None = None) -> dict[str, int]:
    """Move a journal to another database, and close the old one for good, naming the new place.

    Nothing may be sent meanwhile. Processes that write wait until it is done, and then fail. All numbers and ids are
    kept, and so are sealed batches, encrypted addresses and sessions. The copy is verified before it is committed.

    Args:
        url: The journal. See [`open_journal`][policenotify.journal.open_journal].
        to: The new place: empty, or with a journal that was just created.
        keys: The installation's keys. They stay the same.
        actor: Who moves it, for the audit log.
        clock: The clock. By default the server's on PostgreSQL, else this machine's.

    Returns:
        The number of rows of each table.

    Raises:
        JournalError: It failed. Nothing was changed, unless the last step failed, which commits the new place: then
            the old journal is closed, and the same call completes the move.
        UnsupportedVersion: A newer policenotify made one of the journals.
    """
    place = without_password(to)
    if without_password(url) == place:
        raise JournalError(Text("The journal is there already. Nothing was moved."))
    with (
        closing(Journal(url, keys=keys, clock=clock)) as old,
        closing(Journal(to, keys=keys, clock=clock, create=True)) as new,
        new.write() as target,
    ):
        _lock_schema(target)
        meta.create(target, keys)
        meta.check(target, keys)
        if audit.newest_event(target):
            raise JournalError(
                Text(
                    "There is a journal already where this one is to go, and it is in use. Nothing was "
                    "moved. If it was moved before, name the new place in the settings (journal = …); else "
                    "empty it, or name another."
                )
            )
        with old.write() as source:  # committed first: no process can ever deliver from both
            _lock_tables(source)
            meta.check(source, keys, moved_to=place)
            old.deliveries.recover()
            _ensure_nothing_is_sending(source)
            if meta.get(source, meta.MOVED) is None:
                audit.record(source, old.now(), actor, "moved", {"to": place})
            rows = _copy(source, target)
            subscribers.restart_order(target)
            seals.verify(target, keys)
            meta.put(source, meta.MOVED, place)
    return rows


def empty(url: str, *, keys: Keys) -> None:
    """Delete everything that was ever published. For tests.

    Raises:
        JournalError: There is no such journal, or it cannot be written.
    """
    with closing(Journal(url, keys=keys)) as journal:
        journal.check_schema()
        with journal.write() as connection:
            for table in reversed(schema.metadata.sorted_tables):
                statement = delete(table)
                if table is schema.meta:  # subscribers would wait, and the clock be compared with that of a test before
                    statement = statement.where(table.c.name.not_in(meta.INITIAL))
                connection.execute(statement)
            meta.resume(connection)


def _lock_schema(connection: Connection) -> None:
    """Keep other processes from creating or changing tables. A file is locked anyway.

    Raises:
        JournalError: The database cannot hold a journal.
    """
    if connection.dialect.name != "postgresql":
        return
    if (encoding := connection.execute(text("SHOW server_encoding")).scalar()) != "UTF8":
        raise JournalError(
            Text(
                "The journal's database is encoded in {encoding}, which not every name can be written in. "
                "Nothing was changed. Create it with: ENCODING 'UTF8' TEMPLATE template0",
                encoding=encoding,
            )
        )
    _take_time(connection)
    connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))


def _lock_tables(source: Connection) -> None:
    """Keep other processes from writing to the old journal. A file is locked by its writer."""
    if source.dialect.name == "postgresql":
        _take_time(source)
        names = ", ".join(table.name for table in schema.metadata.sorted_tables)
        source.execute(text(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE"))


def _take_time(connection: Connection) -> None:
    """Let this transaction take as long as a journal of years needs."""
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))


def _ensure_nothing_is_sending(source: Connection) -> None:
    sending = select(func.count()).where(schema.delivery.c.state == Outcome.SENDING)
    if count := source.execute(sending).scalar_one():
        raise JournalError(
            Text.counted(
                "{count} delivery is being sent at this moment. Nothing was moved. Run policenotify stop, wait "
                "until it is done (policenotify status), and move again; then run policenotify resume.",
                "{count} deliveries are being sent at this moment. Nothing was moved. Run policenotify stop, wait "
                "until they are done (policenotify status), and move again; then run policenotify resume.",
                count=count,
            )
        )


def _copy(source: Connection, target: Connection) -> dict[str, int]:
    """Replace the rows of all tables. Return their number by table."""
    tables, counts = schema.metadata.sorted_tables, dict[str, int]()
    for table in reversed(tables):
        target.execute(delete(table))
    for table in tables:
        query, counts[table.name] = select(table).order_by(*table.primary_key.columns), 0  # a row follows its parents
        if table is schema.meta:
            query = query.where(table.c.name != meta.MOVED)
        with source.execute(query, execution_options={"yield_per": _ROWS}) as result:
            for rows in result.mappings().partitions():
                target.execute(insert(table), [dict(row) for row in rows])
                counts[table.name] += len(rows)
        number = table.autoincrement_column
        if number is not None and target.dialect.name == "postgresql":  # which goes on behind the numbers taken
            sequence = func.pg_get_serial_sequence(table.name, number.name)
            target.execute(select(func.setval(sequence, func.max(number))).having(func.max(number).is_not(None)))
    return counts
