"""One delivery, from its claim to its recorded result."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from policenotify.channel import (
    CHUNK,
    Capabilities,
    ChannelConfig,
    Operation,
    Picture,
    PostRef,
    Recipient,
    RecipientOutcome,
    Request,
)
from policenotify.delivery.attempt import DeliveryAttempt
from policenotify.delivery.batch import Breaker, Chunk
from policenotify.delivery.sender import Lease, backoff
from policenotify.errors import (
    Blocked,
    ChannelError,
    JournalError,
    LostLease,
    MissingExtra,
    Refused,
    Unavailable,
    Unconfirmed,
)
from policenotify.journal import channels
from policenotify.journal.database import schema
from policenotify.journal.records import AttemptResult, ClaimedDelivery, microseconds
from policenotify.model.cap import Severity
from policenotify.model.channel_settings import BySeverity
from policenotify.model.history import Outcome
from policenotify.model.rate import Rate
from policenotify.model.receipt import Receipt
from policenotify.testing.fakes import FakeClock
from tests.support.fake_network import KEYED, LEASE, MAIL, PLAIN, READABLE, Book, Scripted, everybody

HOUR = timedelta(hours=1)
BOTH = replace(KEYED, lookup_delay=timedelta(minutes=1))
PICTURE = Picture(digest="a" * 64, media_type="image/png", width=2, height=1, alt="A road", data=b"\x89PNG road")


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    opened = Book(tmp_path)
    yield opened
    opened.journal.close()


def attempts(book: Book, network: Scripted, how: ChannelConfig | None = None) -> DeliveryAttempt:
    how = how or network.configured("sky")
    channel = network.open(book.clock, book.journal.channels.state_store("sky"))
    return DeliveryAttempt(journal=book.journal, channel=channel, config=how, clock=book.clock, lease=LEASE)


def attempt(book: Book, network: Scripted, how: ChannelConfig | None = None) -> bool:
    """Make the next attempt on the channel, if something is due there."""
    claimed = book.claim()
    if claimed is not None:
        attempts(book, network, how).run(claimed)
    return claimed is not None


def doubted(book: Book, network: Scripted, how: ChannelConfig | None = None, **publication: Any) -> str:
    """Return a publication whose first attempt timed out, and whose next one is due at once."""
    published = book.publish("sky", **publication)
    network.sends.append(Unconfirmed("No answer came."))
    assert attempt(book, network, how)
    assert book.receipt(published).outcome is Outcome.UNCONFIRMED
    book.pass_by(2)
    return published


def kinds(book: Book) -> list[str]:
    with book.journal.read() as connection:
        return list(connection.execute(select(schema.event.c.kind).order_by(schema.event.c.id)).scalars())


def retry_in(book: Book, receipt: Receipt) -> timedelta:
    assert receipt.retry_at is not None
    return receipt.retry_at - book.clock.now()


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


_FOUND_OUT = "Nothing: it is looked for, and sent again only if it is not there."


@pytest.mark.parametrize(
    ("error", "capabilities", "policy", "then"),
    [
        (Unavailable("Down."), PLAIN, "hold", "It will be tried again."),
        (Unconfirmed("Cut."), KEYED, "hold", "Nothing: it is looked for, and sent again only if it is not there."),
        (
            Unconfirmed("Cut."),
            READABLE,
            "hold",
            "Nothing: it is looked for, and sent again only if it is not there.",
        ),
        (Unconfirmed("Cut."), PLAIN, "hold", "It will be held until a person has looked for it."),
        (Unconfirmed("Cut."), PLAIN, "resend", "It will be sent again."),
    ],
)
def test_where_the_network_has_no_reason_the_next_step_is_reported(
    book: Book, error: ChannelError, capabilities: Capabilities, policy: Literal["hold", "resend"], then: str
) -> None:
    network = Scripted(capabilities=capabilities)
    network.sends.append(error)
    published = book.publish("sky")
    assert attempt(book, network, network.configured("sky", on_unknown=policy))
    receipt = book.receipt(published)
    assert (receipt.reason, receipt.remedy) == (error.reason, then)


@pytest.mark.parametrize(
    ("step", "code"),
    [
        (RuntimeError("token=xyz"), "RuntimeError"),
        (lambda _request: None, "TypeError"),
        (lambda _request: "https://…", "TypeError"),
    ],
    ids=["raises", "returns nothing", "returns no ref"],
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


def test_the_network_sets_the_time(book: Book) -> None:
    first, second = book.publish("sky"), book.publish("sky")
    network = Scripted()
    network.sends.append(Unavailable("Slow down.", retry_at=book.clock.now() + HOUR))
    attempt(book, network)
    assert retry_in(book, book.receipt(first)) == HOUR
    attempt(book, network)
    assert book.receipt(second).outcome is Outcome.POSTED


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


@pytest.mark.parametrize("retry_at", ["past", "naive"])
def test_a_time_in_the_past_is_not_a_reason_to_retry_at_once(book: Book, retry_at: str) -> None:
    now = book.clock.now()
    at = now - HOUR if retry_at == "past" else now.replace(tzinfo=None)
    published = book.publish("sky")
    network = Scripted()
    network.sends.append(Unavailable("Slow down.", retry_at=at))
    attempt(book, network)
    assert retry_in(book, book.receipt(published)) == timedelta(seconds=2)


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
    assert book.journal.deliveries.due(["sky"])["sky"] == book.clock.now() + timedelta(seconds=2)


def test_an_account_under_a_long_rate_limit_is_called_less_and_less(book: Book) -> None:
    """Of all that waits one post is tried at the end of each pause, and what is urgent is the next one."""
    published = [book.publish("sky") for _ in range(20)]
    network = Scripted()
    network.sends.extend([Unavailable("Too many requests.", whole_channel=True)] * 100)
    book.pass_by(HOUR.total_seconds())
    pauses: list[float] = []
    while sum(pauses) < HOUR.total_seconds():
        assert attempt(book, network)
        assert not attempt(book, network)
        pauses.append((book.journal.deliveries.due(["sky"])["sky"] - book.clock.now()).total_seconds())
        book.pass_by(pauses[-1])
    assert pauses == sorted(pauses)
    assert len(pauses) <= 20
    network.sends.clear()
    urgent = book.publish("sky", severity=Severity.EXTREME)
    for one in (urgent, *published):
        assert attempt(book, network)
        assert book.receipt(one).outcome is Outcome.POSTED


def test_time_without_a_worker_is_not_a_failure(book: Book) -> None:
    published = book.publish("sky")
    network = Scripted()
    network.sends.extend([Unavailable("Down.")] * 2)
    attempt(book, network)
    book.pass_by(5 * HOUR.total_seconds())
    attempt(book, network)
    assert retry_in(book, book.receipt(published)) == timedelta(seconds=3)


@pytest.mark.parametrize("between", ["a time of the network's", "the rate is reached"])
def test_a_wait_set_by_the_network_does_not_grow(book: Book, between: str) -> None:
    published = book.publish("sky")
    network = Scripted()
    network.sends.append(Unavailable("Down."))
    attempt(book, network)
    book.pass_by(2)
    if between == "the rate is reached":
        claimed = book.claim()
        assert claimed is not None
        how = network.configured("sky", rate=Rate(1, HOUR))
        with book.journal.write() as connection:  # another process has just sent something
            channels.take_slot(connection, "sky", Rate(1, HOUR), microseconds(book.clock.now()))
        attempts(book, network, how).run(claimed)
        assert "rate" in str(book.receipt(published).reason)
    else:
        network.sends.append(Unavailable("Slow down.", retry_at=book.clock.now() + HOUR))
        attempt(book, network)
        assert retry_in(book, book.receipt(published)) == HOUR
    book.pass_by(HOUR.total_seconds())
    network.sends.append(Unavailable("Down."))
    attempt(book, network)
    assert retry_in(book, book.receipt(published)) == timedelta(seconds=3)


def test_a_network_in_doubt_that_names_a_time_is_not_asked_before(book: Book) -> None:
    network = Scripted(capabilities=KEYED)
    network.sends.append(Unconfirmed("Overloaded.", retry_at=book.clock.now() + HOUR))
    published = book.publish("sky")
    attempt(book, network)
    receipt = book.receipt(published)
    assert (receipt.outcome, retry_in(book, receipt)) == (Outcome.UNCONFIRMED, HOUR)


def test_a_list_that_goes_on_is_not_failing(book: Book) -> None:
    """A server that takes some and then asks for a pause, again and again, is not waited for longer each time."""
    published = book.publish("sky", people=[f"p{number}@x.example" for number in range(4)])
    book.pass_by(HOUR.total_seconds())
    network = Scripted(capabilities=MAIL, one_by_one=True)
    network.sends.extend([lambda person: recipient_outcome(person, "posted"), Unavailable("Too many mails.")] * 3)
    waits = []
    for _ in range(3):
        attempt(book, network)
        waits.append(retry_in(book, book.receipt(published)))
        book.pass_by(waits[-1].total_seconds())
    assert waits == [timedelta(seconds=2)] * 3


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


def test_a_library_that_is_not_there_blocks_the_channel_and_is_named(book: Book) -> None:
    published = book.publish("sky")
    network = Scripted()
    network.prepares.append(MissingExtra("The network 'bluesky'", "bluesky"))
    attempt(book, network)
    receipt = book.receipt(published)
    assert receipt.outcome is Outcome.WAITING
    assert "policenotify[bluesky]" in str(receipt.reason)
    assert str(receipt.remedy) == "Then: policenotify doctor"
    assert not attempt(book, network)


def test_the_channel_gets_the_pictures_with_their_bytes(book: Book) -> None:
    network = Scripted()
    published = book.publish("sky", pictures=[PICTURE])
    attempt(book, network)
    [(post, _)] = network.prepared
    assert post.pictures == (PICTURE,)
    assert post.pictures[0].data == PICTURE.data
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


def test_standing_alone_is_nothing_to_remark_on_where_nothing_is_ever_answered(book: Book) -> None:
    network = Scripted(capabilities=PLAIN)
    update = opened(book, network)
    attempt(book, network)
    assert network.prepared[-1][1] == ()
    receipt = book.receipt(update)
    assert (receipt.outcome, receipt.standalone) == (Outcome.POSTED, False)


def test_a_post_refused_without_a_parent_too_is_refused(book: Book) -> None:
    network = Scripted(capabilities=KEYED)
    update = opened(book, network)
    network.sends.extend([Refused("Gone.", fallback="standalone")] * 2)
    attempt(book, network)
    assert attempt(book, network)
    assert book.receipt(update).outcome is Outcome.REFUSED
    assert not attempt(book, network)


def test_a_second_language_whose_first_post_is_deleted_is_published_without_a_parent(book: Book) -> None:
    network = Scripted(capabilities=KEYED)
    published = book.publish("sky", languages=["fr", "en"])
    attempt(book, network)
    network.sends.append(Refused("Gone.", fallback="standalone"))
    attempt(book, network)
    attempt(book, network)
    assert [(post.text, len(answers)) for post, answers in network.prepared] == [
        ("post 1", 0),
        ("post 1 en", 1),
        ("post 1 en", 0),
    ]
    assert [receipt.outcome for receipt in book.publication(published)] == [Outcome.POSTED, Outcome.POSTED]


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


def test_a_reply_prepared_again_still_replies(book: Book) -> None:
    network = Scripted(capabilities=KEYED)
    opened(book, network)
    network.sends.append(Refused("The key is taken.", fallback="prepare"))
    attempt(book, network)
    attempt(book, network)
    assert [len(answers) for _, answers in network.prepared] == [0, 1, 1]


def test_a_network_without_replies_gets_no_answers(book: Book) -> None:
    network = Scripted(capabilities=PLAIN)
    opened(book, network)
    attempt(book, network)
    assert [(post.text, answers) for post, answers in network.prepared[1:]] == [("post 2 alone", ())]


def test_only_our_own_posts_are_answered(book: Book) -> None:
    network = Scripted(capabilities=KEYED)
    network.sends.append(lambda request: PostRef(account="police13.example", id=request.key))
    opened(book, network)
    attempt(book, network)
    assert [(post.text, answers) for post, answers in network.prepared[1:]] == [("post 2 alone", ())]


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


def test_a_network_that_gives_all_posts_one_name_takes_none_for_anothers(book: Book) -> None:
    """A network without look-up and idempotency keys finds no earlier post."""
    network = Scripted(capabilities=PLAIN)
    both = [book.publish("sky"), book.publish("sky")]
    for _ in both:
        network.sends.append(lambda _request: PostRef(account=network.account, id="ok"))
        attempt(book, network)
    assert {book.receipt(one).outcome for one in both} == {Outcome.POSTED}


# --- the account has published the very same text


def repeated(book: Book, network: Scripted) -> str:
    published = book.publish("sky", distinct="post 1, told apart")
    network.sends.append(Refused("The very same.", fallback="distinct"))
    return published


def test_a_repeated_text_is_made_distinct_once(book: Book) -> None:
    network = Scripted(capabilities=replace(READABLE, refuses_repeats=True))
    published = repeated(book, network)
    attempt(book, network)
    attempt(book, network)
    assert [request.body["text"] for request in network.said] == ["post 1", "post 1, told apart"]
    assert book.receipt(published).outcome is Outcome.POSTED


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


def test_words_that_an_earlier_attempt_has_brought_out_are_found(book: Book) -> None:
    network = Scripted(capabilities=replace(READABLE, refuses_repeats=True))
    published = repeated(book, network)
    network.finds.append(network.ref)
    attempt(book, network)
    assert (book.receipt(published).outcome, len(network.said)) == (Outcome.POSTED, 1)


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


@pytest.mark.parametrize("step", [Unavailable("Not to be read."), RuntimeError("token=xyz")])
def test_a_text_whose_owner_cannot_be_looked_up_stays_in_doubt(book: Book, step: Exception) -> None:
    network = Scripted(capabilities=replace(READABLE, refuses_repeats=True))
    published = repeated(book, network)
    network.finds.append(step)
    attempt(book, network)
    assert book.receipt(published).outcome is Outcome.UNCONFIRMED


def test_a_network_that_takes_repeats_gets_no_distinct_text(book: Book) -> None:
    network = Scripted(capabilities=READABLE)
    published = book.publish("sky", distinct="post 1, told apart")
    network.sends.append(Refused("The upload is gone.", fallback="prepare"))
    attempt(book, network)
    attempt(book, network)
    assert [request.body["text"] for request in network.said] == ["post 1", "post 1"]
    assert book.receipt(published).outcome is Outcome.POSTED


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (Unavailable("The timeline cannot be read."), "The timeline cannot be read."),
        (Unconfirmed("The timeline was cut."), "The timeline was cut."),
        (Refused("Not that account.", fallback="prepare"), "Not that account."),
        (RuntimeError("token=xyz"), "It may or may not be out, and 'sky' could not be asked."),
        (lambda _request: "https://…", "It may or may not be out, and 'sky' could not be asked."),
    ],
    ids=["down", "doubt", "refuses", "raises", "returns no ref"],
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


def test_once_it_is_certainly_not_there_the_doubt_is_over(book: Book) -> None:
    network = Scripted(capabilities=READABLE)
    published = doubted(book, network)
    network.sends.append(Unavailable("Down."))
    attempt(book, network)
    book.pass_by(60)
    attempt(book, network)
    assert book.receipt(published).outcome is Outcome.WAITING
    book.pass_by(60)
    attempt(book, network)
    assert (len(network.asked), len(network.said)) == (2, 3)


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


@pytest.mark.parametrize("unreadable", [0, 2])
def test_a_refusal_in_doubt_comes_to_an_end(book: Book, unreadable: int) -> None:
    network = Scripted(capabilities=BOTH)
    published = doubted(book, network)
    network.sends.extend([Refused("Not that text.")] * 9)
    network.finds.extend([Unavailable("Cannot be read.")] * unreadable)
    for _ in range(9):
        if attempt(book, network):
            continue
        receipt = book.receipt(published)
        if receipt.outcome.is_final:
            break
        book.pass_by(retry_in(book, receipt).total_seconds())
    assert book.receipt(published).outcome is Outcome.REFUSED
    assert len(network.said) <= 3 + unreadable


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


def test_a_held_delivery_does_not_delay_the_next(book: Book) -> None:
    network = Scripted()
    doubted(book, network, incident="I1")
    update = book.publish("sky", incident="I1")
    attempt(book, network)
    attempt(book, network)
    assert book.receipt(update).outcome is Outcome.POSTED


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


# --- many people

PEOPLE = tuple(f"{number:02d}@press.example" for number in range(60))
Telling = Callable[[tuple[Recipient, ...]], Iterator[RecipientOutcome]]


def recipient_outcome(recipient: Recipient, outcome: Any, **more: Any) -> RecipientOutcome:
    return RecipientOutcome(key=recipient.key, outcome=outcome, **more)


def reached(network: Scripted) -> list[str]:
    return [address for chunk in network.written_to for address in chunk]


def test_recipients_are_sent_to_in_chunks_and_the_thread_may_end_before_each(book: Book) -> None:
    network, signs = Scripted(capabilities=MAIL), []
    published = book.publish("sky", people=PEOPLE)
    claimed = book.claim()
    assert claimed is not None

    def may_go_on() -> bool:
        signs.append(len(network.written_to))
        return True

    replace(attempts(book, network), may_go_on=may_go_on).run(claimed)
    assert {0, 1, 2, 3} == set(signs)  # before each call
    assert [len(chunk) for chunk in network.written_to] == [CHUNK, CHUNK, 10]
    assert sorted(reached(network)) == sorted(PEOPLE)
    receipt = book.receipt(published)
    assert (receipt.outcome, receipt.recipients) == (Outcome.POSTED, {Outcome.POSTED: 60})
    assert receipt.ref == PostRef(account=network.account, id=network.said[0].key)


KNOWN = {Outcome.POSTED: 1, Outcome.REFUSED: 1, Outcome.WAITING: 1}


@pytest.mark.parametrize("hold", [True, False])
@pytest.mark.parametrize(
    ("error", "outcome", "people"),
    [
        (RuntimeError("a@press.example"), Outcome.WAITING, KNOWN | {Outcome.WAITING: 3, "doubt": 1}),
        (Unconfirmed("Cut."), Outcome.WAITING, KNOWN | {Outcome.POSTED: 3, "doubt": 1}),
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
    hold: bool,  # noqa: FBT001 - a parameter
    caplog: pytest.LogCaptureFixture,
) -> None:
    network = Scripted(capabilities=MAIL, one_by_one=True)
    how = network.configured("sky", on_unknown="hold" if hold else "resend")
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
    people = {
        (Outcome.HELD if hold else Outcome.UNCONFIRMED) if name == "doubt" else name: people[name] for name in people
    }
    assert (receipt.outcome, receipt.recipients) == (outcome, people)
    first = len(network.written_to)
    assert "press.example" not in caplog.text + str(receipt.reason)
    book.journal.resume("desk", "sky")
    book.pass_by(5)
    attempt(book, network, how)
    written_again = len(network.written_to) - first
    assert written_again == people.get(Outcome.WAITING, 0) + people.get(Outcome.UNCONFIRMED, 0)


@pytest.mark.parametrize(
    ("outcomes_until_error", "people"),
    [
        (lambda people: everybody(people[1:]), {Outcome.POSTED: 2, Outcome.HELD: 1}),
        (
            lambda people: iter([*everybody(people), recipient_outcome(Recipient(key="unasked"), "refused")]),
            {Outcome.POSTED: 3},
        ),
        (lambda people: iter([*everybody(people), recipient_outcome(people[0], "unavailable")]), {Outcome.POSTED: 3}),
        (lambda people: iter([recipient_outcome(people[0], "unavailable"), *everybody(people)]), {Outcome.POSTED: 3}),
        (
            lambda people: iter(
                [
                    recipient_outcome(people[0], "unconfirmed"),
                    recipient_outcome(people[0], "refused"),
                    *everybody(people[1:]),
                ]
            ),
            {Outcome.POSTED: 2, Outcome.HELD: 1},
        ),
        (
            lambda people: iter([recipient_outcome(people[0], "delivered"), *everybody(people[1:])]),
            {Outcome.POSTED: 2, Outcome.HELD: 1},
        ),
        (lambda people: iter([*everybody(people[:1]), None]), {Outcome.POSTED: 1, Outcome.HELD: 2}),
        (lambda _people: None, {Outcome.HELD: 3}),
    ],
    ids=["forgets one", "knows one more", "twice", "better at last", "doubt stays", "odd word", "nothing", "no answer"],
)
def test_a_careless_network_does_not_confuse_the_journal(
    book: Book, outcomes_until_error: Any, people: dict[Outcome, int]
) -> None:
    network = Scripted(capabilities=MAIL)
    network.sends.append(outcomes_until_error)
    published = book.publish("sky", people=PEOPLE[:3])
    attempt(book, network)
    assert book.receipt(published).recipients == people


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
    lease = Lease(claimed=Mock(channel="sky"), clock=FakeClock(), length=LEASE, renewed_at=0)
    chunk = Chunk(request=request, lease=lease, breaker=Breaker("sky"), left=deque(people))
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


def test_a_stop_in_the_middle_leaves_the_others_waiting(book: Book) -> None:
    network = Scripted(capabilities=MAIL)

    def stop(people: tuple[Recipient, ...]) -> Iterator[RecipientOutcome]:
        book.journal.stop("cne Roux")
        return everybody(people)

    network.sends.append(stop)
    published = book.publish("sky", people=PEOPLE)
    attempt(book, network)
    receipt = book.receipt(published)
    assert (receipt.outcome, receipt.recipients) == (Outcome.WAITING, {Outcome.POSTED: 25, Outcome.WAITING: 35})
    book.journal.resume("cne Roux")
    book.pass_by(2)
    attempt(book, network)
    assert book.receipt(published).recipients == {Outcome.POSTED: 60}
    assert sorted(reached(network)) == sorted(PEOPLE)


@pytest.mark.parametrize("hold", [True, False])
def test_a_process_taken_over_in_the_middle_of_a_mail_sends_to_no_further_recipient(
    book: Book,
    hold: bool,  # noqa: FBT001 - a parameter
) -> None:
    network = Scripted(capabilities=MAIL)
    how = network.configured("sky", on_unknown="hold" if hold else "resend")
    others: list[ClaimedDelivery] = []

    def slow(people: tuple[Recipient, ...]) -> Iterator[RecipientOutcome]:
        others.append(taken_over(book))
        return everybody(people)

    network.sends.extend([everybody, slow])
    published = book.publish("sky", people=PEOPLE)
    with pytest.raises(LostLease):
        attempt(book, network, how)
    assert len(reached(network)) == 2 * CHUNK  # a network that takes all at once asks for all at once
    attempts(book, network, how).run(others[0])
    again = [address for address in PEOPLE if reached(network).count(address) > 1]
    receipt = book.receipt(published)
    if hold:
        assert (again, receipt.recipients) == ([], {Outcome.POSTED: 35, Outcome.HELD: 25})
    else:
        assert (len(again), receipt.recipients) == (CHUNK, {Outcome.POSTED: 60})


def test_an_update_by_mail_hangs_in_the_thread_of_its_opening(book: Book) -> None:
    network = Scripted(capabilities=MAIL)
    opening = book.publish("sky", incident="I1", people=PEOPLE[:2])
    attempt(book, network)
    book.publish("sky", incident="I1", people=PEOPLE[:2])
    attempt(book, network)
    [(_, nothing), (post, answers)] = network.prepared
    assert (nothing, post.text) == ((), "post 2 reply")
    assert answers == (book.receipt(opening).ref,)


def test_a_mail_that_cannot_be_prepared_is_refused_for_everybody(book: Book) -> None:
    network = Scripted(capabilities=MAIL)
    network.prepares.append(Refused("Too big."))
    published = book.publish("sky", people=PEOPLE[:2])
    attempt(book, network)
    receipt = book.receipt(published)
    assert (receipt.outcome, receipt.recipients) == (Outcome.REFUSED, {Outcome.REFUSED: 2})


def test_a_list_of_unsubscribed_recipients_is_skipped(book: Book) -> None:
    network = Scripted(capabilities=MAIL)
    for _ in range(2):
        _publish_to_some_who_exist(book, network)
        attempt(book, network)
        book.pass_by(86400)
    second = book.publish("sky", people=PEOPLE[:2])
    assert not attempt(book, network)
    receipt = book.receipt(second)
    assert (receipt.outcome, receipt.recipients) == (Outcome.SKIPPED, {Outcome.SUPPRESSED: 2})
    assert not receipt.ok


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


def test_settlements_are_for_one_attempt_only(book: Book) -> None:
    network = Scripted()
    published = book.publish("sky")
    claimed = book.claim()
    assert claimed is not None
    attempts(book, network).run(claimed)
    with pytest.raises(LostLease):
        book.journal.deliveries.record_result(claimed, AttemptResult(outcome=Outcome.REFUSED))
    assert book.receipt(published).outcome is Outcome.POSTED


def test_an_unknown_post_is_not_deleted(book: Book) -> None:
    book.publish("sky")
    claimed = book.claim()
    assert claimed is not None
    lost = replace(claimed, operation=Operation.DELETE, target=None)
    with pytest.raises(Refused, match="not known"):
        attempts(book, Scripted())._prepare(lost)
