"""Bluesky keeps the contract."""

from __future__ import annotations

from pydantic import SecretStr

from policenotify.channel import Channel
from policenotify.networks.bluesky.channel import Bluesky
from policenotify.testing import Call, ChannelContract, FakeBlueskyServer, Fault, HttpFixture, VisiblePost
from tests.support.channels import open_channel
from tests.support.patience import short


class BlueskyFixture(HttpFixture):
    """The posts of Bluesky as readers see them, and an app password that may be revoked."""

    server: FakeBlueskyServer

    def __init__(self) -> None:
        super().__init__(FakeBlueskyServer())
        self.routes = {
            "post": ("POST", "/xrpc/com.atproto.repo.putRecord"),
            "find": ("GET", "/xrpc/com.atproto.repo.getRecord"),
            "delete": ("POST", "/xrpc/com.atproto.repo.deleteRecord"),
        }
        self.password = self.server.password

    @property
    def secrets(self) -> tuple[str, ...]:
        return self.server.secrets

    @property
    def visible_posts(self) -> list[VisiblePost]:
        return [
            VisiblePost(
                texts=(post.text,),
                id=post.uri,
                parents=tuple(filter(None, (post.root, post.parent))),
                pictures=tuple((image.alt, image.data) for image in post.images),
            )
            for post in self.server.posts
        ]

    def fail_next(self, trouble: Fault, call: Call = "post") -> None:
        if trouble is Fault.UNAUTHORIZED:
            self.server.password = "revoked"
            self.server.expire_access()
            self.server.revoke_refresh()
        else:
            super().fail_next(trouble, call)

    def recover(self) -> None:
        super().recover()
        self.server.password = self.password


class TestBluesky(ChannelContract):
    def make_network(self) -> BlueskyFixture:
        return BlueskyFixture()

    def open(self, network: BlueskyFixture) -> Channel:
        return open_channel(
            Bluesky,
            handle=network.server.handle,
            password=SecretStr(network.password),
            service=network.url,
            timeout=short(0.6),
            clock=network.clock,
            store=network.state_store,
        )
