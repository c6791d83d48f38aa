"""One publication is taken down: its posts are deleted where the network can, and nothing more of it is sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from policenotify.channel import Operation
from policenotify.errors import NotAllowed
from policenotify.model.history import Outcome
from policenotify.model.message import Message
from policenotify.publishing.publisher import Publisher
from tests.support.installation import Desk, accident, open_desk

WHY = "La personne est retrouvée."


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path) as opened:
        yield opened


@pytest.fixture
def publisher(installation: Desk) -> Publisher:
    return installation.publisher()


def outcomes(publisher: Publisher, name: str) -> Counter[tuple[str, Operation, Outcome]]:
    found = publisher.publication(name)
    assert found is not None
    return Counter((receipt.channel, receipt.operation, receipt.outcome) for receipt in found)


def test_posts_are_deleted_where_the_network_can(installation: Desk, publisher: Publisher) -> None:
    publisher.publish(accident(), key="k", actor="claire", wait=10)
    assert len(installation.bluesky.posts) == 1
    done = publisher.withdraw("k", actor="claire", reason=WHY, wait=10)
    assert not installation.bluesky.posts
    assert outcomes(publisher, "k") == {
        ("bluesky", Operation.POST, Outcome.DELETED): 1,
        ("bluesky", Operation.DELETE, Outcome.DELETED): 1,
        ("presse", Operation.POST, Outcome.POSTED): 1,
    }
    assert publisher.withdraw(done.id, actor="claire", reason=WHY, wait=10).receipts == done.receipts
    assert publisher.journal.audit.verify() == 0
    publisher.journal.audit.seal()
    assert publisher.journal.audit.verify() == 1


def test_the_incident_goes_on(installation: Desk, publisher: Publisher) -> None:
    opening = publisher.publish(accident(), key="k", actor="claire", wait=10)
    publisher.withdraw("k", actor="claire", reason=WHY, wait=10)
    publisher.publish(
        opening.end("Fin d'intervention", description="Circulation rétablie."), key="e", actor="c", wait=10
    )
    assert outcomes(publisher, "e") == {
        ("bluesky", Operation.POST, Outcome.POSTED): 1,
        ("presse", Operation.POST, Outcome.POSTED): 1,
    }
    assert len(installation.bluesky.posts) == 1
    assert publisher.journal.audit.verify() == 0


def test_what_waits_is_not_sent(installation: Desk, publisher: Publisher) -> None:
    publisher.publish(accident(), key="k", actor="claire", wait=0)
    publisher.withdraw("k", actor="claire", reason=WHY, wait=10)
    assert not installation.bluesky.posts
    assert outcomes(publisher, "k") == {
        ("bluesky", Operation.POST, Outcome.SUPERSEDED): 1,
        ("presse", Operation.POST, Outcome.SUPERSEDED): 1,
    }
    assert publisher.journal.audit.verify() == 0


def test_it_takes_a_reason_and_the_right(installation: Desk) -> None:
    asked: list[tuple[str, str]] = []

    def may(actor: str, action: str, _message: Message | None) -> bool:
        asked.append((actor, action))
        return action != "withdraw"

    publisher = installation.publisher(may=may)
    publisher.publish(accident(), key="k", actor="claire", wait=10)
    with pytest.raises(ValueError, match="reason: write a reason"):
        publisher.withdraw("k", actor="claire", reason="")
    with pytest.raises(NotAllowed):
        publisher.withdraw("k", actor="claire", reason=WHY)
    with pytest.raises(KeyError):
        publisher.withdraw("nothing", actor="claire", reason=WHY)
    assert asked[-1] == ("claire", "withdraw")
    assert len(installation.bluesky.posts) == 1
