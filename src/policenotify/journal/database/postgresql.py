"""A journal on PostgreSQL: its connection, the meaning of its errors, and its clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, select
from sqlalchemy.exc import DBAPIError

from policenotify.errors import JournalError, MissingExtra
from policenotify.journal.clock import SystemClock
from policenotify.journal.database import schema
from policenotify.translation import AnyText, Text

DRIVERS = frozenset({"postgresql", "postgres", "postgresql+psycopg"})
"""The URL schemes of PostgreSQL. All use psycopg 3."""

# Nothing hangs for ever: neither a lock, nor a statement, nor a process that stops inside a transaction
# (postgresql.org/docs/current/runtime-config-client.html). Milliseconds.
_TIMEOUTS = {"lock_timeout": 30_000, "statement_timeout": 60_000, "idle_in_transaction_session_timeout": 60_000}

# A server that vanishes is noticed (postgresql.org/docs/current/libpq-connect.html). Seconds, except
# `tcp_user_timeout` in milliseconds.
_CONNECTION = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "application_name": "policenotify",
}
_RECYCLE = 1800  # seconds; firewalls drop idle connections
_FRESH = 1.0  # seconds for which an answer of the server's clock is extrapolated outside transactions

_LOST = Text("the connection to its server was lost. Check that the server runs, then try again")
_UNREACHABLE = Text(
    "its server cannot be reached, or does not accept the user, password or database. Check that it "
    "runs, and that the settings name the right ones; its log has the reason"
)
_ONLY_ADDED = ("pn_event", "pn_seal")
NO_TABLE = "42P01"
"""The error code for a missing table."""

# Error codes (postgresql.org/docs/current/errcodes-appendix.html). Two characters stand for a class.
_MEANINGS = {
    "08": _LOST,
    "22": Text("its server does not accept a value"),
    "25006": Text("its server is a copy that may not be written to. Name the primary server"),
    "25P02": Text("your transaction has failed before: roll it back, and begin a new one"),
    "25P03": Text("this process paused for too long, and its server gave up. Try again"),
    "28": _UNREACHABLE,
    "3D000": Text("its server has no such database. Create it, or name another, then: policenotify migrate"),
    "40": Text("two processes blocked each other. Try again"),
    "42501": Text(
        "this user may not do that to its tables. Purge, migrate, move and restore as their owner; "
        "for the rest: policenotify migrate --grant-to"
    ),
    "42704": Text("its server has no such role. Create it: CREATE ROLE … LOGIN. Then run the command again"),
    NO_TABLE: Text("a table is missing. Run: policenotify migrate"),
    "53100": Text("the disk of its server is full. Free some space, then try again"),
    "53300": Text("its server has no connection left. Close other programs, or raise max_connections"),
    "53": Text("its server lacks memory. Check the server, then try again"),
    "55P03": Text("another process keeps it locked. Look for one that hangs, then try again"),
    "57014": Text("its server took too long. Check the server, then try again"),
    "57": Text("its server is just starting or stopping. Try again in a moment"),
    "58": Text("the disk of its server fails. Check the server"),
    **dict.fromkeys(  # not all of class XX: XX000 is an error of the server itself
        ("XX001", "XX002"),
        Text("its data or an index are damaged. Rebuild the indexes (REINDEX DATABASE), or restore a copy"),
    ),
}


def grants(role: str) -> str:
    """Return the SQL that gives a role what publishing, delivering and sealing need, and no more.

    It may add events and seals, and never change or remove them: that is left to the owner of the tables.
    """
    quoted = '"' + role.replace('"', '""') + '"'
    tables = schema.metadata.sorted_tables
    others = [table.name for table in tables if table.name not in _ONLY_ADDED]
    numbers = [(table.name, table.autoincrement_column) for table in tables]
    sequences = [f"{name}_{column.name}_seq" for name, column in numbers if column is not None]
    return (
        f"REVOKE ALL ON {', '.join([*_ONLY_ADDED, *others])} FROM {quoted};\n"
        f"GRANT SELECT, INSERT ON {', '.join(_ONLY_ADDED)} TO {quoted};\n"
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {', '.join(others)} TO {quoted};\n"
        f"GRANT USAGE ON SEQUENCE {', '.join(sequences)} TO {quoted};\n"
    )


def open_server(url: URL, timeout: int | None = None) -> Engine:
    """Return the engine of a journal on PostgreSQL. Connects to nothing yet. The timeout is for each host.

    Raises:
        MissingExtra: The driver is not installed.
        JournalError: The URL names no database.
    """
    try:
        import psycopg  # noqa: F401, PLC0415 - of an extra
    except ImportError as error:
        raise MissingExtra(Text("A journal on PostgreSQL"), "postgres") from error
    if not url.database:
        raise JournalError(Text("The journal's URL names no database: postgresql://user@host/database. Add its name."))
    # The URL's options come last, and so override these.
    own = url.normalized_query.get("options", ())
    options = " ".join([*(f"-c {name}={value}" for name, value in _TIMEOUTS.items()), *own])
    arguments: dict[str, Any] = {name: value for name, value in _CONNECTION.items() if name not in url.query}
    if timeout is not None:
        url, arguments["connect_timeout"] = url.difference_update_query(["connect_timeout"]), timeout
    engine = create_engine(
        url.set(drivername="postgresql+psycopg").difference_update_query(["options"]),
        isolation_level="READ COMMITTED",  # rows that must not change are locked
        connect_args={**arguments, "options": options},
        pool_size=5,
        max_overflow=25,  # each worker thread needs one for milliseconds
        pool_timeout=30,
        pool_pre_ping=True,
        pool_recycle=_RECYCLE,
        hide_parameters=True,
    )
    event.listen(engine, "connect", _durable)
    return engine


def _durable(connection: Any, _record: object) -> None:  # noqa: ANN401 - psycopg is an extra
    # Acknowledged writes survive a power cut, even on a server set for speed.
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        )
    connection.commit()


def is_server_error(cause: object) -> bool:
    """Return True if an error comes from PostgreSQL."""
    return hasattr(cause, "sqlstate") and hasattr(cause, "diag")


def explain(error: BaseException, cause: Any) -> AnyText:  # noqa: ANN401 - psycopg is an extra
    """Return what a server error means and what to do. The server's own text quotes values and addresses."""
    code = cause.sqlstate or ""
    if code:
        meaning = _MEANINGS.get(code) or _MEANINGS.get(code[:2]) or type(cause).__name__
        constraint = cause.diag.constraint_name
        return Text("{meaning} ({codes})", meaning=meaning, codes=f"{code}, {constraint}" if constraint else code)
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return _LOST
    if type(cause).__name__ == "DataError":  # the driver rejects it before asking the server
        return _MEANINGS["22"]
    if type(cause).__name__ == "ProgrammingError":
        return Text("its URL has an option that the driver does not know. Correct the settings")
    return _UNREACHABLE  # the server's answer to a connection has no code for the client, only a text in its language


class DatabaseClock(SystemClock):
    """The server's clock, shared by all hosts. Each transaction asks it, and this machine extrapolates in between."""

    def __init__(self) -> None:
        self._asked: tuple[float, datetime] | None = None

    @property
    def fresh(self) -> bool:
        """Whether the server was asked within the last second."""
        return self._asked is not None and self.monotonic() - self._asked[0] < _FRESH

    def ask(self, connection: Connection) -> None:
        """Ask the server for its time."""
        at = connection.execute(select(func.clock_timestamp())).scalar_one()
        self._asked = self.monotonic(), at.astimezone(UTC)

    def now(self) -> datetime:
        """Return the server's time, or this machine's if the server was never asked."""
        if self._asked is None:
            return super().now()
        asked_at, time = self._asked
        return time + timedelta(seconds=self.monotonic() - asked_at)
