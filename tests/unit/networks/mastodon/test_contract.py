"""Mastodon keeps the contract, on Mastodon and on GoToSocial."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import ClassVar, Literal

from pydantic import SecretStr

from policenotify.channel import Channel
from policenotify.networks.mastodon.channel import Mastodon
from policenotify.networks.mastodon.instance import Instance
from policenotify.testing import Answer, ChannelContract, FakeMastodonServer, Fault, HttpFixture, VisiblePost
from policenotify.testing.servers._mastodon_rules import instance
from policenotify.testing.servers.http import Reply
from tests.support.channels import open_channel
from tests.support.patience import short


class MastodonFixture(HttpFixture):
    """The posts of Mastodon as readers see them. Its limits are sent only as the time at which they end."""

    server: FakeMastodonServer
    refusal: ClassVar[Answer] = Answer.json({"error": "Validation failed: Tags are forbidden"}, 422)
    denial: ClassVar[Answer] = Answer.json({"error": "The access token is invalid"}, 401)

    def __init__(self, software: Literal["mastodon", "gotosocial"] = "mastodon") -> None:
        super().__init__(FakeMastodonServer(software=software, now=lambda: self.clock.now()))  # noqa: PLW0108 - the clock is made there
        self.routes = {
            "post": ("POST", "/api/v1/statuses"),
            "find": ("GET", "/api/v1/accounts/*/statuses"),
            "edit": ("PUT", "/api/v1/statuses/*"),
            "delete": ("DELETE", "/api/v1/statuses/*"),
        }
        known = Instance.of(instance(gotosocial=software == "gotosocial"), at=self.clock.now())
        self.state_store.compare_and_swap("instance", known.model_dump_json(), version=None)

    @property
    def secrets(self) -> tuple[str, ...]:
        return self.server.secrets

    @property
    def visible_posts(self) -> list[VisiblePost]:
        return [
            VisiblePost(
                texts=(post.text,),
                id=post.id,
                parents=(post.parent,) if post.parent else (),
                pictures=tuple((image.alt, image.data) for image in post.images),
            )
            for post in self.server.posts
        ]

    def _reply(self, trouble: Fault) -> Reply:
        if trouble is Fault.RATE_LIMITED:
            at = (self.clock.now() + timedelta(seconds=90)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            return Answer.json({"error": "Too many requests"}, 429, headers={"X-RateLimit-Reset": at})
        return super()._reply(trouble)


class OnMastodon:
    def make_network(self) -> MastodonFixture:
        return MastodonFixture()

    def open(self, network: MastodonFixture) -> Channel:
        return open_channel(
            Mastodon,
            server=network.url,
            handle=network.server.handle,
            token=SecretStr(network.server.token),
            timeout=short(0.6),
            clock=network.clock,
            store=network.state_store,
        )


class TestOnMastodon(OnMastodon, ChannelContract):
    pass


class TestOnGoToSocial(OnMastodon, ChannelContract):
    def make_network(self) -> MastodonFixture:
        return MastodonFixture("gotosocial")


def test_each_server_is_taken_for_what_it_is() -> None:
    claims = {}
    names: tuple[Literal["mastodon", "gotosocial"], ...] = ("mastodon", "gotosocial")
    for software in names:
        network = MastodonFixture(software)
        can = OnMastodon().open(network).capabilities
        claims[software] = (can.idempotency_window > timedelta(minutes=30), can.edits, can.deletes, can.images)
    assert claims == {
        "mastodon": (True, True, True, 4),
        "gotosocial": (False, False, True, 6),
    }
