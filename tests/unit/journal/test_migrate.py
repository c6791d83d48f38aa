"""A journal with the first version of its tables is opened, and is as one of today."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, inspect, text

from policenotify.journal import open_journal
from policenotify.journal.database.engine import open_engine
from policenotify.journal.database.migrate import migrate
from policenotify.journal.keys import Keys
from policenotify.journal.records import microseconds
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.message import Message
from policenotify.testing.fakes import FakeClock

GOLDEN = Path(__file__).parents[2] / "golden"
SAID = "0" * 25 + "1"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Return the places of an old journal and of a new one."""
    if request.param == "sqlite":
        yield str(tmp_path / "old.db"), str(tmp_path / "new.db")
        return
    server = request.getfixturevalue("server")
    names = server.database(), server.database()
    yield server.url(names[0]), server.url(names[1])
    for name in names:
        server.drop(name)


def _first_version(url: str, keys: Keys, clock: FakeClock) -> None:
    """A journal of version 1 with an open incident."""
    engine, at = open_engine(url, create=True), microseconds(clock.now())
    message = Message(
        category="traffic_accident",
        headline="Accident sur l’A9",
        lifecycle=Lifecycle(stage=Stage.OPENING, incident="I1"),
    )
    rows: tuple[tuple[str, dict[str, Any]], ...] = (
        ("pn_meta", {"name": "schema_version", "value": "1"}),
        ("pn_meta", {"name": "keys", "value": keys.fingerprint}),
        ("pn_meta", {"name": "id", "value": "0" * 32}),
        (
            "pn_incident",
            {"id": "I1", "category": "traffic_accident", "status": "open", "next_sequence": 2, "exercise": False,
             "opened_at": at, "due_at": at + 60_000_000},
        ),
        (
            "pn_publication",
            {"id": SAID, "key": "k", "state": "published", "incident": "I1", "sequence": 1, "stage": "opening",
             "category": "traffic_accident", "severity": "Moderate",
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
    """Return tables, columns, keys and indexes as the database reports them."""
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


def test_a_journal_of_the_first_version_is_opened_and_has_the_tables_of_a_new_one(
    both: tuple[str, str], keys: Keys, clock: FakeClock
) -> None:
    old, new = both
    _first_version(old, keys, clock)
    assert not migrate(old, keys=keys, clock=clock)
    with closing(open_journal(old, keys=keys, clock=clock)) as journal:
        [incident] = journal.incidents.list()
        assert (incident.id, incident.headline) == ("I1", "Accident sur l’A9")
        publication = journal.publications.get("k")
        assert publication is not None
        assert publication.id == SAID
        assert journal.workers.last_heartbeat() == clock.now()
    assert migrate(new, keys=keys, clock=clock)
    hint = "The tables changed. Until a version is released, `bash .ci/run regenerate` writes those of version 1."
    assert _structure(open_engine(old)) == _structure(open_engine(new)), hint
