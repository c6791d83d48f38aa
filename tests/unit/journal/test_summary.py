"""The counts of the journal agree with its lists, and stay bounded."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from policenotify.journal.records import ChannelSummary
from policenotify.model.cap import Severity
from policenotify.model.history import Outcome
from tests.support.journal import Desk

PEOPLE = {"mail": ["a@x.example", "b@x.example"]}


def _listed(desk: Desk) -> dict[str, Counter[Outcome]]:
    """Count the receipts of all publications, one by one."""
    found: dict[str, Counter[Outcome]] = {}
    for publication in desk.journal.publications.latest(100):
        for receipt in publication:
            found.setdefault(receipt.channel, Counter())[receipt.outcome] += 1
    return found


def test_each_outcome_is_counted_for_each_channel(desk: Desk) -> None:
    assert desk.journal.deliveries.channel_summaries() == ()
    began = desk.clock.now()
    for number in range(4):
        desk.publish(incident=f"I{number}", channels=("sky", "mail"), people=PEOPLE)
        desk.clock.pass_by(60)
    desk.deliver()
    desk.deliver(outcome=Outcome.UNCONFIRMED, not_before=desk.clock.now() + timedelta(hours=1))
    desk.begin(desk.take())
    desk.mail({"b@x.example": "unconfirmed"})
    [mail, sky] = desk.journal.deliveries.channel_summaries()
    assert {one.name: Counter(one.outcomes) for one in (mail, sky)} == _listed(desk)
    assert sky == ChannelSummary(
        "sky",
        {Outcome.WAITING: 1, Outcome.SENDING: 1, Outcome.UNCONFIRMED: 1, Outcome.POSTED: 1},
        began + timedelta(minutes=1),
    )
    assert list(sky.outcomes) == [one for one in Outcome if one in sky.outcomes]
    assert mail.oldest == began + timedelta(minutes=1)


def test_deliveries_for_an_operator_are_marked_also_for_one_recipient(desk: Desk) -> None:
    waiting = desk.publish(incident="I1")
    done = desk.publish(incident="I2", severity=Severity.SEVERE)
    for_one = desk.publish(incident="I3", channels=("mail",), people=PEOPLE)
    held = desk.publish(incident="I4", severity=Severity.EXTREME)
    desk.deliver(outcome=Outcome.HELD)
    desk.deliver()
    desk.mail({"b@x.example": "unconfirmed"})
    assert desk.journal.publications.unfinished_ids() == {waiting: False, for_one: True, held: True}
    assert done not in desk.journal.publications.unfinished_ids()
    assert [*desk.journal.publications.unfinished_ids()] == [waiting, for_one, held]


def test_the_most_urgent_incidents_are_those_of_which_a_word_is_owed_first(desk: Desk) -> None:
    for number in range(5):
        desk.publish(incident=f"I{number}")
        desk.clock.pass_by(60)
    ids = [one.id for one in desk.journal.incidents.earliest_due(3)]
    assert ids == ["I0", "I1", "I2"]
    assert desk.journal.incidents.earliest_due(0) == ()
    assert desk.journal.incidents.count_open() == 5


def test_the_outcomes_of_some_deliveries_are_counted(desk: Desk) -> None:
    for number in range(3):
        desk.publish(incident=f"I{number}")
    desk.deliver()
    before = desk.journal.deliveries.unsettled()
    assert len(before) == 2
    assert desk.journal.deliveries.outcomes(before) == {Outcome.WAITING: 2}
    desk.deliver()
    desk.deliver(outcome=Outcome.UNCONFIRMED, not_before=desk.clock.now())
    assert desk.journal.deliveries.outcomes(before) == {Outcome.POSTED: 1, Outcome.UNCONFIRMED: 1}
    assert desk.journal.deliveries.outcomes(frozenset()) == {}
