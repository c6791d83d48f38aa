"""A journal deleted or replaced while open is detected before anything more is sent, with one alarm."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from policenotify.cli import main
from policenotify.errors import JournalTakenAway
from policenotify.journal import open_journal
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.message import Message
from policenotify.testing.servers.http import NoResponse
from tests.support.clocks import PassingClock
from tests.support.installation import Desk, accident, open_desk
from tests.support.patience import ANSWERED, LONG, PATIENCE, short, until

Way = Callable[[Desk], None]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path) as opened:
        opened.write_settings()
        yield opened


def _beside(desk: Desk, suffix: str = "") -> Path:
    return desk.folder / f"journal.db{suffix}"


def _put_aside(desk: Desk) -> None:
    for suffix in ("", "-wal", "-shm"):
        _beside(desk, suffix).rename(_beside(desk, f"{suffix}.aside"))


def _put_back(desk: Desk) -> None:
    for suffix in ("", "-wal", "-shm"):
        _beside(desk, suffix).unlink(missing_ok=True)
        if (aside := _beside(desk, f"{suffix}.aside")).exists():
            aside.rename(_beside(desk, suffix))


def _deleted(desk: Desk) -> None:
    for suffix in ("", "-wal", "-shm"):
        _beside(desk, suffix).unlink()


def _another(desk: Desk) -> None:
    _put_aside(desk)
    open_journal(str(desk.database), keys=desk.keys, create=True).close()


def _no_log(desk: Desk) -> None:
    _beside(desk, "-wal").unlink()


def _another_in_the_same_file(desk: Desk) -> None:
    with closing(sqlite3.connect(desk.database, isolation_level=None)) as raw:
        raw.execute("UPDATE pn_meta SET value = 'another' WHERE name = 'id'")


def _no_tables(desk: Desk) -> None:
    with closing(sqlite3.connect(desk.database, isolation_level=None)) as raw:
        raw.execute("DROP TABLE pn_meta")


def _set_back(desk: Desk) -> None:
    """Restore an older copy into the file itself, as SQLite's `.restore` does."""
    with closing(sqlite3.connect(desk.folder / "old.db")) as old, closing(sqlite3.connect(desk.database)) as raw:
        old.backup(raw)


def _set_back_and_written(desk: Desk) -> None:
    """Restore an older copy, in which another process at once writes more than was lost."""
    _set_back(desk)
    with closing(open_journal(str(desk.database), keys=desk.keys)) as other:
        for number in range(50):
            other.audit.record("adm", "counted", {"number": number})


WAYS = [
    pytest.param(_deleted, "was deleted or moved while it was in use", id="deleted"),
    pytest.param(_another, "was replaced by another file", id="another journal"),
    pytest.param(_no_log, "journal.db-wal was deleted or moved", id="no log"),
    pytest.param(_another_in_the_same_file, "Another journal is now", id="another id"),
    pytest.param(_set_back_and_written, "set back to an older state", id="older state, written to"),
    pytest.param(_no_tables, "tables were deleted", id="no tables"),
]


def _open_by_now(desk: Desk) -> list[str]:
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            target = str(descriptor.readlink())
        except OSError:
            continue
        if str(desk.database) in target:
            found.append(target)
    return found


@pytest.mark.parametrize(("way", "says"), WAYS)
def test_nothing_is_sent_any_more_and_one_alarm_has_the_reason(
    desk: Desk, way: Way, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    publisher = desk.publisher()
    earlier = accident(lifecycle=Lifecycle(stage=Stage.OPENING, incident="2026-1"))
    publisher.publish(earlier, key="earlier", actor="desk", to=["presse"], wait=timedelta(0))
    with closing(sqlite3.connect(desk.database)) as raw, closing(sqlite3.connect(desk.folder / "old.db")) as old:
        raw.backup(old)
    publisher.drain(LONG)
    desk.mail.recover()
    mails = len(desk.mail.mails)
    publisher.publish(accident(), key="open", actor="desk", wait=timedelta(0))
    way(desk)
    replaced = desk.database.read_bytes() if "replaced" in says else b""
    other = accident(lifecycle=Lifecycle(stage=Stage.OPENING, incident="2026-2"))
    ways: list[Callable[[], object]] = [
        lambda: publisher.drain(LONG),
        lambda: publisher.publish(other, key="other", actor="desk"),
        lambda: publisher.operations.publication("open"),
        lambda: publisher.drain(LONG),
    ]
    for does in ways:
        with pytest.raises(JournalTakenAway, match=says) as caught:
            does()
        assert "This process sends nothing more" in str(caught.value)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert says in caplog.text
    assert not desk.bluesky.posts
    assert len(desk.mail.mails) == mails
    assert not replaced or desk.database.read_bytes() == replaced
    until(lambda: not _open_by_now(desk))  # a thread may just be at its last transaction


@pytest.mark.parametrize("lost", [1, 5])
def test_publish_too_notices_an_older_state_in_which_others_publish(desk: Desk, lost: int) -> None:
    """A copy lacks even the last publication of this very process, as one that is not synchronous may."""
    publisher, other = desk.publisher(), desk.publisher()
    old = desk.folder / "old.db"
    for number in range(6):
        if number == 6 - lost:
            with closing(sqlite3.connect(desk.database)) as raw, closing(sqlite3.connect(old)) as copy:
                raw.backup(copy)
        publisher.publish(_about(number), key=str(number), actor="desk", wait=timedelta(0))
    _set_back(desk)
    for number in range(10, 10 + 2 * lost):
        other.publish(_about(number), key=str(number), actor="desk", wait=timedelta(0))
    with pytest.raises(JournalTakenAway, match="set back to an older state"):
        publisher.publish(_about(20), key="20", actor="desk", wait=timedelta(0))
    assert other.operations.publication("20") is None


def _about(number: int) -> Message:
    return accident(lifecycle=Lifecycle(stage=Stage.OPENING, incident=f"2026-{number}"))


@pytest.mark.parametrize("way", [_deleted, _another])
def test_the_worker_ends_at_once(desk: Desk, way: Way, caplog: pytest.LogCaptureFixture) -> None:
    publisher = desk.publisher()
    with publisher.worker() as worker:
        publisher.publish(accident(), key="open", actor="desk", wait=LONG)
        assert worker.failure is None
        way(desk)
        until(lambda: not worker.running)
        assert isinstance(worker.failure, JournalTakenAway)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert len(desk.bluesky.posts) == 1


@pytest.mark.parametrize("way", [_put_aside, _another])
def test_a_post_that_is_under_way_is_found_out_when_the_journal_is_back(desk: Desk, way: Way) -> None:
    desk.bluesky.fail_next("POST", "/xrpc/com.atproto.repo.putRecord", NoResponse(), effect=True)
    desk.clock, desk.timeout = PassingClock(), short(1.0)
    publisher = desk.publisher([desk.on_bluesky()])
    publisher.publish(accident(), key="open", actor="desk", wait=timedelta(0))

    def take_it_away() -> None:
        until(lambda: desk.bluesky.posts)
        way(desk)

    taking = threading.Thread(target=take_it_away, daemon=True)
    taking.start()
    with pytest.raises(JournalTakenAway):
        publisher.drain(LONG)
    taking.join(PATIENCE)
    publisher.close()
    _put_back(desk)
    desk.clock.pass_by(LONG)
    desk.timeout = ANSWERED
    after = desk.publisher([desk.on_bluesky()])
    after.publish(accident(), key="open", actor="desk", wait=timedelta(0))
    assert after.publish(accident(), key="open", actor="desk", wait=LONG).on("bluesky").outcome is Outcome.POSTED
    assert len(desk.bluesky.posts) == 1


def test_closing_leaves_the_log_of_the_journal_that_is_there_now(desk: Desk) -> None:
    """SQLite removes the log at its path when the last connection closes: it must not be another journal's."""
    publisher = desk.publisher()
    publisher.publish(accident(), key="open", actor="desk", wait=timedelta(0))
    _put_aside(desk)
    with closing(open_journal(str(desk.database), keys=desk.keys, create=True)) as other:
        other.stop("chef", "nothing may be lost of this")
        log = _beside(desk, "-wal").stat()
        publisher.close()
        assert _beside(desk, "-wal").stat().st_ino == log.st_ino
        assert other.stopped() is not None


@pytest.mark.parametrize("command", ["stop", "resolve 1 --posted", "worker"])
def test_no_command_makes_a_journal(desk: Desk, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    desk.database.unlink()
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "--settings", str(desk.folder / "policenotify.toml")])
    assert ended.value.code == 6
    shown = capsys.readouterr()
    assert f"There is no journal at {desk.database}" in shown.out + shown.err
    assert "policenotify migrate" in shown.out + shown.err
    assert not list(desk.folder.glob("journal.db*"))


# --- the report of a failed write
