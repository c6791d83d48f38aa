"""A webhook keeps the contract."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import SecretStr

from policenotify.channel import Channel
from policenotify.networks.webhook import Webhook
from policenotify.testing import ChannelContract, FakeClock, HttpFixture, VisiblePost
from policenotify.testing.contract.capabilities import CapabilityContract
from policenotify.testing.servers.webhook import FakeWebhookServer
from tests.support.channels import open_channel
from tests.support.patience import short


class WebhookFixture(HttpFixture):
    """A newsroom's system."""

    server: FakeWebhookServer

    def __init__(self, *, remembers: bool) -> None:
        clock = FakeClock()
        super().__init__(FakeWebhookServer(now=clock.now), clock)
        self.server.remembers = remembers
        self.routes = {"post": ("POST", "*"), "delete": ("POST", "*")}

    @property
    def secrets(self) -> tuple[str, ...]:
        return (*self.server.secrets, "t0ken")

    @property
    def visible_posts(self) -> Sequence[VisiblePost]:
        return [
            VisiblePost(
                texts=(item["title"], item["text"]),
                id=item["key"][:16],
                parents=(item["answers"],) if item["answers"] else (),
            )
            for item in self.server.items
            if item["withdrawn_at"] is None
        ]


class OnWebhook:
    remembers: ClassVar[int] = 0

    def make_network(self) -> WebhookFixture:
        return WebhookFixture(remembers=bool(self.remembers))

    def open(self, network: WebhookFixture) -> Channel:
        return open_channel(
            Webhook,
            url=SecretStr(f"{network.url}/t0ken"),
            secret=SecretStr(network.server.secret),
            remembers_hours=self.remembers,
            timeout=short(0.6),
            clock=network.clock,
        )


class TestWebhook(OnWebhook, ChannelContract):
    pass


class TestWebhookThatRemembers(OnWebhook, CapabilityContract):
    remembers = 24
