"""A post to people: what becomes of each when a network breaks off, refuses or forgets some."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.channel import (
    Operation,
    Recipient,
    RecipientOutcome,
    Request,
)
from policenotify.delivery.batch import Breaker, Chunk
from policenotify.errors import (
    Blocked,
    Refused,
    Unavailable,
    Unconfirmed,
)
from policenotify.model.history import Outcome
from tests.support.fake_network import MAIL, Book, Scripted, attempt, attempts, retry_in

# --- many people

PEOPLE = tuple(f"{number:02d}@press.example" for number in range(60))


def recipient_outcome(recipient: Recipient, outcome: Any, **more: Any) -> RecipientOutcome:
    return RecipientOutcome(key=recipient.key, outcome=outcome, **more)


def reached(network: Scripted) -> list[str]:
    return [address for chunk in network.written_to for address in chunk]


KNOWN = {Outcome.POSTED: 1, Outcome.REFUSED: 1, Outcome.WAITING: 1}


@pytest.mark.parametrize(
    ("error", "outcome", "people"),
    [
        (RuntimeError("a@press.example"), Outcome.WAITING, KNOWN | {Outcome.WAITING: 3, Outcome.HELD: 1}),
        (Unconfirmed("Cut."), Outcome.WAITING, KNOWN | {Outcome.POSTED: 3, Outcome.HELD: 1}),
        (Unavailable("Down.", code="421"), Outcome.WAITING, KNOWN | {Outcome.WAITING: 4}),
        (Blocked("Revoked."), Outcome.WAITING, KNOWN | {Outcome.WAITING: 4}),
        (Refused("Spam.", code="554"), Outcome.POSTED, {Outcome.POSTED: 1, Outcome.REFUSED: 5}),
    ],
)
def test_a_mail_that_breaks_in_the_middle_leaves_an_outcome_for_everybody(
    book: Book,
    error: Exception,
    outcome: Outcome,
    people: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    network = Scripted(capabilities=MAIL, one_by_one=True)
    how = network.configured("sky", on_unknown="hold")
    network.sends.extend(
        [
            lambda person: recipient_outcome(person, "posted"),
            lambda person: recipient_outcome(person, "refused", code="550"),
            lambda person: recipient_outcome(person, "unavailable", code="450"),
            error,
        ]
    )
    published = book.publish("sky", people=PEOPLE[:6])
    attempt(book, network, how)
    receipt = book.receipt(published)
    assert (receipt.outcome, receipt.recipients) == (outcome, people)
    first = len(network.written_to)
    assert "press.example" not in caplog.text + str(receipt.reason)
    book.journal.resume("desk", "sky")
    book.pass_by(5)
    attempt(book, network, how)
    written_again = len(network.written_to) - first
    assert written_again == people.get(Outcome.WAITING, 0)


@given(st.data())
def test_no_recipient_is_ever_forgotten(data: st.DataObject) -> None:
    people = tuple(Recipient(key=f"k{number}") for number in range(data.draw(st.integers(0, 5))))
    keys = st.sampled_from([person.key for person in people] + ["unasked"])
    words = st.sampled_from(["posted", "refused", "unavailable", "unconfirmed", "delivered"])
    steps = data.draw(st.lists(st.builds(lambda key, word: RecipientOutcome(key=key, outcome=word), keys, words)))
    end = data.draw(st.sampled_from([None, Refused("x"), Blocked("x"), Unavailable("x"), Unconfirmed("x"), KeyError()]))
    seen: list[RecipientOutcome] = []

    def outcomes_until_error(_people: Any) -> Iterator[RecipientOutcome]:
        for step in steps:
            seen.append(step)
            yield step
        if end:
            raise end

    network = Scripted(capabilities=MAIL)
    network.sends.append(outcomes_until_error)
    channel: Any = network.open(Book.__new__(Book), None)  # type: ignore[arg-type]  # neither is used
    request = Request(account=network.account, key="0" * 64, body={})
    chunk = Chunk(request=request, claimed=Mock(channel="sky"), breaker=Breaker("sky"), left=deque(people))
    chunk.run([channel])
    assert not chunk.left
    assert {person.key for person in people} == chunk.outcomes.keys()
    end = end if people else None  # no recipient was requested, nothing went wrong
    for outcome in (chunk.outcomes[person.key] for person in people):
        # What an exception leaves behind is not known.
        words_of_his = set() if end else {step.outcome for step in seen if step.key == outcome.key}
        if "posted" in words_of_his:
            assert outcome.outcome == "posted"
        elif words_of_his - {"refused", "unavailable"}:
            assert outcome.outcome == "unconfirmed"
        elif not words_of_his:
            certain = isinstance(end, Refused | Blocked | Unavailable)
            assert outcome.outcome == ("unavailable" if certain else "unconfirmed")
    if end and not isinstance(end, Unconfirmed):
        assert chunk.failure is not None


def test_no_recipient_is_sent_to_twice_in_one_attempt(book: Book) -> None:
    network = Scripted(capabilities=MAIL)
    network.sends.extend(
        [lambda people: iter([recipient_outcome(person, "unavailable", code="450") for person in people])] * 3
    )
    published = book.publish("sky", people=PEOPLE)
    attempt(book, network)
    assert sorted(reached(network)) == sorted(PEOPLE)
    receipt = book.receipt(published)
    assert (receipt.outcome, receipt.recipients) == (Outcome.WAITING, {Outcome.WAITING: 60})
    assert retry_in(book, receipt) == timedelta(seconds=2)
    book.pass_by(2)
    attempt(book, network)
    assert book.receipt(published).recipients == {Outcome.POSTED: 60}


def test_a_mail_that_cannot_be_prepared_is_refused_for_everybody(book: Book) -> None:
    network = Scripted(capabilities=MAIL)
    network.prepares.append(Refused("Too big."))
    published = book.publish("sky", people=PEOPLE[:2])
    attempt(book, network)
    receipt = book.receipt(published)
    assert (receipt.outcome, receipt.recipients) == (Outcome.REFUSED, {Outcome.REFUSED: 2})


def _publish_to_some_who_exist(book: Book, network: Scripted) -> None:
    """Publish to two recipients who do not exist, and to two who are served."""

    def served(people: Sequence[Recipient]) -> Iterator[RecipientOutcome]:
        for one in people:
            gone = one.address in PEOPLE[:2]
            yield recipient_outcome(one, "refused" if gone else "posted", gone=gone)

    network.sends.append(served)
    book.publish("sky", people=PEOPLE[:4])


def test_a_list_that_was_emptied_while_it_waited_is_skipped(book: Book) -> None:
    network = Scripted(capabilities=MAIL)
    _publish_to_some_who_exist(book, network)
    attempt(book, network)
    book.pass_by(86400)
    _publish_to_some_who_exist(book, network)
    second = book.publish("sky", people=PEOPLE[:2])
    attempt(book, network)
    attempt(book, network)
    receipt = book.receipt(second)
    assert (receipt.outcome, receipt.recipients) == (Outcome.SKIPPED, {Outcome.SUPPRESSED: 2})
    assert str(receipt.reason) == "Nobody on this channel's list may be written to."


def test_an_unknown_post_is_not_deleted(book: Book) -> None:
    book.publish("sky")
    claimed = book.claim()
    assert claimed is not None
    lost = replace(claimed, operation=Operation.DELETE, target=None)
    with pytest.raises(Refused, match="not known"):
        attempts(book, Scripted())._prepare(lost)
