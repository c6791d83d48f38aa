"""SMS keeps the contract, through Kannel and through a gateway whose address is built into apprise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Self

import pytest
from pydantic import SecretStr

from policenotify.channel import Channel, Recipient, RecipientOutcome, Request
from policenotify.networks.sms.channel import Sms
from policenotify.testing import ChannelContract, FakeSmsServer, Fault, HttpFixture, VisiblePost
from policenotify.testing.contract.texts import PEOPLE
from tests.support.channels import open_channel
from tests.support.patience import short
from tests.support.sms_gateways import FakeGateways

_NUMBERS = {person.address: f"+3360000000{number}" for number, person in enumerate(PEOPLE, 1)}
_ADDRESSES = {number: address for address, number in _NUMBERS.items()}


class Directory(Sms):
    """Replaces the mail addresses of the suite by telephone numbers."""

    def send_to(self, request: Request, people: Sequence[Recipient]) -> Sequence[RecipientOutcome]:
        return super().send_to(request, [replace(one, address=_NUMBERS[one.address]) for one in people])


class SmsFixture(HttpFixture):
    """Telephones, and gateways with a login."""

    server: FakeSmsServer
    path: ClassVar[str] = FakeSmsServer.KANNEL
    retry_after = None  # apprise hides the answer's headers
    faults = frozenset(Fault) - {Fault.HTML_PAGE}  # a form takes any success for a yes: acceptance is "unverified"

    def __init__(self, server: FakeSmsServer | None = None) -> None:
        super().__init__(server or FakeSmsServer())
        self.routes = {"post": ("*", self.path)}

    @property
    def secrets(self) -> tuple[str, ...]:
        return (*self.server.secrets, *_NUMBERS.values(), *(number[3:] for number in _NUMBERS.values()))

    @property
    def visible_posts(self) -> list[VisiblePost]:
        return [
            VisiblePost(
                texts=(sms.text,),
                reader=_ADDRESSES[sms.to],
                whole=f"{_ADDRESSES[sms.to]} {sms!r} {sms.text} {sms.sender}".encode(),
            )
            for sms in self.server.messages
        ]

    def refuse_recipient(self, address: str) -> None:
        self.server.refuse(_NUMBERS[address])


class OctopushFixture(SmsFixture):
    """octopush, whose URL is built into apprise: its success is a 201, and a web page is not."""

    path = "/v1/public/sms-campaign/send"
    faults = frozenset(Fault)
    server: FakeGateways

    def __init__(self) -> None:
        super().__init__(FakeGateways())

    def __enter__(self) -> Self:
        super().__enter__()
        self._way = pytest.MonkeyPatch()
        for name, value in self.server.environment.items():
            self._way.setenv(name, value)
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self._way.undo()
        super().__exit__(kind, error, traceback)


class Promises(ChannelContract):
    # No gateway tells through apprise whether it accepts our credentials before an SMS is sent: see test_channel.py.
    test_whoami_proves_the_credentials = None


class TestKannel(Promises):
    def make_network(self) -> SmsFixture:
        return SmsFixture()

    def open(self, network: SmsFixture) -> Channel:
        at = network.url.removeprefix("http://")
        call = ":version=&:title=&:type=&:message=text&:charset=UTF-8&:coding={coding}&:from=POLICE34&:to={recipient}"
        url = f"form://{at}{network.path}?method=GET&:username=desk&:password={network.server.password}&{call}"
        return open_channel(
            Directory, url=SecretStr(url), accents="keep", parallel=1, timeout=short(0.6), clock=network.clock
        )


class TestOctopush(Promises):
    """Several people are asked at once."""

    def make_network(self) -> OctopushFixture:
        return OctopushFixture()

    def open(self, network: OctopushFixture) -> Channel:
        url = f"octopush://POLICE34:{network.server.login}/{network.server.key}/{{recipient}}"
        return open_channel(Directory, url=SecretStr(url), accents="keep", timeout=short(0.6), clock=network.clock)
