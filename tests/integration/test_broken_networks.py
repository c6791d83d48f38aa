"""A network that fails in its own code costs its own channel, and no other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from policenotify.channel import ChannelConfig
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.text import Budget
from tests.support.audiences import listed
from tests.support.installation import Desk, accident


def _raise(_text: str) -> Any:
    raise RuntimeError("geheim")


def _exit(_text: str) -> Any:
    raise SystemExit(1)


FAILURES: dict[str, dict[str, Any]] = {
    "measure raises": {"measure": _raise},
    "measure exits": {"measure": _exit},
    "measure returns a text": {"measure": str},
    "transliterate raises": {"transliterate": _raise},
    "find_losses returns a number": {"find_losses": len},
}


def _broken(channel: ChannelConfig, failure: str) -> ChannelConfig:
    budget = Budget(10_000, **FAILURES[failure])
    return channel.model_copy(update={"capabilities": replace(channel.capabilities, budget=budget)})


@pytest.mark.parametrize("failure", FAILURES)
def test_a_network_that_cannot_measure_refuses_its_own_post_only(desk: Desk, failure: str) -> None:
    publisher = desk.publisher([_broken(desk.on_bluesky(), failure), desk.by_mail()])
    preview = publisher.preview(accident())
    assert [target.channel for target in preview.refusals] == ["bluesky"]
    published = publisher.publish(accident(), key="k", actor="brigadier")
    assert published.on("presse").outcome is Outcome.POSTED
    refused = published.on("bluesky")
    assert (refused.outcome, refused.ok) == (Outcome.REFUSED, False)
    assert "Nothing was sent: the network 'bluesky' of 'bluesky' fails on this text" in str(refused.reason)
    assert "geheim" not in str(refused)


def test_what_is_no_list_costs_its_own_channel_only(desk: Desk) -> None:
    no_list: Any = 7
    publisher = desk.publisher([desk.on_bluesky(), desk.by_mail(audiences=listed("presse", lambda: no_list))])
    published = publisher.publish(accident(), key="k", actor="brigadier")
    assert published.on("bluesky").outcome is Outcome.POSTED
    assert published.on("presse").outcome is Outcome.WAITING
    assert list(publisher.operations.blocked()) == ["presse"]


def test_what_is_no_person_in_a_list_is_left_out_and_counted(desk: Desk) -> None:
    people: Any = (None, "ana@journal.example")
    publisher = desk.publisher([desk.by_mail(audiences=listed("presse", lambda: people))])
    published = publisher.publish(accident(), key="k", actor="brigadier").on("presse")
    assert published.outcome is Outcome.POSTED
    assert "Rows of the list that were left out: 1." in str(published.reason)
    people = (None,)
    published = publisher.publish(
        accident(lifecycle=Lifecycle(stage=Stage.OPENING, incident="2026-4712")), key="k2", actor="brigadier"
    ).on("presse")
    assert (published.outcome, published.recipients) == (Outcome.SKIPPED, {})
    assert "Rows of the list that were left out: 1." in str(published.reason)
