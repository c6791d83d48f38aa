"""Ntfy keeps the contract of a network."""

from policenotify_ntfy import Ntfy
from pydantic import SecretStr

from policenotify.testing import Answer, ChannelContract, OneCallWire


class TestNtfy(ChannelContract):
    accepts = Answer.json({"id": "abc"})
    secrets = ("tk_secret",)

    def open(self, wire: OneCallWire) -> Ntfy:
        return Ntfy(topic="police", token=SecretStr("tk_secret"), server=wire.url, timeout=0.2, clock=wire.clock)
