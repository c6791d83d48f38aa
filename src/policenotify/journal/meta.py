"""Facts of the whole journal: the version of its tables, whose keys it was made with, whether all is stopped."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection, inspect, or_, select, update

from policenotify.errors import JournalError, JournalMissing, JournalTakenAway, PublishingStopped, UnsupportedVersion
from policenotify.journal import schema
from policenotify.journal.keys import Entropy, Keys
from policenotify.journal.records import span

OVERDUE = timedelta(seconds=30)
"""How long after a promise a runner is asked again: it may have been lost with its queue."""

_table = schema.meta
_ID_BYTES = 16

MOVED = "moved"
"""The fact that a journal was moved, and where."""

_VERSION, _KEYS, _ID, _STOPPED = "schema_version", "keys", "id", "stopped"

_STANDSTILL = select(_table.c.name, _table.c.value).where(
    or_(*(_table.c.name == name for name in (MOVED, _STOPPED, _ID, _VERSION)))  # `IN` is compiled for each call
)


OF_A_NEW_ONE = (_VERSION, _KEYS, _ID, _STOPPED)
"""The facts that a journal may have in which nothing was ever written down."""


def version(connection: Connection) -> int | None:
    """The version of the journal's tables; `None`: there are none.

    Raises:
        JournalError: They do not say.
    """
    if not inspect(connection).has_table(_table.name):
        return None
    found = _get(connection, _VERSION) or ""
    if not found.isdecimal() or int(found) < 1:
        raise JournalError("The journal is damaged: its version is missing. Nothing was sent. Restore a copy.")
    return int(found)


def now_of(connection: Connection, reached: int) -> None:
    """The tables are of this version from now on."""
    _set(connection, _VERSION, str(reached))


def create(connection: Connection, keys: Keys, entropy: Entropy) -> None:
    """Make the tables, unless another process was faster."""
    if not inspect(connection).has_table(_table.name):
        schema.metadata.create_all(connection, checkfirst=False)  # there is none: they were just looked for
        _set(connection, _VERSION, str(schema.SCHEMA_VERSION))
        _set(connection, _KEYS, keys.fingerprint)
        give_id(connection, entropy)


def give_id(connection: Connection, entropy: Entropy) -> None:
    """Give the journal an id of its own, unless it has one: two journals of the same keys differ in it."""
    if _get(connection, _ID) is None:
        _set(connection, _ID, entropy(_ID_BYTES).hex())


def id_of(connection: Connection) -> str | None:
    """Return the journal's id; `None`: the journal has none, or there are no tables."""
    return _get(connection, _ID)


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
        UnsupportedVersion: Its tables are of a newer policenotify.
        JournalError: It has none, they are of an older one, it is damaged, it was moved away, or it was made with
            other keys.
    """
    found = version(connection)
    if found is None:
        raise JournalMissing("The journal has no tables yet. Nothing was sent. Make them: policenotify migrate")
    if found < known:
        raise JournalError(
            f"The journal's tables are of version {found}; this policenotify needs version {known}. Nothing was sent. "
            "Stop all that publishes and delivers, then run: policenotify migrate"
        )
    if found > known:
        raise UnsupportedVersion("journal", found, known)
    fingerprint = _get(connection, _KEYS)
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
    _set(connection, _KEYS, keys.fingerprint)


def stop(connection: Connection, actor: str, reason: str) -> None:
    """Everything is to stop."""
    _set(connection, _STOPPED, f"{actor}\n{reason}")


def resume(connection: Connection) -> None:
    """Everything may go on."""
    _set(connection, _STOPPED, "")


def move(connection: Connection, where: str) -> None:
    """Nothing is ever published or delivered from here again."""
    _set(connection, MOVED, where)


def moved_to(connection: Connection) -> str | None:
    """Where the journal was moved; `None`: it is here."""
    return _get(connection, MOVED)


def stopped(connection: Connection, expected: str | None = None) -> PublishingStopped | None:
    """Return the error that names who stopped everything, while it is stopped.

    Args:
        connection: To the journal.
        expected: The id of the journal that was opened; `None`: any.

    Raises:
        JournalError: The journal was moved away.
        JournalTakenAway: This is another journal than the one that was opened, or its tables were changed.
    """
    found = {row.name: row.value for row in connection.execute(_STANDSTILL)}
    if expected is not None and found.get(_ID) != expected:
        raise JournalTakenAway("Another journal is now where this process opened its own.")
    if expected is not None and found.get(_VERSION) != str(schema.SCHEMA_VERSION):
        raise JournalTakenAway("The journal's tables were changed to those of another version while it was in use.")
    if where := found.get(MOVED):
        raise _moved(where)
    if not (said := found.get(_STOPPED)):
        return None
    actor, _, reason = said.partition("\n")
    return PublishingStopped(actor, reason)


def _moved(where: str) -> JournalError:
    return JournalError(
        f"This journal was moved to {where}. Nothing was sent. Put that into the settings (journal = …). If the move "
        "was cut off, so that there is none: policenotify journal move, as before."
    )


def drain_requested(connection: Connection, runner: str, now: int) -> bool:
    """Whether somebody has promised that the runner comes, and it is not overdue."""
    return int(_get(connection, _promised(runner)) or 0) > now - span(OVERDUE)


def request_drain(connection: Connection, runner: str, now: int) -> bool:
    """Promise that the runner comes; `False`: somebody else has."""
    schema.insert_new(connection, _table, [{"name": _promised(runner), "value": "0"}])
    connection.execute(select(_table.c.name).where(_table.c.name == _promised(runner)).with_for_update()).all()
    if drain_requested(connection, runner, now):
        return False
    _set(connection, _promised(runner), str(now))
    return True


def acknowledge_drain(connection: Connection, runner: str) -> None:
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
