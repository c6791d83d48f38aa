"""Mastodon's API on snac, a real server that ignores keys, and on mastodon-mock, which honours them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Literal, Self

import pytest
from pydantic import SecretStr

from policenotify.channel import Channel, ChannelConfig, Post
from policenotify.errors import Blocked, Refused, Unavailable, Unconfirmed
from policenotify.journal.clock import SystemClock
from policenotify.model.cap import Severity
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Stage
from policenotify.model.message import Image
from policenotify.networks.mastodon.channel import Mastodon
from policenotify.networks.mastodon.instance import Instance
from policenotify.networks.registry import configure_channel
from policenotify.testing import (
    Answer,
    ChannelContract,
    Disconnect,
    FakeClock,
    HttpFixture,
    InMemoryStateStore,
    VisiblePost,
)
from policenotify.testing.contract.texts import picture
from policenotify.testing.servers._mastodon_rules import RULES, instance
from tests.acceptance.peers.conftest import NewPublisher
from tests.acceptance.peers.gateway import Gateway
from tests.acceptance.peers.incident import publish_incident
from tests.acceptance.peers.mastodon_servers import Account, Fediverse, MastodonMock, Snac
from tests.support.channels import open_channel
from tests.support.five_networks import AheadClock
from tests.support.installation import accident
from tests.support.patience import short

pytestmark = pytest.mark.peers

POST = ("POST", "/api/v1/statuses")


@pytest.fixture(params=["snac", "mastodon_mock"])
def server(request: pytest.FixtureRequest) -> Fediverse:
    """Each of the two."""
    found: Fediverse = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def account(server: Fediverse) -> Account:
    return server.account(new_handle())


@pytest.fixture
def on_mock(mastodon_mock: MastodonMock) -> Account:
    return mastodon_mock.account(new_handle())


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with Gateway() as opened:
        yield opened


def new_handle() -> str:
    return f"police{secrets.token_hex(4)}"


def on_mastodon(account: Account, service: str = "", **how: Any) -> ChannelConfig:
    options = {"handle": account.handle, "token": account.token, "server": service or account.url, "timeout": 10.0}
    return configure_channel("mastodon", "mastodon", options, **how)


def test_an_incident_is_one_thread(server: Fediverse, account: Account, new_publisher: NewPublisher) -> None:
    publish_incident(new_publisher(on_mastodon(account)))
    opening, update, end = account.posts
    assert (opening.parent, update.parent, end.parent) == (None, opening.id, update.id)
    seen = [each.visibility for each in (opening, update, end)]
    assert seen == (["public"] * 3 if server.name == "snac" else ["public", "unlisted", "public"])


def test_a_picture_keeps_its_alternative_text(account: Account, new_publisher: NewPublisher) -> None:
    shown = Image(data=picture(7).data, alt="Route barrée à l’entrée du « pont »")
    said = new_publisher(on_mastodon(account)).publish(accident(images=[shown]), key="1", actor="desk")
    assert said.ok, str(said.on("mastodon"))
    [post] = account.posts
    assert [alt for alt, _ in post.pictures] == [shown.alt]


def test_a_correction_edits_the_post(on_mock: Account, new_publisher: NewPublisher) -> None:
    publisher = new_publisher(on_mastodon(on_mock))
    opened = publisher.publish(accident(severity=Severity.MINOR), key="1", actor="desk")
    said = publisher.publish(opened.correct("Le secteur est celui de la gare"), key="2", actor="desk")
    assert said.ok, str(said.on("mastodon"))
    [post] = on_mock.posts
    assert "celui de la gare" in post.text
    assert post.edited


@pytest.mark.parametrize("effect", [True, False], ids=["taken", "not taken"])
def test_a_connection_cut_leaves_one_post(
    server: Fediverse, account: Account, gateway: Gateway, new_publisher: NewPublisher, *, effect: bool
) -> None:
    """By its key where the server honours it, by the timeline where it does not."""
    gateway.target = server.port
    gateway.fail_next(*POST, Disconnect(), effect=effect)
    clock = AheadClock()
    publisher = new_publisher(on_mastodon(account, gateway.url), clock=clock)
    publisher.publish(accident(), key="1", actor="desk", wait=timedelta(seconds=2))
    clock.ahead += timedelta(minutes=6)  # then "not there" may be believed
    publisher.drain(timedelta(seconds=8))
    said = publisher.operations.publication("1")
    assert said is not None
    assert said.on("mastodon").outcome is Outcome.POSTED, str(said.on("mastodon"))
    assert len(account.posts) == 1


def test_a_key_publishes_once_where_it_is_honoured(mastodon_mock: MastodonMock, snac: Snac) -> None:
    for server, times in ((mastodon_mock, 1), (snac, 2)):
        account = server.account(new_handle())
        with closing(_channel(account)) as channel:
            channel.whoami()
            request = channel.prepare(_post(channel), ())
            places = {channel.send(request).id for _ in range(2)}
        assert len(account.posts) == len(places) == times, server.name


def test_an_unknown_token_blocks_the_channel(account: Account) -> None:
    with closing(_channel(account, token="0" * 32)) as channel, pytest.raises(Blocked):
        channel.whoami()


def test_a_refusal_of_the_server_is_final(on_mock: Account) -> None:
    """An answer of its own: 422 for a text that is too long."""
    with closing(_channel(on_mock)) as channel:
        request = channel.prepare(_post(channel), ())
        body = dict(request.body)
        body["status"] = "x" * 501
        with pytest.raises(Refused) as caught:
            channel.send(request.model_copy(update={"body": body}))
    assert "422" in caught.value.code


@pytest.mark.parametrize(
    ("effect", "kind"),
    [
        ({"type": "status", "status": 403}, Blocked),
        ({"type": "status", "status": 401}, Blocked),
        ({"type": "ratelimit", "status": 429, "headers": {"Retry-After": "40"}}, Unavailable),
        ({"type": "status", "status": 503}, Unconfirmed),
    ],
    ids=lambda each: str(each.get("status")) if isinstance(each, dict) else "",
)
def test_faults_of_the_server_raise_the_right_errors(
    on_mock: Account, effect: dict[str, Any], kind: type[Exception]
) -> None:
    match = {"methods": [POST[0]], "path": POST[1]}
    with closing(_channel(on_mock)) as channel:
        request = channel.prepare(_post(channel), ())
        on_mock.ask("/api/v1/_mock/faults", {"match": match, "effect": effect, "count": 1})
        with pytest.raises(kind):
            channel.send(request)
    assert on_mock.posts == []


def _channel(account: Account, token: str = "") -> Mastodon:
    return open_channel(
        Mastodon,
        server=account.url,
        handle=account.handle,
        token=SecretStr(token or account.token),
        clock=SystemClock(),
        store=InMemoryStateStore(),
    )


def _post(channel: Channel) -> Post:
    values = {"category": "traffic", "language": "fr", "stage": Stage.OPENING, "created_at": SystemClock().now()}
    text = f"Route barrée {secrets.token_hex(4)}"
    return Post.model_validate({"key": secrets.token_hex(32), "account": channel.account, "text": text, **values})


# --- the contract


class FediverseFixture(HttpFixture):
    """An account on the server, reached through a door on which faults are laid."""

    server: Gateway
    peer: ClassVar[Fediverse]
    refusal: ClassVar[Answer] = Answer.json({"error": "Validation failed: Tags are forbidden"}, 422)
    denial: ClassVar[Answer] = Answer.json({"error": "The access token is invalid"}, 401)

    def __init__(self, software: Literal["mastodon", "snac"]) -> None:
        super().__init__(Gateway())
        self.clock = FakeClock(datetime.now(UTC))  # the server has its own, and dates posts by it
        self.routes = {
            "post": POST,
            "find": ("GET", "/api/v1/accounts/*/statuses"),
            "edit": ("PUT", "/api/v1/statuses/*"),
            "delete": ("DELETE", "/api/v1/statuses/*"),
        }
        self.account = Account("", "police", "-")  # another one once it listens
        shown = instance(RULES["mastodon"])
        if software == "snac":
            shown["version"] = "4.0.0 (not true; really snac/2.75)"
        said = Instance.of(shown, at=self.clock.now())
        self.state_store.compare_and_swap("instance", said.model_dump_json(), version=None)

    def __enter__(self) -> Self:
        self.account = self.peer.account(new_handle())
        self.server.target = self.peer.port
        return super().__enter__()

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.account.token,)

    @property
    def visible_posts(self) -> list[VisiblePost]:
        return [
            VisiblePost(
                texts=(post.text,), id=post.id, parents=(post.parent,) if post.parent else (), pictures=post.pictures
            )
            for post in self.account.posts
        ]


class OnServer:
    def open(self, network: FediverseFixture) -> Channel:
        return open_channel(
            Mastodon,
            server=network.url,
            handle=network.account.handle,
            token=SecretStr(network.account.token),
            timeout=short(1.5),
            clock=network.clock,
            store=network.state_store,
        )


class TestSnac(OnServer, ChannelContract):
    # The clock of a real server cannot be set; what is known is excluded.
    test_find_ignores_older_posts = None  # type: ignore[assignment]  # as pytest takes it

    @pytest.fixture(autouse=True)
    def _on(self, snac: Snac) -> None:
        FediverseFixture.peer = snac

    def make_network(self) -> FediverseFixture:
        return FediverseFixture("snac")


class TestMastodonMock(OnServer, ChannelContract):
    test_find_ignores_older_posts = None  # type: ignore[assignment]  # as above

    @pytest.fixture(autouse=True)
    def _on(self, mastodon_mock: MastodonMock) -> None:
        FediverseFixture.peer = mastodon_mock

    def make_network(self) -> FediverseFixture:
        return FediverseFixture("mastodon")
