"""A journal of the first version of its tables, as it was released, brought up to this one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, inspect, text

from policenotify.errors import JournalError
from policenotify.journal import open_journal, schema
from policenotify.journal.engine import open_engine
from policenotify.journal.keys import Keys
from policenotify.journal.migrate import Migrated, migrate
from policenotify.journal.records import microseconds
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.message import Message
from policenotify.testing.fakes import FakeClock

GOLDEN = Path(__file__).parents[2] / "golden"
SAID = "0" * 25 + "1"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Where an old journal is to be, and where a new one."""
    if request.param == "sqlite":
        yield str(tmp_path / "old.db"), str(tmp_path / "new.db")
        return
    server = request.getfixturevalue("server")
    names = server.database(), server.database()
    yield server.url(names[0]), server.url(names[1])
    for name in names:
        server.drop(name)


def _first_version(url: str, keys: Keys, clock: FakeClock) -> None:
    """A journal of version 1 with an open incident, half of which is out."""
    engine, at = open_engine(url, create=True), microseconds(clock.now())
    message = Message(
        category="traffic_accident",
        headline="Accident sur l’A9",
        lifecycle=Lifecycle(stage=Stage.OPENING, incident="I1"),
    )
    rows: tuple[tuple[str, dict[str, Any]], ...] = (
        ("pn_meta", {"name": "schema_version", "value": "1"}),
        ("pn_meta", {"name": "keys", "value": keys.fingerprint}),
        (
            "pn_incident",
            {"id": "I1", "category": "traffic_accident", "course": "open", "next_sequence": 2, "exercise": False,
             "opened_at": at, "due_at": at + 60_000_000},
        ),
        (
            "pn_publication",
            {"id": SAID, "key": "k", "state": "published", "incident": "I1", "sequence": 1, "stage": "opening",
             "digest": message.digest(), "message": message.model_dump_json(exclude_none=True), "findings": "[]",
             "rules": "{}", "actor": "cne Roux", "created_at": at},
        ),
        ("pn_runner", {"owner": "host/boot/1/1", "seen_at": at}),
    )  # fmt: skip
    with engine.begin() as connection:
        for statement in (GOLDEN / f"journal_v1.{engine.dialect.name}.sql").read_text("utf-8").split(";\n"):
            if statement.strip():
                connection.exec_driver_sql(statement)
        for table, row in rows:
            names = ", ".join(row)
            values = ", ".join(f":{name}" for name in row)
            connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({values})"), row)  # noqa: S608 - our names
    engine.dispose()


def _structure(engine: Engine) -> dict[str, object]:
    """Tables, columns, keys and indexes, as the database itself tells them."""
    seen = inspect(engine)
    told: dict[str, object] = {}
    for table in sorted(seen.get_table_names()):
        columns = [
            (one["name"], str(one["type"]), one["nullable"], str(one["default"]).split("::")[0])
            for one in seen.get_columns(table)
        ]
        indexes = sorted((one["name"], tuple(one["column_names"]), one["unique"]) for one in seen.get_indexes(table))
        told[table] = (columns, seen.get_pk_constraint(table)["constrained_columns"], indexes)
    engine.dispose()
    return told


def test_the_first_version_is_refused_and_brought_up(both: tuple[str, str], keys: Keys, clock: FakeClock) -> None:
    old, new = both
    _first_version(old, keys, clock)
    with pytest.raises(JournalError) as caught:
        open_journal(old, keys=keys, clock=clock)
    assert str(caught.value) == (
        f"The journal's tables are of version 1; this policenotify needs version {schema.SCHEMA_VERSION}. "
        "Nothing was sent. Stop all that publishes and delivers, then run: policenotify migrate"
    )
    assert migrate(old, keys=keys, actor="adm", clock=clock) == Migrated(1, schema.SCHEMA_VERSION)
    assert migrate(old, keys=keys, actor="adm", clock=clock) == Migrated(*[schema.SCHEMA_VERSION] * 2)
    with closing(open_journal(old, keys=keys, clock=clock)) as journal:
        [incident] = journal.incidents()
        assert (incident.id, incident.headline) == ("I1", "Accident sur l’A9")
        told = journal.publication("k")
        assert told is not None
        assert told.id == SAID
        assert journal.runner_seen() == clock.now()
    assert migrate(new, keys=keys, actor="adm", clock=clock).before is None
    assert _structure(open_engine(old)) == _structure(open_engine(new))
