"""Subscribers in a table of a database."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from policenotify.audiences.model import Row
from policenotify.audiences.reader import COLUMNS, RowReader
from policenotify.errors import SettingsError
from policenotify.text.patterns import lazy_pattern
from policenotify.translation import AnyText, Text
from policenotify.validation import at_place, did_you_mean, redact

if TYPE_CHECKING:
    from sqlalchemy import ColumnClause, Connection, Engine, Subquery

_PAGE: Final = 1_000  # rows of one query
_CONNECT_SECONDS: Final = 10
_LONGEST_REASON: Final = 200  # characters of a database's error text
# Errors about the query, not about rows: their texts quote no value (PEP 249; sqlite3 has no finer class).
_ABOUT_QUERY: Final = frozenset({"ProgrammingError", "OperationalError"})
_NEEDS_POSITION: Final = Text("The query must select a whole number as position, best the primary key.")
_PRIVATE: Final = lazy_pattern(r"@|\d{5}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlQuery:
    """The rows of a query, read only and page by page.

    Each page of a thousand rows is a query and a transaction of its own. A list of 100,000 people may be sent for
    minutes, and a cursor that is open so long holds back the vacuum of PostgreSQL, and every writer of SQLite.

    The query selects a `position`: a whole number from 0, different for each row, best the primary key. Rows are read
    in its order, and after an interruption from there on. Its other columns are those of
    [`COLUMNS`][policenotify.audiences.reader.COLUMNS].

    Attributes:
        name: The installation's name for it.
        url: The SQLAlchemy URL of the database. It may hold a password.
        query: The query.
        changed: A query for one value that changes when the list does. Without it, a row must keep its position.
        reader: Reads the rows.
    """

    name: str
    url: str = field(repr=False)
    query: str
    changed: str = ""
    reader: RowReader = field(default_factory=RowReader)

    def revision(self) -> str:
        """See `Audience.revision`."""
        digest = hashlib.sha256(self.query.encode())
        if self.changed:
            with self._connection() as connection:
                from sqlalchemy import text  # noqa: PLC0415 - only who has such an audience loads the SQL toolkit

                digest.update(repr(connection.execute(text(_literal(self.changed))).scalar()).encode())
        return digest.hexdigest()[:16]

    def rows(self, *, start: int = 0) -> Iterator[Row]:
        """See `Audience.rows`."""
        while page := self._page(start):
            for values in page:
                position = values["position"]
                if not isinstance(position, int) or position < start:
                    raise SettingsError(
                        Text(
                            "audiences.{name}: {needs_position} Each row needs its own.",
                            name=self.name,
                            needs_position=_NEEDS_POSITION,
                        )
                    )
                yield self.reader.mapping(values, position=position, line=position)
                start = position + 1

    def most_rows(self) -> int:
        """See `SupportsRowCount.most_rows`. The database counts them."""
        from sqlalchemy import func, select  # noqa: PLC0415 - the same

        with self._connection() as connection:
            return int(connection.execute(select(func.count()).select_from(self._rows())).scalar_one())

    def _rows(self) -> Subquery:
        from sqlalchemy import column, text  # noqa: PLC0415 - the same

        position: ColumnClause[int] = column("position")
        # Nothing but a query that reads fits into FROM. The line end closes a comment.
        return text(_literal(f"{self.query.strip().rstrip(';')}\n")).columns(position).subquery("audience")

    def _page(self, start: int) -> list[Mapping[str, object]]:
        from sqlalchemy import column, select, text  # noqa: PLC0415 - the same

        with self._connection() as connection:
            position: ColumnClause[int] = column("position")
            query = select(text("*")).select_from(self._rows()).where(position >= start).order_by(position).limit(_PAGE)
            result = connection.execute(query)
            self._check(list(result.keys()))
            return [
                {name: str(value) if name == "key" and value is not None else value for name, value in row.items()}
                for row in result.mappings()
            ]

    def _check(self, names: list[str]) -> None:
        if "address" not in names:
            hint = did_you_mean("address", names, known=Text("Its columns"))
            raise SettingsError(
                Text("audiences.{name}: the query selects no 'address'. {hint}", name=self.name, hint=hint)
            )
        if unknown := [name for name in names if name not in {"position", *COLUMNS}]:
            # Without its areas, everybody would get everything.
            hint = did_you_mean(unknown[0], COLUMNS)
            raise SettingsError(
                Text(
                    "audiences.{name}: {unknown!r} is not a column of an audience. {hint}",
                    name=self.name,
                    unknown=unknown[0],
                    hint=hint,
                )
            )

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        from sqlalchemy.exc import DBAPIError, SQLAlchemyError  # noqa: PLC0415 - the same

        try:
            engine = self._engine()
            with engine.connect() as connection:
                yield connection
        except DBAPIError as error:
            raise SettingsError(at_place(f"audiences.{self.name}", self._reason(error))) from None
        except (SQLAlchemyError, ImportError, ValueError) as error:
            if isinstance(error, SettingsError):
                raise
            reason = Text(
                "url: cannot be opened ({name}). Write an SQLAlchemy URL, and install its driver.",
                name=type(error).__name__,
            )
            raise SettingsError(Text("audiences.{name}.{reason}", name=self.name, reason=reason)) from None

    def _engine(self) -> Engine:
        from sqlalchemy import create_engine, make_url  # noqa: PLC0415 - the same
        from sqlalchemy.pool import NullPool  # noqa: PLC0415 - the same

        url = make_url(self.url)
        backend = url.get_backend_name()
        arguments: dict[str, object] = {}
        if backend in {"postgresql", "mysql", "mariadb"}:
            arguments["connect_timeout"] = _CONNECT_SECONDS
        if url.drivername == "postgresql":
            url = url.set(drivername="postgresql+psycopg")  # the driver of the extra `postgres`
        if backend == "sqlite" and url.database and not url.database.startswith("file:"):
            # Read only: otherwise SQLite creates a file that is missing (sqlite.org/uri.html).
            url = url.set(database=f"file:{quote(url.database)}", query={"mode": "ro", "uri": "true"})
        engine = create_engine(url, poolclass=NullPool, connect_args=arguments)
        return engine.execution_options(postgresql_readonly=True) if backend == "postgresql" else engine

    def _reason(self, error: Exception) -> AnyText:
        """Return why the database refuses, without a value of a row or a part of the URL."""
        original = getattr(error, "orig", None)
        text = " ".join(str(original).partition("\n")[0].split())
        if type(error).__name__ in _ABOUT_QUERY and len(text) <= _LONGEST_REASON and not _PRIVATE.search(text):
            hint = _NEEDS_POSITION if "position" in text else ""
            reason = Text.join(". ", (Text("the database refuses: {text}", text=text), hint))
            return redact(reason, [self.url], trusted=True)
        return Text("the database refuses ({name}).", name=type(original).__name__)


def _literal(query: str) -> str:
    r"""Return a query whose colons SQLAlchemy takes for text, not for parameters: `'10:30'`, `x::text`."""
    return query.replace(":", r"\:")
