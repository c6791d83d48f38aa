"""A lock that a forked process finds free."""

from __future__ import annotations

import os

import pytest

from policenotify.journal.database.process_lock import ProcessLock
from tests.support.patience import PATIENCE


@pytest.mark.sqlite
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of a fork beside threads
def test_a_child_finds_it_free_and_its_parent_keeps_it() -> None:
    lock = ProcessLock()
    with lock.here:
        if (child := os.fork()) == 0:
            os._exit(0 if lock.here.acquire(timeout=PATIENCE) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert lock.here.locked()
    assert not lock.here.locked()
