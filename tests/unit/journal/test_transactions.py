"""What happens to transactions of this process that nest, and to those of a forked one."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from policenotify.errors import JournalError
from policenotify.journal import meta, open_journal
from policenotify.journal.database import schema
from tests.support.journal import Desk
from tests.support.patience import PATIENCE

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of a fork beside threads: it is what is tried


def fork(child: Callable[[], object], meanwhile: Callable[[], object] = lambda: None) -> int:
    """Return the exit code of a forked child that does this: 0 if it returns, -14 if it hangs."""
    if (process := os.fork()) == 0:
        code = 1
        try:
            signal.alarm(20)
            child()
            code = 0
        finally:
            os._exit(code)
    meanwhile()
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def _open_and_close(path: Path) -> None:
    """Open the journal in another process, and close it."""
    code = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT 1 FROM pn_meta'); c.close()"
    subprocess.run([sys.executable, "-c", code, path], check=True)  # noqa: S603 - our own interpreter


def _publications(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        [number] = connection.execute("SELECT count(*) FROM pn_publication").fetchone()
    return int(number)


# --- forks


def test_a_child_keeps_the_file_open_for_others_too(desk: Desk) -> None:
    """Who is the last to close a file deletes its log. The child's lock must show that it is not the last."""
    closed, close = os.pipe()

    def go_on() -> None:
        os.close(close)
        os.read(closed, 1)  # until the parent has ended
        desk.publish(incident="I2")
        _open_and_close(desk.path)
        desk.publish(incident="I3")

    def end() -> None:
        desk.journal.close()
        os.close(close)

    desk.publish()
    assert fork(go_on, end) == 0
    os.close(closed)
    assert _publications(desk.path) == 3


def test_parent_and_child_write_after_afork(desk: Desk) -> None:
    def record() -> None:
        for number in range(20):
            desk.journal.audit.record("adm", "counted", {"number": number})

    desk.publish()
    assert fork(record, record) == 0
    record()
    assert len(desk.journal.audit.events("counted", desk.clock.now())) == 60


def _is_refused(desk: Desk) -> None:
    with pytest.raises(JournalError, match="Open the journal after the fork"):
        desk.publish(incident="I2")
    # SQLite would lock nothing for another connection of this process either.
    with pytest.raises(JournalError, match="Open the journal after the fork"):
        open_journal(str(desk.path), keys=desk.keys)


@pytest.mark.parametrize("writes", [False, True])
def test_a_child_of_a_fork_within_a_transaction_refuses_the_journal(desk: Desk, *, writes: bool) -> None:
    begun, go = threading.Event(), threading.Event()

    def use() -> None:
        with desk.journal.write() if writes else desk.journal.read():
            begun.set()
            go.wait(PATIENCE)

    thread = threading.Thread(target=use)
    thread.start()
    assert begun.wait(PATIENCE)
    refused = fork(lambda: _is_refused(desk))
    go.set()
    thread.join()
    assert refused == 0
    with desk.journal.read():
        assert fork(lambda: _is_refused(desk)) == 0
    desk.publish()
    _open_and_close(desk.path)
    assert _publications(desk.path) == 1


# --- nesting


def _put(connection: Connection) -> None:
    meta.put(connection, "fact", "new")


def _fact(desk: Desk) -> str | None:
    with desk.journal.read() as connection:
        return connection.execute(select(schema.meta.c.value).where(schema.meta.c.name == "fact")).scalar()


def _put_and_fail(desk: Desk) -> None:
    with desk.journal.write() as outer:
        with desk.journal.write() as inner:
            assert inner is outer
            _put(inner)
        assert _fact(desk) == "new"
        raise RuntimeError


def test_what_is_done_within_a_transaction_is_part_of_it(desk: Desk) -> None:
    with pytest.raises(RuntimeError):
        _put_and_fail(desk)
    assert _fact(desk) is None


def test_a_write_within_a_snapshot_is_committed_and_not_seen_in_it(desk: Desk) -> None:
    with desk.journal.snapshot():
        assert _fact(desk) is None
        with desk.journal.write() as connection:
            _put(connection)
            assert _fact(desk) == "new"
        assert _fact(desk) is None
    assert _fact(desk) == "new"
