"""A list cut by a time limit, a stop or the end of a worker reaches each recipient exactly once."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from signal import SIGTERM, getsignal
from threading import Thread
from threading import enumerate as enumerate_threads

import pytest

from policenotify.channel import ChannelConfig
from policenotify.delivery.service import ended_by_signals
from policenotify.journal import open_journal
from policenotify.journal.keys import Keys
from policenotify.model.history import Outcome
from policenotify.model.receipt import Receipt
from policenotify.networks.registry import configure_channel
from policenotify.publishing.installation import Installation
from policenotify.publishing.publisher import Publisher
from policenotify.testing import FakeSmsServer
from policenotify.testing.samples import PARIS, SENDER
from tests.support.audiences import listed
from tests.support.clocks import PassingClock
from tests.support.installation import accident
from tests.support.network_options import sms_options
from tests.support.patience import LONG, until

NUMBERS = tuple(f"+33639980{number:03d}" for number in range(90))  # ARCEP: numbers reserved for fiction
SLOW = 0.2
"""Seconds that each call takes: a list takes much longer than it takes to see that it has begun."""


class ContractCase:
    """One journal, one channel with a list, and publishers that are opened one after the other."""

    def __init__(self, folder: Path) -> None:
        self._stack, self.folder, self.clock = ExitStack(), folder, PassingClock()
        self.keys = Keys.create(secrets.token_bytes)
        self.server = self._stack.enter_context(FakeSmsServer())
        self.server.latency = SLOW
        self.channel: ChannelConfig = configure_channel(
            "list", "sms", sms_options(self.server), audiences=listed("list", lambda: NUMBERS), on_unknown="hold"
        )

    def open(self) -> Publisher:
        journal = open_journal(str(self.folder / "journal.db"), keys=self.keys, clock=self.clock, create=True)
        made = Publisher(
            Installation(
                journal=journal, channels=[self.channel], zone=PARIS, sender=SENDER, clock=self.clock, lease=10 * LONG
            )
        )
        self._stack.callback(made.close)
        return made

    def reached(self) -> list[str]:
        """Return the recipients, as often as each was reached."""
        return sorted(message.to for message in self.server.messages)

    def quick(self) -> None:
        self.server.latency = 0.0

    def close(self) -> None:
        self._stack.close()


@pytest.fixture
def case(tmp_path: Path) -> Iterator[ContractCase]:
    made = ContractCase(tmp_path)
    yield made
    made.close()


def by_the_wait(case: ContractCase) -> None:
    publisher = case.open()
    with _time_passes(case):
        cut = publisher.publish(accident(), key="list", actor="desk", wait=LONG).on("list")
    assert cut.outcome is Outcome.WAITING  # nothing goes on


@contextmanager
def _time_passes(case: ContractCase) -> Iterator[None]:
    """Let the time of a call pass as soon as some are reached."""

    def passes() -> None:
        _some_are_reached(case)
        case.clock.pass_by(LONG)

    thread = Thread(target=passes)
    thread.start()
    yield
    thread.join()


def by_the_end_of_the_worker(case: ContractCase) -> None:
    publisher = case.open()
    with publisher.worker():
        publisher.publish(accident(), key="list", actor="desk", wait=0)
        _some_are_reached(case)


def by_a_signal_to_a_drain(case: ContractCase) -> None:
    publisher = case.open()
    publisher.publish(accident(), key="list", actor="desk", wait=0)
    with _signal(case, SIGTERM), closing(publisher), ended_by_signals(publisher.interrupt):
        publisher.drain(LONG)


@contextmanager
def _signal(case: ContractCase, number: int) -> Iterator[None]:
    """Send this process a signal as soon as some are reached."""

    def send() -> None:
        _some_are_reached(case)
        os.kill(os.getpid(), number)

    before, thread = getsignal(number), Thread(target=send)
    thread.start()
    yield
    thread.join()
    assert getsignal(number) is before


def by_a_stop(case: ContractCase) -> None:
    publisher = case.open()
    with publisher.worker():
        publisher.publish(accident(), key="list", actor="desk", wait=0)
        _some_are_reached(case)
        publisher.journal.stop("desk")
        until(lambda: _receipt(publisher).outcome is Outcome.WAITING)
    publisher.journal.resume("desk")


def _some_are_reached(case: ContractCase) -> None:
    until(lambda: len(case.reached()) >= 3)


def _receipt(publisher: Publisher) -> Receipt:
    found = publisher.operations.publication("list")
    assert found is not None
    return found.on("list")


@pytest.mark.parametrize("cut", [by_the_wait, by_the_end_of_the_worker, by_a_signal_to_a_drain, by_a_stop])
def test_a_list_is_cut_between_recipients_reported_truly_and_finished_by_the_next(
    case: ContractCase, cut: Callable[[ContractCase], None]
) -> None:
    cut(case)
    until(lambda: not any(thread.name == "policenotify list" for thread in enumerate_threads()))
    before, told = case.reached(), _receipt(case.open())
    counts = {Outcome.POSTED: len(before), Outcome.WAITING: len(NUMBERS) - len(before)}
    assert counts[Outcome.WAITING] > 0
    assert told.recipients == {outcome: count for outcome, count in counts.items() if count}
    assert told.attempts <= 1
    case.quick()
    publisher = case.open()
    while publisher.drain(LONG) is not None:
        pass
    assert [count for count in map(case.reached().count, set(case.reached())) if count != 1] == []
    assert len(case.reached()) == len(NUMBERS)
    assert _receipt(publisher).recipients == {Outcome.POSTED: len(NUMBERS)}


def test_a_wait_that_ends_does_not_cut_a_list_that_a_worker_of_the_process_is_at(case: ContractCase) -> None:
    publisher = case.open()
    with publisher.worker():
        publisher.publish(accident(), key="list", actor="desk", wait=0.2)
        case.quick()
        until(lambda: _receipt(publisher).outcome is Outcome.POSTED)
    assert _receipt(publisher).attempts == 1
