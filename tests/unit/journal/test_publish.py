"""A publication is written once and completely, or not at all."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from policenotify.errors import IdempotencyConflict, JournalError
from policenotify.findings import Finding, Level
from policenotify.journal.publications import IncidentChanged
from policenotify.journal.records import NewPublication
from policenotify.model.lifecycle import Stage

if TYPE_CHECKING:
    from tests.support.journal import Desk

BLOCKING = Finding(code="PN101", level=Level.BLOCK, field="headline", reason="A name.", remedy="Leave it out.")


# --- the caller's key


def test_the_same_key_and_content_give_the_first_publication(desk: Desk) -> None:
    first = desk.publish(key="cad:4711")
    before = desk.dump()
    assert desk.journal.publications.add(_again(desk)) == first
    assert desk.journal.publications.find_repeated("cad:4711", _again(desk).digest) == first
    assert desk.journal.publications.find_repeated("cad:4712", _again(desk).digest) is None
    assert desk.dump() == before


def _again(desk: Desk) -> NewPublication:
    """The opening once more, as a caller who lost the answer would ask for it."""
    found = desk.journal.publications.get("cad:4711")
    assert found is not None
    return replace(desk.draft(incident="I9", key="cad:4711"), message=found.message, digest=found.message.digest())


@pytest.mark.databases
def test_the_same_key_for_another_content_is_refused(desk: Desk) -> None:
    first = desk.publish(key="cad:4711")
    before = desk.dump()
    with pytest.raises(IdempotencyConflict) as caught:
        desk.publish(incident="I2", key="cad:4711", headline="Autre chose")
    assert (caught.value.key, caught.value.first) == ("cad:4711", first)
    with pytest.raises(IdempotencyConflict):
        desk.journal.publications.find_repeated("cad:4711", "0" * 64)
    assert desk.dump() == before


# --- two processes at once


@pytest.mark.databases
@pytest.mark.parametrize("stage", [Stage.OPENING, Stage.END, Stage.CANCELLATION])
def test_of_two_threads_one_wins(desk: Desk, stage: Stage) -> None:
    if stage is not Stage.OPENING:
        desk.publish()
    drafts = [desk.draft(stage) for _ in range(2)]
    told: list[str] = []
    start = threading.Barrier(2)

    def add(draft: NewPublication) -> None:
        start.wait()
        try:
            told.append(desk.journal.publications.add(draft))
        except IncidentChanged as error:
            told.append(str(error))

    threads = [threading.Thread(target=add, args=(draft,)) for draft in drafts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([one for one in told if one in {draft.id for draft in drafts}]) == 1
    assert len([one for one in told if one.startswith("Nothing was sent. Other desks keep publishing on")]) == 1
    assert [one.message.stage for one in desk.journal.publications.latest(9)].count(stage) == 1


def test_a_standalone_message_is_cancelled_once(desk: Desk) -> None:
    alone = desk.publish(Stage.STANDALONE)
    drafts = [desk.draft(stage, None, corrects=alone) for stage in (Stage.CANCELLATION, Stage.CANCELLATION)]
    correction = desk.draft(Stage.CORRECTION, None, corrects=alone)
    desk.journal.publications.add(drafts[0])
    for late in (drafts[1], correction):
        with pytest.raises(IncidentChanged, match=f"Another desk has cancelled publication {alone}, which is final"):
            desk.journal.publications.add(late)
    assert [one.id for one in desk.journal.publications.latest(9)] == [drafts[0].id, alone]


# --- refused drafts


@pytest.mark.databases
def test_a_refused_draft_keeps_its_key_free_and_holds_no_place(desk: Desk) -> None:
    refused = desk.draft(key="cad:4711", findings=(BLOCKING,))
    desk.journal.publications.add_refused(refused)
    desk.journal.publications.add_refused(desk.draft(key="cad:4711", findings=(BLOCKING,)))
    assert desk.journal.publications.get("cad:4711") is None
    assert desk.journal.publications.get(refused.id) is None
    assert desk.journal.publications.find_repeated("cad:4711", refused.digest) is None
    assert desk.journal.incidents.list() == ()
    assert desk.dump("pn_delivery")["pn_delivery"] == []
    first = desk.publish(key="cad:4711")
    assert [entry.publication for entry in desk.journal.incidents.history("I1").entries] == [first]
    [row, *_] = desk.dump("pn_event")["pn_event"]
    assert row[3] == "refused_by_check"
    assert '"codes":["PN101"]' in row[7]


@pytest.mark.databases
def test_of_a_refused_message_no_text_is_kept(desk: Desk) -> None:
    """Nor the digest, from which a short text could be guessed."""
    why = Finding(code="PN101", level=Level.BLOCK, field="headline", reason="Dupont", remedy="Dupont")
    refused = desk.draft(headline="Accident, Dupont attendu", findings=(why,))
    desk.journal.publications.add_refused(refused)
    kept = repr(desk.dump())
    assert refused.id in kept
    assert "Dupont" not in kept
    assert refused.digest not in kept


# --- whole or not at all


@pytest.mark.databases
def test_a_failure_in_the_middle_leaves_nothing(desk: Desk) -> None:
    draft = desk.draft(channels=("sky", "mail"))
    twice = (draft.posts[0], draft.posts[0])
    before = desk.dump()
    with pytest.raises(
        JournalError,
        match=r"UNIQUE constraint failed: pn_delivery\.post_key|UniqueViolation \(23505, pn_delivery_post_key_key\)",
    ):
        desk.journal.publications.add(replace(draft, posts=twice))
    assert desk.dump() == before
