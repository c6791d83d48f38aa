"""After a withdrawal, a cancellation or an end, a post in doubt is looked for, and never sent again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from policenotify.channel import Operation
from policenotify.model.history import Outcome
from policenotify.model.message import Message
from policenotify.model.receipt import Publication
from policenotify.publishing.publisher import Publisher
from policenotify.testing import Disconnect
from tests.support.faults import PUBLISHES
from tests.support.five_networks import Five
from tests.support.installation import accident
from tests.support.patience import until

WHY = "Publié par erreur, mauvaise rue."
FEWER = "Circulation rétablie"
_WAITS = {Outcome.WAITING, Outcome.SENDING, Outcome.UNCONFIRMED}


def _cut(five: Five, network: str, *, taken: bool) -> None:
    """Cut the connection of the next post, before or after the network has it."""
    getattr(five, network).fail_next(*PUBLISHES[network], Disconnect(), effect=taken)


def _take_back(publisher: Publisher, opened: Publication, how: str) -> None:
    if how == "withdraw":
        publisher.withdraw(opened.id, actor="c", reason=WHY, wait=0)
        return
    followed: dict[str, Message] = {
        "cancel": opened.cancel("Message annulé", description="Publié par erreur."),
        "end": opened.end(FEWER),
    }
    publisher.publish(followed[how], key="2", actor="c", wait=0)


def _settle(five: Five, publisher: Publisher) -> None:
    """Deliver until nothing waits, however long a network must be asked for."""

    def is_settled() -> bool:
        five.clock.ahead += timedelta(minutes=1)
        five.theirs.ahead += timedelta(minutes=1)
        publisher.drain(timedelta(seconds=0.5))
        return not _open(publisher)

    until(is_settled)


def _open(publisher: Publisher) -> list[Outcome]:
    found = filter(None, map(publisher.operations.publication, "12"))
    return [receipt.outcome for each in found for receipt in each if receipt.outcome in _WAITS]


def _opening(publisher: Publisher) -> dict[Operation, Outcome]:
    found = publisher.operations.publication("1")
    assert found is not None
    return {receipt.operation: receipt.outcome for receipt in found}


@pytest.mark.parametrize("taken", [False, True], ids=["lost", "taken"])
@pytest.mark.parametrize("how", ["withdraw", "cancel", "end"])
@pytest.mark.parametrize("network", ["x", "mastodon", "bluesky"])
def test_a_post_in_doubt_is_not_sent_again(five: Five, network: str, how: str, *, taken: bool) -> None:
    channel = five.channel(network, on_cancellation="delete")
    publisher = five.publisher(channels=[channel], backoff=lambda _: timedelta(minutes=1))
    _cut(five, network, taken=taken)
    opened = publisher.publish(accident(), key="1", actor="c", wait=0)
    until(
        lambda: publisher.drain(timedelta(seconds=0.5)) and _opening(publisher)[Operation.POST] is Outcome.UNCONFIRMED
    )
    assert _opening(publisher) == {Operation.POST: Outcome.UNCONFIRMED}
    _take_back(publisher, opened, how)
    _settle(five, publisher)
    shown = [text for text in five.read(network) if "Évitez le secteur" in text]
    outcomes = _opening(publisher)
    if how == "end":  # readers of the opening read its end below it
        assert (len(shown), outcomes[Operation.POST]) == ((1, Outcome.POSTED) if taken else (0, Outcome.SUPERSEDED))
        assert any(FEWER.lower() in text.lower() for text in five.read(network))
    else:
        assert not shown
        assert outcomes[Operation.POST] is (Outcome.DELETED if taken else Outcome.SUPERSEDED)
    assert publisher.journal.audit.verify() == 0
