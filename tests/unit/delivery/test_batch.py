"""Batches are cut between recipients, marked and settled by chunks, and never sent without the lease."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from policenotify.channel import CHUNK, Recipient, RecipientOutcome
from policenotify.delivery.batch import Breaker
from policenotify.errors import Blocked, Unavailable, Unconfirmed
from policenotify.journal import leases
from policenotify.journal.database import schema
from policenotify.journal.leases import this_process
from policenotify.model.history import Outcome
from policenotify.model.rate import Rate
from tests.support.fake_network import MAIL, Book, Scripted, attempts, claim, everybody, list_network
from tests.support.patience import PATIENCE

PEOPLE = tuple(f"{number:02d}@press.example" for number in range(60))


class KilledError(BaseException):
    """The process ends here."""


def until(network: Scripted, count: int) -> Any:
    """Let a list go on until so many people were asked."""
    return lambda: len(network.written_to) < count


def asked(network: Scripted) -> list[str]:
    return [address for (address,) in network.written_to]


# --- cut between people


@pytest.mark.parametrize("cut", [0, 1, 25, 59])
def test_a_list_that_is_cut_goes_on_with_the_next_person(book: Book, cut: int) -> None:
    network = list_network()
    how = network.configured("sky", on_unknown="hold")
    published = book.publish("sky", people=PEOPLE)
    attempts(book, network, how, may_go_on=until(network, cut)).run(claim(book))
    receipt = book.receipt(published)
    counts = {Outcome.POSTED: cut, Outcome.WAITING: len(PEOPLE) - cut}
    assert (receipt.outcome, receipt.recipients) == (Outcome.WAITING, {name: n for name, n in counts.items() if n})
    assert "between two people" in str(receipt.reason)
    attempts(book, network, how).run(claim(book))
    assert sorted(asked(network)) == sorted(PEOPLE)
    assert book.receipt(published).recipients == {Outcome.POSTED: len(PEOPLE)}


def test_a_list_that_is_cut_at_its_end_is_posted(book: Book) -> None:
    network = list_network()
    published = book.publish("sky", people=PEOPLE)
    attempts(book, network, may_go_on=until(network, len(PEOPLE))).run(claim(book))
    assert book.receipt(published).outcome is Outcome.POSTED


def test_stopping_everything_ends_a_list_after_those_who_are_marked(book: Book) -> None:
    network = list_network()

    def stop(person: Recipient) -> RecipientOutcome:
        book.journal.stop("cne Roux")
        return RecipientOutcome(key=person.key, outcome="posted")

    network.sends.append(stop)
    published = book.publish("sky", people=PEOPLE)
    attempts(book, network).run(claim(book))
    assert len(asked(network)) == CHUNK
    assert book.receipt(published).recipients == {Outcome.POSTED: CHUNK, Outcome.WAITING: 60 - CHUNK}
    book.journal.resume("cne Roux")
    book.pass_by(2)
    attempts(book, network).run(claim(book))
    assert sorted(asked(network)) == sorted(PEOPLE)


def test_recipients_that_are_not_requested_do_not_count_for_the_rate(book: Book) -> None:
    network = list_network()
    how = network.configured("sky", rate=Rate(60, timedelta(hours=1), 60))
    published = book.publish("sky", people=PEOPLE)
    attempts(book, network, how, may_go_on=until(network, 30)).run(claim(book))
    attempts(book, network, how).run(claim(book))
    assert book.receipt(published).recipients == {Outcome.POSTED: 60}


@pytest.mark.parametrize("on_unknown", ["resend", "hold"])
def test_after_a_kill_only_those_who_were_marked_are_in_doubt(
    book: Book, on_unknown: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = list_network()
    how = network.configured("sky", on_unknown=on_unknown)

    def dies(_person: Recipient) -> RecipientOutcome:
        raise KilledError

    network.sends.extend([lambda person: RecipientOutcome(key=person.key, outcome="posted")] * 30 + [dies])
    published = book.publish("sky", people=PEOPLE)
    with pytest.raises(KilledError):
        attempts(book, network, how).run(claim(book, f"{this_process()}/slot"))
    monkeypatch.setattr(leases, "_started", lambda _pid: "")  # the process is not there any more
    assert book.journal.deliveries.recover() == 1
    assert book.receipt(published).recipients == {Outcome.POSTED: 25, Outcome.UNCONFIRMED: 25, Outcome.WAITING: 10}
    attempts(book, network, how).run(claim(book))
    again = {address for address in PEOPLE if asked(network).count(address) > 1}
    assert again == (set(asked(network)[CHUNK:31]) if on_unknown == "resend" else set())
    held = {Outcome.HELD: CHUNK} if on_unknown == "hold" else {}
    assert book.receipt(published).recipients == {Outcome.POSTED: 60 - sum(held.values()), **held}


def test_people_without_an_outcome_are_in_doubt(book: Book) -> None:
    network = Scripted(capabilities=MAIL)
    network.sends.append(lambda people: everybody(people[:1]))
    published = book.publish("sky", people=PEOPLE[:3])
    attempts(book, network).run(claim(book))
    assert book.receipt(published).recipients == {Outcome.POSTED: 1, Outcome.HELD: 2}


# --- several channel objects at once


def at_once(calls: int, **more: Any) -> Scripted:
    return Scripted(capabilities=replace(MAIL, calls_at_once=calls), one_by_one=True, **more)


@pytest.mark.parametrize("calls", [2, 40])
def test_several_objects_of_a_channel_reach_everybody_once(book: Book, calls: int) -> None:
    network = at_once(calls)
    published = book.publish("sky", people=PEOPLE)
    attempt = attempts(book, network)
    attempt.run(claim(book))
    assert sorted(asked(network)) == sorted(PEOPLE)
    assert book.receipt(published).recipients == {Outcome.POSTED: len(PEOPLE)}
    assert network.opened == min(calls, CHUNK)
    attempt.close()
    assert network.closed == network.opened


def test_calls_are_made_at_the_same_time(book: Book) -> None:
    network, meet = at_once(3), threading.Barrier(3)

    def together(person: Recipient) -> RecipientOutcome:
        meet.wait(PATIENCE)
        return RecipientOutcome(key=person.key, outcome="posted")

    network.sends.extend([together] * 3)
    published = book.publish("sky", people=PEOPLE[:3])
    attempts(book, network).run(claim(book))
    assert book.receipt(published).recipients == {Outcome.POSTED: 3}


@pytest.mark.parametrize("of_helper", [False, True], ids=["first", "helper"])
def test_a_server_that_takes_fewer_sessions_costs_nobody_the_message(
    book: Book,
    of_helper: bool,  # noqa: FBT001 - a parameter
) -> None:
    network, busy, taken = at_once(3), threading.Barrier(3), threading.Lock()

    def from_one_only(person: Recipient) -> RecipientOutcome:
        busy.wait(PATIENCE)
        if (threading.current_thread() is threading.main_thread()) == of_helper or not taken.acquire(blocking=False):
            raise Unavailable("Too many sessions.")
        return RecipientOutcome(key=person.key, outcome="posted")

    network.sends.extend([from_one_only] * 3)
    published = book.publish("sky", people=PEOPLE)
    attempt = attempts(book, network)
    attempt.run(claim(book))
    assert book.receipt(published).recipients == {Outcome.POSTED: len(PEOPLE)}
    assert (network.opened, len(attempt.helpers)) == (3, int(of_helper))


def test_a_network_that_does_not_answer_in_any_session_ends_the_attempt(book: Book) -> None:
    network = at_once(3)

    def away(_person: Recipient) -> RecipientOutcome:
        raise Unavailable("Nobody is there.")

    network.sends.extend([away] * 3)
    published = book.publish("sky", people=PEOPLE)
    attempts(book, network).run(claim(book))
    receipt = book.receipt(published)
    assert (receipt.recipients, receipt.reason) == ({Outcome.WAITING: len(PEOPLE)}, "Nobody is there.")
    assert len(network.said) == 3


@pytest.mark.parametrize("error", [Blocked("The secret cannot be read."), OSError(24, "Too many open files")])
def test_an_object_that_cannot_be_opened_leaves_its_people_to_the_others(
    book: Book, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    network = at_once(3, opens=deque([lambda: None, lambda: None, error]))
    how = network.configured("sky", on_unknown="hold")
    published = book.publish("sky", people=PEOPLE)
    attempts(book, network, how).run(claim(book))
    assert sorted(asked(network)) == sorted(PEOPLE)
    assert book.receipt(published).recipients == {Outcome.POSTED: len(PEOPLE)}
    assert network.opened == 3  # it is not tried again for each chunk
    assert [type(error).__name__ in one.getMessage() for one in caplog.records if one.levelname == "WARNING"] == [True]


def test_a_machine_without_further_threads_serves_the_list_with_one(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    network = at_once(3)
    published = book.publish("sky", people=PEOPLE)
    monkeypatch.setattr(threading.Thread, "start", start)
    attempts(book, network).run(claim(book))
    assert book.receipt(published).recipients == {Outcome.POSTED: len(PEOPLE)}


@pytest.mark.parametrize("of_helper", [False, True], ids=["first", "helper"])
def test_an_exception_of_one_thread_ends_the_batch_once_all_calls_have_ended(
    book: Book,
    of_helper: bool,  # noqa: FBT001 - a parameter
) -> None:
    network, busy, failed = at_once(2), threading.Barrier(2), threading.Event()
    ended: list[str] = []

    def dies(person: Recipient) -> RecipientOutcome:
        busy.wait(PATIENCE)
        if (threading.current_thread() is threading.main_thread()) != of_helper:
            failed.set()
            raise KilledError
        assert failed.wait(PATIENCE)
        time.sleep(0.1)  # so that an error that is not kept back is seen
        ended.append(person.address)
        return RecipientOutcome(key=person.key, outcome="posted")

    network.sends.extend([dies] * 2)
    book.publish("sky", people=PEOPLE)
    with pytest.raises(KilledError):
        attempts(book, network).run(claim(book))
    assert len(ended) == 1


# --- when the network refuses everybody, or does not answer


def recorded(breaker: Breaker, word: Any, address: str, **more: Any) -> Any:
    return breaker.record([(RecipientOutcome(key="0", outcome=word, **more), address)])


def test_three_refusals_before_the_first_success_block_the_channel() -> None:
    breaker = Breaker("sms")
    assert recorded(breaker, "refused", "+33600000001") is None
    assert recorded(breaker, "refused", "+33600000002", gone=True) is None
    assert recorded(breaker, "refused", "+33600000003", personal=True) is None
    assert recorded(breaker, "refused", "+33600000004") is None
    error = recorded(breaker, "refused", "+33600000005", reason="No credit.", code="402")
    assert isinstance(error, Blocked)
    assert (error.code, "No credit." in str(error.reason)) == ("402", True)


def test_refusals_of_one_domain_are_the_domains() -> None:
    breaker = Breaker("mail")
    assert all(recorded(breaker, "refused", f"p{number}@One.example") is None for number in range(9))
    assert recorded(breaker, "refused", "p@two.example") is None
    assert isinstance(recorded(breaker, "refused", "p@three.example"), Blocked)


def test_after_a_success_each_refusal_is_the_persons() -> None:
    breaker = Breaker("mail")
    recorded(breaker, "posted", "p@one.example")
    assert all(recorded(breaker, "refused", f"p@{number}.example") is None for number in range(9))


def test_two_calls_in_doubt_without_an_answer_between_pause_the_list() -> None:
    breaker = Breaker("mail")
    assert recorded(breaker, "unconfirmed", "a@one.example") is None
    recorded(breaker, "unavailable", "b@one.example")
    assert breaker.record([(RecipientOutcome(key=key, outcome="unconfirmed"), key) for key in "cde"]) is None
    assert isinstance(recorded(breaker, "unconfirmed", "f@one.example", code="X"), Unavailable)


def test_those_whom_a_channel_at_fault_has_refused_wait(book: Book) -> None:
    network = list_network()
    network.sends.extend([lambda person: RecipientOutcome(key=person.key, outcome="refused")] * 3)
    people = [f"p@{number}.example" for number in range(9)]
    published = book.publish("sky", people=people)
    attempts(book, network).run(claim(book))
    assert len(asked(network)) == 3
    assert book.receipt(published).recipients == {Outcome.WAITING: 9}
    assert "refuses the message for all" in str(book.receipt(published).reason)


def test_a_network_in_doubt_that_asks_to_wait_is_not_called_before(book: Book) -> None:
    network = list_network()
    network.sends.append(Unconfirmed("Overloaded.", retry_at=book.clock.now() + timedelta(minutes=5)))
    published = book.publish("sky", people=PEOPLE[:5])
    attempts(book, network).run(claim(book))
    assert book.receipt(published).recipients == {Outcome.HELD: 1, Outcome.WAITING: 4}
    book.pass_by(290)
    assert book.claim() is None
    book.pass_by(11)
    attempts(book, network).run(claim(book))
    assert book.receipt(published).recipients == {Outcome.HELD: 1, Outcome.POSTED: 4}


# --- what is logged


def test_a_delivery_held_for_a_damaged_journal_is_logged(book: Book, caplog: pytest.LogCaptureFixture) -> None:
    published = book.publish("sky")
    with book.journal.write() as connection:
        connection.execute(schema.delivery.update().values(standalone="{"))
    assert book.claim() is None
    assert [record.levelno for record in caplog.records if published in record.message] == [logging.WARNING]
