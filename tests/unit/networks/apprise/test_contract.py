"""Any apprise URL keeps the contract, shown on ntfy and on Mattermost."""

from __future__ import annotations

from typing import ClassVar

from pydantic import SecretStr

from policenotify.channel import Channel
from policenotify.networks.apprise.channel import Apprise
from policenotify.testing import ChannelContract, FakePushServer, Fault, HttpWire, VisiblePost


class PushWire(HttpWire):
    """What readers see in their apps."""

    stand: FakePushServer
    path: ClassVar[str] = "/"
    wait = None  # apprise hides the answer's headers
    troubles = frozenset(Fault) - {Fault.PAGE}  # apprise takes any success for a yes: acceptance is "unverified"

    def __init__(self) -> None:
        super().__init__(FakePushServer())
        self.routes = {"post": ("POST", self.path)}

    @property
    def secrets(self) -> tuple[str, ...]:
        return self.stand.secrets

    @property
    def shown(self) -> list[VisiblePost]:
        return [VisiblePost(texts=(push.title, push.text)) for push in self.stand.messages]


class MattermostWire(PushWire):
    path = "/hooks/*"


class Promises(ChannelContract):
    # apprise has no way to ask a service whether it accepts our credentials: see test_apprise.py.
    test_asking_who_we_are_proves_the_credentials = None


class TestNtfy(Promises):
    def make_wire(self) -> PushWire:
        return PushWire()

    def open(self, wire: PushWire) -> Channel:
        url = f"ntfy://desk:{wire.stand.password}@{wire.url.removeprefix('http://')}/alertes"
        return Apprise(url=SecretStr(url), timeout=0.6, clock=wire.clock)


class TestMattermost(Promises):
    def make_wire(self) -> MattermostWire:
        return MattermostWire()

    def open(self, wire: MattermostWire) -> Channel:
        url = f"mmost://{wire.url.removeprefix('http://')}/{wire.stand.webhook}"
        return Apprise(url=SecretStr(url), timeout=0.6, clock=wire.clock)
