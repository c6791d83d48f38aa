"""The state store of a channel: changed by one process at a time, readable by no other channel."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from policenotify.channel import StoredValue
from policenotify.errors import JournalError, SettingsError
from policenotify.journal.journal import Journal

if TYPE_CHECKING:
    from tests.support.journal import Desk


@pytest.mark.databases
def test_a_value_is_stored_and_replaced_by_its_version(journal: Journal) -> None:
    keep = journal.channels.state_store("sky")
    assert keep.load("session") is None
    assert keep.compare_and_swap("session", "one", version=None)
    assert keep.load("session") == StoredValue("one", 1)
    assert not keep.compare_and_swap("session", "other", version=None)
    assert not keep.compare_and_swap("session", "other", version=7)
    assert keep.compare_and_swap("session", "two", version=1)
    assert keep.load("session") == StoredValue("two", 2)
    assert not keep.compare_and_swap("session", "late", version=1)
    assert keep.load("session") == StoredValue("two", 2)


@pytest.mark.databases
def test_no_update_is_lost_where_the_loser_tries_again(desk: Desk) -> None:
    keep = desk.journal.channels.state_store("sky")
    assert keep.compare_and_swap("count", "0", version=None)

    def run() -> None:
        for _ in range(5):
            done = False
            while not done:
                kept = keep.load("count")
                assert kept is not None
                done = keep.compare_and_swap("count", str(int(kept.value) + 1), version=kept.version)

    workers = [threading.Thread(target=run) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert keep.load("count") == StoredValue("40", 41)


@pytest.mark.slow
def test_a_lease_keeps_other_processes_out(together: Callable[..., list[str]], desk: Desk) -> None:
    (desk.path.parent / "count").write_text("0")
    told = together(
        "import time\n"
        "from policenotify.journal.clock import SystemClock\n"
        "journal = open_journal(sys.argv[3] or str(folder / 'journal.db'), keys=keys, clock=SystemClock())\n"
        "count = folder / 'count'\n"
        "at_once()\n"
        "for _ in range(5):\n"
        "    with journal.channels.state_store('sky').lease('count', seconds=300):\n"
        "        before = int(count.read_text())\n"
        "        time.sleep(0.01)\n"
        "        count.write_text(str(before + 1))\n"
        "print('done')\n"
    )
    assert told == ["done", "done"]
    assert (desk.path.parent / "count").read_text() == "10"


def test_an_owner_that_dies_loses_it_after_its_time(desk: Desk) -> None:
    keep = desk.journal.channels.state_store("sky")
    start = desk.clock.monotonic()
    with _abandoned(desk), keep.lease("session", seconds=30):
        assert desk.clock.monotonic() - start == pytest.approx(30, abs=0.1)
    assert set(desk.clock.slept) == {0.05}


def test_a_late_holder_releases_no_lock_of_another(desk: Desk) -> None:
    keep = desk.journal.channels.state_store("sky")
    first = keep.lease("session", seconds=30)
    first.__enter__()
    with keep.lease("session", seconds=30):
        first.__exit__(None, None, None)
        with pytest.raises(JournalError), keep.lease("session", seconds=1):
            pytest.fail("the second holder's lease was freed by the first")


def test_a_wait_that_takes_too_long_is_reported(desk: Desk) -> None:
    keep = desk.journal.channels.state_store("sky")
    with keep.lease("session", seconds=3600), pytest.raises(JournalError) as caught, keep.lease("session", seconds=10):
        pytest.fail("two hold it")
    assert str(caught.value) == (
        "Another process has held the lock on 'session' of channel 'sky' for more than 10 s. Look for one that hangs."
    )


@contextmanager
def _abandoned(desk: Desk) -> Iterator[None]:
    """A lease whose holder died: taken, and given back only after the test."""
    held = desk.journal.channels.state_store("sky").lease("session", seconds=30)
    held.__enter__()
    yield
    held.__exit__(None, None, None)


def test_values_rest_encrypted_and_bound_to_their_place(desk: Desk) -> None:
    keep = desk.journal.channels.state_store("sky")
    assert keep.compare_and_swap("session", "refresh-token-geheim", version=None)
    for file in desk.path.parent.glob("journal.db*"):
        assert b"geheim" not in file.read_bytes()
    with desk.journal.write() as connection:
        connection.exec_driver_sql("UPDATE pn_channel_state SET channel = 'mail'")
    with pytest.raises(SettingsError, match="does not open"):
        desk.journal.channels.state_store("mail").load("session")
