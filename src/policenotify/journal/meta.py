"""Facts about the whole journal: schema version, keys, id and stop."""

from __future__ import annotations

import secrets
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, func, inspect, or_, select, update

from policenotify.errors import JournalError, JournalMissing, JournalTakenAway, PublishingStopped, UnsupportedVersion
from policenotify.journal.database import schema
from policenotify.journal.keys import Keys
from policenotify.translation import Text

MOVED = "moved"
"""The fact that the journal was moved, with its new place."""

_table = schema.meta
_ID_BYTES = 16
VERSION, KEYS, ID, _STOPPED = "schema_version", "keys", "id", "stopped"

_GATE = 0x706E_7374  # "pnst": an advisory lock that no other program uses in this database

INITIAL = (VERSION, KEYS, ID, _STOPPED)
"""The facts of a journal in which nothing was ever published."""

_FACT = select(_table.c.value).where(_table.c.name == bindparam("named"))
_event = schema.event.c
_NEWEST = select(func.max(_event.id)).scalar_subquery()
_STANDSTILL = select(  # the facts by which nothing may be sent, and two events
    _table.c.name,
    _table.c.value,
    _NEWEST.label("newest"),
    select(_event.commitment).where(_event.id == _NEWEST).scalar_subquery().label("commitment"),
    select(_event.commitment).where(_event.id == bindparam("known")).scalar_subquery().label("known"),
).where(or_(*(_table.c.name == name for name in (MOVED, _STOPPED, ID, VERSION, KEYS))))  # `IN` is compiled each time
_CHANGE = update(_table).where(_table.c.name == bindparam("named")).values(value=bindparam("new"))

SEEN = "policenotify_seen"
"""The option under which a transaction notes events: the newest known before it began, and those it sees or adds."""


def create(connection: Connection, keys: Keys) -> bool:
    """Create the tables, unless another process did so first. Return whether this one did."""
    if inspect(connection).has_table(_table.name):
        return False
    schema.metadata.create_all(connection, checkfirst=False)
    put(connection, VERSION, str(schema.SCHEMA_VERSION))
    put(connection, KEYS, keys.fingerprint)
    put(connection, ID, secrets.token_hex(_ID_BYTES))  # two journals with the same keys differ in it
    return True


def check(connection: Connection, keys: Keys, *, moved_to: str | None = None) -> bool:
    """Check that these tables and keys can be used. The journal may have been moved to *moved_to*.

    Returns:
        Whether the journal was last opened with the newest version of these keys.

    Raises:
        UnsupportedVersion: A newer policenotify made the tables.
        JournalMissing: There are no tables.
        JournalError: The tables are damaged, moved away, or made with other keys.
    """
    if not inspect(connection).has_table(_table.name):
        raise JournalMissing(Text("The journal has no tables yet. Nothing was sent. Make them: policenotify migrate"))
    version = get(connection, VERSION) or ""
    if not version.isdecimal() or int(version) < 1:
        raise JournalError(Text("The journal is damaged: its version is missing. Nothing was sent. Restore a copy."))
    if int(version) > schema.SCHEMA_VERSION:
        raise UnsupportedVersion("journal", int(version), schema.SCHEMA_VERSION)
    fingerprint = get(connection, KEYS)
    if fingerprint not in keys.fingerprints:
        raise JournalError(
            Text(
                "The journal was made with the keys {fingerprint}, this installation has {fingerprint_2}. "
                "Nothing was sent. Copy the right keys file to this host, then: policenotify doctor",
                fingerprint=fingerprint,
                fingerprint_2=keys.fingerprint,
            )
        )
    if (place := get(connection, MOVED)) is not None and place != moved_to:
        raise _moved(place)
    return fingerprint == keys.fingerprint


def pass_gate(connection: Connection, *, shared: bool) -> None:
    """Let a stop wait for attempts that are beginning. Those after it read that everything is stopped."""
    if connection.dialect.name == "postgresql":  # a file has one writer at a time
        take = func.pg_advisory_xact_lock_shared if shared else func.pg_advisory_xact_lock
        connection.execute(select(take(_GATE)))


def stop(connection: Connection, actor: str, reason: str) -> None:
    """Store that everything is stopped."""
    pass_gate(connection, shared=False)
    put(connection, _STOPPED, f"{actor}\n{reason}")


def resume(connection: Connection) -> None:
    """Store that nothing is stopped."""
    put(connection, _STOPPED, "")


class KnownEvent(NamedTuple):
    """The newest event that a process knows. It stays in the journal, unless that is set back to an older state.

    Attributes:
        number: Its number, or 0 for none.
        commitment: What distinguishes it from any other event of that number.
    """

    number: int = 0
    commitment: str = ""


def note(connection: Connection, event: KnownEvent) -> None:
    """Note an event that this transaction has added. One within a savepoint may never be committed."""
    if not connection.in_nested_transaction():
        connection.get_execution_options()[SEEN].append(event)


def stopped(connection: Connection, expected: str | None = None) -> PublishingStopped | None:
    """Return the error that names who stopped everything, or None. Read before anything is claimed or sent.

    *expected* is the id of the journal that was opened, or None for any.

    Raises:
        JournalError: The journal was moved away, or its keys were rotated.
        JournalTakenAway: This is not the journal that was opened, or an older state of it: an event that this process
            knows is missing, whatever was added since.
    """
    options = connection.get_execution_options()
    seen: list[KnownEvent] = options[SEEN]
    rows = connection.execute(_STANDSTILL, {"known": seen[0].number}).all()
    facts = {row.name: row.value for row in rows}
    if expected is not None and facts.get(ID) != expected:
        raise JournalTakenAway(Text("Another journal is now where this process opened its own."))
    if expected is not None and facts.get(VERSION) != str(schema.SCHEMA_VERSION):
        raise JournalTakenAway(
            Text("The journal's tables were changed to those of another version while it was in use.")
        )
    if place := facts.get(MOVED):
        raise _moved(place)
    keys: Keys = options["policenotify_keys"]
    if facts.get(KEYS) not in keys.fingerprints:
        raise JournalError(
            Text(
                "The keys of this installation were rotated; this process has {fingerprint}. Nothing was "
                "sent. Copy the keys file to this host, and start this process again.",
                fingerprint=keys.fingerprint,
            )
        )
    if seen[0].number and rows[0].known != seen[0].commitment:
        raise JournalTakenAway(Text("The journal was set back to an older state while it was in use."))
    seen.append(KnownEvent(rows[0].newest or 0, rows[0].commitment or ""))
    if not (stop := facts.get(_STOPPED)):
        return None
    actor, _, reason = stop.partition("\n")
    return PublishingStopped(actor, reason)


def _moved(place: str) -> JournalError:
    return JournalError(
        Text(
            "This journal was moved to {place}. Nothing was sent. Put that into the settings (journal = …). "
            "If the move was cut off, so that there is none: policenotify journal move, as before.",
            place=place,
        )
    )


def get(connection: Connection, name: str) -> str | None:
    """Return a fact."""
    return connection.execute(_FACT, {"named": name}).scalar()


def put(connection: Connection, name: str, value: str) -> None:
    """Store a fact."""
    changed = {"named": name, "new": value}
    known = connection.execute(_CHANGE, changed).rowcount
    if not known and not schema.insert_new(connection, _table, [{"name": name, "value": value}]):
        connection.execute(_CHANGE, changed)
