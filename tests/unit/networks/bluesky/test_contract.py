"""Bluesky keeps the contract."""

from __future__ import annotations

from pydantic import SecretStr

from policenotify.channel import Channel
from policenotify.networks.bluesky.channel import Bluesky
from policenotify.testing import Call, ChannelContract, FakeBlueskyServer, Fault, HttpWire, VisiblePost


class BlueskyWire(HttpWire):
    """What readers of Bluesky see, and an app password that may be revoked."""

    stand: FakeBlueskyServer

    def __init__(self) -> None:
        super().__init__(FakeBlueskyServer())
        self.routes = {
            "post": ("POST", "/xrpc/com.atproto.repo.putRecord"),
            "find": ("GET", "/xrpc/com.atproto.repo.getRecord"),
            "delete": ("POST", "/xrpc/com.atproto.repo.deleteRecord"),
        }
        self.password = self.stand.password

    @property
    def secrets(self) -> tuple[str, ...]:
        return self.stand.secrets

    @property
    def shown(self) -> list[VisiblePost]:
        return [
            VisiblePost(
                texts=(post.text,),
                id=post.uri,
                under=tuple(filter(None, (post.root, post.parent))),
                pictures=tuple((image.alt, image.data) for image in post.images),
            )
            for post in self.stand.posts
        ]

    def fail_next(self, trouble: Fault, call: Call = "post") -> None:
        if trouble is Fault.DENIED:
            self.stand.password = "revoked"
            self.stand.expire_access()
            self.stand.revoke_refresh()
        else:
            super().fail_next(trouble, call)

    def recover(self) -> None:
        super().recover()
        self.stand.password = self.password


class TestBluesky(ChannelContract):
    def make_wire(self) -> BlueskyWire:
        return BlueskyWire()

    def open(self, wire: BlueskyWire) -> Channel:
        return Bluesky(
            handle=wire.stand.handle,
            password=SecretStr(wire.password),
            service=wire.url,
            timeout=0.6,
            clock=wire.clock,
            store=wire.keep,
        )
