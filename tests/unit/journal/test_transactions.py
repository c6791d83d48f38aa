"""A forked process does not continue its parent's transaction."""

from __future__ import annotations

import itertools
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import FrameType

import pytest

from policenotify.journal.database.transactions import _fork_gate, _ForkGate, no_fork
from tests.support.journal import Desk
from tests.support.patience import PATIENCE

pytestmark = [
    pytest.mark.sqlite,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of a fork beside threads: it is what is tried here
]


def _fork(child: Callable[[], object], meanwhile: Callable[[], object] = lambda: None) -> int:
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


def test_a_fork_waits_for_a_transaction_of_another_thread(desk: Desk) -> None:
    begun, go, done = threading.Event(), threading.Event(), list[str]()

    def write() -> None:
        with desk.journal.write() as connection:
            connection.exec_driver_sql("UPDATE pn_meta SET value = value")
            begun.set()
            go.wait(PATIENCE)
            with no_fork():  # a running transaction goes on, although another thread wants to fork
                done.append("written")

    thread = threading.Thread(target=write)
    thread.start()
    assert begun.wait(PATIENCE)

    def cancel_pending() -> None:
        while not _fork_gate.shut:
            pass
        go.set()

    threading.Thread(target=cancel_pending).start()
    assert _fork(desk.publish) == 0  # the child writes at once: the lock is free
    assert done == ["written"]
    thread.join()
    assert (_fork_gate.shut, _fork_gate.inside) == (False, {})


def test_a_fork_within_an_own_transaction_waits_for_nothing(desk: Desk) -> None:
    with desk.journal.read():
        assert _fork(lambda: None) == 0
    assert (_fork_gate.shut, _fork_gate.inside) == (False, {})
    assert _fork(lambda: None) == 0  # which closes what that transaction has left open
    _open_and_close(desk.path)  # as the last one, which deletes the log
    desk.publish()


def _open_and_close(path: Path) -> None:
    """Open the journal in another process, and close it."""
    code = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT 1 FROM pn_meta'); c.close()"
    subprocess.run([sys.executable, "-c", code, path], check=True)  # noqa: S603 - our own interpreter


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

    with desk.journal.keeping_connection():
        desk.publish()
        assert desk.journal.briefly(lambda _cursor: True)
        assert _fork(go_on, end) == 0
    os.close(closed)
    with closing(sqlite3.connect(desk.path)) as connection:
        assert connection.execute("SELECT count(*) FROM pn_publication").fetchone() == (3,)


def test_a_fork_that_has_waited_long_enough_closes_no_connection_in_use(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("policenotify.journal.database.transactions._FORK_TIMEOUT", 0.01)
    begun, go, done = threading.Event(), threading.Event(), list[bool]()

    def step(cursor: sqlite3.Cursor) -> bool:
        begun.set()
        go.wait(PATIENCE)
        cursor.execute("UPDATE pn_meta SET value = value")
        return True

    def work() -> None:
        with desk.journal.keeping_connection():
            done.append(desk.journal.briefly(step))

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(PATIENCE)
    assert _fork(lambda: None, go.set) == 0
    thread.join()
    assert done == [True]


def _is_interrupted(number: int) -> bool:
    """Enter and leave the gate, with a Ctrl-C as that function of its code begins. Return False if it has fewer.

    Python looks for signals there. No signal arrives between the body of a `with` statement and a lock's own exit.
    """

    def trace(_frame: FrameType, _event: str, _given: object) -> None:
        nonlocal number
        number -= 1
        if number == 0:
            raise KeyboardInterrupt

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        with no_fork():
            pass
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


def test_an_interrupt_keeps_no_other_thread_out(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = _ForkGate()
    monkeypatch.setattr("policenotify.journal.database.transactions._fork_gate", gate)
    entered = list[int]()

    def enter() -> None:
        with gate:
            entered.append(number)

    for number in itertools.count(1):
        if not _is_interrupted(number):
            break
        thread = threading.Thread(target=enter, daemon=True)
        thread.start()
        thread.join(PATIENCE)
        assert entered[-1:] == [number]
    assert number > 2
