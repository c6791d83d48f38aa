"""X keeps the contract, with both kinds of credentials. What it can do does not depend on their kind."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import SecretStr

from policenotify.channel import Channel
from policenotify.networks.x.channel import X
from policenotify.testing import ChannelContract, FakeXServer, HttpFixture, VisiblePost
from policenotify.testing.contract.core import CoreContract
from policenotify.testing.servers._x_rules import UNAUTHORIZED
from tests.support.channels import open_channel
from tests.support.patience import short


class XFixture(HttpFixture):
    """The posts of X as readers see them."""

    server: FakeXServer
    denial = UNAUTHORIZED

    def __init__(self) -> None:
        super().__init__(FakeXServer(now=self._now))
        self.server.duplicate_window = timedelta(0)  # unknown to us; the suite sends some texts more than once
        self.routes = {
            "post": ("POST", "/2/tweets"),
            "find": ("GET", f"/2/users/{self.server.number}/tweets"),
            "delete": ("DELETE", "/2/tweets/*"),
        }

    def _now(self) -> datetime:
        return self.clock.now()

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


class TestX(ChannelContract):
    def make_network(self) -> XFixture:
        return XFixture()

    def open(self, network: XFixture) -> Channel:
        consumer, access = network.server.consumer, network.server.access
        return open_channel(
            X,
            handle=network.server.handle,
            consumer_key=SecretStr(consumer[0]),
            consumer_secret=SecretStr(consumer[1]),
            access_token=SecretStr(access[0]),
            access_token_secret=SecretStr(access[1]),
            service=network.url,
            timeout=short(0.6),
            clock=network.clock,
            store=network.state_store,
        )


class TestXWithTokens(CoreContract):
    def make_network(self) -> XFixture:
        return XFixture()

    def open(self, network: XFixture) -> Channel:
        return open_channel(
            X,
            handle=network.server.handle,
            client_id=network.server.client[0],
            client_secret=SecretStr(network.server.client[1]),
            refresh_token=SecretStr(network.server.refresh_token),
            service=network.url,
            timeout=short(0.6),
            clock=network.clock,
            store=network.state_store,
        )
