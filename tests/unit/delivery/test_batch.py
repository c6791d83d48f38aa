"""Batches are cut between recipients, marked and settled by chunks, and never sent without the lease."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from policenotify.channel import ChannelConfig, Recipient, RecipientOutcome
from policenotify.delivery.attempt import DeliveryAttempt
from policenotify.delivery.batch import CHUNK
from policenotify.errors import LostLease, Refused, Unconfirmed
from policenotify.journal import leases
from policenotify.journal.database import schema
from policenotify.journal.leases import this_machine, this_process
from policenotify.journal.records import ClaimedDelivery
from policenotify.model.history import Outcome
from policenotify.model.rate import Rate
from policenotify.transport import before_publishing
from tests.support.fake_network import LEASE, MAIL, PLAIN, READABLE, Book, Scripted, everybody

PEOPLE = tuple(f"{number:02d}@press.example" for number in range(60))


class KilledError(BaseException):
    """The process ends here."""


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    opened = Book(tmp_path)
    yield opened
    opened.journal.close()


def list_network(**more: Any) -> Scripted:
    return Scripted(capabilities=MAIL, one_by_one=True, **more)


def attempts(book: Book, network: Scripted, how: ChannelConfig | None = None, **more: Any) -> DeliveryAttempt:
    channel = network.open(book.clock, book.journal.channels.state_store("sky"))
    return DeliveryAttempt(
        journal=book.journal,
        channel=channel,
        config=how or network.configured("sky"),
        clock=book.clock,
        lease=LEASE,
        **more,
    )


def claim(book: Book, name: str = "") -> ClaimedDelivery:
    claimed = book.claim(owner=name)
    assert claimed is not None
    return claimed


def until(network: Scripted, count: int) -> Any:
    """Let a list go on until so many people were asked."""
    return lambda: len(network.written_to) < count


def asked(network: Scripted) -> list[str]:
    return [address for (address,) in network.written_to]


# --- cut between people


@pytest.mark.parametrize("on_unknown", ["resend", "hold"])
@pytest.mark.parametrize("cut", [0, 1, 24, 25, 26, 59])
def test_a_list_that_is_cut_goes_on_with_the_next_person(book: Book, on_unknown: Any, cut: int) -> None:
    network = list_network()
    how = network.configured("sky", on_unknown=on_unknown)
    published = book.publish("sky", people=PEOPLE)
    attempts(book, network, how, may_go_on=until(network, cut)).run(claim(book))
    receipt = book.receipt(published)
    counts = {Outcome.POSTED: cut, Outcome.WAITING: len(PEOPLE) - cut}
    assert (receipt.outcome, receipt.recipients) == (Outcome.WAITING, {name: n for name, n in counts.items() if n})
    assert "between two people" in receipt.reason
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


def test_a_receipt_in_the_middle_of_a_list_shows_who_is_marked(book: Book) -> None:
    network = list_network()
    published = book.publish("sky", people=PEOPLE)
    seen: list[Any] = []

    def look(person: Recipient) -> RecipientOutcome:
        receipt = book.receipt(published)
        seen.append((receipt.outcome, receipt.recipients))
        return RecipientOutcome(key=person.key, outcome="posted")

    network.sends.extend([look] * (CHUNK + 1))
    attempts(book, network).run(claim(book))
    marked = {Outcome.SENDING: CHUNK, Outcome.WAITING: 60 - CHUNK}
    assert seen[0] == seen[CHUNK - 1] == (Outcome.SENDING, marked)
    assert seen[CHUNK][1] == {Outcome.POSTED: CHUNK, Outcome.SENDING: CHUNK, Outcome.WAITING: 60 - 2 * CHUNK}


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
    _dead(monkeypatch)
    assert book.journal.deliveries.recover() == 1
    assert book.receipt(published).recipients == {Outcome.POSTED: 25, Outcome.UNCONFIRMED: 25, Outcome.WAITING: 10}
    attempts(book, network, how).run(claim(book))
    again = {address for address in PEOPLE if asked(network).count(address) > 1}
    assert again == (set(asked(network)[CHUNK:31]) if on_unknown == "resend" else set())
    held = {Outcome.HELD: CHUNK} if on_unknown == "hold" else {}
    assert book.receipt(published).recipients == {Outcome.POSTED: 60 - sum(held.values()), **held}


def test_a_network_that_leaves_people_untaken_leaves_them_waiting(book: Book) -> None:
    network = Scripted(capabilities=MAIL)
    channel: Any = network.open(book.clock, book.journal.channels.state_store("sky"))

    def first_only(_request: Any, recipients: Any) -> Iterator[RecipientOutcome]:
        yield RecipientOutcome(key=next(iter(recipients)).key, outcome="posted")

    channel.send_each = first_only
    published = book.publish("sky", people=PEOPLE[:3])
    how = network.configured("sky")
    DeliveryAttempt(journal=book.journal, channel=channel, config=how, clock=book.clock, lease=LEASE).run(claim(book))
    assert book.receipt(published).recipients == {Outcome.POSTED: 1, Outcome.WAITING: 2}


# --- a network that looks ahead


def looking_ahead(*steps: Any, ahead: int = 2) -> tuple[Any, list[str]]:
    """A network's `send_each` that takes *ahead* people more than it has sent to, and the addresses it has sent to."""
    written: list[str] = []
    left = list(steps)

    def send_each(_request: Any, recipients: Any) -> Iterator[RecipientOutcome]:
        people, taken = iter(recipients), list[Recipient]()
        while True:
            taken += itertools.islice(people, ahead + 1 - len(taken))
            if not taken:
                return
            person = taken.pop(0)
            before_publishing(person.key)
            written.append(person.address)
            step = left.pop(0) if left else None
            if step is not None:
                step(person)
            yield RecipientOutcome(key=person.key, outcome="posted")

    return send_each, written


def ahead_of(book: Book, network: Scripted, send_each: Any, **more: Any) -> DeliveryAttempt:
    attempt = attempts(book, network, **more)
    attempt.channel.send_each = send_each  # type: ignore[attr-defined] # on a network of the tests
    return attempt


AHEAD = replace(MAIL, looks_ahead=True)


@pytest.mark.parametrize("ahead", [0, 1, 7, 30])
def test_a_network_that_looks_ahead_reaches_everybody_once(book: Book, ahead: int) -> None:
    send_each, written = looking_ahead(ahead=ahead)
    published = book.publish("sky", people=PEOPLE)
    ahead_of(book, Scripted(capabilities=AHEAD), send_each).run(claim(book))
    assert sorted(written) == sorted(PEOPLE)
    assert book.receipt(published).recipients == {Outcome.POSTED: len(PEOPLE)}


def test_people_that_were_only_taken_ahead_wait_when_a_list_is_cut(book: Book) -> None:
    send_each, written = looking_ahead()
    network = Scripted(capabilities=AHEAD)
    published = book.publish("sky", people=PEOPLE)
    attempt = ahead_of(book, network, send_each, may_go_on=lambda: len(written) < 10)
    attempt.run(claim(book))
    assert len(written) == 10 + 2  # those taken already are sent to
    assert book.receipt(published).recipients == {Outcome.POSTED: 12, Outcome.WAITING: 48}
    attempt = ahead_of(book, network, looking_ahead()[0])
    attempt.run(claim(book))
    assert book.receipt(published).recipients == {Outcome.POSTED: 60}


def test_a_stop_lets_nobody_through_behind_those_who_are_marked(book: Book) -> None:
    send_each, written = looking_ahead(None, lambda _person: book.journal.stop("cne Roux"))
    published = book.publish("sky", people=PEOPLE)
    ahead_of(book, Scripted(capabilities=AHEAD), send_each).run(claim(book))
    assert len(written) == CHUNK
    assert book.receipt(published).recipients == {Outcome.POSTED: CHUNK, Outcome.WAITING: 60 - CHUNK}


@pytest.mark.parametrize("wrong", [None, Unconfirmed("The library failed."), Refused("It says no.")])
def test_a_process_halted_between_two_people_taken_ahead_sends_nothing_more(
    book: Book, wrong: Exception | None
) -> None:
    def halt(_person: Recipient) -> None:
        book.pass_by(LEASE.total_seconds() + 1)
        book.journal.deliveries.recover()
        others, theirs = looking_ahead()
        ahead_of(book, Scripted(capabilities=AHEAD), others).run(claim(book))
        written.extend(theirs)

    send_each, written = looking_ahead(None, halt)

    def hides(request: Any, recipients: Any) -> Iterator[RecipientOutcome]:
        try:
            yield from send_each(request, recipients)
        except LostLease:
            raise wrong or AssertionError from None

    published = book.publish("sky", people=PEOPLE)
    attempt = ahead_of(book, Scripted(capabilities=AHEAD), hides if wrong else send_each)
    with pytest.raises(LostLease):
        attempt.run(claim(book, f"{this_process()}/slot"))
    assert len(written) == len(set(written)) == 60 - CHUNK + 2
    assert book.receipt(published).recipients == {Outcome.POSTED: 60 - CHUNK, Outcome.HELD: CHUNK}


# --- a process that was halted for longer than its lease


def halted(
    book: Book,
    network: Scripted,
    *,
    taken_over: bool = True,
    wrong: Exception | None = None,
    seconds: float = LEASE.total_seconds() + 1,
) -> Any:
    """A step of a network that asks before it writes, of a process that is halted before."""

    def step(*_given: Any) -> Any:
        book.pass_by(seconds)
        if taken_over:
            book.journal.deliveries.recover()
            attempts(book, network).run(claim(book))
            if network.asked:  # "not there" is believed of the second answer
                book.pass_by(60)
                attempts(book, network).run(claim(book))
        try:
            before_publishing()
        except LostLease:
            if wrong is not None:
                raise wrong from None
            raise
        raise AssertionError("it was written")

    return step


@pytest.mark.parametrize("wrong", [None, Unconfirmed("The library failed."), Refused("It says no.")])
def test_a_process_that_was_halted_past_its_lease_publishes_nothing(book: Book, wrong: Exception | None) -> None:
    network = Scripted(capabilities=READABLE)
    network.sends.append(halted(book, network, wrong=wrong))
    published = book.publish("sky")
    with pytest.raises(LostLease):
        attempts(book, network).run(claim(book))
    receipt = book.receipt(published)
    assert (receipt.outcome, receipt.attempts) == (Outcome.POSTED, 2)
    assert len(network.asked) == 2  # the other one has looked for it, and then sent it


@pytest.mark.parametrize("leases", [0.51, 1.01])
def test_a_process_that_was_halted_and_not_taken_over_sends_it_again_without_a_doubt(book: Book, leases: float) -> None:
    """Half a lease is for what precedes the write, the other half for its answer."""
    network = Scripted(capabilities=PLAIN)
    network.sends.append(halted(book, network, taken_over=False, seconds=leases * LEASE.total_seconds()))
    published = book.publish("sky")
    attempts(book, network).run(claim(book))
    assert book.receipt(published).outcome is Outcome.WAITING
    attempts(book, network).run(claim(book))
    assert book.receipt(published).outcome is Outcome.POSTED


def test_a_post_absent_before_an_interrupted_attempt_is_looked_up_twice_again(book: Book) -> None:
    network = Scripted(capabilities=READABLE)
    network.sends.append(Unconfirmed("Cut."))
    published = book.publish("sky")
    attempts(book, network).run(claim(book))
    book.pass_by(60)
    attempts(book, network).run(claim(book))
    book.pass_by(60)
    asked = claim(book)
    book.journal.deliveries.begin(asked, network.said[0], "standalone")  # not found twice, so sent again
    book.pass_by(LEASE.total_seconds() + 1)
    book.journal.deliveries.recover()
    attempts(book, network).run(claim(book))
    receipt = book.receipt(published)
    assert (receipt.outcome, receipt.attempts, len(network.said)) == (Outcome.UNCONFIRMED, 2, 1)


def test_a_process_halted_in_a_list_requests_no_further_recipient(book: Book) -> None:
    network = list_network()

    def halt(person: Recipient) -> RecipientOutcome:
        book.pass_by(LEASE.total_seconds() + 1)
        book.journal.deliveries.recover()
        other = list_network()
        attempts(book, other, other.configured("sky", on_unknown="resend")).run(claim(book))
        network.written_to.extend(other.written_to)
        before_publishing()
        return RecipientOutcome(key=person.key, outcome="posted")

    network.sends.append(halt)
    published = book.publish("sky", people=PEOPLE)
    with pytest.raises(LostLease):
        attempts(book, network).run(claim(book, f"{this_process()}/slot"))
    assert len(set(asked(network))) == 60
    assert book.receipt(published).outcome is Outcome.POSTED


def test_outside_a_delivery_a_network_may_always_publish() -> None:
    before_publishing()


# --- two hosts of one name


def _dead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "_started", lambda _pid: "")


def _on(monkeypatch: pytest.MonkeyPatch, machine: str) -> str:
    monkeypatch.setattr(leases, "this_machine", lambda: machine)
    return f"{machine}/1/1/slot"


@pytest.mark.parametrize("twin", ["another-boot:{processes}", "{boot}:another-namespace"])
def test_twins_of_one_name_take_nothing_from_each_other_before_the_lease_is_over(
    book: Book, twin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, ours = this_machine().split("/")
    boot, processes = ours.split(":")
    published = book.publish("sky", people=PEOPLE)
    claim(book, _on(monkeypatch, this_machine()))
    _on(monkeypatch, f"{host}/{twin.format(boot=boot, processes=processes)}")
    _dead(monkeypatch)  # of the other machine's processes none is here
    book.pass_by(LEASE.total_seconds() - 1)
    assert book.journal.deliveries.recover() == 0
    book.pass_by(2)
    assert book.journal.deliveries.recover() == 1
    assert book.receipt(published).outcome is Outcome.WAITING


def test_a_second_take_over_within_one_lease_is_an_alarm(
    book: Book, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    published = book.publish("sky")
    _dead(monkeypatch)
    for number in range(2):
        claim(book, f"{this_process()}/{number}")
        assert not book.journal.deliveries.repeated_takeovers()
        book.pass_by(1)
        assert book.journal.deliveries.recover() == 1
    (alarm,) = book.journal.deliveries.repeated_takeovers()
    assert (alarm.channel, alarm.publication) == ("sky", published)
    assert [record.levelno for record in caplog.records if "taken over" in record.message] == [logging.ERROR]
    with book.journal.read() as connection:
        kinds = connection.execute(select(schema.event.c.kind)).scalars().all()
    assert kinds.count("taken_over_again") == 1
    book.pass_by(3601)
    assert not book.journal.deliveries.repeated_takeovers()


def test_a_take_over_after_each_lease_is_not_an_alarm(book: Book) -> None:
    book.publish("sky")
    for number in range(2):
        claim(book, f"elsewhere:1:1/boot/1/{number}/slot")
        book.pass_by(LEASE.total_seconds() + 1)
        assert book.journal.deliveries.recover() == 1
    assert not book.journal.deliveries.repeated_takeovers()


# --- what is logged


@pytest.mark.parametrize(
    ("step", "level", "word"),
    [
        (None, logging.INFO, "posted"),
        (Refused("Secret words.", code="403"), logging.WARNING, "refused [403]"),
        (Unconfirmed("Secret words."), logging.WARNING, "held"),
    ],
)
def test_the_result_of_a_background_post_is_logged_without_its_text(
    book: Book, step: Exception | None, level: int, word: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "policenotify")
    network = Scripted(capabilities=PLAIN)
    if step is not None:
        network.sends.append(step)
    published = book.publish("sky")
    attempts(book, network).run(claim(book))
    while (claimed := book.claim()) or not book.receipt(published).outcome.is_final:
        if claimed is not None:
            attempts(book, network).run(claimed)
        book.pass_by(60)
    said, *others = [record for record in caplog.records if published in record.message]
    *delays, record = others
    assert [(delay.levelno, getattr(delay, "event", "")) for delay in delays] == (
        [(logging.WARNING, "delayed")] if isinstance(step, Unconfirmed) else []
    )
    assert (said.levelno, said.message) == (
        logging.INFO,
        f"Publication {published}: standalone of traffic_accident for sky",
    )
    assert (record.levelno, record.message.endswith(word)) == (level, True)
    assert "Secret" not in caplog.text
    assert "post 1" not in caplog.text


@pytest.mark.parametrize(("doubted", "level"), [(0, logging.INFO), (2, logging.WARNING)])
def test_the_result_of_a_list_is_logged_without_its_recipients(
    book: Book, doubted: int, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "policenotify")
    network = Scripted(capabilities=MAIL)

    def some_in_doubt(people: tuple[Recipient, ...]) -> Iterator[RecipientOutcome]:
        for person in people[:doubted]:
            yield RecipientOutcome(key=person.key, outcome="unconfirmed")
        yield from everybody(people[doubted:])

    network.sends.append(some_in_doubt)
    published = book.publish("sky", people=PEOPLE[:5])
    attempts(book, network).run(claim(book))
    _, record = [record for record in caplog.records if published in record.message]
    assert record.levelno == level
    assert ("2 held" in record.message) == bool(doubted)
    assert f"{5 - doubted} posted" in record.message
    assert "press.example" not in caplog.text


def test_a_delivery_held_for_a_damaged_journal_is_logged(book: Book, caplog: pytest.LogCaptureFixture) -> None:
    published = book.publish("sky")
    with book.journal.write() as connection:
        connection.execute(schema.delivery.update().values(standalone="{"))
    assert book.claim() is None
    assert [record.levelno for record in caplog.records if published in record.message] == [logging.WARNING]
