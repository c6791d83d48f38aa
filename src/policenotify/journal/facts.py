"""Facts of the whole journal: the version of its tables, whose keys it was made with, whether all is stopped."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection, inspect, or_, select, update

from policenotify.errors import JournalError, NewerVersion, Stopped
from policenotify.journal import schema
from policenotify.journal.values import span
from policenotify.keys import Keys

OVERDUE = timedelta(seconds=30)
"""How long after a promise a runner is asked again: it may have been lost with its queue."""

_table = schema.meta

MOVED = "moved"
"""The fact that a journal was moved, and where."""

_STANDSTILL = select(_table.c.name, _table.c.value).where(
    or_(_table.c.name == MOVED, _table.c.name == "stopped")  # `IN` is written out anew each time
)

OF_A_NEW_ONE = ("schema_version", "keys", "stopped")
"""The facts that a journal may have in which nothing was ever written down."""


def version(connection: Connection) -> int | None:
    """The version of the journal's tables; `None`: there are none.

    Raises:
        JournalError: They do not say.
    """
    if not inspect(connection).has_table(_table.name):
        return None
    found = _get(connection, "schema_version") or ""
    if not found.isdecimal() or int(found) < 1:
        raise JournalError("The journal is damaged: its version is missing. Nothing was sent. Restore a copy.")
    return int(found)


def now_of(connection: Connection, reached: int) -> None:
    """The tables are of this version from now on."""
    _set(connection, "schema_version", str(reached))


def create(connection: Connection, keys: Keys) -> None:
    """Make the tables, unless another process was faster."""
    if not inspect(connection).has_table(_table.name):
        schema.metadata.create_all(connection, checkfirst=False)  # there is none: they were just looked for
        _set(connection, "schema_version", str(schema.SCHEMA_VERSION))
        _set(connection, "keys", keys.fingerprint)


def check(
    connection: Connection, keys: Keys, *, known: int = schema.SCHEMA_VERSION, moved_to: str | None = None
) -> bool:
    """Whether the journal was made with these very keys; `False`: with an earlier version of them.

    Args:
        connection: To the journal.
        keys: The installation's keys.
        known: The version of the tables that is needed.
        moved_to: It may have been moved there.

    Raises:
        NewerVersion: Its tables are of a newer policenotify.
        JournalError: It has none, they are of an older one, it is damaged, it was moved away, or it was made with
            other keys.
    """
    found = version(connection)
    if found is None:
        raise JournalError("The journal has no tables yet. Nothing was sent. Make them: policenotify migrate")
    if found < known:
        raise JournalError(
            f"The journal's tables are of version {found}; this policenotify needs version {known}. Nothing was sent. "
            "Stop all that publishes and delivers, then run: policenotify migrate"
        )
    if found > known:
        raise NewerVersion("journal", found, known)
    fingerprint = _get(connection, "keys")
    if fingerprint not in keys.fingerprints:
        raise JournalError(
            f"The journal was made with the keys {fingerprint}, this installation has {keys.fingerprint}. "
            "Nothing was sent. Copy the right keys file to this host, then: policenotify doctor"
        )
    if (where := _get(connection, MOVED)) is not None and where != moved_to:
        raise _moved(where)
    return fingerprint == keys.fingerprint


def take_new_keys(connection: Connection, keys: Keys) -> None:
    """From now on the journal holds what only these newer keys open; who has the earlier ones is told at opening."""
    _set(connection, "keys", keys.fingerprint)


def stop(connection: Connection, actor: str, reason: str) -> None:
    """Everything is to stop."""
    _set(connection, "stopped", f"{actor}\n{reason}")


def resume(connection: Connection) -> None:
    """Everything may go on."""
    _set(connection, "stopped", "")


def move(connection: Connection, where: str) -> None:
    """Nothing is ever published or delivered from here again."""
    _set(connection, MOVED, where)


def moved_to(connection: Connection) -> str | None:
    """Where the journal was moved; `None`: it is here."""
    return _get(connection, MOVED)


def stopped(connection: Connection) -> Stopped | None:
    """The error that says who stopped everything, while it is stopped.

    Raises:
        JournalError: The journal was moved away.
    """
    found = {row.name: row.value for row in connection.execute(_STANDSTILL)}
    if where := found.get(MOVED):
        raise _moved(where)
    if not (said := found.get("stopped")):
        return None
    actor, _, reason = said.partition("\n")
    return Stopped(actor, reason)


def _moved(where: str) -> JournalError:
    return JournalError(
        f"This journal was moved to {where}. Nothing was sent. Put that into the settings (journal = …). If the move "
        "was cut off, so that there is none: policenotify journal move, as before."
    )


def is_promised(connection: Connection, runner: str, now: int) -> bool:
    """Whether somebody has promised that the runner comes, and it is not overdue."""
    return int(_get(connection, _promised(runner)) or 0) > now - span(OVERDUE)


def promise(connection: Connection, runner: str, now: int) -> bool:
    """Promise that the runner comes; `False`: somebody else has."""
    schema.insert_new(connection, _table, [{"name": _promised(runner), "value": "0"}])
    connection.execute(select(_table.c.name).where(_table.c.name == _promised(runner)).with_for_update()).all()
    if is_promised(connection, runner, now):
        return False
    _set(connection, _promised(runner), str(now))
    return True


def keep_promise(connection: Connection, runner: str) -> None:
    """It has come."""
    _set(connection, _promised(runner), "0")


def _promised(runner: str) -> str:
    return f"promised_at {runner}"


def _get(connection: Connection, name: str) -> str | None:
    return connection.execute(select(_table.c.value).where(_table.c.name == name)).scalar()


def _set(connection: Connection, name: str, value: str) -> None:
    changed = update(_table).where(_table.c.name == name).values(value=value)
    known = connection.execute(changed).rowcount
    if not known and not schema.insert_new(connection, _table, [{"name": name, "value": value}]):
        connection.execute(changed)
