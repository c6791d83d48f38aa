"""In a lane nothing overtakes, nothing urgent waits behind routine, and nothing stale is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from policenotify.journal.order import INCIDENT_OVER, NEWER_SENT
from policenotify.journal.queue import OPENING_MISSING
from policenotify.model.cap import Severity
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Stage

if TYPE_CHECKING:
    from tests.support.journal import Desk

PEOPLE = {"mail": ["a@x.example", "b@x.example", "c@x.example"]}


# --- order


# --- urgency


@pytest.mark.parametrize("stage", [Stage.UPDATE, Stage.CORRECTION, Stage.END, Stage.CANCELLATION])
def test_a_delivery_that_an_urgent_one_waits_for_is_as_urgent(desk: Desk, stage: Stage) -> None:
    routine = desk.publish(incident="routine", severity=Severity.MINOR)
    opening = desk.publish(severity=Severity.UNKNOWN)
    # In doubt, so that the opening is still to be settled before an end goes.
    desk.journal.channels.pause("nowhere", desk.clock.now())
    claimed = desk.begin(desk.take())
    assert claimed.publication == routine
    desk.settle(claimed)
    desk.publish(incident="second", severity=Severity.SEVERE)
    corrects = opening if stage is Stage.CORRECTION else None
    following = desk.publish(stage, severity=Severity.EXTREME, corrects=corrects)
    order = [desk.deliver().publication for _ in range(2)]
    if stage in {Stage.END, Stage.CANCELLATION}:  # the opening never appeared
        assert order[0] == following
        assert desk.outcome(opening) is Outcome.SUPERSEDED
    else:
        assert order == [opening, following]


# --- stale


@pytest.mark.databases
@pytest.mark.parametrize("stage", [Stage.END, Stage.CANCELLATION])
def test_an_opening_that_never_appeared_is_silent_once_it_is_over(desk: Desk, stage: Stage) -> None:
    opening, update = desk.publish(), desk.publish(Stage.UPDATE)
    desk.deliver(outcome=Outcome.WAITING, reason="Busy.", remedy="Wait.", code="503")  # certainly not out
    end = desk.publish(stage)
    found = desk.journal.publications.get(opening)
    assert found is not None
    receipt = found.on("sky")
    assert (receipt.outcome, receipt.reason, receipt.remedy, receipt.code) == (
        Outcome.SUPERSEDED,
        INCIDENT_OVER,
        "",
        "",
    )
    assert desk.outcome(update) is Outcome.SUPERSEDED
    claimed = desk.take()
    assert (claimed.publication, claimed.reply_to) == (end, ())


def test_a_channel_may_skip_the_end_of_what_it_did_not_publish(desk: Desk) -> None:
    desk.publish(channels=("sky", "mail"))
    end = desk.publish(Stage.END, channels=("sky", "mail"), skips=("sky",))
    assert desk.outcomes(end) == {"sky": Outcome.SKIPPED, "mail": Outcome.WAITING}
    found = desk.journal.publications.get(end)
    assert found is not None
    assert str(found.on("sky").reason) == OPENING_MISSING


@pytest.mark.databases
@pytest.mark.parametrize("how", ["in flight", "in doubt", "held", "posted"])
def test_an_end_goes_where_the_opening_may_be_out(desk: Desk, how: str) -> None:
    opening = desk.publish()
    claimed = desk.begin(desk.take())
    if how != "in flight":
        outcome = {"in doubt": Outcome.UNCONFIRMED, "held": Outcome.HELD, "posted": Outcome.POSTED}[how]
        desk.settle(claimed, outcome)
    end = desk.publish(Stage.END, skips=("sky",))
    assert desk.outcome(opening) is not Outcome.SUPERSEDED
    assert desk.outcome(end) is Outcome.WAITING
    if how == "in flight":
        desk.settle(claimed)
    elif how == "in doubt":  # it is found
        found = desk.take()
        assert found.over
        desk.settle(found)
    assert desk.take().publication == end


def test_an_end_goes_where_a_refusal_leaves_a_doubt(desk: Desk) -> None:
    desk.publish()
    desk.deliver(outcome=Outcome.UNCONFIRMED)
    desk.deliver(outcome=Outcome.REFUSED)  # sent again blindly, and refused: the first may be published
    end = desk.publish(Stage.END, skips=("sky",))
    assert desk.take().publication == end


@pytest.mark.parametrize("stage", [Stage.END, Stage.CANCELLATION])
@pytest.mark.parametrize("skips", [(), ("sky",)])
def test_an_opening_that_comes_back_unsent_after_its_end_is_not_tried_again(
    desk: Desk, stage: Stage, skips: tuple[str, ...]
) -> None:
    opening = desk.publish()
    claimed = desk.begin(desk.take())
    end = desk.publish(stage, skips=skips)
    desk.settle(claimed, Outcome.WAITING)
    after = desk.claim()
    assert desk.outcome(opening) is Outcome.SUPERSEDED
    if skips:
        assert after is None
        assert desk.outcome(end) is Outcome.SKIPPED
    else:
        assert after is not None
        assert after.publication == end


# --- many people


@pytest.mark.databases
def test_one_mailbox_does_not_hold_up_the_update_to_all(desk: Desk) -> None:
    opening = desk.publish(channels=("mail",), people=PEOPLE)
    assert len(desk.mail({"b@x.example": "unavailable"})) == 3
    assert desk.outcome(opening, "mail") is Outcome.WAITING
    update = desk.publish(Stage.UPDATE, channels=("mail",), people=PEOPLE)
    found = desk.journal.publications.get(opening)
    assert found is not None
    assert found.on("mail").outcome is Outcome.POSTED
    assert found.on("mail").recipients == {Outcome.POSTED: 2, Outcome.SUPERSEDED: 1}
    assert str(found.on("mail").reason) == NEWER_SENT
    assert desk.person(opening, "b@x.example") is Outcome.SUPERSEDED
    assert sorted(desk.mail()) == PEOPLE["mail"]
    assert desk.person(update, "b@x.example") is Outcome.POSTED


def test_everyone_who_may_have_the_opening_gets_the_end_too(desk: Desk) -> None:
    opening = desk.publish(channels=("mail",), people={"mail": ["a@x.example"]})
    desk.mail({"a@x.example": "unconfirmed"}, hold_doubt=False)
    end = desk.publish(Stage.END, channels=("mail",), people={"mail": []}, skips=("mail",))
    assert desk.outcome(opening, "mail") is Outcome.HELD
    assert desk.mail() == ["a@x.example"]
    assert desk.outcome(end, "mail") is Outcome.POSTED
