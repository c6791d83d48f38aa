"""Any apprise URL keeps the contract, shown on ntfy and on Mattermost."""

from __future__ import annotations

from typing import ClassVar

from pydantic import SecretStr

from policenotify.channel import Channel
from policenotify.networks.apprise.channel import Apprise
from policenotify.testing import ChannelContract, FakePushServer, Fault, HttpFixture, VisiblePost
from tests.support.channels import open_channel
from tests.support.patience import short


class PushFixture(HttpFixture):
    """What readers see in their apps, from the fake services."""

    server: FakePushServer
    path: ClassVar[str] = "/"
    retry_after = None  # apprise hides the answer's headers
    faults = frozenset(Fault) - {Fault.HTML_PAGE}  # apprise takes any success for a yes: acceptance is "unverified"

    def __init__(self) -> None:
        super().__init__(FakePushServer())
        self.routes = {"post": ("POST", self.path)}

    @property
    def secrets(self) -> tuple[str, ...]:
        return self.server.secrets

    @property
    def visible_posts(self) -> list[VisiblePost]:
        return [VisiblePost(texts=(push.title, push.text)) for push in self.server.messages]


class MattermostFixture(PushFixture):
    path = "/hooks/*"


class Promises(ChannelContract):
    # apprise has no way to ask a service whether it accepts our credentials: see test_channel.py.
    test_whoami_proves_the_credentials = None


class TestNtfy(Promises):
    def make_network(self) -> PushFixture:
        return PushFixture()

    def open(self, network: PushFixture) -> Channel:
        url = f"ntfy://desk:{network.server.password}@{network.url.removeprefix('http://')}/alertes"
        return open_channel(Apprise, url=SecretStr(url), timeout=short(0.6), clock=network.clock)


class TestMattermost(Promises):
    def make_network(self) -> MattermostFixture:
        return MattermostFixture()

    def open(self, network: MattermostFixture) -> Channel:
        url = f"mmost://{network.url.removeprefix('http://')}/{network.server.webhook}"
        return open_channel(Apprise, url=SecretStr(url), timeout=short(0.6), clock=network.clock)
