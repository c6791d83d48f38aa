"""In a lane nothing overtakes, nothing urgent waits behind routine, and nothing stale is sent."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from policenotify.channel import Operation, RecipientOutcome
from policenotify.journal.database import schema
from policenotify.journal.order import INCIDENT_OVER, NEWER_SENT
from policenotify.journal.queue import OPENING_MISSING
from policenotify.journal.records import LEASE
from policenotify.model.cap import Severity
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Stage

if TYPE_CHECKING:
    from tests.support.journal import Desk

PEOPLE = {"mail": ["a@x.example", "b@x.example", "c@x.example"]}


# --- order


def test_a_follow_up_waits_for_the_deliveries_before(desk: Desk) -> None:
    opening = desk.publish()
    update = desk.publish(Stage.UPDATE)
    held = desk.take()
    assert held.publication == opening
    assert desk.claim() is None  # being sent
    desk.settle(desk.begin(held), Outcome.WAITING, not_before=desk.clock.now() + timedelta(minutes=1))
    assert desk.claim() is None  # waiting for its time
    desk.clock.pass_by(60)
    desk.deliver()
    assert desk.take().publication == update


def test_another_incident_or_channel_does_not_wait(desk: Desk) -> None:
    desk.publish(channels=("sky", "mail"))
    desk.take("sky")
    other = desk.publish(incident="I2")
    assert desk.take("sky").publication == other
    desk.take("mail")


@pytest.mark.parametrize("outcome", [Outcome.POSTED, Outcome.REFUSED, Outcome.HELD])
def test_a_settled_delivery_does_not_block(desk: Desk, outcome: Outcome) -> None:
    desk.publish()
    update = desk.publish(Stage.UPDATE)
    desk.deliver(outcome=outcome)
    assert desk.take().publication == update


def test_skipped_or_expired_deliveries_do_not_block(desk: Desk) -> None:
    desk.publish(skip="Not here.")
    desk.publish(Stage.UPDATE, lives=timedelta(minutes=1))
    later = desk.publish(Stage.UPDATE)
    desk.clock.pass_by(60)
    assert desk.take().publication == later


def test_doubt_blocks_until_it_is_settled(desk: Desk) -> None:
    desk.publish()
    update = desk.publish(Stage.UPDATE)
    desk.deliver(outcome=Outcome.UNCONFIRMED, not_before=desk.clock.now() + timedelta(minutes=1))
    assert desk.claim() is None
    desk.clock.pass_by(60)
    desk.deliver()
    assert desk.take().publication == update


def test_parts_keep_their_order_in_any_order_of_the_draft(desk: Desk) -> None:
    draft = desk.draft(languages=("fr", "en", "de"))
    desk.journal.publications.add(replace(draft, posts=draft.posts[::-1]))
    languages = []
    for _ in range(3):
        claimed = desk.deliver()
        assert claimed.standalone is not None
        languages.append(claimed.standalone.language)
    assert languages == ["fr", "en", "de"]


def test_outside_incidents_a_correction_waits_for_all_parts(desk: Desk) -> None:
    alone = desk.publish(Stage.STANDALONE, languages=("fr", "en"))
    correction = desk.publish(Stage.CORRECTION, None, corrects=alone, languages=("fr", "en"))
    assert [desk.deliver().publication for _ in range(4)] == [alone, alone, correction, correction]


# --- urgency


@pytest.mark.parametrize("stage", [Stage.UPDATE, Stage.CORRECTION, Stage.END, Stage.CANCELLATION])
def test_a_delivery_that_an_urgent_one_waits_for_is_as_urgent(desk: Desk, stage: Stage) -> None:
    desk.publish(incident="routine", severity=Severity.MINOR)
    opening = desk.publish(severity=Severity.UNKNOWN)
    # In doubt, so that the opening is still to be settled before an end goes.
    desk.journal.channels.pause("nowhere", desk.clock.now())
    claimed = desk.begin(desk.take())
    assert claimed.incident == "routine"
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


def test_urgency_reaches_what_is_just_being_sent(desk: Desk) -> None:
    opening = desk.publish(severity=Severity.MINOR)
    claimed = desk.begin(desk.take())
    desk.publish(Stage.UPDATE, severity=Severity.EXTREME)
    desk.publish(incident="I2", severity=Severity.SEVERE)
    desk.settle(claimed, Outcome.WAITING)
    again = desk.take()
    assert again.publication == opening
    assert again.severe


def test_a_calmer_message_lowers_nothing(desk: Desk) -> None:
    opening = desk.publish(severity=Severity.EXTREME)
    desk.publish(Stage.UPDATE, severity=Severity.MINOR)
    desk.publish(incident="I2", severity=Severity.SEVERE)
    assert desk.take().publication == opening


# --- stale


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


def test_a_standalone_message_is_not_sent_once_it_was_cancelled(desk: Desk) -> None:
    alone = desk.publish(Stage.STANDALONE)
    claimed = desk.begin(desk.take())
    correction = desk.publish(Stage.CORRECTION, None, corrects=alone)
    cancelled = desk.publish(Stage.CANCELLATION, None, corrects=alone)
    desk.settle(claimed, Outcome.WAITING)
    assert desk.take().publication == cancelled
    assert desk.outcome(alone) is Outcome.SUPERSEDED
    assert desk.outcome(correction) is Outcome.SUPERSEDED


def test_a_waiting_standalone_message_is_not_sent_once_it_is_cancelled(desk: Desk) -> None:
    alone = desk.publish(Stage.STANDALONE)
    desk.publish(Stage.CANCELLATION, None, corrects=alone, skips=("sky",))
    assert desk.outcome(alone) is Outcome.SUPERSEDED
    assert desk.claim() is None


def test_a_correction_after_the_end_is_not_stale(desk: Desk) -> None:
    opening = desk.publish()
    desk.deliver(outcome=Outcome.REFUSED)
    desk.publish(Stage.END)
    desk.deliver(outcome=Outcome.REFUSED)
    correction = desk.publish(Stage.CORRECTION, corrects=opening)
    assert desk.take().publication == correction


def test_an_update_is_news_also_where_the_opening_was_refused(desk: Desk) -> None:
    desk.publish()
    desk.deliver(outcome=Outcome.REFUSED)
    update = desk.publish(Stage.UPDATE, channels=("sky", "town"), skips=("sky", "town"))
    assert desk.take("sky").publication == update
    assert desk.take("town").publication == update  # the routes may reach further by now


def test_a_refusal_after_a_doubt_leaves_the_doubt(desk: Desk) -> None:
    desk.publish()
    desk.deliver(outcome=Outcome.UNCONFIRMED)
    desk.deliver(outcome=Outcome.REFUSED)  # sent again blindly, and refused: the first may be published
    end = desk.publish(Stage.END, skips=("sky",))
    assert desk.take().publication == end


@pytest.mark.parametrize(
    ("operation", "outcome", "reached"),
    [
        (Operation.POST, Outcome.POSTED, True),
        (Operation.EDIT, Outcome.POSTED, True),
        (Operation.EDIT, Outcome.REFUSED, False),
        (Operation.DELETE, Outcome.DELETED, False),
    ],
)
def test_what_was_corrected_by_an_edit_has_reached_its_readers(
    desk: Desk, operation: Operation, outcome: Outcome, *, reached: bool
) -> None:
    opening = desk.publish()
    desk.deliver()
    correction = desk.publish(Stage.CORRECTION, corrects=opening)
    edit = desk.deliver(outcome=outcome)
    with desk.journal.write() as connection:
        connection.execute(update(schema.delivery).where(schema.delivery.c.id == edit.id).values(operation=operation))
    desk.publish(Stage.CORRECTION, corrects=correction)
    assert desk.take().reached == reached


# --- many people


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


def test_an_opening_in_flight_ends_after_those_who_are_marked(desk: Desk) -> None:
    opening = desk.publish(channels=("mail",), people=PEOPLE)
    claimed = desk.begin(desk.take("mail"))
    people = desk.journal.deliveries.take(claimed, 2, hold_doubt=True, lease=LEASE)
    end = desk.publish(Stage.END, channels=("mail",), people=PEOPLE)
    got_it, not_yet = people
    told = [
        RecipientOutcome(key=got_it.key, outcome="posted"),
        RecipientOutcome(key=not_yet.key, outcome="unavailable"),
    ]
    assert desk.journal.deliveries.take(claimed, 25, outcomes=told, hold_doubt=True, lease=LEASE) == ()
    desk.settle(claimed, Outcome.WAITING)
    assert desk.outcome(opening, "mail") is Outcome.POSTED
    found = desk.journal.publications.get(opening)
    assert found is not None
    assert found.on("mail").recipients == {Outcome.POSTED: 1, Outcome.SUPERSEDED: 2}
    assert desk.take("mail").publication == end


def test_an_interrupted_opening_is_overtaken_and_its_doubts_are_held(desk: Desk) -> None:
    opening = desk.publish(channels=("mail",), people=PEOPLE)
    claimed = desk.begin(desk.take("mail"))
    [doubtful] = desk.journal.deliveries.take(claimed, 1, hold_doubt=False, lease=LEASE)
    end = desk.publish(Stage.END, channels=("mail",), people=PEOPLE)
    desk.clock.pass_by(121)
    assert desk.take("mail").publication == end
    assert desk.person(opening, doubtful.address) is Outcome.HELD
    found = desk.journal.publications.get(opening)
    assert found is not None
    assert found.on("mail").recipients == {Outcome.HELD: 1, Outcome.SUPERSEDED: 2}
    assert found.on("mail").outcome is Outcome.HELD


def test_a_mail_that_no_recipient_has_yet_is_not_overtaken(desk: Desk) -> None:
    opening = desk.publish(channels=("mail",), people=PEOPLE)
    desk.mail(dict.fromkeys(PEOPLE["mail"], "unavailable"))
    update = desk.publish(Stage.UPDATE, channels=("mail",), people=PEOPLE)
    assert desk.outcome(opening, "mail") is Outcome.WAITING
    desk.clock.pass_by(30)
    desk.mail()
    assert desk.outcome(opening, "mail") is Outcome.POSTED
    assert desk.take("mail").publication == update


def test_a_mail_without_recipients_is_superseded_by_the_end(desk: Desk) -> None:
    opening = desk.publish(channels=("mail",), people=PEOPLE)
    desk.mail(dict.fromkeys(PEOPLE["mail"], "unavailable"))
    desk.publish(Stage.END, channels=("mail",), people=PEOPLE)
    assert desk.outcome(opening, "mail") is Outcome.SUPERSEDED
    assert desk.person(opening, "a@x.example") is Outcome.SUPERSEDED


def test_everyone_who_may_have_the_opening_gets_the_end_too(desk: Desk) -> None:
    opening = desk.publish(channels=("mail",), people={"mail": ["a@x.example"]})
    desk.mail({"a@x.example": "unconfirmed"}, hold_doubt=False)
    end = desk.publish(Stage.END, channels=("mail",), people={"mail": []}, skips=("mail",))
    assert desk.outcome(opening, "mail") is Outcome.HELD
    assert desk.mail() == ["a@x.example"]
    assert desk.outcome(end, "mail") is Outcome.POSTED


def test_a_second_language_does_not_overtake_the_first(desk: Desk) -> None:
    said = desk.publish(channels=("mail",), people=PEOPLE, languages=("fr", "en"))
    desk.mail({"b@x.example": "unavailable"})
    assert desk.person(said, "b@x.example") is Outcome.WAITING
    assert desk.claim("mail") is None


def test_an_expired_mail_is_over_for_waiting_recipients(desk: Desk) -> None:
    said = desk.publish(channels=("mail",), people=PEOPLE, lives=timedelta(minutes=5))
    desk.mail({"b@x.example": "unavailable", "c@x.example": "unconfirmed"}, hold_doubt=False)
    desk.clock.pass_by(300)
    assert desk.claim("mail") is None
    found = desk.journal.publications.get(said)
    assert found is not None
    assert found.on("mail").outcome is Outcome.POSTED
    assert found.on("mail").recipients == {Outcome.POSTED: 1, Outcome.SUPERSEDED: 1, Outcome.HELD: 1}
