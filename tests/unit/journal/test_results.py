"""The result of an attempt is recorded once with its reason, and decides the next step."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from policenotify.channel import RecipientOutcome
from policenotify.errors import Blocked
from policenotify.journal.records import LEASE, AttemptResult
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Stage
from policenotify.model.receipt import Receipt

if TYPE_CHECKING:
    from tests.support.journal import Desk

PEOPLE = {"mail": ["a@x.example", "b@x.example"]}
SOON = timedelta(minutes=5)


def _receipt(desk: Desk, publication: str, channel: str = "sky") -> Receipt:
    found = desk.journal.publications.get(publication)
    assert found is not None
    return found.on(channel)


@pytest.mark.databases
def test_words_that_no_database_takes_keep_no_result_out_of_the_journal(desk: Desk) -> None:
    """Of a network's JSON: a NUL, which PostgreSQL refuses, and half a surrogate pair, which both do."""
    said = desk.publish(channels=("sky", "mail"), people=PEOPLE)
    strange = "no\0t \ud800 now"
    became = AttemptResult(outcome=Outcome.REFUSED, reason=strange, remedy=strange, code=strange)
    desk.journal.deliveries.record_result(desk.begin(desk.take()), became)
    receipt = _receipt(desk, said)
    assert (receipt.outcome, str(receipt.reason), receipt.code) == (Outcome.REFUSED, "not ? now", "not ? now")
    assert desk.journal.channels.block("sky", Blocked(strange, remedy=strange, code=strange))
    assert str(desk.journal.channels.blocked()["sky"].reason) == "no t now"  # an error's text is printable
    claimed = desk.begin(desk.take("mail"))
    people = desk.journal.deliveries.take(claimed, 25, hold_doubt=False, lease=LEASE)
    told = [RecipientOutcome(key=one.key, outcome="refused", reason=strange, code=strange) for one in people]
    desk.journal.deliveries.take(claimed, 0, outcomes=told, hold_doubt=False, lease=SOON)
    desk.journal.deliveries.record_result(claimed, AttemptResult(outcome=Outcome.WAITING))
    assert str(_receipt(desk, said, "mail").reason) == "2 of 2: no t now"


@pytest.mark.databases
@pytest.mark.parametrize(("outcome", "doubt"), [(Outcome.WAITING, False), (Outcome.UNCONFIRMED, True)])
def test_a_waiting_delivery_is_tried_again_with_the_same_request(desk: Desk, outcome: Outcome, *, doubt: bool) -> None:
    said = desk.publish()
    first = desk.deliver(outcome=outcome, not_before=desk.clock.now() + SOON, reason="Busy.", code="503")
    receipt = _receipt(desk, said)
    assert (receipt.outcome, str(receipt.reason), receipt.retry_at) == (outcome, "Busy.", desk.clock.now() + SOON)
    desk.clock.pass_by(300)
    again = desk.take()
    assert (again.in_doubt, again.attempts, again.request, again.wording) == (doubt, 1, first.request, "standalone")
    begun = desk.begin(again)
    assert begun.first_tried_at == desk.clock.now() - SOON
    assert begun.last_tried_at == desk.clock.now()
    desk.settle(begun)
    assert not _receipt(desk, said).retry_at
    assert [row[5] for row in desk.dump("pn_attempt")["pn_attempt"]] == [outcome, "posted"]


def test_the_standalone_wording_is_used_and_reported(desk: Desk) -> None:
    desk.publish()
    desk.deliver()
    update = desk.publish(Stage.UPDATE)
    assert desk.begin(desk.take()).wording == "reply"
    desk.clock.pass_by(121)
    desk.deliver(outcome=Outcome.WAITING, standalone=True)
    claimed = desk.take()
    assert (claimed.request, claimed.wording) == (None, "standalone")
    desk.settle(desk.begin(claimed))
    assert _receipt(desk, update).standalone


# --- many people


@pytest.mark.databases
def test_people_have_an_outcome_each(desk: Desk) -> None:
    everyone = [f"{name}@x.example" for name in "abcd"]
    said = desk.publish(channels=("mail",), people={"mail": everyone})
    desk.mail({"b@x.example": "refused", "c@x.example": "unavailable", "d@x.example": "unconfirmed"})
    receipt = _receipt(desk, said, "mail")
    assert receipt.outcome is Outcome.WAITING
    assert receipt.recipients == {Outcome.POSTED: 1, Outcome.REFUSED: 1, Outcome.WAITING: 1, Outcome.HELD: 1}
    desk.clock.pass_by(30)
    assert desk.mail() == ["c@x.example"]
    receipt = _receipt(desk, said, "mail")
    assert receipt.outcome is Outcome.POSTED
    assert receipt.recipients == {Outcome.POSTED: 2, Outcome.REFUSED: 1, Outcome.HELD: 1}
    assert not receipt.ok


# --- results of many recipients


def _people(desk: Desk, *told: RecipientOutcome, hold_doubt: bool = True) -> str:
    """Return a mail to as many recipients, and the outcome of each."""
    said = desk.publish(channels=("mail",), people={"mail": [f"{number}@x.example" for number in range(len(told))]})
    claimed = desk.begin(desk.take("mail"))
    people = desk.journal.deliveries.take(claimed, 25, hold_doubt=hold_doubt, lease=LEASE)
    outcomes = [replace(outcome, key=person.key) for person, outcome in zip(people, told, strict=True)]
    desk.journal.deliveries.take(claimed, 0, outcomes=outcomes, hold_doubt=hold_doubt, lease=SOON)
    desk.journal.deliveries.record_result(
        claimed, AttemptResult(outcome=Outcome.WAITING, not_before=desk.clock.now() + SOON)
    )
    return said


_ELSEWHERE = "Reach them in another way. Correct the list where an address or a number is wrong."
_POSTED = RecipientOutcome(key="", outcome="posted")
_CUT = RecipientOutcome(key="", outcome="unconfirmed", reason="Cut.")
_FULL = RecipientOutcome(key="", outcome="unavailable", reason="Full now.", code="452")
_GREY = RecipientOutcome(key="", outcome="unavailable", reason="Later.", code="451")
_NOT = RecipientOutcome(key="", outcome="refused", reason="Not for us.", code="550")
_ASK = "Find out on 'mail' whether they have it, then: policenotify resolve 1"


@pytest.mark.parametrize(
    ("told", "outcome", "why"),
    [
        ([_POSTED, _POSTED], Outcome.POSTED, ("", "", "")),
        ([_POSTED, _NOT, _POSTED], Outcome.POSTED, ("1 of 3: Not for us.", _ELSEWHERE, "550")),
        ([_NOT, _GREY, _FULL, _GREY], Outcome.WAITING, ("2 of 4: Later.", "It will be tried again.", "451")),
        (
            [_POSTED, _CUT, _NOT],
            Outcome.POSTED,
            ("1 of 3 may or may not have it, and the network cannot be asked.", _ASK, ""),
        ),
        ([_CUT], Outcome.HELD, ("1 of 1 may or may not have it, and the network cannot be asked.", _ASK, "")),
    ],
)
def test_the_worst_result_of_a_recipient_is_reported(
    desk: Desk, told: list[RecipientOutcome], outcome: Outcome, why: tuple[str, str, str]
) -> None:
    receipt = _receipt(desk, _people(desk, *told), "mail")
    assert (receipt.outcome, (receipt.reason, receipt.remedy, receipt.code)) == (outcome, why)


# --- held deliveries that are to be sent again
