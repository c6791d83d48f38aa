"""The state store of a channel: changed by one process at a time, readable by no other channel."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from policenotify.channel import StoredValue
from policenotify.errors import JournalError, SettingsError
from policenotify.journal import open_journal
from policenotify.journal.clock import SystemClock
from policenotify.journal.journal import Journal

if TYPE_CHECKING:
    from tests.support.journal import Desk


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


def test_channels_and_names_are_apart(journal: Journal) -> None:
    assert journal.channels.state_store("sky").compare_and_swap("session", "one", version=None)
    assert journal.channels.state_store("sky").load("other") is None
    assert journal.channels.state_store("mail").load("session") is None


def test_a_lease_alone_stores_nothing(journal: Journal) -> None:
    keep = journal.channels.state_store("sky")
    with keep.lease("session", seconds=30):
        assert keep.load("session") is None
        assert keep.compare_and_swap("session", "one", version=None)
    assert keep.load("session") == StoredValue("one", 1)


def test_of_eight_threads_one_wins_each_round(desk: Desk) -> None:
    rounds, threads = 5, 8
    keep = desk.journal.channels.state_store("sky")
    assert keep.compare_and_swap("count", "0", version=None)
    wins: list[int] = []
    start = threading.Barrier(threads)

    def run() -> None:
        for _ in range(rounds):
            start.wait()
            kept = keep.load("count")
            assert kept is not None
            start.wait()
            if keep.compare_and_swap("count", str(int(kept.value) + 1), version=kept.version):
                wins.append(kept.version)

    workers = [threading.Thread(target=run) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(wins) == [1, 2, 3, 4, 5]
    assert keep.load("count") == StoredValue("5", 6)


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


def test_a_failure_inside_frees_it(desk: Desk) -> None:
    keep = desk.journal.channels.state_store("sky")
    with pytest.raises(ZeroDivisionError), keep.lease("session", seconds=30):
        raise ZeroDivisionError
    with keep.lease("session", seconds=30):
        assert desk.clock.slept == []


@pytest.mark.slow
def test_a_lock_keeps_other_processes_out(together: Callable[..., list[str]], desk: Desk) -> None:
    (desk.path.parent / "count").write_text("0")
    printed = together(
        "import time\n"
        "from policenotify.journal.clock import SystemClock\n"
        "journal = open_journal(sys.argv[3] or str(folder / 'journal.db'), keys=keys, clock=SystemClock())\n"
        "count = folder / 'count'\n"
        "at_once()\n"
        "for _ in range(5):\n"
        "    with journal.lock('the count', seconds=300):\n"
        "        before = int(count.read_text())\n"
        "        time.sleep(0.01)\n"
        "        count.write_text(str(before + 1))\n"
        "print('done')\n"
    )
    assert printed == ["done", "done"]
    assert (desk.path.parent / "count").read_text() == "10"


def test_locks_of_different_names_are_independent(desk: Desk) -> None:
    with desk.journal.lock("one", seconds=30), desk.journal.lock("other", seconds=30):
        assert desk.clock.slept == []


def test_a_lock_is_released_and_leaves_nothing_behind(desk: Desk) -> None:
    for _ in range(2):
        with desk.journal.lock("the campaign run", seconds=30):
            assert len(desk.dump("pn_lock")["pn_lock"]) == 1
    assert desk.dump("pn_lock")["pn_lock"] == []
    assert desk.clock.slept == []


def test_a_failure_inside_releases_the_lock(desk: Desk) -> None:
    with pytest.raises(ZeroDivisionError), desk.journal.lock("the campaign run", seconds=30):
        raise ZeroDivisionError
    with desk.journal.lock("the campaign run", seconds=30):
        assert desk.clock.slept == []


def test_a_lock_that_is_held_too_long_is_an_error(desk: Desk) -> None:
    lock = desk.journal.lock
    with lock("a run", seconds=3600), pytest.raises(JournalError) as caught, lock("a run", seconds=10):
        pytest.fail("two hold it")
    assert str(caught.value) == (
        "Another process has held the lock on a run for more than 10 s. Look for one that hangs."
    )


def test_a_lock_expires_and_its_late_holder_does_not_release_that_of_the_next(desk: Desk) -> None:
    first = desk.journal.lock("the campaign run", seconds=30)
    first.__enter__()
    with desk.journal.lock("the campaign run", seconds=30):
        first.__exit__(None, None, None)
        with pytest.raises(JournalError), desk.journal.lock("the campaign run", seconds=1):
            pytest.fail("the second holder's lock was released by the first")


@contextmanager
def _abandoned(desk: Desk) -> Iterator[None]:
    """A lease whose holder died: taken, and given back only after the test."""
    held = desk.journal.channels.state_store("sky").lease("session", seconds=30)
    held.__enter__()
    yield
    held.__exit__(None, None, None)


@pytest.mark.sqlite
def test_values_rest_encrypted_and_bound_to_their_place(desk: Desk) -> None:
    keep = desk.journal.channels.state_store("sky")
    assert keep.compare_and_swap("session", "refresh-token-geheim", version=None)
    for file in desk.path.parent.glob("journal.db*"):
        assert b"geheim" not in file.read_bytes()
    with desk.journal.write() as connection:
        connection.exec_driver_sql("UPDATE pn_channel_state SET channel = 'mail'")
    with pytest.raises(SettingsError, match="does not open"):
        desk.journal.channels.state_store("mail").load("session")


def test_another_opening_of_the_journal_reads_it(desk: Desk) -> None:
    assert desk.journal.channels.state_store("sky").compare_and_swap("session", "one", version=None)
    other = open_journal(desk.url, keys=desk.keys, clock=SystemClock())
    assert other.channels.state_store("sky").load("session") == StoredValue("one", 1)
    other.close()
