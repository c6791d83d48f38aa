"""Any apprise URL keeps the contract, shown on ntfy."""

from __future__ import annotations

from pydantic import SecretStr

from policenotify.channel import Channel
from policenotify.networks.apprise import Apprise
from policenotify.testing import Answer, ChannelContract, Fault, OneCallFixture
from tests.support.channels import open_channel
from tests.support.patience import short


class PushFixture(OneCallFixture):
    retry_after = None  # apprise hides the answer's headers
    faults = frozenset(Fault) - {Fault.HTML_PAGE}  # apprise takes any success for a yes: acceptance is "unverified"


class TestNtfy(ChannelContract):
    secrets = ("s3cret",)
    # apprise has no way to ask a service whether it accepts our credentials: see test_channel.py.
    test_whoami_proves_the_credentials = None

    def make_network(self) -> PushFixture:
        return PushFixture(Answer.json({"id": "1"}))

    def open(self, network: PushFixture) -> Channel:
        url = f"ntfy://desk:s3cret@{network.url.removeprefix('http://')}/alertes"
        return open_channel(Apprise, url=SecretStr(url), timeout=short(0.6), clock=network.clock)
