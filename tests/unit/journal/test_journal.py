"""The journal opens, or fails with a plain error and no raw exception."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import stat
import subprocess
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Connection, event, insert, text, update

from policenotify.channel import Picture
from policenotify.errors import InvalidImage, JournalError, PublishingStopped
from policenotify.journal import meta, open_journal
from policenotify.journal.database import schema
from policenotify.journal.database.migrate import migrate
from policenotify.journal.journal import Journal
from policenotify.journal.keys import Keys
from policenotify.model.lifecycle import Stage
from policenotify.model.status import Alarm
from policenotify.publishing.diagnosis import check_journal
from policenotify.testing.fakes import FakeClock

if TYPE_CHECKING:
    from tests.support.journal import Desk

    Program = Callable[..., subprocess.Popen[str]]


# --- making it


@pytest.mark.parametrize("empty", [True, False])
def test_an_empty_or_absent_file_becomes_a_journal(
    tmp_path: Path, keys: Keys, clock: FakeClock, *, empty: bool
) -> None:
    path = tmp_path / "j o?u%20r#nal.db"  # a path is not a URL
    if empty:
        path.touch()
    journal = open_journal(str(path), keys=keys, clock=clock, create=True)
    assert journal.publications.latest(1) == ()
    journal.close()
    assert path.stat().st_size > 0
    with sqlite3.connect(path) as raw:
        tables = {name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        facts = dict(raw.execute("SELECT name, value FROM pn_meta"))
        assert len(facts.pop("id")) == 32
        assert facts == {"schema_version": str(schema.SCHEMA_VERSION), "keys": keys.fingerprint}
    raw.close()
    assert set(schema.metadata.tables) <= tables


def test_every_connection_is_set_for_safety(journal: Journal) -> None:
    with journal.read() as connection:
        told = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "secure_delete")
        }
    # 2 is FULL (sqlite.org/pragma.html#pragma_synchronous)
    assert told == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 30_000,
        "secure_delete": 1,
    }


def test_acknowledged_or_departing_deliveries_survive_a_power_cut(desk: Desk) -> None:
    """The owner of a delivery may be forgotten then: no process holds anything any more."""
    levels: list[str] = []

    def note(connection: Connection) -> None:
        if meta.SEEN in connection.get_execution_options():
            raw: Any = connection.connection.dbapi_connection
            [level] = raw.execute("PRAGMA synchronous").fetchone()
            levels.append({1: "NORMAL", 2: "FULL"}[level])

    event.listen(desk.journal._engine, "commit", note)

    def synced(act: Callable[[], object]) -> list[str]:
        levels.clear()
        act()
        return list(levels)

    assert synced(lambda: desk.publish(Stage.STANDALONE)) == ["FULL"]
    claimed = []
    assert synced(lambda: claimed.append(desk.take())) == ["NORMAL", "NORMAL"]  # recovered, and claimed
    assert synced(lambda: claimed.append(desk.begin(claimed[0]))) == ["FULL"]
    assert synced(lambda: desk.settle(claimed[1])) == ["FULL"]
    assert synced(desk.journal.workers.heartbeat) == ["NORMAL"]


def test_many_threads_may_create_it_at_the_same_instant(tmp_path: Path, keys: Keys, clock: FakeClock) -> None:
    start, opened = threading.Barrier(6), []

    def make() -> None:
        start.wait()
        opened.append(open_journal(str(tmp_path / "journal.db"), keys=keys, clock=clock, create=True))

    threads = [threading.Thread(target=make) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 6
    for journal in opened:
        journal.close()


# --- not opening it


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mysql://pn:geheim@db.example/pn", "A journal on 'mysql' is not supported"),
        ("postgresql://pn:geheim@db.example:port/pn", "cannot be opened: its URL is not understood"),
        ("postgresql://pn:geheim@db.example", "names no database"),
        ("sqlite://", "in memory would be lost"),
        ("://", "cannot be opened: its URL is not understood"),
        ("/nowhere/at/all/journal.db", "The journal's folder '/nowhere/at/all' does not exist. Create it first."),
    ],
)
def test_an_invalid_file_is_refused(url: str, says: str, keys: Keys, clock: FakeClock) -> None:
    with pytest.raises(JournalError) as caught:
        open_journal(url, keys=keys, clock=clock)
    assert says in str(caught.value)
    assert "geheim" not in str(caught.value)
    assert "geheim" not in "".join(traceback.format_exception(caught.value))


def test_an_old_sqlite_is_refused(
    tmp_path: Path, keys: Keys, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 31, 1))
    with pytest.raises(JournalError, match="too old for a journal"):
        open_journal(str(tmp_path / "journal.db"), keys=keys, clock=clock, create=True)
    assert not [*tmp_path.iterdir()]


@contextmanager
def _folder_of_a_user(mode: int) -> Iterator[Path]:
    """A folder as an ordinary user sees it: root may write everywhere."""
    folder = Path(tempfile.mkdtemp())
    root = os.geteuid() == 0
    if root:
        os.chown(folder, 65534, 65534)
        os.seteuid(65534)
    try:
        (folder / "read only.db").touch(0o400)
        if root:
            os.seteuid(0)
        folder.chmod(mode)
        if root:
            os.seteuid(65534)
        yield folder
    finally:
        if root:
            os.seteuid(0)
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("name", "mode", "says"),
    [
        ("journal.db", 0o500, "cannot be created (Permission denied). Nothing was sent. Give the user write access"),
        (
            "read only.db",
            0o700,
            "could not be read: this user may not write to it. Give the user its file, those beside it (-wal",
        ),
        ("read only.db", 0o000, "could not be read: its file cannot be opened. Give the user its file and folder"),
    ],
)
def test_an_unwritable_journal_has_a_reason(keys: Keys, clock: FakeClock, name: str, mode: int, says: str) -> None:
    with _folder_of_a_user(mode) as folder, pytest.raises(JournalError, match=re.escape(says)):
        open_journal(str(folder / name), keys=keys, clock=clock, create=name == "journal.db")


def test_doctor_reports_a_journal_that_may_only_be_read(keys: Keys, clock: FakeClock) -> None:
    with _folder_of_a_user(0o700) as folder:
        path = folder / "journal.db"
        open_journal(str(path), keys=keys, clock=clock, create=True).close()
        path.chmod(0o400)
        journal = open_journal(str(path), keys=keys, clock=clock)
        found = list(check_journal(journal, {}, "cne Roux", UTC))
        assert [(str(line.check), line.alarm) for line in found] == [("journal", Alarm.JOURNAL)]
        assert "(-wal, -shm)" in str(found[0].detail)
        for each in folder.glob("journal.db*"):
            each.chmod(0o600)
        assert "can be read and written" in str(next(check_journal(journal, {}, "cne Roux", UTC)).detail)
        journal.close()


@pytest.mark.parametrize("version", ["0", "one"])
def test_a_journal_without_its_version_is_damaged(desk: Desk, keys: Keys, clock: FakeClock, version: str) -> None:
    _meta(desk, "schema_version", version)
    with pytest.raises(JournalError, match="damaged: its version is missing"):
        open_journal(desk.url, keys=keys, clock=clock)


def test_other_keys_are_named(desk: Desk, keys: Keys, clock: FakeClock) -> None:
    others = Keys.create(os.urandom)
    with pytest.raises(JournalError) as caught:
        open_journal(desk.url, keys=others, clock=clock)
    assert keys.fingerprint in str(caught.value)
    assert others.fingerprint in str(caught.value)
    assert "Nothing was sent. Copy the right keys file" in str(caught.value)


def _meta(desk: Desk, name: str, value: str) -> None:
    with desk.journal.write() as connection:
        connection.execute(update(schema.meta).where(schema.meta.c.name == name).values(value=value))


# --- failures in the middle


def test_no_error_shows_a_statement_or_its_values(desk: Desk) -> None:
    table = schema.publication
    with pytest.raises(JournalError) as caught, desk.journal.write() as connection:
        connection.execute(insert(table).values(id="geheim", actor="geheim"))
    assert str(caught.value).startswith("The journal could not be written: NOT NULL constraint failed: pn_publication")
    assert "geheim" not in repr(caught.value)
    assert caught.value.__suppress_context__
    with pytest.raises(JournalError, match="could not be read: no such table: nowhere"):
        _read(desk, "SELECT * FROM nowhere")


def _read(desk: Desk, statement: str) -> None:
    with desk.journal.read() as connection:
        connection.execute(text(statement))


def test_a_file_system_without_write_ahead_logging_is_refused(
    tmp_path: Path, keys: Keys, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without locks SQLite shares no memory, and so knows no WAL: the nearest that a test can come to a network drive.
    connect: Any = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda place, **how: connect(f"{place}&vfs=unix-none", **how))
    with pytest.raises(JournalError, match=r"allows only the mode 'delete', not write-ahead logging"):
        open_journal(str(tmp_path / "journal.db"), keys=keys, clock=clock, create=True)


# --- stop, runners, pictures


@pytest.mark.databases
def test_stop_halts_everything_until_resume(desk: Desk) -> None:
    desk.publish()
    desk.journal.stop("cne Roux", "wrong town")
    stopped = desk.journal.stopped()
    assert stopped is not None
    assert str(stopped) == (
        "Nothing was sent: everything was stopped by cne Roux (wrong town). Resume first: policenotify resume"
    )
    assert desk.claim() is None
    assert desk.journal.deliveries.due({"sky": None}) == {}
    with pytest.raises(PublishingStopped):
        desk.publish(incident="I2")
    desk.journal.resume("cdt Petit")
    assert desk.journal.stopped() is None
    desk.deliver()
    kinds = [(row[2], row[3]) for row in desk.dump("pn_event")["pn_event"]]
    assert kinds == [
        ("cne Roux", "published"),
        ("cne Roux", "stopped"),
        ("cdt Petit", "resumed"),
        ("runner", "settled"),
    ]


@pytest.mark.databases
def test_pictures_are_kept_once_and_read_back(desk: Desk) -> None:
    one = Picture(digest="ab" * 32, media_type="image/png", width=4, height=3, alt="Un plan", data=b"\x89PNG")
    desk.publish(pictures=(one, one.model_copy(update={"alt": "Le même"})))
    desk.publish(incident="I2", pictures=(one,))
    assert len(desk.dump("pn_blob")["pn_blob"]) == 1
    assert desk.journal.publications.picture(one.digest, "Un plan") == one
    with pytest.raises(InvalidImage, match=r"The journal has no picture cd+"):
        desk.journal.publications.picture("cd" * 32, "")


# --- who may read it


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_a_new_journal_is_readable_by_its_owner_only(tmp_path: Path, keys: Keys, clock: FakeClock, umask: int) -> None:
    before = os.umask(umask)
    try:
        made = [open_journal(str(tmp_path / "journal.db"), keys=keys, clock=clock, create=True)]
        migrate(str(tmp_path / "migrated.db"), keys=keys)
        made.append(open_journal(str(tmp_path / "migrated.db"), keys=keys, clock=clock))
        for journal in made:
            journal.stop("cne Roux")
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("*.db*")}
    finally:
        os.umask(before)
    for journal in made:
        journal.close()
    assert modes == {f"{name}.db{suffix}": 0o600 for name in ("journal", "migrated") for suffix in ("", "-wal", "-shm")}
