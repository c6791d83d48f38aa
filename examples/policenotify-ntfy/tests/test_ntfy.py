"""Ntfy keeps the contract of a network."""

from policenotify_ntfy import Ntfy
from pydantic import SecretStr

from policenotify.testing import Answer, ChannelContract, OneCallFixture


class TestNtfy(ChannelContract):
    accepts = Answer.json({"id": "abc"})
    secrets = ("tk_secret",)

    def open(self, network: OneCallFixture) -> Ntfy:
        options = Ntfy.Options(topic="police", token=SecretStr("tk_secret"), server=network.url, timeout=2.0)
        return Ntfy(options, network.services)
