"""`publish` leaves the delivery to a worker of another process, if one runs, and waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import pytest

from policenotify.channel import Channel, Clock, StateStore
from policenotify.delivery import handover
from policenotify.model.history import Outcome
from policenotify.model.message import Category, Message
from policenotify.publishing.publisher import Publisher
from policenotify.testing.servers.http import Answer
from tests.support.installation import ADDRESSES, Desk, open_desk
from tests.support.patience import LONG, PATIENCE

TIP = Message(category=Category.SCAM_CYBER, headline="Faux conseiller bancaire", instruction="Raccrochez.")
SOON = timedelta(seconds=0.3)
PUT = ("POST", "/xrpc/com.atproto.repo.putRecord")


class Caller:
    """A publisher that only waits, and what it says of the worker."""

    def __init__(self, desk: Desk, *, opens: bool) -> None:
        channels = [desk.on_bluesky(), desk.by_mail()]
        self.publisher = desk.publisher(channels if opens else [replace(each, open=_refuse) for each in channels])
        self.publisher.on_worker_gone = self._note
        self.gone = 0
        self.comes_back: Publisher | None = None

    def _note(self) -> None:
        self.gone += 1
        if self.comes_back is not None:
            self.comes_back.worker().start()


def _refuse(clock: Clock, keep: StateStore) -> Channel:  # noqa: ARG001 - the form of `ChannelConfig.open`
    raise AssertionError("this process opens no channel")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path) as opened:
        yield opened


@pytest.fixture
def other(desk: Desk) -> Publisher:
    """The publisher of a process beside."""
    return desk.publisher()


@contextmanager
def _running(publisher: Publisher) -> Iterator[None]:
    """Run its worker, which is seen in the journal."""
    with publisher.worker():
        while publisher.journal.workers.last_worker_heartbeat() is None:
            time.sleep(0.01)
        yield


def _readers(desk: Desk) -> tuple[int, int]:
    return len(desk.bluesky.posts), len(desk.mail.mails)


ONCE = (1, len(ADDRESSES))


def test_a_worker_delivers_and_the_caller_opens_no_channel(desk: Desk, other: Publisher) -> None:
    caller = Caller(desk, opens=False)
    with _running(other):
        publication = caller.publisher.publish(TIP, key="tip", actor="desk")
    assert publication.ok
    assert [receipt.outcome for receipt in publication] == [Outcome.POSTED] * 2
    assert (_readers(desk), caller.gone) == (ONCE, 0)


def test_without_a_worker_the_caller_delivers(desk: Desk) -> None:
    caller = Caller(desk, opens=True)
    assert caller.publisher.publish(TIP, key="tip", actor="desk").ok
    assert (_readers(desk), caller.gone) == (ONCE, 0)


def test_its_own_worker_is_not_waited_for(desk: Desk) -> None:
    caller = Caller(desk, opens=True)
    with caller.publisher.worker():
        assert caller.publisher.publish(TIP, key="tip", actor="desk").ok
    assert (_readers(desk), caller.gone) == (ONCE, 0)


def test_an_application_that_asks_for_no_handover_delivers_itself(desk: Desk, other: Publisher) -> None:
    other.journal.workers.heartbeat(is_worker=True)  # of a worker that never delivers
    publisher = desk.publisher()
    assert publisher.publish(TIP, key="tip", actor="desk").ok


def test_a_worker_that_cannot_use_a_channel_is_not_waited_for(desk: Desk, other: Publisher) -> None:
    other.journal.workers.heartbeat(is_worker=True, unusable={"bluesky": "its secret cannot be read"})
    caller = Caller(desk, opens=True)
    assert caller.publisher.publish(TIP, key="tip", actor="desk").ok
    assert (_readers(desk), caller.gone) == (ONCE, 0)


@pytest.mark.parametrize("comes_back", [False, True])
def test_the_caller_takes_over_from_a_worker_without_a_sign_of_life(
    desk: Desk, other: Publisher, monkeypatch: pytest.MonkeyPatch, *, comes_back: bool
) -> None:
    monkeypatch.setattr(handover, "REACTION", SOON)
    other.journal.workers.heartbeat(is_worker=True)
    caller = Caller(desk, opens=True)
    if comes_back:  # it comes back at the same moment, and the claims decide who delivers what
        caller.comes_back = other
    publication = caller.publisher.publish(TIP, key="tip", actor="desk")
    other.worker().stop()
    assert publication.ok
    assert (_readers(desk), caller.gone) == (ONCE, 1)


def test_the_caller_takes_over_at_once_from_a_worker_that_ends(
    desk: Desk, other: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover, "REACTION", LONG)
    other.journal.workers.heartbeat(is_worker=True)
    caller = Caller(desk, opens=True)
    threading.Timer(SOON.total_seconds(), other.journal.workers.stop_heartbeat).start()
    begun = time.monotonic()
    assert caller.publisher.publish(TIP, key="tip", actor="desk").ok
    assert time.monotonic() - begun < PATIENCE / 2
    assert (_readers(desk), caller.gone) == (ONCE, 1)


def test_a_worker_that_goes_silent_after_a_sign_of_life_is_given_up(
    desk: Desk, other: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover, "LIVE", SOON)
    other.journal.workers.heartbeat(is_worker=True)
    caller = Caller(desk, opens=True)
    threading.Timer(0.1, other.journal.workers.heartbeat, kwargs={"is_worker": True}).start()
    assert caller.publisher.publish(TIP, key="tip", actor="desk").ok
    assert (_readers(desk), caller.gone) == (ONCE, 1)


def test_an_old_heartbeat_is_no_worker(desk: Desk, other: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    other.journal.workers.heartbeat(is_worker=True)
    monkeypatch.setattr(handover, "LIVE", timedelta(0))
    caller = Caller(desk, opens=True)
    assert caller.publisher.publish(TIP, key="tip", actor="desk").ok
    assert caller.gone == 0


def test_the_wait_ends_and_the_message_waits_in_the_journal(desk: Desk, other: Publisher) -> None:
    other.journal.workers.heartbeat(is_worker=True)
    caller = Caller(desk, opens=False)
    publication = caller.publisher.publish(TIP, key="tip", actor="desk", wait=0.2)
    assert {receipt.outcome for receipt in publication} == {Outcome.WAITING}
    assert all(receipt.note.startswith("A worker sends it") for receipt in publication)
    assert (_readers(desk), caller.gone) == ((0, 0), 0)


def test_it_returns_as_soon_as_nothing_more_can_happen_within_the_wait(desk: Desk, other: Publisher) -> None:
    desk.bluesky.on(*PUT, Answer(429, headers={"retry-after": "600"}))
    caller = Caller(desk, opens=False)
    begun = time.monotonic()
    with _running(other):
        publication = caller.publisher.publish(TIP, key="tip", actor="desk")
    assert {receipt.channel: receipt.outcome for receipt in publication}["presse"] is Outcome.POSTED
    assert not publication.ok
    assert time.monotonic() - begun < PATIENCE / 2
    assert caller.gone == 0


def test_what_is_withdrawn_is_deleted_by_the_worker(desk: Desk, other: Publisher) -> None:
    caller = Caller(desk, opens=False)
    with _running(other):
        first = caller.publisher.publish(TIP, key="tip", actor="desk")
        caller.publisher.withdraw(first.id, actor="desk", reason="published by mistake")
    assert len(desk.bluesky.posts) == 0


def test_nothing_is_waited_for_where_it_may_not_be(desk: Desk) -> None:
    def fail() -> NoReturn:
        raise AssertionError("nothing is waited for")

    publisher = desk.publisher()
    publisher.on_worker_gone = fail
    publication = publisher.publish(TIP, key="tip", actor="desk", wait=0)
    assert {receipt.outcome for receipt in publication} == {Outcome.WAITING}
