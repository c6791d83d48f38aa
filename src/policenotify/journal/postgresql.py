"""A journal on PostgreSQL: how its server is reached, what its failures mean, and its clock."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, select
from sqlalchemy.exc import DBAPIError

from policenotify.errors import JournalError, MissingExtra
from policenotify.journal.clock import MachineClock

DRIVERS = frozenset({"postgresql", "postgres", "postgresql+psycopg"})
"""What a URL may begin with; all are psycopg 3."""

# Nothing hangs for ever: a lock of another process, a statement, and a process that stands still in the middle, whose
# locks the server then gives to others (postgresql.org/docs/current/runtime-config-client.html). Milliseconds.
_PATIENCE = {"lock_timeout": 30_000, "statement_timeout": 60_000, "idle_in_transaction_session_timeout": 60_000}

# A server that vanishes without a word is noticed (postgresql.org/docs/current/libpq-connect.html). Seconds;
# `tcp_user_timeout` in milliseconds.
_WIRE = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "application_name": "policenotify",
}
_OLD = 1800  # seconds after which a connection is made anew: firewalls forget idle ones
_FRESH = 1.0  # seconds for which this machine's counting is trusted outside of transactions

_BUSY = "another process does not let go of it. Look for one that hangs, then try again"
_MOMENT = "its server is just starting or stopping. Try again in a moment"
_LET_IN = "its server does not accept this user or password. Put the right ones into the settings or the password file"
_REACHED = (
    "its server cannot be reached, or does not let us in. See that it runs, and that the settings name the right "
    "host, port, database and user"
)
NO_TABLE = "42P01"
"""The code of a statement that failed because a table is not there."""

# Error codes: postgresql.org/docs/current/errcodes-appendix.html; two letters and digits stand for a class.
_TOLD = {
    "08": "the connection to its server was lost. See that the server runs, then try again",
    "22": "its server does not take a value",
    "25006": "its server is a copy that may not be written to. Name the primary server",
    "25P02": "your transaction has failed before: roll it back, and begin anew",
    "25P03": "this process stood still for too long, and its server gave up. Try again",
    "28": _LET_IN,
    "3D000": "its server has no such database. Create it, or name another, then: policenotify migrate",
    "40": "two processes stood in each other's way. Try again",
    "42501": "this user may not read or write its tables. Grant it what the owner has",
    NO_TABLE: "a table is missing. Run: policenotify migrate",
    "53100": "the disk of its server is full. Make room, then try again",
    "53300": "its server has no connection left. Close other programs, or raise max_connections",
    "53": "its server lacks memory. Look after the server, then try again",
    "55P03": _BUSY,
    "57014": "its server took too long. Look after the server, then try again",
    "57": _MOMENT,
    "58": "the disk of its server fails. Look after the server",
    "XX001": "its data are damaged. Restore a copy",
    "XX002": "one of its indexes is damaged. Rebuild it: REINDEX DATABASE",
}
# What is refused while connecting has no code for the client, only words in the server's language.
_password = re.compile(r"password|mot de passe|no pg_hba\.conf entry|entrée dans pg_hba\.conf", re.IGNORECASE)
_no_database = re.compile(r"FATAL:\s+database .* does not exist|FATAL\s*:\s+la base de données .* n'existe pas")
_moment = re.compile(r"the database system is|le système de bases de données")


def open_server(url: URL, patience: int | None = None) -> Engine:
    """The engine of a journal on PostgreSQL; connects to nothing yet.

    Args:
        url: Where it is.
        patience: Seconds for which a server that does not answer is waited for, each time and each host; `None`: as
            the URL says, else 10.

    Raises:
        MissingExtra: Its driver is not installed.
        JournalError: The URL names no database.
    """
    try:
        import psycopg  # noqa: F401, PLC0415 - of an extra
    except ImportError as error:
        raise MissingExtra("A journal on PostgreSQL", "postgres") from error
    if not url.database:
        raise JournalError("The journal's URL names no database: postgresql://user@host/database. Add its name.")
    # Ours stand first: of two that set the same the server takes the last.
    options = " ".join(f"-c {name}={value}" for name, value in _PATIENCE.items())
    given = url.query.get("options", "")
    options = " ".join([options, *([given] if isinstance(given, str) else given)]).strip()
    arguments: dict[str, Any] = {name: value for name, value in _WIRE.items() if name not in url.query}
    if patience is not None:
        url, arguments["connect_timeout"] = url.difference_update_query(["connect_timeout"]), patience
    engine = create_engine(
        url.set(drivername="postgresql+psycopg").difference_update_query(["options"]),
        isolation_level="READ COMMITTED",  # what must not move meanwhile is locked, row by row
        connect_args={**arguments, "options": options},
        pool_size=5,
        max_overflow=25,  # a slot of a channel needs one for milliseconds
        pool_timeout=30,
        pool_pre_ping=True,
        pool_recycle=_OLD,
        hide_parameters=True,
    )
    event.listen(engine, "connect", _durable)
    return engine


def _durable(connection: Any, _record: object) -> None:  # noqa: ANN401 - psycopg's, of an extra
    # What was acknowledged survives a power cut, also where the server is set for speed.
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        )
    connection.commit()


def of_server(cause: object) -> bool:
    """Whether a failure is PostgreSQL's."""
    return hasattr(cause, "sqlstate") and hasattr(cause, "diag")


def told(error: BaseException) -> str:
    """What a failure of the server means and what to do: no statement, no value, no address, no password."""
    cause: Any = error.orig if isinstance(error, DBAPIError) else error
    code = cause.sqlstate or ""
    if code:
        known = next((_TOLD[code[:length]] for length in (5, 2) if code[:length] in _TOLD), type(cause).__name__)
        constraint = cause.diag.constraint_name
        return f"{known} ({code}{f', {constraint}' if constraint else ''})"
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return _TOLD["08"]
    text = str(cause)
    if type(cause).__name__ == "DataError":  # the driver's own: it does not even ask the server
        return _TOLD["22"]
    if type(cause).__name__ == "ProgrammingError":
        return "its URL has an option that the driver does not know. Correct the settings"
    for pattern, meaning in ((_password, _LET_IN), (_no_database, _TOLD["3D000"]), (_moment, _MOMENT)):
        if pattern.search(text):
            return meaning
    return _REACHED


def hush(error: BaseException) -> None:
    """Take the server's own words, which quote values and addresses, out of a failure and all that led to it."""
    known: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in known:
            continue
        known.add(id(one))
        waiting += [one.__cause__, one.__context__]
        if isinstance(one, DBAPIError) or of_server(one):
            one.args = (type(one).__name__,)
            one.__traceback__ = None  # whose frames hold what the driver was given


class DatabaseClock(MachineClock):
    """The server's clock: one for all hosts. It is asked in every transaction; in between this machine counts on."""

    def __init__(self) -> None:
        self._asked: tuple[float, datetime] | None = None

    @property
    def fresh(self) -> bool:
        """Whether the server was asked just now."""
        return self._asked is not None and self.monotonic() - self._asked[0] < _FRESH

    def ask(self, connection: Connection) -> None:
        """Ask the server."""
        at = connection.execute(select(func.clock_timestamp())).scalar_one()
        self._asked = self.monotonic(), at.astimezone(UTC)

    def now(self) -> datetime:
        """The time of the server, once it was asked; before, this machine's."""
        if self._asked is None:
            return super().now()
        then, at = self._asked

        return at + timedelta(seconds=self.monotonic() - then)
