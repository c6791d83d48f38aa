import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from policenotify.audiences.model import Audience, Subscriber, WrongRow
from policenotify.audiences.sql import SqlQuery
from policenotify.errors import SettingsError
from policenotify.model.cap import Severity
from tests.support.postgresql import Server, running

QUERY = """
    SELECT id AS position, mail AS address, areas, severity, since AS consent_at, id AS key
    FROM resident WHERE mail <> ':x' AND '10:30' <> '' -- who still lives here
"""
TABLE = "CREATE TABLE resident (id INTEGER PRIMARY KEY, mail TEXT, areas TEXT, severity TEXT, since TEXT)"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "the residents.db"
    fill(path, 2_500)
    return path


def fill(path: Path, people: int) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(TABLE)
        connection.executemany(
            "INSERT INTO resident VALUES (?, ?, 'dept:34', 'Severe', '2026-03-14')",
            [(3 * number, f"{number}@example.org") for number in reversed(range(people))],
        )


def audience(path: Path, query: str = QUERY, changed: str = "") -> SqlQuery:
    return SqlQuery(name="register", url=f"sqlite:///{path}", query=query, changed=changed)


def test_rows_in_pages(database: Path) -> None:
    people = audience(database)
    assert isinstance(people, Audience)
    rows = list(people.rows())
    assert [row.position for row in rows] == [3 * number for number in range(2_500)]
    assert people.most_rows() == 2_500
    second = rows[1]
    assert isinstance(second, Subscriber)
    assert (second.address, second.areas, second.severity, second.key) == (
        "1@example.org", ("dept:34",), Severity.SEVERE, "3"
    )  # fmt: skip
    for start in (1, 3, 2_999, 3_000, 3_001, 7_497, 7_498):
        assert list(people.rows(start=start)) == [row for row in rows if row.position >= start]


def test_a_wrong_row_is_named_by_its_position(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE resident SET mail = NULL WHERE id = 6")
        connection.execute("UPDATE resident SET mail = 'x' WHERE id = 6")
    wrong = [row for row in audience(database).rows() if isinstance(row, WrongRow)]
    reason = "address: is neither a mail address nor a telephone number."
    assert wrong == [WrongRow(position=6, line=6, reason=reason)]


def test_it_holds_no_lock_between_pages(database: Path) -> None:
    rows = audience(database).rows()
    next(rows)
    with closing(sqlite3.connect(database, timeout=0)) as connection, connection:
        connection.execute("INSERT INTO resident VALUES (9000, 'new@example.org', '', '', '')")
    assert [row.position for row in rows][-1] == 9_000


def test_the_revision(database: Path) -> None:
    changed = "SELECT max(id) FROM resident"
    people = audience(database, changed=changed)
    first = people.revision()
    assert people.revision() == first
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("INSERT INTO resident VALUES (9000, 'new@example.org', '', '', '')")
    assert people.revision() != first
    assert audience(database).revision() == audience(database).revision()
    assert audience(database).revision() != audience(database, query=f"{QUERY} AND 1").revision()


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELECT id, mail AS address FROM resident",
         "the database refuses: no such column: position. The query must select a whole number as position, best"),
        ("SELECT id AS position, mail FROM resident",
         "the query selects no 'address'. Its columns: mail, position."),
        ("SELECT id AS position, mail AS address, areas AS area FROM resident",
         "'area' is not a column of an audience. Did you mean 'areas'?"),
        ("SELECT mail AS position, mail AS address FROM resident",
         "The query must select a whole number as position, best the primary key. Each row needs its own."),
        ("SELECT 3 AS position, mail AS address FROM resident",
         "The query must select a whole number as position, best the primary key. Each row needs its own."),
        ("SELECT id AS position, mail AS address FROM residents", "the database refuses: no such table: residents"),
        ("DELETE FROM resident", 'the database refuses: near "DELETE": syntax error'),
        ("SELECT id AS position, mail AS address FROM resident WHERE abs(-9223372036854775808)",
         "the database refuses: integer overflow"),
    ],
)  # fmt: skip
def test_wrong_queries(database: Path, query: str, reason: str) -> None:
    with pytest.raises(SettingsError) as error:
        list(audience(database, query=query).rows())
    assert str(error.value).startswith(f"audiences.register: {reason}")
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT count(*) FROM resident").fetchone() == (2_500,)


def test_a_database_that_is_not_there_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="unable to open database file"):
        list(audience(tmp_path / "missing.db").rows())
    assert not (tmp_path / "missing.db").exists()


def test_a_query_that_changes_the_database(database: Path) -> None:
    with pytest.raises(SettingsError, match="readonly database"):
        audience(database, changed="DELETE FROM resident RETURNING 1").revision()


@pytest.mark.parametrize("url", ["geheim", "nosuch://police:geheim@db/x", "oracle://police:geheim@db/x"])
def test_wrong_urls(url: str) -> None:
    people = SqlQuery(name="register", url=url, query=QUERY)
    with pytest.raises(SettingsError) as error:
        next(people.rows())
    assert str(error.value).startswith("audiences.register.url: cannot be opened (")
    assert "geheim" not in f"{error.value}{people!r}"


def test_a_server_that_refuses_keeps_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "1")
    people = SqlQuery(name="register", url="postgresql+psycopg://police:geheim@127.0.0.1:1/x", query=QUERY)
    with pytest.raises(SettingsError) as error:
        next(people.rows())
    assert str(error.value).startswith("audiences.register: the database refuses")
    assert "geheim" not in str(error.value)


def test_the_sql_toolkit_is_loaded_at_the_first_query(database: Path) -> None:
    people = audience(database)
    assert "sqlalchemy" not in vars(sys.modules[SqlQuery.__module__])
    assert next(people.rows()).position == 0


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    yield from running()


@pytest.mark.postgres
def test_on_postgresql(server: Server) -> None:
    database = server.database()
    columns = "id bigint PRIMARY KEY, mail text, since timestamptz, key uuid, x numeric, y real"
    server.ask(f"CREATE TABLE resident ({columns})", database=database)
    values = "n, n || '@example.org', now(), gen_random_uuid(), 3.88, 43.6"
    server.ask(f"INSERT INTO resident SELECT {values} FROM generate_series(0, 2499) n", database=database)  # noqa: S608 - as above
    query = """
        WITH here AS (SELECT * FROM resident WHERE mail LIKE '%@%' AND since > '2020-01-01 10:30'::timestamptz)
        SELECT id AS position, mail::text AS address, ARRAY['dept:34', 'dept:30'] AS areas, since AS consent_at,
               key, x AS longitude, y AS latitude
        FROM here;
    """
    people = SqlQuery(name="register", url=server.url(database).replace("+psycopg", ""), query=query)
    rows = list(people.rows())
    assert [row.position for row in rows] == list(range(2_500))
    assert people.most_rows() == 2_500
    first = rows[0]
    assert isinstance(first, Subscriber)
    assert first.areas == ("dept:34", "dept:30")
    assert first.point == pytest.approx((3.88, 43.6), abs=1e-4)
    assert len(first.key) == 36
    assert first.consent
    assert first.consent.at.tzinfo
    for change in ("DELETE FROM resident RETURNING 1", "SELECT nextval('s')"):
        server.ask("CREATE SEQUENCE IF NOT EXISTS s", database=database)
        with pytest.raises(SettingsError, match="ReadOnlySqlTransaction"):
            replace(people, changed=change).revision()
    with pytest.raises(SettingsError, match='column "adress" does not exist'):
        next(replace(people, query="SELECT id AS position, adress AS address FROM resident").rows())
    with pytest.raises(SettingsError) as error:
        next(replace(people, query="SELECT id AS position, mail::int::text AS address FROM resident").rows())
    assert str(error.value) == "audiences.register: the database refuses (InvalidTextRepresentation)."
    server.drop(database)
