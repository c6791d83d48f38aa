"""What approval costs a publication: `pytest -m benchmark -s`."""

from __future__ import annotations

import secrets
import statistics
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from policenotify.journal import open_journal
from policenotify.journal.keys import Keys
from policenotify.model.lifecycle import Lifecycle
from policenotify.model.message import Message
from policenotify.publishing.approval import ApprovalRule
from policenotify.publishing.publisher import Publisher
from tests.support.approval import REASON, appeal, reading_publisher

pytestmark = pytest.mark.benchmark

RUNS = 20
LIMIT = 0.003  # seconds


def test_approval_adds_at_most_three_milliseconds(tmp_path: Path) -> None:
    """Publications that need no other person, an approved draft, one for many keys and an urgent one, in turn.

    It is CPU time, for the number of commits is the same.
    """
    journal = open_journal(str(tmp_path / "journal.db"), keys=Keys.create(secrets.token_bytes), create=True)
    free = reading_publisher(journal, rules=[])
    ruled = reading_publisher(journal, rules=[ApprovalRule(categories=frozenset({"arrest"}))])
    reading = reading_publisher(journal, rules=[ApprovalRule()])
    took: dict[str, list[float]] = {
        "no rule": [],
        "a rule for others": [],
        "approved": [],
        "standing": [],
        "urgent": [],
    }

    def timed(name: str, publisher: Publisher, message: Message, key: str, **how: Any) -> None:
        start = time.thread_time()
        publisher.publish(message, key=key, actor="claire", wait=timedelta(0), **how)
        took[name].append(time.thread_time() - start)

    for number in range(RUNS):
        message = appeal(f"Appel {number}", lifecycle=Lifecycle())
        draft = reading.drafts.create(message, actor="claire")
        draft = reading.drafts.submit(draft.id, actor="claire")
        draft = reading.drafts.approve(draft.id, digest=draft.digest, actor="hugo", publish=False)
        standing = reading.drafts.create(message, actor="claire", for_keys="campaign ")
        standing = reading.drafts.submit(standing.id, actor="claire")
        reading.drafts.approve(standing.id, digest=standing.digest, actor="hugo")
        jobs: list[tuple[str, Publisher, str, dict[str, str]]] = [
            ("no rule", free, f"a{number}", {}),
            ("a rule for others", ruled, f"b{number}", {}),
            ("approved", reading, draft.id, {"draft": draft.id}),
            ("standing", reading, f"campaign {number}", {"draft": standing.id}),
            ("urgent", reading, f"c{number}", {"urgent": REASON}),
        ]
        first = number % len(jobs)  # none is always the first after a draft
        for name, publisher, key, how in (*jobs[first:], *jobs[:first]):
            timed(name, publisher, message, key, **how)
    journal.close()
    medians = {name: statistics.median(times) for name, times in took.items()}
    print("\npublish(wait=0): " + ", ".join(f"{name} {median * 1000:.2f} ms" for name, median in medians.items()))
    assert medians["approved"] - medians["no rule"] <= LIMIT
    assert medians["standing"] - medians["no rule"] <= LIMIT
    assert medians["urgent"] - medians["no rule"] <= LIMIT
    assert medians["a rule for others"] - medians["no rule"] <= LIMIT / 3
