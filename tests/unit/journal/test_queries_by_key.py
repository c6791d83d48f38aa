"""Queries for a series of messages: publications by key, and their findings."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from policenotify.journal.records import DeliverySummary
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Stage

if TYPE_CHECKING:
    from tests.support.journal import Desk


def test_messages_by_prefix_of_their_key_and_since_when(desk: Desk) -> None:
    begun = desk.clock.now()
    for number, key in enumerate(("campaign a", "campaign_b", "Campaign c", "campaign d", "x campaign e")):
        draft = desk.draft(Stage.STANDALONE, incident=None, channels=("sky", "mail"))
        desk.journal.publications.add(replace(draft, id=f"{number:026}", key=key))
        desk.clock.pass_by(60)
    said = desk.journal.publications.by_key_prefix("campaign ", begun)
    assert [one.key for one in said] == ["campaign a", "campaign d"]
    assert said[0].at == begun
    assert said[0].deliveries == tuple(
        DeliverySummary(channel=channel, language="fr", outcome=Outcome.WAITING) for channel in ("sky", "mail")
    )
    assert [one.key for one in desk.journal.publications.by_key_prefix("campaign ", begun + timedelta(minutes=3))] == [
        "campaign d"
    ]


def test_findings_and_their_time(desk: Desk) -> None:
    begun = desk.clock.now()
    desk.journal.audit.record("adm", "campaign", {"day": 1})
    desk.clock.pass_by(60)
    desk.journal.audit.record("adm", "campaign", {"day": 2})
    desk.journal.audit.record("adm", "other", {"day": 3})
    assert desk.journal.audit.events("campaign", begun) == ({"day": 1}, {"day": 2})
    assert desk.journal.audit.events("campaign", begun + timedelta(seconds=1)) == ({"day": 2},)
