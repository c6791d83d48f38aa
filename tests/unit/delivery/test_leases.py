"""A stop, a rate that others use up, and leases that are lost: nothing is sent that another process may send."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from policenotify.channel import (
    PostRef,
    Recipient,
    RecipientOutcome,
    Request,
)
from policenotify.delivery.sender import Sender
from policenotify.errors import (
    LostLease,
    Refused,
)
from policenotify.journal.leases import this_process
from policenotify.journal.queue import Deliveries
from policenotify.journal.records import ClaimedDelivery
from policenotify.model.history import Outcome
from policenotify.model.rate import Rate
from tests.support.fake_network import (
    KEYED,
    MAIL,
    PLAIN,
    READABLE,
    Book,
    Scripted,
    attempt,
    attempts,
    claim,
    doubted,
    list_network,
)
from tests.support.journal import LEASE

HOUR = timedelta(hours=1)
PEOPLE = tuple(f"{number:02d}@press.example" for number in range(60))


def asked(network: Scripted) -> list[str]:
    return [address for (address,) in network.written_to]


# --- stopped, and taken over


@pytest.mark.parametrize("in_doubt", [False, True])
def test_a_stop_lets_go_of_what_was_claimed(book: Book, in_doubt: bool) -> None:  # noqa: FBT001 - a parameter
    network = Scripted(capabilities=KEYED)
    published = doubted(book, network) if in_doubt else book.publish("sky")
    claimed = book.claim()
    assert claimed is not None
    said = len(network.said)
    book.journal.stop("cne Roux", "wrong street")
    attempts(book, network).run(claimed)
    receipt = book.receipt(published)
    assert receipt.outcome is (Outcome.UNCONFIRMED if in_doubt else Outcome.WAITING)
    assert "stopped by cne Roux" in str(receipt.reason)
    assert len(network.said) == said
    book.journal.resume("cne Roux")
    assert attempt(book, network)
    assert book.receipt(published).outcome is Outcome.POSTED


@pytest.mark.parametrize("in_doubt", [False, True])
def test_where_others_were_faster_it_waits_for_the_rate(book: Book, in_doubt: bool) -> None:  # noqa: FBT001 - the same
    network = Scripted(capabilities=KEYED)
    how, minutes = network.configured("sky", rate=Rate(1, HOUR / 6)), 10
    published = doubted(book, network) if in_doubt else book.publish("sky")
    other = book.publish("sky")
    late, first = book.claim(), book.claim()
    assert late is not None
    assert first is not None
    attempts(book, network, how).run(first)
    attempts(book, network, how).run(late)
    assert book.receipt(other).outcome is Outcome.POSTED
    receipt = book.receipt(published)
    assert receipt.outcome is (Outcome.UNCONFIRMED if in_doubt else Outcome.WAITING)
    assert str(receipt.reason) == "'sky' has reached its rate. The delivery goes on when the rate allows."
    said = len(network.said)
    book.pass_by(minutes * 60)
    assert attempt(book, network, how)
    assert (book.receipt(published).outcome, len(network.said)) == (Outcome.POSTED, said + 1)


def test_a_rate_that_counts_recipients_defers_the_rest_and_sends_none_twice(book: Book) -> None:
    network, people = Scripted(capabilities=MAIL), [f"a{number}@x.example" for number in range(5)]
    how = network.configured("sky", rate=Rate(2, HOUR, 2))
    published = book.publish("sky", people=people)
    for round_, left in enumerate([3, 1, 0]):
        assert attempt(book, network, how)
        receipt = book.receipt(published)
        assert (receipt.recipients or {}).get(Outcome.WAITING, 0) == left
        assert receipt.outcome is (Outcome.WAITING if left else Outcome.POSTED)
        if round_ == 0:
            assert str(receipt.reason) == "'sky' has reached its rate. The delivery goes on when the rate allows."
            assert book.claim() is None
        book.pass_by(2 * HOUR.total_seconds())
    assert sorted(one for chunk in network.written_to for one in chunk) == people


def taken_over(book: Book) -> ClaimedDelivery:
    book.pass_by(LEASE.total_seconds())
    claimed = book.claim()
    assert claimed is not None
    return claimed


def test_a_process_that_was_taken_over_sends_nothing(book: Book) -> None:
    network = Scripted()
    published = book.publish("sky")
    claimed = book.claim()
    assert claimed is not None
    other = taken_over(book)
    with pytest.raises(LostLease):
        attempts(book, network).run(claimed)
    assert network.said == []
    attempts(book, network).run(other)
    assert book.receipt(published).outcome is Outcome.POSTED


def test_a_process_taken_over_while_sending_changes_nothing(book: Book) -> None:
    network = Scripted(capabilities=KEYED)
    published = book.publish("sky")
    others: list[ClaimedDelivery] = []

    def slow(request: Request) -> PostRef:
        others.append(taken_over(book))
        raise Refused(f"Too late for {request.key}.")

    network.sends.append(slow)
    with pytest.raises(LostLease):
        attempt(book, network)
    [other] = others
    assert other.in_doubt
    attempts(book, network).run(other)
    assert book.receipt(published).outcome is Outcome.POSTED
    assert network.said[0] == network.said[1]


# --- a process that was halted for longer than its lease


def halted(book: Book, monkeypatch: pytest.MonkeyPatch, *, seconds: float, then: Any = lambda: None) -> None:
    """Halt the process once, after its attempt was committed and before the network is called."""
    begin = Deliveries.begin

    def slow(*given: Any, **named: Any) -> Any:
        begun = begin(*given, **named)
        monkeypatch.setattr(Deliveries, "begin", begin)
        halts.append((seconds, then))
        return begun

    halts: list[Any] = []
    is_late = Sender.is_late

    def after_the_halt(sender: Sender, since: float, share: float) -> bool:
        if halts:
            seconds, then = halts.pop()
            book.pass_by(seconds)
            then()
        return is_late(sender, since, share)

    monkeypatch.setattr(Deliveries, "begin", slow)
    monkeypatch.setattr(Sender, "is_late", after_the_halt)


def test_a_process_that_was_halted_past_its_lease_publishes_nothing(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = Scripted(capabilities=READABLE)

    def take_over() -> None:
        book.journal.deliveries.recover()
        attempts(book, network).run(claim(book))
        book.pass_by(60)  # "not there" is believed of the second answer
        attempts(book, network).run(claim(book))

    halted(book, monkeypatch, seconds=LEASE.total_seconds() + 1, then=take_over)
    published = book.publish("sky")
    with pytest.raises(LostLease):
        attempts(book, network).run(claim(book))
    receipt = book.receipt(published)
    assert (receipt.outcome, receipt.attempts, len(network.said)) == (Outcome.POSTED, 2, 1)
    assert len(network.asked) == 2  # the other one has looked for it, and then sent it


@pytest.mark.parametrize("leases", [0.51, 1.01])
def test_a_process_that_was_halted_and_not_taken_over_sends_it_again_without_a_doubt(
    book: Book, leases: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a lease is for what precedes the call, the other half for its answer."""
    network = Scripted(capabilities=PLAIN)
    halted(book, monkeypatch, seconds=leases * LEASE.total_seconds())
    published = book.publish("sky")
    attempts(book, network).run(claim(book))
    assert book.receipt(published).outcome is Outcome.WAITING
    assert not network.said
    attempts(book, network).run(claim(book))
    assert book.receipt(published).outcome is Outcome.POSTED


def test_a_process_halted_in_a_list_sends_to_nobody_else(book: Book) -> None:
    network = list_network()

    def halt(person: Recipient) -> RecipientOutcome:
        book.pass_by(LEASE.total_seconds() + 1)
        book.journal.deliveries.recover()
        other = list_network()
        attempts(book, other, other.configured("sky", on_unknown="resend")).run(claim(book))
        others.extend(asked(other))
        return RecipientOutcome(key=person.key, outcome="posted")

    others: list[str] = []
    network.sends.append(halt)
    published = book.publish("sky", people=PEOPLE)
    with pytest.raises(LostLease):
        attempts(book, network).run(claim(book, f"{this_process()}/slot"))
    assert len(asked(network)) == 1
    assert sorted(others) == sorted(PEOPLE)
    assert book.receipt(published).outcome is Outcome.POSTED
