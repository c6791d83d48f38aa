"""One delivery, from its claim to its recorded result."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from policenotify.channel import (
    Capabilities,
    Picture,
    PostRef,
    Request,
)
from policenotify.delivery.sender import backoff
from policenotify.errors import (
    Blocked,
    ChannelError,
    JournalError,
    Refused,
    Unavailable,
    Unconfirmed,
)
from policenotify.journal.database import schema
from policenotify.model.history import Outcome
from policenotify.text import Budget
from tests.support.fake_network import (
    KEYED,
    MAIL,
    PLAIN,
    Book,
    Scripted,
    attempt,
    attempts,
    doubted,
    retry_in,
)

HOUR = timedelta(hours=1)
BOTH = replace(KEYED, lookup_delay=timedelta(minutes=1))
PICTURE = Picture(digest="a" * 64, media_type="image/png", width=2, height=1, alt="A road", data=b"\x89PNG road")


def kinds(book: Book) -> list[str]:
    with book.journal.read() as connection:
        return list(connection.execute(select(schema.event.c.kind).order_by(schema.event.c.id)).scalars())


# --- what became of it


def test_a_message_is_journalled_before_it_leaves(book: Book) -> None:
    network, seen = Scripted(), []

    def look(request: Request) -> PostRef:
        with book.journal.read() as connection:
            row = connection.execute(select(schema.delivery)).one()
            seen.append((row.state, row.attempts, Request.read(row.request) == request))
        return network.ref(request)

    network.sends.append(look)
    published = book.publish("sky")
    assert attempt(book, network)
    receipt = book.receipt(published)
    assert seen == [(Outcome.SENDING, 1, True)]
    assert receipt.outcome is Outcome.POSTED
    assert receipt.ref == PostRef(account=network.account, id="post 1#0")
    assert (str(receipt.reason), str(receipt.remedy), receipt.code, receipt.attempts) == ("", "", "", 1)
    assert not attempt(book, network)


@pytest.mark.parametrize(
    ("error", "outcome", "again"),
    [
        (Refused("Too long.", remedy="Shorten it.", code="400"), Outcome.REFUSED, None),
        (Unavailable("Down.", remedy="Wait.", code="503"), Outcome.WAITING, timedelta(seconds=2)),
        (Unconfirmed("Cut.", remedy="Look.", code="504"), Outcome.UNCONFIRMED, timedelta(seconds=2)),
    ],
)
def test_each_failure_has_its_next_state(
    book: Book, error: ChannelError, outcome: Outcome, again: timedelta | None
) -> None:
    published = book.publish("sky")
    network = Scripted()
    network.sends.append(error)
    attempt(book, network)
    receipt = book.receipt(published)
    assert receipt.outcome is outcome
    assert (receipt.reason, receipt.remedy, receipt.code) == (error.reason, error.remedy, error.code)
    assert (receipt.retry_at and retry_in(book, receipt)) == again
    assert book.claim() is None


@pytest.mark.parametrize(
    ("step", "code"),
    [
        (RuntimeError("token=xyz"), "RuntimeError"),
        (lambda _request: "https://…", "TypeError"),
    ],
    ids=["raises", "returns no ref"],
)
def test_any_other_error_of_sending_is_a_doubt(
    book: Book, step: Any, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    published = book.publish("sky")
    network = Scripted()
    network.sends.append(step)
    attempt(book, network)
    receipt = book.receipt(published)
    assert (receipt.outcome, receipt.code) == (Outcome.UNCONFIRMED, code)
    assert "'sky' failed unexpectedly" in str(receipt.reason)
    assert f"{code} escaped" in caplog.text
    assert "xyz" not in caplog.text + str(receipt.reason)


@pytest.mark.parametrize("tells", [True, False])
def test_the_network_requests_a_pause_of_the_account(book: Book, tells: bool) -> None:  # noqa: FBT001 - a parameter
    first, second = book.publish("sky"), book.publish("sky")
    at = book.clock.now() + HOUR if tells else None
    network = Scripted()
    network.sends.append(Unavailable("Slow down.", retry_at=at, whole_channel=True))
    attempt(book, network)
    wait = HOUR if tells else timedelta(seconds=2)
    assert not attempt(book, network)
    book.pass_by(wait.total_seconds() - 1)
    assert not attempt(book, network)
    book.pass_by(1)
    while attempt(book, network):
        pass
    assert {book.receipt(one).outcome for one in (first, second)} == {Outcome.POSTED}


@pytest.mark.parametrize(
    ("retry_at", "wait"),
    [
        (lambda now: now + HOUR, HOUR),
        (lambda now: now - HOUR, timedelta(seconds=2)),
        (lambda now: now.replace(tzinfo=None), timedelta(seconds=2)),
    ],
    ids=["to come", "past", "without a zone"],
)
@pytest.mark.parametrize("error", [Unavailable, Unconfirmed])
def test_the_network_sets_the_time_unless_it_is_past(
    book: Book, error: type[Unavailable | Unconfirmed], retry_at: Any, wait: timedelta
) -> None:
    published = book.publish("sky")
    network = Scripted(capabilities=KEYED)
    network.sends.append(error("Slow down.", retry_at=retry_at(book.clock.now())))
    attempt(book, network)
    assert retry_in(book, book.receipt(published)) == wait


FAILURES = {
    "sending": lambda network: network.sends,
    "preparing": lambda network: network.prepares,
}


@pytest.mark.parametrize("failing", FAILURES)
def test_the_waits_grow_from_failure_to_failure(book: Book, failing: str) -> None:
    published = book.publish("sky")
    network = Scripted()
    FAILURES[failing](network).extend([Unavailable("Down.")] * 4)
    waits = []
    for _ in range(4):
        assert attempt(book, network)
        waits.append(retry_in(book, book.receipt(published)).total_seconds())
        book.pass_by(waits[-1])
    assert waits == [2, 3, 4.5, 6.75]


@pytest.mark.parametrize("failing", FAILURES)
@pytest.mark.parametrize("whole_channel", [False, True], ids=["the post", "the channel"])
def test_time_spent_waiting_behind_others_is_not_a_failure(book: Book, failing: str, *, whole_channel: bool) -> None:
    published = book.publish("sky")
    book.pass_by(HOUR.total_seconds())
    network = Scripted()
    FAILURES[failing](network).append(Unavailable("Busy.", whole_channel=whole_channel))
    attempt(book, network)
    assert retry_in(book, book.receipt(published)) == timedelta(seconds=2)
    assert book.journal.deliveries.due({"sky": None})["sky"] == book.clock.now() + timedelta(seconds=2)


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=1)), st.timedeltas(timedelta(0), 24 * HOUR))
def test_backoff_is_between_two_seconds_and_ten_minutes_and_never_shrinks(one: timedelta, other: timedelta) -> None:
    shorter, longer = sorted((one, other))
    assert timedelta(seconds=2) <= backoff(shorter) <= backoff(longer) <= timedelta(minutes=10)
    assert backoff(shorter) >= min(shorter, timedelta(minutes=10))


# --- the channel is blocked


def test_a_blocked_channel_is_one_alarm_and_goes_on_when_it_is_resumed(
    book: Book, caplog: pytest.LogCaptureFixture
) -> None:
    network = Scripted()
    network.sends.extend([Blocked("The token was revoked.", remedy="Log in again.", code="401")] * 2)
    published = [book.publish("sky") for _ in range(3)]
    held = [book.claim(), book.claim()]  # two threads find out at the same time
    for claimed in held:
        assert claimed is not None
        attempts(book, network).run(claimed)
    assert not attempt(book, network)
    for one in published:
        receipt = book.receipt(one)
        assert receipt.outcome is Outcome.WAITING
        assert (str(receipt.reason), str(receipt.remedy), receipt.code) == (
            "The token was revoked.",
            "Log in again.",
            "401",
        )
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR] == [
        "Channel sky is blocked [401]: nothing more is sent on it until a person acts. What to do: policenotify doctor"
    ]
    assert kinds(book).count("blocked") == 1
    book.journal.resume("desk", "sky")
    while attempt(book, network):
        pass
    assert {book.receipt(one).outcome for one in published} == {Outcome.POSTED}


# --- before anything is sent


@pytest.mark.parametrize(
    ("step", "said", "code"),
    [
        (Unconfirmed("The upload was cut.", remedy="Wait.", code="504"), "The upload was cut.", "504"),
        (Unavailable("Down.", code="503"), "Down.", "503"),
        (JournalError("Another process renews it."), "Another process renews it.", ""),
        (RuntimeError("token=xyz"), "The network of 'sky' failed before anything was sent.", "RuntimeError"),
        (lambda _post: None, "The network of 'sky' failed before anything was sent.", "TypeError"),
    ],
    ids=["doubt", "down", "journal", "raises", "returns nothing"],
)
def test_a_failure_before_sending_is_certainly_unpublished(
    book: Book, step: Any, said: str, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    published = book.publish("sky")
    network = Scripted()
    network.prepares.append(step)
    attempt(book, network)
    receipt = book.receipt(published)
    assert receipt.outcome is Outcome.WAITING
    assert (receipt.reason, receipt.code, receipt.attempts) == (said, code, 0)
    assert retry_in(book, receipt) == timedelta(seconds=2)
    assert "xyz" not in caplog.text
    book.pass_by(2)
    attempt(book, network)
    assert book.receipt(published).outcome is Outcome.POSTED


def test_a_picture_that_is_gone_refuses_the_post(book: Book) -> None:
    published = book.publish("sky", pictures=[PICTURE], keeps_pictures=False)
    network = Scripted()
    attempt(book, network)
    receipt = book.receipt(published)
    assert receipt.outcome is Outcome.REFUSED
    assert PICTURE.digest in str(receipt.reason)
    assert network.prepared == []


def test_a_delivery_without_wording_is_refused(book: Book) -> None:
    published = book.publish("sky", wordless=True)
    attempt(book, Scripted())
    assert book.receipt(published).outcome is Outcome.REFUSED
    assert str(book.receipt(published).reason) == "This delivery has no wording."


def test_an_address_of_another_account_is_refused(book: Book) -> None:
    published = book.publish("sky", account="police34.example")
    network = Scripted(account="police13.example")
    attempt(book, network)
    receipt = book.receipt(published)
    assert receipt.outcome is Outcome.REFUSED
    assert str(receipt.reason) == "It was worded for 'police34.example'; 'sky' is now 'police13.example'."
    assert network.said == []


def test_a_post_possibly_published_under_another_account_is_for_an_operator_to_decide(book: Book) -> None:
    published = doubted(book, Scripted(capabilities=BOTH))
    attempt(book, Scripted(account="police13.example", capabilities=BOTH))
    assert book.receipt(published).outcome is Outcome.HELD


@pytest.mark.parametrize(("people", "capabilities"), [(None, MAIL), (["a@press.example"], PLAIN)])
def test_a_channel_that_became_another_network_cannot_send(
    book: Book, people: list[str] | None, capabilities: Capabilities
) -> None:
    published = book.publish("sky", people=people)
    network = Scripted(capabilities=capabilities)
    attempt(book, network)
    receipt = book.receipt(published)
    assert receipt.outcome is Outcome.REFUSED
    assert "cannot send it" in str(receipt.reason)
    assert receipt.recipients in (None, {Outcome.REFUSED: 1})
    assert network.said == []


# --- once more


def test_a_retry_sends_the_same_bytes_and_prepares_nothing(book: Book) -> None:
    network = Scripted()
    network.sends.append(Unavailable("Down."))
    book.publish("sky")
    attempt(book, network)
    book.pass_by(2)
    attempt(book, network)
    first, second = network.said
    assert first.model_dump_json() == second.model_dump_json()
    assert len(network.prepared) == 1


def opened(book: Book, network: Scripted) -> str:
    """An update whose opening is out."""
    book.publish("sky", incident="I1")
    attempt(book, network)
    return book.publish("sky", incident="I1")


@pytest.mark.parametrize("at", ["prepares", "sends"])
def test_a_refused_reply_is_tried_once_without_a_parent(book: Book, at: str) -> None:
    network = Scripted(capabilities=KEYED)
    update = opened(book, network)
    gone = Refused("The post to answer is gone.", fallback="standalone")
    getattr(network, at).append(gone)
    attempt(book, network)
    attempt(book, network)
    assert [(post.text, [ref.id for ref in answers]) for post, answers in network.prepared[1:]] == [
        ("post 2 reply", ["post 1#0"]),
        ("post 2 alone", []),
    ]
    receipt = book.receipt(update)
    assert (receipt.outcome, receipt.standalone) == (Outcome.POSTED, True)


def test_a_list_that_answers_nothing_any_more_gets_the_wording_that_reads_alone(book: Book) -> None:
    network = Scripted(capabilities=Capabilities(budget=Budget(300), recipients=True, replies=True))
    people = ("a@press.example", "b@press.example")
    book.publish("sky", incident="I1", people=people)
    attempt(book, network)
    update = book.publish("sky", incident="I1", people=people)
    network.prepares.append(Refused("All above is gone.", fallback="standalone"))
    while attempt(book, network):
        pass
    assert [(post.text, len(answers)) for post, answers in network.prepared[1:]] == [
        ("post 2 reply", 1),
        ("post 2 alone", 0),
    ]
    receipt = book.receipt(update)
    assert (receipt.outcome, receipt.standalone) == (Outcome.POSTED, True)
    assert receipt.recipients == {Outcome.POSTED: len(people)}


def test_a_post_refused_without_a_parent_too_is_refused(book: Book) -> None:
    network = Scripted(capabilities=KEYED)
    update = opened(book, network)
    network.sends.extend([Refused("Gone.", fallback="standalone")] * 2)
    attempt(book, network)
    assert attempt(book, network)
    assert book.receipt(update).outcome is Outcome.REFUSED
    assert not attempt(book, network)


def test_a_request_is_prepared_three_times_at_most(book: Book) -> None:
    network = Scripted()
    network.sends.extend([Refused("The key is taken.", fallback="prepare")] * 9)
    published = book.publish("sky")
    tries = 0
    while attempt(book, network):
        tries += 1
    assert tries == 4
    assert [post.variant for post, _ in network.prepared] == [0, 1, 2, 3]
    assert [request.body["variant"] for request in network.said] == [0, 1, 2, 3]
    assert book.receipt(published).outcome is Outcome.REFUSED


def test_a_reply_that_cannot_be_prepared_again_is_tried_alone(book: Book) -> None:
    network = Scripted(capabilities=KEYED)
    update = opened(book, network)
    network.sends.extend([Refused("What it answers is gone.", fallback="prepare")] * 4)
    while attempt(book, network):
        pass
    assert [len(answers) for _, answers in network.prepared[1:]] == [1, 1, 1, 1, 0]
    receipt = book.receipt(update)
    assert (receipt.outcome, receipt.standalone) == (Outcome.POSTED, True)


@pytest.mark.parametrize(("capabilities", "account"), [(PLAIN, "police34.example"), (KEYED, "police13.example")])
def test_only_our_own_posts_are_answered_where_a_network_has_replies(
    book: Book, capabilities: Capabilities, account: str
) -> None:
    network = Scripted(capabilities=capabilities)
    network.sends.append(lambda request: PostRef(account=account, id=request.key))
    update = opened(book, network)
    attempt(book, network)
    assert [(post.text, answers) for post, answers in network.prepared[1:]] == [("post 2 alone", ())]
    # Where nothing is ever answered, standing alone is not worth a remark.
    assert book.receipt(update).standalone is capabilities.replies
