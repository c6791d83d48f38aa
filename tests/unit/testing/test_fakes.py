"""The fake clock and the in-memory state store."""

from __future__ import annotations

from datetime import datetime
from threading import Thread

import pytest

from policenotify.channel import StateStore
from policenotify.errors import JournalError
from policenotify.testing.fakes import FakeClock, InMemoryStateStore


def test_the_clock_remembers_sleeps_and_never_goes_back() -> None:
    clock = FakeClock()
    clock.sleep(1.5)
    clock.pass_by(60)
    assert clock.slept == [1.5]
    with pytest.raises(ValueError, match="back"):
        clock.pass_by(-1)
    with pytest.raises(ValueError, match="zone"):
        FakeClock(datetime(2026, 3, 2))  # noqa: DTZ001 - what it must refuse


def test_only_the_version_that_was_read_can_be_replaced() -> None:
    keep: StateStore = InMemoryStateStore()
    assert keep.load("session") is None
    assert not keep.compare_and_swap("session", "a", version=1)
    assert keep.compare_and_swap("session", "a", version=None)
    assert not keep.compare_and_swap("session", "b", version=None)
    kept = keep.load("session")
    assert kept is not None
    assert (kept.value, kept.version) == ("a", 1)
    assert keep.compare_and_swap("session", "b", version=1)
    assert not keep.compare_and_swap("session", "c", version=1)
    assert keep.load("other") is None


def test_a_lease_keeps_others_out_for_one_name() -> None:
    keep = InMemoryStateStore()
    order: list[str] = []

    def second() -> None:
        with keep.lease("session", seconds=5):
            order.append("second")

    with keep.lease("session", seconds=1):
        with keep.lease("other", seconds=0.1):
            pass
        with pytest.raises(JournalError, match="session"), keep.lease("session", seconds=0.01):
            order.append("never")
        waiting = Thread(target=second)
        waiting.start()
        order.append("first")
    waiting.join()
    assert order == ["first", "second"]
