"""Bluesky on its own server."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, ClassVar, Self
from urllib.parse import quote

import pytest
from pydantic import SecretStr

from policenotify.channel import Channel, ChannelConfig, Request, Span
from policenotify.errors import Blocked, Refused, Unavailable
from policenotify.journal.clock import SystemClock
from policenotify.model.history import Outcome
from policenotify.model.message import Image
from policenotify.networks.bluesky.channel import Bluesky
from policenotify.networks.registry import configure_channel
from policenotify.testing import Disconnect, InMemoryStateStore, VisiblePost
from policenotify.testing.contract.texts import picture
from tests.acceptance.peers.conftest import NewPublisher
from tests.acceptance.peers.contract import ServerContract, ServerFixture
from tests.acceptance.peers.gateway import Gateway
from tests.acceptance.peers.incident import a_post, publish_incident
from tests.acceptance.peers.pds_server import BlueskyAccount, Pds
from tests.support.channels import open_channel
from tests.support.installation import accident

pytestmark = pytest.mark.peers

PUT = ("POST", "/xrpc/com.atproto.repo.putRecord")
TEXT = "🚨 E\u0301vacuation à Évian\u202f: voir police34.example/actualites/2… #Évian #A9 👮‍♀️"


def new_handle() -> str:
    return f"police{secrets.token_hex(4)}.test"


@pytest.fixture
def account(pds: Pds) -> BlueskyAccount:
    return pds.account(new_handle())


@pytest.fixture
def gateway(pds: Pds) -> Iterator[Gateway]:
    with Gateway() as opened:
        opened.target = pds.port
        yield opened


NewChannel = Callable[..., Bluesky]


@pytest.fixture
def channel_of() -> Iterator[NewChannel]:
    """Opens channels on an account."""
    with ExitStack() as stack:

        def make(
            account: BlueskyAccount, service: str, keep: InMemoryStateStore | None = None, password: str = ""
        ) -> Bluesky:
            channel = open_channel(
                Bluesky,
                handle=account.handle,
                password=SecretStr(password or account.password),
                service=service,
                clock=SystemClock(),
                store=keep or InMemoryStateStore(),
            )
            stack.callback(channel.close)
            return channel

        yield make


def on_bluesky(account: BlueskyAccount, service: str, **how: Any) -> ChannelConfig:
    options = {"handle": account.handle, "password": account.password, "service": service}
    return configure_channel("bluesky", "bluesky", options, **how)


def spans(text: str) -> tuple[Span, ...]:
    """The address and the tags of TEXT."""
    shown = "police34.example/actualites/2…"
    at = text.index(shown)
    found = [Span(kind="url", start=at, end=at + len(shown), value="https://police34.example/actualites/2026/évian")]
    for tag in ("Évian", "A9"):
        at = text.index(f"#{tag}")
        found.append(Span(kind="tag", start=at, end=at + 1 + len(tag), value=tag))
    return tuple(found)


def test_an_incident_is_one_thread(pds: Pds, account: BlueskyAccount, new_publisher: NewPublisher) -> None:
    publish_incident(new_publisher(on_bluesky(account, pds.url)))
    opening, update, end = pds.posts(account)
    assert (opening.root, opening.parent) == (None, None)
    assert (update.root, update.parent) == (opening.uri, opening.uri)
    assert (end.root, end.parent) == (opening.uri, update.uri)


@pytest.mark.parametrize(("deleted", "parent"), [(1, 0), (0, None)])
def test_an_end_does_not_answer_a_deleted_post(
    pds: Pds, account: BlueskyAccount, new_publisher: NewPublisher, deleted: int, parent: int | None
) -> None:
    publisher = new_publisher(on_bluesky(account, pds.url))
    opened = publisher.publish(accident(), key="1", actor="desk")
    updated = publisher.publish(opened.update("Une voie rouverte"), key="2", actor="desk")
    before = [post.uri for post in pds.posts(account)]
    token = pds.ask("com.atproto.server.createSession", {"identifier": account.handle, "password": account.password})
    place = {"repo": account.did, "collection": "app.bsky.feed.post", "rkey": before[deleted].rpartition("/")[2]}
    pds.ask("com.atproto.repo.deleteRecord", place, f"Bearer {token['accessJwt']}")
    said = publisher.publish(updated.end("Fin d'intervention"), key="3", actor="desk").on("bluesky")
    assert said.outcome is Outcome.POSTED, str(said)
    assert said.standalone is (parent is None)
    [end] = [post for post in pds.posts(account) if post.uri not in before]
    assert end.parent == (None if parent is None else before[parent])


def test_links_and_tags_have_exact_byte_positions(pds: Pds, account: BlueskyAccount, channel_of: NewChannel) -> None:
    channel = channel_of(account, pds.url)
    request = channel.prepare(a_post(channel, TEXT, spans=spans(TEXT)), ())
    ref = channel.send(request)
    stored = pds.record(ref.id)
    assert json.dumps(stored, sort_keys=True) == json.dumps(request.body["record"], sort_keys=True)
    [post] = pds.posts(account)
    assert [(tag.covers, tag.to) for tag in post.tags] == [("#Évian", "Évian"), ("#A9", "A9")]
    [link] = post.links
    assert (link.covers, link.to) == (
        "police34.example/actualites/2…",
        f"https://police34.example/actualites/2026/{quote('évian')}",
    )


def test_a_picture_keeps_its_alternative_text_and_its_shape(
    pds: Pds, account: BlueskyAccount, new_publisher: NewPublisher
) -> None:
    shown = Image(data=picture(7).data, alt="Route barrée à l’entrée du « pont »")
    said = new_publisher(on_bluesky(account, pds.url)).publish(accident(images=[shown]), key="1", actor="desk")
    assert said.ok, str(said.on("bluesky"))
    [post] = pds.posts(account)
    [image] = post.images
    assert (image.alt, image.width, image.height) == (shown.alt, 1, 1)


def test_a_key_is_one_record_and_another_record_under_it_is_refused(
    pds: Pds, account: BlueskyAccount, channel_of: NewChannel
) -> None:
    channel = channel_of(account, pds.url)
    post = a_post(channel, TEXT)
    request = channel.prepare(post, ())
    assert channel.send(request) == channel.send(Request.read(request.model_dump_json()))
    body = json.loads(request.model_dump_json())["body"]
    body["record"]["text"] = "Autre chose"
    with pytest.raises(Refused) as caught:
        channel.send(request.model_copy(update={"body": body}))
    assert caught.value.fallback == "prepare"
    assert [each.text for each in pds.posts(account)] == [post.text]


def test_a_post_that_is_too_long_is_refused_by_the_server_too(
    pds: Pds, account: BlueskyAccount, channel_of: NewChannel
) -> None:
    channel = channel_of(account, pds.url)
    request = channel.prepare(a_post(channel, "👨‍👩‍👧‍👦" * 100 + "x" * 200), ())
    channel.send(request)
    body = json.loads(request.model_dump_json())["body"]
    body["record"]["text"] += "x"
    body["rkey"] = "3" + str(body["rkey"])[1:]
    with pytest.raises(Refused, match="maximum 300, got 301"):
        channel.send(request.model_copy(update={"body": body}))


def test_a_connection_cut_after_acceptance_leaves_one_post(
    pds: Pds, gateway: Gateway, account: BlueskyAccount, new_publisher: NewPublisher
) -> None:
    gateway.fail_next(*PUT, Disconnect(), effect=True)
    publisher = new_publisher(on_bluesky(account, gateway.url))
    said = publisher.publish(accident(), key="1", actor="desk")
    assert said.on("bluesky").outcome is Outcome.POSTED, str(said.on("bluesky"))
    assert len([each for each in gateway.requests if each.path == PUT[1]]) == 2, "said again under the same key"
    assert len(pds.posts(account)) == 1


def test_an_expired_session_is_renewed_or_opened_again(
    pds: Pds, gateway: Gateway, account: BlueskyAccount, channel_of: NewChannel
) -> None:
    keep = InMemoryStateStore()
    channel = channel_of(account, gateway.url, keep)
    channel.whoami()
    for stale, renewed in ((("access",), "refreshSession"), (("access", "refresh"), "createSession")):
        kept = keep.load("session")
        assert kept is not None
        session = json.loads(kept.value)
        session |= {name: pds.aged(session[name]) for name in stale}
        assert keep.compare_and_swap("session", json.dumps(session), version=kept.version)
        asked = len(gateway.requests)
        assert channel.whoami().id == account.did
        calls = [each.path.rpartition(".")[2] for each in gateway.requests[asked:]]
        assert (calls[0], calls[-2:]) == ("getSession", [renewed, "getSession"])


def test_a_wrong_password_blocks_and_the_limit_of_logins_is_waited_for(
    pds: Pds, account: BlueskyAccount, channel_of: NewChannel
) -> None:
    """The server's limits are on: 30 logins in five minutes (docs.bsky.app, "Rate limits")."""
    for _ in range(30):
        with pytest.raises(Blocked):
            channel_of(account, pds.url, password="abcd-efgh-ijkl-mnop").whoami()
    with pytest.raises(Unavailable) as caught:
        channel_of(account, pds.url).whoami()
    assert caught.value.retry_at is not None
    assert 0 < (caught.value.retry_at - SystemClock().now()).total_seconds() <= 300


# --- the contract


class PdsFixture(ServerFixture):
    """An account on the server."""

    peer: ClassVar[Pds]

    def __init__(self) -> None:
        super().__init__()
        self.url, self.account = "http://localhost", BlueskyAccount(handle="police.test", did="", password="-")

    def __enter__(self) -> Self:
        self.url, self.account = self.peer.url, self.peer.account(new_handle())
        return super().__enter__()

    @property
    def visible_posts(self) -> list[VisiblePost]:
        return [
            VisiblePost(
                texts=(post.text,),
                id=post.uri,
                parents=tuple(filter(None, (post.root, post.parent))),
                pictures=tuple((image.alt, image.data) for image in post.images),
            )
            for post in self.peer.posts(self.account)
        ]


class TestPds(ServerContract):
    @pytest.fixture(autouse=True)
    def _on(self, pds: Pds) -> None:
        PdsFixture.peer = pds

    def make_network(self) -> PdsFixture:
        return PdsFixture()

    def open(self, network: PdsFixture) -> Channel:
        return open_channel(
            Bluesky,
            handle=network.account.handle,
            password=SecretStr(network.account.password),
            service=network.url,
            clock=network.clock,
            store=network.state_store,
        )
