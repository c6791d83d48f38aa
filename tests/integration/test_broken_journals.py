"""A broken, full, locked or foreign journal is reported plainly, and nothing is sent."""

from __future__ import annotations

import json
import shutil
import sqlite3
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from policenotify.cli import main
from policenotify.errors import JournalError, PolicenotifyError
from policenotify.journal import open_journal
from policenotify.journal.database import engine as database_engine
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.publishing.installation import Installation
from policenotify.publishing.publisher import Publisher
from policenotify.testing.samples import PARIS, SENDER
from tests.support.installation import Desk, accident
from tests.support.patience import short

NOTHING = ("Nothing was sent.", "Nothing was sent that is not in it.")


def _nothing_is_published(desk: Desk) -> bool:
    return not desk.bluesky.posts and not desk.mail.mails


def _refused(desk: Desk, error: PolicenotifyError, says: str) -> None:
    """Check that the error is plain, states that nothing was sent, and that nothing was."""
    assert isinstance(error, JournalError)
    assert says in str(error)
    assert any(word in str(error) for word in NOTHING), str(error)
    assert "SELECT" not in str(error)
    assert "INSERT" not in str(error)
    assert _nothing_is_published(desk)


def _journalled(desk: Desk) -> Path:
    """A journal with a publication that waits, closed."""
    publisher = desk.publisher()
    publisher.publish(accident(), key="open", actor="desk", wait=timedelta(0))
    publisher.close()
    assert not desk.database.with_name("journal.db-wal").exists()
    return desk.database


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _cut_in_a_page(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 + 100])


def _bad_header(path: Path) -> None:
    path.write_bytes(b"SQLite format 9\0" + path.read_bytes()[16:])


def _short_header(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:50])


def _overwritten(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:100] + b"\xa5" * (len(content) - 100))


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (_truncated, "its file is damaged. Put it aside and restore a copy"),
        (_cut_in_a_page, "its file is damaged. Put it aside and restore a copy"),
        (_bad_header, "its file is not a journal, or it is damaged. Name another file, or restore a copy"),
        (_short_header, "its file is damaged. Put it aside and restore a copy"),
        (_overwritten, "its file is damaged. Put it aside and restore a copy"),
    ],
)
def test_a_damaged_file_is_reported_and_left_unchanged(desk: Desk, broken: Callable[[Path], None], says: str) -> None:
    broken(_journalled(desk))
    left = desk.database.read_bytes()
    with pytest.raises(JournalError) as caught:
        desk.publisher().publish(accident(), key="again", actor="desk")
    _refused(desk, caught.value, says)
    assert desk.database.read_bytes() == left


# --- a value that cannot be read


@pytest.mark.parametrize("page", [b"\xff\xfeGeheim", b"{Geheim"])
def test_a_stored_value_that_does_not_decode_is_named_and_not_quoted(
    desk: Desk, page: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """What remains of it is shown. Nothing is carried on, and nobody is told to replace the journal."""
    path = _journalled(desk)
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE pn_publication SET message = CAST(? AS TEXT)", (page,))
    raw.close()
    publisher = desk.publisher()
    publications, since = publisher.journal.publications, datetime(2020, 1, 1, tzinfo=UTC)
    [latest], [of_key] = publications.latest(5), publications.by_key_prefix("open", since)
    named = publisher.operations.publication("open")
    assert named is not None
    assert latest.id == of_key.id == named.id
    shown = [*map(repr, (latest, of_key, publisher.operations.incident("2026-4711"), publisher.operations.status()))]
    with pytest.raises(PolicenotifyError, match=r"Nothing was sent: pn_publication .* cannot be read") as caught:
        publisher.publish(accident(), key="next", actor="desk")
    shown += [*traceback.format_exception(caught.value), caplog.text]
    for text in shown:
        assert "Geheim" not in text
        assert "SELECT" not in text
        assert "aside" not in text
    assert _nothing_is_published(desk)


def test_a_write_ahead_log_of_another_database(desk: Desk, tmp_path: Path) -> None:
    """SQLite takes any log beside a file for the file's own (sqlite.org/howtocorrupt.html, section 1.4)."""
    _journalled(desk)
    other = sqlite3.connect(tmp_path / "other.db", isolation_level=None)
    other.execute("PRAGMA journal_mode=WAL")
    other.execute("CREATE TABLE pn_meta (name, value)")
    other.execute("INSERT INTO pn_meta VALUES ('schema_version', '1')")
    shutil.copy(tmp_path / "other.db-wal", desk.folder / "journal.db-wal")
    other.close()
    with pytest.raises(JournalError) as caught:
        desk.publisher().drain(timedelta(seconds=10))
    _refused(desk, caught.value, "The journal")


# --- full disks, missing permissions, locks


def test_a_backup_that_holds_the_lock_too_long(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The writer gets the name of the blocking process, and goes on afterwards."""
    monkeypatch.setattr(database_engine, "BUSY", short(0.2))
    url = str(_journalled(desk))
    publisher = Publisher(
        Installation(
            journal=open_journal(url, keys=desk.keys, clock=desk.clock),
            channels=[desk.on_bluesky(), desk.by_mail()],
            zone=PARIS,
            sender=SENDER,
        )
    )
    desk.opened.append(publisher)
    backup = sqlite3.connect(desk.database, isolation_level=None)
    backup.execute("BEGIN EXCLUSIVE")
    other = accident(lifecycle=Lifecycle(stage=Stage.OPENING, incident="2026-2"))
    with pytest.raises(JournalError) as caught:
        publisher.publish(other, key="other", actor="desk")
    _refused(desk, caught.value, "another process keeps it locked. Look for one that hangs, then try again")
    with pytest.raises(JournalError) as drained:
        publisher.drain(timedelta(seconds=1))
    _refused(desk, drained.value, "another process keeps it locked")
    backup.close()
    assert publisher.publish(other, key="other", actor="desk").ok
    assert len(desk.bluesky.posts) >= 1


# --- what the doctor sees


def test_the_doctor_looks_at_every_page(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """An unread page may be damaged: opening does not notice, the doctor does."""
    desk.write_settings()
    path = _journalled(desk)
    raw = sqlite3.connect(path)
    [root] = raw.execute("SELECT rootpage FROM sqlite_master WHERE name = 'pn_delivery_order'").fetchone()
    [size] = raw.execute("PRAGMA page_size").fetchone()
    raw.close()
    content = bytearray(path.read_bytes())
    content[(root - 1) * size : root * size] = b"\xa5" * size
    path.write_bytes(content)
    desk.publisher().close()
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--json", "--settings", str(desk.folder / "policenotify.toml")])
    assert ended.value.code == 6
    [line] = [one for one in json.loads(capsys.readouterr().out)["lines"] if one["check"] == "journal"]
    assert line["state"] == "WRONG"
    assert "damaged" in line["detail"]
    assert "restore a copy" in line["detail"]


# --- two versions of the library
