"""A forked process does not continue its parent's transaction."""

from __future__ import annotations

import os
import threading

import pytest

from policenotify.journal.database.transactions import _fork_gate, no_fork
from tests.support.journal import Desk

pytestmark = [
    pytest.mark.sqlite,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of a fork beside threads: it is what is tried here
]


def _fork(child: object) -> int:
    """Return the exit code of a forked child that does this: 0 if it returns."""
    if (process := os.fork()) == 0:
        code = 1
        try:
            child()  # type: ignore[operator]  # a function
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def test_a_fork_waits_for_a_transaction_of_another_thread(desk: Desk) -> None:
    begun, go, done = threading.Event(), threading.Event(), list[str]()

    def write() -> None:
        with desk.journal.write() as connection:
            connection.exec_driver_sql("UPDATE pn_meta SET value = value")
            begun.set()
            go.wait(10)
            with no_fork():  # a running transaction goes on, although another thread wants to fork
                done.append("written")

    thread = threading.Thread(target=write)
    thread.start()
    assert begun.wait(10)

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
