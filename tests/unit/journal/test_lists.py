"""People of a list are stored batch by batch, each once, and several workers share a delivery."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import update

from policenotify.audiences.function import FunctionAudience
from policenotify.audiences.model import Audience, Row, Subscriber, WrongRow
from policenotify.channel import Capabilities, ChannelConfig, RecipientOutcome
from policenotify.delivery.batch import ListSender
from policenotify.errors import LostLease, SettingsError
from policenotify.journal.database import schema
from policenotify.journal.leases import this_process
from policenotify.journal.records import AttemptResult, ClaimedDelivery
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Stage
from policenotify.text import Budget
from tests.support.audiences import ListedPeople
from tests.support.journal import LEASE, is_list

if TYPE_CHECKING:
    from tests.support.journal import Desk

A, B, C, D, E, F, G = (f"{name}@x.example" for name in "abcdefg")
ALL = (A, B, C, D, E, F, G)


def _receipt(desk: Desk, publication: str, channel: str = "mail") -> Any:
    found = desk.journal.publications.get(publication)
    assert found is not None
    return found.on(channel)


def _everyone(desk: Desk, channel: str = "mail") -> list[str]:
    """Send to all that is due on a channel. Return the addresses, sorted."""
    written: list[str] = []
    while (claimed := desk.claim(channel)) is not None:
        written += _send(desk, claimed)
    return sorted(written)


def _send(desk: Desk, claimed: ClaimedDelivery, *, outcome: Any = "posted", count: int = 25) -> list[str]:
    """Send to the people of a batch, and settle it."""
    begun, written = desk.begin(claimed), []
    while people := desk.journal.deliveries.take(begun, count, hold_doubt=True, lease=LEASE):
        written += [person.address for person in people]
        told = [RecipientOutcome(key=person.key, outcome=outcome) for person in people]
        desk.journal.deliveries.take(begun, 0, outcomes=told, hold_doubt=True, lease=LEASE)
    _release(desk, begun)
    return written


def _release(desk: Desk, begun: ClaimedDelivery) -> None:
    wait = desk.clock.now() + timedelta(seconds=30)
    result = AttemptResult(outcome=Outcome.WAITING, not_before=wait, of_people=True)
    desk.journal.deliveries.record_result(begun, result)


# --- several workers


@pytest.mark.databases
def test_two_workers_share_a_delivery(desk: Desk) -> None:
    desk.size = 3
    said = desk.publish(channels=("mail",), people={"mail": ALL})
    first, second = desk.take("mail", "runner A"), desk.take("mail", "runner B")
    assert first.parent == second.parent
    assert first.id < second.id
    assert desk.outcome(said, "mail") is Outcome.SENDING
    assert len(_send(desk, first)) == len(_send(desk, second)) == 3
    assert _everyone(desk) == [G]
    assert _receipt(desk, said).recipients == {Outcome.POSTED: 7}
    assert desk.outcome(said, "mail") is Outcome.POSTED


@pytest.mark.databases
def test_a_batch_of_a_process_that_exited_is_sent_by_another(desk: Desk) -> None:
    desk.size = 4
    said = desk.publish(channels=("mail",), people={"mail": ALL})
    lost, other = desk.begin(desk.take("mail", f"{this_process()}/A")), desk.take("mail", f"{this_process()}/B")
    marked = desk.people(lost, 1)
    desk.clock.pass_by(LEASE.total_seconds() - 1)
    begun = desk.begin(other)
    desk.clock.pass_by(2)
    assert desk.journal.deliveries.recover() == 1
    assert desk.outcome(said, "mail") is Outcome.SENDING  # the other batch is
    with pytest.raises(LostLease):
        desk.journal.deliveries.take(lost, 0, outcomes=[], hold_doubt=True, lease=LEASE)
    again = desk.take("mail", "runner C")
    assert again.id == lost.id
    assert len(_send(desk, again)) == 3
    assert desk.people(begun)
    assert desk.person(said, marked[0]) is Outcome.HELD


# --- whom a message goes to


@pytest.mark.databases
def test_a_person_on_the_lists_of_two_channels_of_a_network_gets_it_once(desk: Desk) -> None:
    desk.siblings = ("press", "public")
    desk.publish(channels=("press", "public"), people={"press": [A, B], "public": [B, C]})
    assert (_everyone(desk, "public"), _everyone(desk, "press")) == ([B, C], [A])
    desk.publish(Stage.UPDATE, channels=("press", "public"), people={"press": [A, B], "public": [B, C]})
    assert (_everyone(desk, "press"), _everyone(desk, "public")) == ([A, B], [C])


@pytest.mark.databases
def test_each_language_goes_to_its_readers(desk: Desk) -> None:
    people = (A, Subscriber(position=1, address=B, language="en"), Subscriber(position=2, address=C, language="fr"))
    desk.publish(channels=("mail",), languages=("fr", "en"), people={"mail": people})
    assert sorted(desk.mail()) == [A, C]
    assert desk.mail() == [B]
    update = desk.publish(Stage.UPDATE, channels=("mail",), languages=("fr",), people={"mail": ()})
    assert _everyone(desk) == [A, B, C]  # an update that lacks his language is better than none
    assert _receipt(desk, update).recipients == {Outcome.POSTED: 3}


# --- reading a list


class Broken(ListedPeople):
    """A list that fails behind some rows."""

    error: Exception | None = None
    behind = 0

    def rows(self, *, start: int = 0) -> Iterator[Row]:
        for row in super().rows(start=start):
            if self.error is not None and row.position >= self.behind:
                raise self.error
            yield row


def _maker(desk: Desk, audience: Audience, *, size: int = 2, retired: bool = False, **more: Any) -> ListSender:
    config = ChannelConfig(
        name="mail",
        network="email",
        account="police34.example",
        capabilities=Capabilities(budget=Budget(300), recipients=True),
        open=lambda _clock, _store: None,
        audiences=(audience,),
        retired=retired,
    )
    values: dict[str, Any] = {
        "channel": None,  # it makes batches only
        "siblings": ("mail",),
        "lease": LEASE,
        "backoff": lambda before: max(before * 2, timedelta(seconds=10)),
        "may_go_on": lambda: True,
    }
    return ListSender(journal=desk.journal, clock=desk.clock, config=config, size=size, **values | more)


def _claim(desk: Desk, maker: ListSender) -> ClaimedDelivery | None:
    claimed = desk.journal.deliveries.claim("mail", "runner A", lease=LEASE)
    if claimed is None or not is_list(claimed):
        return claimed
    made = maker.make_batch(claimed)
    if isinstance(made, ClaimedDelivery):
        return made
    desk.journal.deliveries.record_result(claimed, made)
    return None


def _all_of(desk: Desk, maker: ListSender) -> list[str]:
    written: list[str] = []
    while (claimed := _claim(desk, maker)) is not None:
        written += _send(desk, claimed)
    return written


@pytest.mark.parametrize(
    ("error", "why"),
    [(SettingsError("the file presse.txt cannot be read (gone)."), "presse.txt"), (KeyError(A), "KeyError")],
)
def test_a_list_that_cannot_be_read_is_an_alarm_and_is_tried_again(
    desk: Desk, error: Exception, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    audience = Broken(ALL)
    audience.error = error
    maker = _maker(desk, audience)
    said = desk.publish(channels=("mail",), people={"mail": ()})
    for wait in (10, 20):
        assert _claim(desk, maker) is None
        receipt = _receipt(desk, said)
        assert receipt.outcome is Outcome.WAITING
        assert "The list of recipients of 'mail' cannot be read" in str(receipt.reason)
        assert why in str(receipt.reason)
        assert "policenotify doctor" in str(receipt.remedy)
        assert receipt.retry_at == desk.clock.now() + timedelta(seconds=wait)
        assert desk.claim("mail") is None
        assert desk.journal.deliveries.due({"mail": None})
        assert not desk.journal.deliveries.due({"mail": None}, postponed=False)  # no call that publishes waits for it
        assert not desk.journal.publications.pending(said, patience=timedelta(hours=1))
        desk.clock.pass_by(wait)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]  # the second try fails for the same reason
    assert A not in caplog.text
    audience.error = None
    assert sorted(_all_of(desk, maker)) == list(ALL)
    assert (_receipt(desk, said).outcome, str(_receipt(desk, said).reason)) == (Outcome.POSTED, "")


@pytest.mark.parametrize("wrong", [False, True])
@pytest.mark.parametrize("gone", [[A], [B], [A, C], [E], list(ALL[:4])])
def test_who_leaves_a_function_while_it_is_read_costs_no_other_person_the_message(
    desk: Desk, gone: list[str], *, wrong: bool
) -> None:
    people, behind = list(ALL), "z@x.example"
    people[3] = "" if wrong else D  # the last one that is read before
    maker = _maker(desk, FunctionAudience(name="app", function=lambda: people))
    desk.publish(channels=("mail",), people={"mail": ()})
    written: list[str] = []
    for _ in range(2):
        claimed = _claim(desk, maker)
        assert claimed is not None
        written += _send(desk, claimed)
    people[:] = [each for each in people if each not in gone] + ([] if wrong else [behind])
    assert sorted(written + _all_of(desk, maker)) == sorted({*written, *filter(None, people)})


@pytest.mark.parametrize("retired", [True, False])
def test_a_list_that_was_emptied_is_an_alarm_unless_the_channel_is_retired(desk: Desk, *, retired: bool) -> None:
    desk.publish(channels=("mail",), people={"mail": [A]})
    desk.mail()
    said = desk.publish(incident="I2", channels=("mail",), people={"mail": ()})
    assert _claim(desk, _maker(desk, ListedPeople(()), retired=retired)) is None
    receipt = _receipt(desk, said)
    assert receipt.outcome is (Outcome.SKIPPED if retired else Outcome.WAITING)
    assert ("is empty, and had people before" in str(receipt.reason)) is not retired


def test_wrong_rows_are_counted_and_stop_none_of_the_others(desk: Desk) -> None:
    wrong = [WrongRow(position=line - 1, reason="no address") for line in (2, 3, 4, 5)]
    desk.publish(channels=("mail",), people={"mail": ()})
    said = desk.publish(incident="I2", channels=("mail",), people={"mail": ()})
    assert _all_of(desk, _maker(desk, ListedPeople([A, *wrong, B]), size=1)) == [A, B] * 2
    receipt = _receipt(desk, said)
    assert receipt.outcome is Outcome.POSTED
    assert str(receipt.reason) == "Rows of the list that were left out: 4."
    assert "policenotify doctor" in str(receipt.remedy)


@pytest.mark.parametrize("address", ["b\udc80@x.example", None, 7])
def test_an_address_that_cannot_be_stored_is_a_wrong_row(desk: Desk, address: Any) -> None:
    """A host's own function may yield anything. The others get the message."""
    people = [Subscriber(position=0, address=A), Subscriber(position=1, address=address), B]
    said = desk.publish(channels=("mail",), people={"mail": people})
    assert _everyone(desk) == [A, B]
    receipt = _receipt(desk, said)
    assert (receipt.outcome, receipt.recipients) == (Outcome.POSTED, {Outcome.POSTED: 2})
    assert str(receipt.reason) == "Rows of the list that were left out: 1."


# --- each person once


@pytest.mark.databases
def test_lists_that_cannot_be_read_are_tried_again_at_once_by_a_person(desk: Desk) -> None:
    audience = Broken(ALL)
    audience.error = SettingsError("the file cannot be read.")
    maker = _maker(desk, audience, size=10)
    said = [desk.publish(incident=f"I{number}", channels=("mail",), people={"mail": ()}) for number in range(3)]
    desk.journal.sendings.pause(said[0], "desk")
    for _ in said[1:]:
        assert _claim(desk, maker) is None
    deliveries = desk.journal.deliveries
    assert deliveries.retry_lists("other") == 0
    assert desk.claim("mail") is None
    assert deliveries.retry_lists() == 2
    assert [_claim(desk, maker) for _ in said] == [None] * 3  # and fail again
    audience.error = None
    assert desk.claim("mail") is None
    assert deliveries.retry_lists("mail") == 2
    assert sorted(_all_of(desk, maker)) == sorted(ALL * 2)
    assert deliveries.waiting_for_lists() == {}
    assert [desk.outcome(each, "mail") for each in said] == [Outcome.WAITING, Outcome.POSTED, Outcome.POSTED]


# --- what is damaged


@pytest.mark.parametrize("stored", ["{", "[]", '{"wrong": 0, "left": 1}'])
def test_a_list_with_a_damaged_cursor_is_read_again_and_reaches_nobody_twice(desk: Desk, stored: str) -> None:
    desk.size = 4
    damaged = desk.publish(channels=("mail",), people={"mail": ALL}, incident="I1")
    written = _send(desk, desk.take("mail"))
    with desk.journal.write() as connection:
        rows = schema.delivery.c.publication == damaged
        connection.execute(update(schema.delivery).where(rows, schema.delivery.c.has_recipients).values(cursor=stored))
    assert sorted(written + _everyone(desk)) == list(ALL)
    assert desk.outcome(damaged, "mail") is Outcome.POSTED
    desk.journal.audit.verify()
