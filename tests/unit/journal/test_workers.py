"""Which workers run, by their heartbeats."""

from __future__ import annotations

import pytest

from policenotify.journal import workers
from policenotify.journal.leases import host_of, this_machine
from tests.support.journal import Desk

GONE = "4194305/1"  # proc(5): no process has so high a number


@pytest.mark.databases
def test_a_worker_runs_until_it_ends(desk: Desk) -> None:
    desk.journal.workers.heartbeat(is_worker=True)
    [running] = desk.journal.workers.running()
    assert (running.host, running.seen_at) == (host_of(this_machine()), desk.clock.now())
    desk.journal.workers.heartbeat()
    assert len(desk.journal.workers.running()) == 1
    desk.journal.workers.heartbeat(is_worker=False)
    assert desk.journal.workers.running() == ()


def test_a_worker_that_was_killed_does_not_run(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(workers, "this_process", lambda: f"{this_machine()}/{GONE}")
        desk.journal.workers.heartbeat(is_worker=True)
    assert desk.journal.workers.running() == ()
    assert desk.journal.figures.read().workers == 0


def test_of_a_worker_elsewhere_only_its_silence_is_known(desk: Desk) -> None:
    desk.journal.workers.heartbeat(is_worker=True)
    desk.change_directly("UPDATE pn_runner SET owner = 'elsewhere/-/1/-'")
    assert len(desk.journal.workers.running()) == 1
    desk.clock.pass_by(121)
    assert desk.journal.workers.running() == ()
