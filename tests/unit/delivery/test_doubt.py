"""A post of which no answer came: it is repeated under its key, looked for, or held."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal

import pytest

from policenotify.channel import (
    Capabilities,
)
from policenotify.errors import (
    Blocked,
    ChannelError,
    MissingExtra,
    Refused,
    Unavailable,
    Unconfirmed,
)
from policenotify.model.cap import Severity
from policenotify.model.channel_settings import BySeverity
from policenotify.model.history import Outcome
from tests.support.fake_network import (
    KEYED,
    PLAIN,
    READABLE,
    Book,
    Scripted,
    attempt,
    attempts,
    claim,
    doubted,
    retry_in,
)
from tests.support.journal import LEASE

BOTH = replace(KEYED, lookup_delay=timedelta(minutes=1))


# --- doubt: the network remembers keys


@pytest.mark.parametrize("capabilities", [KEYED, BOTH])
def test_within_the_idempotency_window_the_same_request_is_sent_again(book: Book, capabilities: Capabilities) -> None:
    network = Scripted(capabilities=capabilities)
    published = doubted(book, network)
    attempt(book, network)
    first, second = network.said
    assert first.model_dump_json() == second.model_dump_json()
    assert (len(network.prepared), network.asked) == (1, [])
    assert book.receipt(published).outcome is Outcome.POSTED


def test_a_key_that_is_forgotten_does_not_count(book: Book) -> None:
    network = Scripted(capabilities=BOTH)
    network.finds.append(network.ref)
    published = doubted(book, network)
    book.pass_by(KEYED.idempotency_window.total_seconds())
    attempt(book, network)
    assert (len(network.said), len(network.asked)) == (1, 1)
    assert book.receipt(published).outcome is Outcome.POSTED


@pytest.mark.parametrize("later", [Unavailable("Down."), Blocked("Revoked."), Unconfirmed("Cut.")])
def test_a_doubt_outlives_a_later_certain_failure(book: Book, later: ChannelError) -> None:
    network = Scripted(capabilities=KEYED)
    published = doubted(book, network)
    network.sends.append(later)
    attempt(book, network)
    assert book.receipt(published).outcome is Outcome.UNCONFIRMED


@pytest.mark.parametrize("how", [{}, {"on_unknown": "resend"}])
def test_a_refusal_proves_nothing_about_an_earlier_attempt(book: Book, how: dict[str, Any]) -> None:
    network = Scripted(capabilities=PLAIN if how else KEYED)
    configured = network.configured("sky", **how)
    published = doubted(book, network, configured)
    network.sends.append(Refused("Not that text.", fallback="prepare"))
    attempt(book, network, configured)
    receipt = book.receipt(published)
    assert receipt.outcome is Outcome.HELD
    assert str(receipt.reason) == "An earlier attempt may be out; now the network refuses it: Not that text."
    assert str(receipt.remedy) == f"Look for it on 'sky', then: policenotify resolve {receipt.delivery}"


# --- doubt: the network can be asked


def test_a_found_post_is_adopted(book: Book) -> None:
    network = Scripted(capabilities=READABLE)
    network.finds.append(network.ref)
    published = doubted(book, network)
    attempt(book, network)
    receipt = book.receipt(published)
    assert (receipt.outcome, receipt.ref) == (Outcome.POSTED, network.ref(network.said[0]))
    assert network.asked == network.said
    assert (len(network.said), str(receipt.reason)) == (1, "")


def test_not_there_is_believed_only_when_the_timeline_has_settled(book: Book) -> None:
    network = Scripted(capabilities=READABLE)
    published = doubted(book, network)
    attempt(book, network)
    receipt = book.receipt(published)
    assert receipt.outcome is Outcome.UNCONFIRMED
    assert retry_in(book, receipt) == timedelta(seconds=60)
    assert "does not show" in str(receipt.reason)
    book.pass_by(59)
    assert book.claim() is None
    book.pass_by(1)
    attempt(book, network)
    assert (len(network.said), len(network.asked)) == (2, 2)
    assert book.receipt(published).outcome is Outcome.POSTED


def test_not_there_is_believed_only_of_two_answers_apart(book: Book) -> None:
    """The first answer may come from a machine without the post, however long ago it was sent."""
    network = Scripted(capabilities=READABLE)
    published = doubted(book, network)
    book.pass_by(3600)
    attempt(book, network)
    assert book.receipt(published).outcome is Outcome.UNCONFIRMED
    assert retry_in(book, book.receipt(published)) == timedelta(seconds=60)
    network.finds.append(network.ref)
    book.pass_by(60)
    attempt(book, network)
    assert book.receipt(published).outcome is Outcome.POSTED
    assert (len(network.asked), len(network.said)) == (2, 1)


def test_a_post_that_appeared_only_after_the_resend_does_not_count(book: Book) -> None:
    network = Scripted(capabilities=READABLE)
    published = doubted(book, network)
    attempt(book, network)
    book.pass_by(60)
    network.sends.append(Unconfirmed("Cut."))
    attempt(book, network)  # not found twice, sent again, and in doubt again
    assert len(network.said) == 2
    book.pass_by(60)
    attempt(book, network)
    assert (book.receipt(published).outcome, len(network.said)) == (Outcome.UNCONFIRMED, 2)
    book.pass_by(60)
    attempt(book, network)
    assert (book.receipt(published).outcome, len(network.said)) == (Outcome.POSTED, 3)


# --- doubt: what is another's


def test_a_look_up_gets_the_earliest_time_and_the_posts_of_others(book: Book) -> None:
    network = Scripted(capabilities=READABLE)
    others = [book.publish("sky"), book.publish("sky", account="police13.example"), book.publish("sea")]
    elsewhere = Scripted(account="police13.example", capabilities=READABLE)
    for there in (network, elsewhere):
        attempt(book, there)
    claimed = book.claim("sea")
    assert claimed is not None
    attempts(book, network).run(claimed)  # the same account, under another name
    book.pass_by(60)
    began = book.clock.now()
    doubted(book, network)
    attempt(book, network)
    ids = [
        ref.id for one in (others[0], others[2]) for ref in [book.publication(one).receipts[0].ref] if ref is not None
    ]
    assert network.known == [frozenset(ids)]
    assert network.since == [began - timedelta(days=1)]


@pytest.mark.parametrize("by", ["looking", "sending"])
@pytest.mark.parametrize("capabilities", [READABLE, BOTH])
def test_a_post_that_is_known_as_anothers_is_never_taken_for_this_one(
    book: Book, capabilities: Capabilities, by: str
) -> None:
    """Also where the network, or who wrote for it, does not mind what is known."""
    network = Scripted(capabilities=capabilities)
    other = book.publish("sky")
    attempt(book, network)
    theirs = book.receipt(other).ref
    if by == "looking":
        published = doubted(book, network)
        book.pass_by(KEYED.idempotency_window.total_seconds())
        network.finds.append(lambda _request: theirs)
    else:
        published = book.publish("sky")
        network.sends.append(lambda _request: theirs)
    attempt(book, network)
    receipt = book.receipt(published)
    assert (receipt.outcome, receipt.ref) == (Outcome.HELD, None)
    assert "the post of another message" in str(receipt.reason)
    assert "resolve" in str(receipt.remedy)


# --- the account has published the very same text


def repeated(book: Book, network: Scripted) -> str:
    published = book.publish("sky", distinct="post 1, told apart")
    network.sends.append(Refused("The very same.", fallback="distinct"))
    return published


def test_a_text_refused_even_when_distinct_is_refused(book: Book) -> None:
    network = Scripted(capabilities=replace(READABLE, refuses_repeats=True))
    published = repeated(book, network)
    network.sends.extend([Refused("The very same.", fallback="distinct")] * 9)
    for _ in range(9):
        attempt(book, network)
        book.pass_by(30)
    assert {str(request.body["text"]) for request in network.said[1:]} == {"post 1, told apart"}
    assert book.receipt(published).outcome is Outcome.REFUSED
    assert len(network.said) <= 4


def test_words_of_an_earlier_attempt_are_looked_for_as_long_as_in_any_doubt(book: Book) -> None:
    """That attempt was thought to be certainly not out."""
    network = Scripted(capabilities=replace(READABLE, refuses_repeats=True))
    network.sends.append(Unavailable("Down."))
    published = repeated(book, network)
    attempt(book, network)
    book.pass_by(2)
    attempt(book, network)
    assert book.receipt(published).outcome is Outcome.UNCONFIRMED
    network.finds.append(network.ref)
    book.pass_by(60)
    attempt(book, network)
    assert (book.receipt(published).outcome, len(network.said)) == (Outcome.POSTED, 2)


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (Unavailable("The timeline cannot be read."), "The timeline cannot be read."),
        (Unconfirmed("The timeline was cut."), "The timeline was cut."),
        (RuntimeError("token=xyz"), "It may or may not be out, and 'sky' could not be asked."),
    ],
    ids=["down", "doubt", "raises"],
)
def test_an_unreadable_timeline_keeps_the_doubt(book: Book, step: Any, said: str) -> None:
    network = Scripted(capabilities=READABLE)
    network.finds.append(step)
    published = doubted(book, network)
    attempt(book, network)
    receipt = book.receipt(published)
    assert (receipt.outcome, receipt.reason) == (Outcome.UNCONFIRMED, said)
    assert retry_in(book, receipt) == timedelta(seconds=3)  # the second failure
    book.pass_by(60)
    attempt(book, network)  # the request is kept: it is looked up twice more, not found, and sent
    book.pass_by(60)
    attempt(book, network)
    assert network.asked[0] == network.asked[1] == network.asked[2] == network.said[1]
    assert len(network.prepared) == 1


@pytest.mark.parametrize("error", [Blocked("Revoked."), MissingExtra("The network 'x'", "x")])
def test_a_question_may_find_the_channel_blocked(book: Book, error: Exception) -> None:
    network = Scripted(capabilities=READABLE)
    network.finds.append(error)
    published = doubted(book, network)
    attempt(book, network)
    assert book.receipt(published).outcome is Outcome.UNCONFIRMED
    assert list(book.journal.channels.blocked()) == ["sky"]


def test_a_post_never_sent_is_not_looked_up(book: Book) -> None:
    network = Scripted(capabilities=READABLE)
    book.publish("sky")
    claimed = book.claim()
    assert claimed is not None
    attempts(book, network).run(replace(claimed, in_doubt=True))
    assert (network.asked, len(network.said)) == ([], 1)


def test_a_refused_post_in_doubt_that_is_found_is_posted(book: Book) -> None:
    network = Scripted(capabilities=BOTH)
    published = doubted(book, network)
    network.sends.append(Refused("A duplicate.", code="403"))
    network.finds.append(network.ref)
    attempt(book, network)
    assert book.receipt(published).outcome is Outcome.POSTED


@pytest.mark.parametrize(("fallback", "said"), [(None, 3), ("prepare", 4)])
def test_a_refused_post_in_doubt_that_is_certainly_absent_is_refused(
    book: Book, fallback: Literal["prepare"] | None, said: int
) -> None:
    network = Scripted(capabilities=BOTH)
    published = doubted(book, network)
    network.sends.extend([Refused("The upload is gone.", fallback=fallback)] * 2)
    book.pass_by(60)
    for _ in range(4):
        while attempt(book, network):
            pass
        book.pass_by(60)
    assert book.receipt(published).outcome is (Outcome.POSTED if fallback else Outcome.REFUSED)
    assert len(network.said) == said


# --- doubt: stale


@pytest.mark.parametrize(
    ("capabilities", "found", "outcome"),
    [
        (BOTH, False, Outcome.SUPERSEDED),
        (BOTH, True, Outcome.POSTED),
        (KEYED, False, Outcome.HELD),
        (PLAIN, False, Outcome.HELD),
    ],
)
def test_a_stale_message_is_not_sent_again(
    book: Book,
    capabilities: Capabilities,
    found: bool,  # noqa: FBT001 - a parameter
    outcome: Outcome,
) -> None:
    network = Scripted(capabilities=capabilities)
    how = network.configured("sky", on_unknown="resend")
    if found:
        network.finds.append(network.ref)
    published = doubted(book, network, how, lives=timedelta(minutes=10))
    book.pass_by(600)
    for _ in range(2):
        attempt(book, network, how)
        book.pass_by(60)
    assert book.receipt(published).outcome is outcome
    assert len(network.said) == 1


# --- doubt without a look-up


@pytest.mark.parametrize("severity", [Severity.SEVERE, Severity.MODERATE])
@pytest.mark.parametrize("policies", [("resend", "hold"), ("hold", "resend")])
def test_the_installation_has_chosen(book: Book, severity: Severity, policies: tuple[Any, Any]) -> None:
    network = Scripted()
    how = network.configured("sky", on_unknown=BySeverity(severe=policies[0], minor=policies[1]))
    published = doubted(book, network, how, severity=severity)
    attempt(book, network, how)
    chosen = policies[0 if severity is Severity.SEVERE else 1]
    receipt = book.receipt(published)
    assert receipt.outcome is (Outcome.POSTED if chosen == "resend" else Outcome.HELD)
    assert len(network.said) == (2 if chosen == "resend" else 1)
    if chosen == "hold":
        assert str(receipt.reason) == "It may or may not be out, and the network cannot be asked."
        assert f"policenotify resolve {receipt.delivery}" in str(receipt.remedy)


# --- a journal that was restored from a copy


def test_a_post_of_after_the_copy_is_found_and_not_repeated(book: Book) -> None:
    """In the copy it was never tried, so it holds no request of it."""
    network = Scripted(capabilities=READABLE)
    began = book.clock.now()
    published = book.publish("sky")
    book.pass_by(60)
    assert book.journal.mark_restored("adm") == 1
    assert book.receipt(published).outcome is Outcome.UNCONFIRMED
    network.finds.append(network.ref)
    attempt(book, network)
    assert book.receipt(published).outcome is Outcome.POSTED
    assert (len(network.asked), len(network.said)) == (1, 0)
    assert network.since == [began - timedelta(days=1)]


def test_what_was_not_sent_after_the_copy_goes_out_after_two_look_ups(book: Book) -> None:
    network = Scripted(capabilities=READABLE)
    published = book.publish("sky")
    book.journal.mark_restored("adm")
    attempt(book, network)
    assert book.receipt(published).outcome is Outcome.UNCONFIRMED
    assert not network.said
    book.pass_by(60)
    attempt(book, network)
    assert book.receipt(published).outcome is Outcome.POSTED
    assert (len(network.asked), len(network.said)) == (2, 1)


def test_a_network_that_knows_the_key_gets_it_again_at_once(book: Book) -> None:
    network = Scripted(capabilities=KEYED)
    published = book.publish("sky")
    book.journal.mark_restored("adm")
    attempt(book, network)
    assert book.receipt(published).outcome is Outcome.POSTED
    assert len(network.said) == 1


@pytest.mark.parametrize(("on_unknown", "outcome"), [("hold", Outcome.HELD), ("resend", Outcome.POSTED)])
def test_where_nothing_can_be_asked_the_documented_choice_is_made(
    book: Book, on_unknown: Literal["resend", "hold"], outcome: Outcome
) -> None:
    network = Scripted(capabilities=PLAIN)
    published = book.publish("sky")
    book.journal.mark_restored("adm")
    attempt(book, network, network.configured("sky", on_unknown=on_unknown))
    assert book.receipt(published).outcome is outcome
    assert len(network.said) == (on_unknown == "resend")


def test_a_doubt_outlives_a_process_that_ends_before_its_own_attempt(book: Book) -> None:
    network = Scripted()
    published = doubted(book, network)
    claim(book)  # and this process ends before its attempt
    book.pass_by(LEASE.total_seconds())
    book.journal.deliveries.recover()
    assert attempt(book, network)
    assert (len(network.said), book.receipt(published).outcome) == (1, Outcome.HELD)
