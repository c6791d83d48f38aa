"""The life of workers as the journal records it: started, and ended in order."""

from __future__ import annotations

import pytest

from policenotify.events import Event, EventKind
from policenotify.journal import workers
from policenotify.journal.leases import host_of, this_machine
from tests.support.journal import Desk

NAME = "back-office"
GONE = "4194305/1"  # proc(5): no process has so high a number


def _told(desk: Desk) -> list[Event]:
    place, batch = desk.journal.subscribers.take(NAME)
    if place is None:
        return []
    moved = desk.journal.subscribers.advance(NAME, place, batch[-1][0])
    assert moved
    desk.journal.subscribers.release(NAME, moved)
    return [event for _, events in batch for event in events]


@pytest.mark.databases
def test_a_worker_starts_once_and_ends_in_order(desk: Desk) -> None:
    desk.journal.subscribers.add(NAME)
    desk.journal.workers.start_heartbeat()
    desk.journal.workers.start_heartbeat()  # its first drain has failed
    [running] = desk.journal.workers.running()
    assert (running.host, running.seen_at) == (host_of(this_machine()), desk.clock.now())
    desk.journal.workers.stop_heartbeat()
    desk.journal.workers.stop_heartbeat()
    assert desk.journal.workers.running() == ()
    told = _told(desk)
    assert [event.kind for event in told] == [EventKind.WORKER_STARTED, EventKind.WORKER_STOPPED]
    assert all(event.details == {"host": running.host} for event in told)


def test_a_worker_that_was_killed_does_not_run(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(workers, "this_process", lambda: f"{this_machine()}/{GONE}")
        desk.journal.workers.start_heartbeat()
    assert desk.journal.workers.running() == ()
    assert desk.journal.figures.read().workers == 0


def test_of_a_worker_elsewhere_only_its_silence_is_known(desk: Desk) -> None:
    desk.journal.workers.start_heartbeat()
    desk.change_directly("UPDATE pn_runner SET owner = 'elsewhere/-/1/-'")
    assert len(desk.journal.workers.running()) == 1
    desk.clock.pass_by(121)
    assert desk.journal.workers.running() == ()
