"""The history of an incident is read back completely."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from policenotify.findings import Finding, Level
from policenotify.model.history import Outcome, PostedPart
from policenotify.model.lifecycle import Stage

if TYPE_CHECKING:
    from tests.support.journal import Desk

REMARK = Finding(code="PN201", level=Level.ADVISE, field="headline", reason="Long.", remedy="Shorten it.", span=(3, 9))
SOON = timedelta(minutes=5)


# --- the course


@pytest.mark.databases
def test_the_result_of_each_post_is_read_back(desk: Desk) -> None:
    desk.publish(languages=("fr", "en"))
    french = desk.deliver()
    desk.deliver(outcome=Outcome.UNCONFIRMED)
    [entry] = desk.journal.incidents.history("I1").entries
    assert entry.posts == (
        PostedPart(
            channel="sky",
            account="police34.example",
            language="fr",
            outcome=Outcome.POSTED,
            ref=desk.ref(french),
        ),
        PostedPart(channel="sky", account="police34.example", language="en", outcome=Outcome.UNCONFIRMED, part=1),
    )


# --- outside incidents


# --- publications


@pytest.mark.databases
def test_a_publication_is_read_back_by_id_or_key(desk: Desk) -> None:
    draft = desk.draft(Stage.STANDALONE, key="cad:4711", findings=(REMARK,))
    desk.journal.publications.add(draft)
    found = desk.journal.publications.get(draft.id)
    assert found is not None
    assert found == desk.journal.publications.get("cad:4711")
    assert (found.id, found.key, found.message, found.at, found.actor) == (
        draft.id,
        "cad:4711",
        draft.message,
        draft.at,
        "cne Roux",
    )
    assert (found.sequence, found.findings, found.repeated) == (0, (REMARK,), False)
    [receipt] = found
    assert (receipt.channel, receipt.language, receipt.outcome, receipt.attempts) == ("sky", "fr", Outcome.WAITING, 0)
    assert (receipt.delivery, receipt.ref, receipt.retry_at, receipt.recipients) == (1, None, None, None)
    assert desk.journal.publications.get("nothing") is None


# --- what is still to come


@pytest.mark.databases
def test_unsettled_lists_each_channel(desk: Desk) -> None:
    said = desk.publish(channels=("sky", "town", "mail", "late"), people={"mail": []})
    assert desk.claim("mail") is None  # there is nobody
    later = desk.clock.now() + SOON
    desk.deliver("late", Outcome.UNCONFIRMED, not_before=later)
    desk.take("town")
    assert desk.journal.publications.pending(said, patience=SOON) == {
        "sky": desk.clock.now(),
        "town": None,
        "late": later,
    }
    desk.deliver("sky")
    assert set(desk.journal.publications.pending(said, patience=SOON)) == {"town", "late"}
    assert desk.journal.publications.pending("0" * 26, patience=SOON) == {}
