"""Unworded deliveries are not claimed, keep their place, and are worded once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from policenotify.journal.records import NewPublication, UnrenderedDelivery
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Stage
from tests.support.journal import Desk

PEOPLE = ("a@desk.example", "b@desk.example")


def _unworded(draft: NewPublication) -> NewPublication:
    """Return a publication without a usable channel."""
    waiting = tuple(
        replace(post.target, account="", reply_to=(), problem="The token cannot be read.", remedy="Mend it.")
        for post in draft.posts
        if post.target.part == 0
    )
    return replace(draft, posts=(), targets=waiting, with_recipients=frozenset())


def _wait(desk: Desk, stage: Stage = Stage.OPENING, **how: object) -> tuple[UnrenderedDelivery, NewPublication]:
    draft = desk.draft(stage, **how)  # type: ignore[arg-type]  # as `Desk.draft` takes it
    desk.journal.publications.add(_unworded(draft))
    return UnrenderedDelivery(publication=draft.id, channel=draft.posts[0].target.channel), draft


def _render(desk: Desk, one: UnrenderedDelivery, draft: NewPublication) -> bool:
    many = one.channel in draft.with_recipients
    return desk.journal.deliveries.render(one, draft.posts, draft.targets, with_recipients=many)


def test_an_unworded_delivery_is_not_claimed_and_reported_with_its_reason(desk: Desk) -> None:
    one, _ = _wait(desk)
    assert desk.claim() is None
    assert desk.journal.deliveries.due(["sky"]) == {}
    assert desk.journal.deliveries.unrendered(["sky"]) == (one,)
    assert desk.journal.deliveries.unrendered(["mail"]) == ()
    found = desk.journal.publications.get(one.publication)
    assert found is not None
    [receipt] = found
    assert (receipt.outcome, receipt.unrendered, receipt.retry_at) == (Outcome.WAITING, True, None)
    assert (str(receipt.reason), str(receipt.remedy)) == ("The token cannot be read.", "Mend it.")


def test_it_is_worded_once_and_then_goes_like_any_other(desk: Desk) -> None:
    one, drafted = _wait(desk)
    assert _render(desk, one, drafted)
    assert not _render(desk, one, drafted)
    desk.journal.deliveries.refuse_unrendered(one, "It does not fit.")
    assert desk.deliver().standalone is not None
    assert desk.outcome(one.publication) is Outcome.POSTED
    found = desk.journal.publications.get(one.publication)
    assert found is not None
    assert [(receipt.unrendered, str(receipt.reason)) for receipt in found] == [(False, "")]


def test_a_follow_up_waits_behind_all_earlier_parts(desk: Desk) -> None:
    both = ("fr", "oc")
    opened = _wait(desk, languages=both)
    updated = _wait(desk, Stage.UPDATE, languages=both)
    again = _wait(desk, Stage.UPDATE)
    for one, drafted in (opened, updated, again):
        assert desk.journal.deliveries.unrendered(["sky"])[0] == one
        assert _render(desk, one, drafted)
    said = []
    while (claimed := desk.claim()) is not None:
        begun = desk.begin(claimed)
        said.append((begun.publication, begun.standalone and begun.standalone.language))
        desk.settle(begun)
    names = [one.publication for one, _ in (opened, updated, again)]
    assert said == [(names[0], "fr"), (names[0], "oc"), (names[1], "fr"), (names[1], "oc"), (names[2], "fr")]


def test_a_worded_delivery_does_not_overtake_an_unworded_one(desk: Desk) -> None:
    one, drafted = _wait(desk)
    desk.publish(Stage.UPDATE)
    assert desk.claim() is None
    _render(desk, one, drafted)
    assert desk.deliver().publication == one.publication


def test_it_is_superseded_by_the_end_of_its_incident(desk: Desk) -> None:
    one, drafted = _wait(desk)
    desk.publish(Stage.END)
    assert desk.outcome(one.publication) is Outcome.SUPERSEDED
    assert desk.journal.deliveries.unrendered(["sky"]) == ()
    assert not _render(desk, one, drafted)


def test_it_expires_as_any_other_once_it_is_worded(desk: Desk) -> None:
    one, drafted = _wait(desk, lives=timedelta(hours=1))
    desk.clock.pass_by(7_200)
    _render(desk, one, drafted)
    assert desk.claim() is None
    assert desk.outcome(one.publication) is Outcome.SUPERSEDED


def test_its_people_are_given_to_it_with_its_words(desk: Desk) -> None:
    one, drafted = _wait(desk, channels=("mail",), people={"mail": PEOPLE})
    assert not desk.journal.deliveries.had_recipients("mail")
    _render(desk, one, drafted)
    assert desk.expand()
    assert desk.journal.deliveries.had_recipients("mail")
    assert not desk.journal.deliveries.had_recipients("sky")
    assert sorted(desk.mail()) == sorted(PEOPLE)
    assert desk.outcome(one.publication, "mail") is Outcome.POSTED


def test_an_omitted_part_is_reported_as_such(desk: Desk) -> None:
    one, drafted = _wait(desk)
    left_out = replace(drafted.posts[0].target, skip="It does not speak it.")
    _render(desk, one, replace(drafted, posts=(), targets=(left_out,)))
    assert desk.outcome(one.publication) is Outcome.SKIPPED


def test_an_unrenderable_delivery_is_refused_and_lets_the_next_go(desk: Desk) -> None:
    one, _ = _wait(desk)
    other = desk.publish(Stage.UPDATE)
    desk.journal.deliveries.refuse_unrendered(one, "It does not fit.")
    assert desk.outcome(one.publication) is Outcome.REFUSED
    assert desk.deliver().publication == other


@pytest.mark.parametrize("mass", [False, True])
def test_that_it_was_worded_is_an_event(desk: Desk, *, mass: bool) -> None:
    channel = "mail" if mass else "sky"
    one, drafted = _wait(desk, channels=(channel,), people={"mail": PEOPLE})
    _render(desk, one, drafted)
    kinds = [row[3] for row in desk.dump("pn_event")["pn_event"]]
    assert kinds[-1] == "rendered"
    desk.journal.audit.seal()
    assert desk.journal.audit.verify() == 1
