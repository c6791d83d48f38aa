"""X keeps the contract, by both ways in."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import SecretStr

from policenotify.channel import Channel
from policenotify.networks.x.channel import X
from policenotify.testing import Call, ChannelContract, FakeXServer, Fault, HttpWire, VisiblePost


class XWire(HttpWire):
    """What readers of X see, and credentials that may be revoked."""

    stand: FakeXServer

    def __init__(self) -> None:
        super().__init__(FakeXServer(now=self._now))
        self.stand.duplicate_window = timedelta(0)  # unknown to us; the suite says some texts more than once
        self.routes = {
            "post": ("POST", "/2/tweets"),
            "find": ("GET", f"/2/users/{self.stand.number}/tweets"),
            "delete": ("DELETE", "/2/tweets/*"),
        }

    def _now(self) -> datetime:
        return self.clock.now()

    @property
    def secrets(self) -> tuple[str, ...]:
        return self.stand.secrets

    @property
    def shown(self) -> list[VisiblePost]:
        return [
            VisiblePost(
                texts=(post.text,),
                id=post.id,
                under=(post.parent,) if post.parent else (),
                pictures=tuple((image.alt, image.data) for image in post.images),
            )
            for post in self.stand.posts
        ]

    def fail_next(self, trouble: Fault, call: Call = "post") -> None:
        if trouble is Fault.DENIED:
            self.stand.nobody = True
        else:
            super().fail_next(trouble, call)

    def recover(self) -> None:
        super().recover()
        self.stand.nobody = False


class TestX(ChannelContract):
    def make_wire(self) -> XWire:
        return XWire()

    def open(self, wire: XWire) -> Channel:
        consumer, access = wire.stand.consumer, wire.stand.access
        return X(
            handle=wire.stand.handle,
            consumer_key=SecretStr(consumer[0]),
            consumer_secret=SecretStr(consumer[1]),
            access_token=SecretStr(access[0]),
            access_token_secret=SecretStr(access[1]),
            service=wire.url,
            timeout=0.6,
            clock=wire.clock,
            store=wire.keep,
        )


class TestXWithTokens(ChannelContract):
    def make_wire(self) -> XWire:
        return XWire()

    def open(self, wire: XWire) -> Channel:
        return X(
            handle=wire.stand.handle,
            client_id=wire.stand.client[0],
            client_secret=SecretStr(wire.stand.client[1]),
            refresh_token=SecretStr(wire.stand.refresh_token),
            service=wire.url,
            timeout=0.6,
            clock=wire.clock,
            store=wire.keep,
        )
