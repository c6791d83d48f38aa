"""Mastodon's API on snac, a real server that ignores keys."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Self

import pytest
from pydantic import SecretStr

from policenotify.channel import Channel, ChannelConfig
from policenotify.errors import Blocked
from policenotify.journal.clock import SystemClock
from policenotify.model.history import Outcome
from policenotify.networks.mastodon.channel import Mastodon
from policenotify.networks.mastodon.instance import Instance
from policenotify.networks.registry import configure_channel
from policenotify.testing import (
    Disconnect,
    FakeClock,
    InMemoryStateStore,
    VisiblePost,
)
from policenotify.testing.servers._mastodon_rules import instance
from tests.acceptance.peers.conftest import NewPublisher
from tests.acceptance.peers.contract import ServerContract, ServerFixture
from tests.acceptance.peers.gateway import Gateway
from tests.acceptance.peers.incident import a_post, publish_incident
from tests.acceptance.peers.snac_server import Account, Snac
from tests.support.channels import open_channel
from tests.support.five_networks import AheadClock
from tests.support.installation import accident

pytestmark = pytest.mark.peers

POST = ("POST", "/api/v1/statuses")


@pytest.fixture
def account(snac: Snac) -> Account:
    return snac.account(new_handle())


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with Gateway() as opened:
        yield opened


def new_handle() -> str:
    return f"police{secrets.token_hex(4)}"


def on_snac(account: Account, service: str = "", **how: Any) -> ChannelConfig:
    options = {"handle": account.handle, "token": account.token, "server": service or account.url, "timeout": 10.0}
    return configure_channel("mastodon", "mastodon", options, **how)


def test_an_incident_is_one_thread(account: Account, new_publisher: NewPublisher) -> None:
    publish_incident(new_publisher(on_snac(account)))
    opening, update, end = account.posts
    assert (opening.parent, update.parent, end.parent) == (None, opening.id, update.id)
    assert {each.visibility for each in (opening, update, end)} == {"public"}


@pytest.mark.parametrize("effect", [True, False], ids=["taken", "not taken"])
def test_a_connection_cut_leaves_one_post(
    snac: Snac, account: Account, gateway: Gateway, new_publisher: NewPublisher, *, effect: bool
) -> None:
    """By the timeline, since the server ignores keys."""
    gateway.target = snac.port
    gateway.fail_next(*POST, Disconnect(), effect=effect)
    clock = AheadClock()
    publisher = new_publisher(on_snac(account, gateway.url), clock=clock)
    publisher.publish(accident(), key="1", actor="desk", wait=timedelta(seconds=2))
    clock.ahead += timedelta(minutes=6)  # then "not there" may be believed
    publisher.drain(timedelta(seconds=8))
    said = publisher.operations.publication("1")
    assert said is not None
    assert said.on("mastodon").outcome is Outcome.POSTED, str(said.on("mastodon"))
    assert len(account.posts) == 1


def test_a_key_is_ignored(account: Account) -> None:
    with closing(_channel(account)) as channel:
        channel.whoami()
        request = channel.prepare(a_post(channel, "Route barrée"), ())
        places = {channel.send(request).id for _ in range(2)}
    assert len(account.posts) == len(places) == 2


def test_an_unknown_token_blocks_the_channel(account: Account) -> None:
    with closing(_channel(account, token="0" * 32)) as channel, pytest.raises(Blocked):
        channel.whoami()


def _channel(account: Account, token: str = "") -> Mastodon:
    return open_channel(
        Mastodon,
        server=account.url,
        handle=account.handle,
        token=SecretStr(token or account.token),
        clock=SystemClock(),
        store=InMemoryStateStore(),
    )


# --- the contract


class SnacFixture(ServerFixture):
    """An account on the server."""

    peer: ClassVar[Snac]

    def __init__(self) -> None:
        super().__init__(FakeClock(datetime.now(UTC)))  # the server has its own, and dates posts by it
        self.account = Account("http://localhost", "police", "-")  # another one once it listens
        shown = instance(gotosocial=False)
        shown["version"] = "4.0.0 (not true; really snac/2.75)"
        said = Instance.of(shown, at=self.clock.now())
        self.state_store.compare_and_swap("instance", said.model_dump_json(), version=None)

    def __enter__(self) -> Self:
        self.account = self.peer.account(new_handle())
        return super().__enter__()

    @property
    def visible_posts(self) -> list[VisiblePost]:
        return [
            VisiblePost(
                texts=(post.text,), id=post.id, parents=(post.parent,) if post.parent else (), pictures=post.pictures
            )
            for post in self.account.posts
        ]


class TestSnac(ServerContract):
    @pytest.fixture(autouse=True)
    def _on(self, snac: Snac) -> None:
        SnacFixture.peer = snac

    def make_network(self) -> SnacFixture:
        return SnacFixture()

    def open(self, network: SnacFixture) -> Channel:
        return open_channel(
            Mastodon,
            server=network.account.url,
            handle=network.account.handle,
            token=SecretStr(network.account.token),
            clock=network.clock,
            store=network.state_store,
        )
