"""SMS keeps the contract, through Kannel and through a gateway whose address is built into apprise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import ClassVar, Self

import pytest
from pydantic import SecretStr

from policenotify.channel import Channel, Recipient, RecipientOutcome, Request
from policenotify.networks.sms.channel import Sms
from policenotify.testing import ChannelContract, FakeSmsServer, Fault, HttpWire, VisiblePost
from policenotify.testing.contract.texts import PEOPLE

_NUMBERS = {person.address: f"+3360000000{number}" for number, person in enumerate(PEOPLE, 1)}
_ADDRESSES = {number: address for address, number in _NUMBERS.items()}


class Directory(Sms):
    """The suite writes to people by their mail addresses; here each has a telephone."""

    def send_each(self, request: Request, recipients: Iterable[Recipient]) -> Iterator[RecipientOutcome]:
        return super().send_each(request, (replace(one, address=_NUMBERS[one.address]) for one in recipients))


class SmsWire(HttpWire):
    """Telephones, and gateways that serve the desk alone."""

    stand: FakeSmsServer
    path: ClassVar[str] = FakeSmsServer.KANNEL
    wait = None  # apprise hides the answer's headers
    troubles = frozenset(Fault) - {Fault.PAGE}  # a form takes any success for a yes: acceptance is "unverified"

    def __init__(self) -> None:
        super().__init__(FakeSmsServer())
        self.routes = {"post": ("*", self.path)}

    @property
    def secrets(self) -> tuple[str, ...]:
        return (*self.stand.secrets, *_NUMBERS.values(), *(number[3:] for number in _NUMBERS.values()))

    @property
    def shown(self) -> list[VisiblePost]:
        return [
            VisiblePost(
                texts=(sms.text,),
                reader=_ADDRESSES[sms.to],
                whole=f"{_ADDRESSES[sms.to]} {sms!r} {sms.text} {sms.sender}".encode(),
            )
            for sms in self.stand.messages
        ]

    def refuse_person(self, address: str) -> None:
        self.stand.refuse(_NUMBERS[address])


class OctopushWire(SmsWire):
    """octopush, whose address is in apprise: its yes is a 201, and a page for people is none."""

    path = "/v1/public/sms-campaign/send"
    troubles = frozenset(Fault)

    def __enter__(self) -> Self:
        super().__enter__()
        self._way = pytest.MonkeyPatch()
        for name, value in self.stand.environment.items():
            self._way.setenv(name, value)
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self._way.undo()
        super().__exit__(kind, error, traceback)


class Promises(ChannelContract):
    # No gateway tells through apprise whether it accepts our credentials before an SMS is sent: see test_sms.py.
    test_asking_who_we_are_proves_the_credentials = None


class TestKannel(Promises):
    def make_wire(self) -> SmsWire:
        return SmsWire()

    def open(self, wire: SmsWire) -> Channel:
        at = wire.url.removeprefix("http://")
        call = ":version=&:title=&:type=&:message=text&:charset=UTF-8&:coding={coding}&:from=POLICE34&:to={recipient}"
        url = f"form://{at}{wire.path}?method=GET&:username=desk&:password={wire.stand.password}&{call}"
        return Directory(url=SecretStr(url), unicode=True, timeout=0.6, clock=wire.clock)


class TestOctopush(Promises):
    def make_wire(self) -> OctopushWire:
        return OctopushWire()

    def open(self, wire: OctopushWire) -> Channel:
        url = f"octopush://POLICE34:{wire.stand.login}/{wire.stand.key}/{{recipient}}"
        return Directory(url=SecretStr(url), unicode=True, timeout=0.6, clock=wire.clock)
