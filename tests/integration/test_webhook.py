"""An incident at a newsroom's system, from `publish` to its end: order, doubts, withdrawals, and what is not public."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from policenotify.channel import ChannelConfig
from policenotify.errors import SettingsError
from policenotify.model.cap import Precision
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import STANDALONE, Stage
from policenotify.model.location import Location, Point
from policenotify.model.message import Basis
from policenotify.networks.registry import configure_channel
from policenotify.publishing.publisher import Publisher
from policenotify.testing.servers.http import Answer, Disconnect
from policenotify.testing.servers.webhook import FakeWebhookServer
from tests.support.installation import INCIDENT, Desk, accident, open_desk
from tests.support.network_options import webhook_options
from tests.support.patience import PATIENCE


@pytest.fixture
def server() -> Iterator[FakeWebhookServer]:
    with FakeWebhookServer() as running:
        yield running


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path) as opened:
        yield opened


def newsroom(server: FakeWebhookServer, *, remembers: int = 24, **how: Any) -> ChannelConfig:
    options = {**webhook_options(server), "remembers_hours": remembers, "timeout": 5.0}
    return configure_channel("midi-libre", "webhook", options, **how)


@pytest.fixture
def publisher(installation: Desk, server: FakeWebhookServer) -> Publisher:
    return installation.publisher([newsroom(server)])


def publish(publisher: Publisher, key: str, **changes: Any) -> Outcome:
    return publisher.publish(accident(**changes), key=key, actor="claire", wait=PATIENCE).receipts[0].outcome


def test_each_stage_is_a_call_in_the_thread_of_its_incident(server: FakeWebhookServer, publisher: Publisher) -> None:
    opening = accident()
    first = publisher.publish(opening, key="1", actor="claire", wait=PATIENCE)
    for key, stage, headline in (("2", Stage.UPDATE, "Deux voies fermées"), ("3", Stage.END, "Circulation rétablie")):
        message = opening.followed_by(stage, headline=headline, incident=INCIDENT)
        assert publisher.publish(message, key=key, actor="claire", wait=PATIENCE).ok

    assert [item["message"]["lifecycle"]["stage"] for item in server.items] == ["opening", "update", "end"]
    assert len({item["thread"] for item in server.items}) == 1
    assert [item["answers"] for item in server.items] == [None, *(item["key"][:16] for item in server.items[:2])]
    receipt = first.receipts[0]
    assert receipt.ref is not None
    assert (receipt.ref.account, receipt.ref.id) == ("127.0.0.1", server.items[0]["key"][:16])


@pytest.mark.parametrize("fault", [Disconnect(), Answer(500)], ids=["cut", "500"])
def test_a_call_in_doubt_is_repeated_and_shown_once(
    server: FakeWebhookServer, publisher: Publisher, fault: Disconnect | Answer
) -> None:
    server.fail_next("POST", "*", fault, effect=True)
    assert publish(publisher, "1") is Outcome.POSTED
    assert len(server.items) == 1
    first, second = server.requests
    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)


def test_a_doubt_about_a_receiver_that_remembers_nothing_waits_for_a_person(
    server: FakeWebhookServer, installation: Desk
) -> None:
    publisher = installation.publisher([newsroom(server, remembers=0, on_unknown="hold")])
    server.fail_next("POST", "*", Disconnect(), effect=True)
    assert publish(publisher, "1") is Outcome.HELD
    assert len(server.requests) == 1


def test_a_withdrawn_publication_is_a_call_without_words(server: FakeWebhookServer, publisher: Publisher) -> None:
    publish(publisher, "1")
    publisher.withdraw("1", actor="claire", reason="La personne est retrouvée.", wait=PATIENCE)
    assert [item["withdrawn_at"] is None for item in server.items] == [False]
    assert accident().headline.encode() not in server.requests[-1].body


def test_an_exercise_reaches_no_newsroom_that_is_not_for_exercises(
    server: FakeWebhookServer, publisher: Publisher
) -> None:
    with pytest.raises(SettingsError, match="not for exercises"):
        publisher.publish(accident(exercise=True, lifecycle=STANDALONE), key="1", actor="claire", to=["midi-libre"])
    assert not server.requests


def test_nothing_that_is_not_public_is_sent(server: FakeWebhookServer, publisher: Publisher) -> None:
    exact = Location(
        commune="34172",
        street="12 avenue de Toulouse",
        point=Point(latitude=43.598712, longitude=3.869123),
        precision=Precision.STREET,
    )
    publish(publisher, "1", location=exact, basis=(Basis(who="prosecutor", reference="PARQUET-4711"),))
    (request,) = server.requests
    for private in (INCIDENT, "PARQUET", "prosecutor", "43.5987", "3.8691", "12 avenue"):
        assert private.encode() not in request.body
    assert b"avenue de Toulouse" in request.body


def test_the_secret_and_the_address_are_not_in_the_journal(
    server: FakeWebhookServer, publisher: Publisher, installation: Desk
) -> None:
    publish(publisher, "1")
    files = b"".join(path.read_bytes() for path in installation.folder.glob("journal.db*"))
    assert b"midi-libre" in files
    for private in (server.secret, server.secret.removeprefix("whsec_"), f"{server.url}/police"):
        assert private.encode() not in files
