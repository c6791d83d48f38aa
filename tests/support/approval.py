"""A publisher whose messages others read first, on any journal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from policenotify.journal.journal import Journal
from policenotify.model.cap import Severity
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.message import Message
from policenotify.publishing.approval import ApprovalRule
from policenotify.publishing.installation import Installation
from policenotify.publishing.publisher import Publisher
from policenotify.testing.samples import PARIS, SENDER
from tests.support.fake_network import Scripted

NOW = timedelta(0)
RULE = ApprovalRule(categories=frozenset({"witness_appeal", "missing_person"}), at_least=Severity.SEVERE)
REASON = "Enfant en danger immédiat."


def reading_publisher(
    journal: Journal, *, rules: Sequence[ApprovalRule] = (RULE,), network: Scripted | None = None, **how: Any
) -> Publisher:
    """Return a publisher on one network in memory."""
    channel = (network or Scripted()).configured("sky")
    exercises = Scripted(account="practice").configured("practice", exercise=True)
    return Publisher(
        Installation(
            journal=journal,
            channels=[channel, exercises],
            zone=PARIS,
            clock=journal.clock,
            approval=rules,
            **{"checks": (), "wait": NOW, "sender": SENDER, **how},
        )
    )


def appeal(text: str = "Appel à témoins", **changes: Any) -> Message:
    """Return a message that another person must read first."""
    return Message(
        **{
            "category": "witness_appeal",
            "headline": text,
            "instruction": "Appelez le 17.",
            "lifecycle": Lifecycle(stage=Stage.OPENING, incident="I1"),
            **changes,
        }
    )
