"""E-mail keeps the contract."""

from __future__ import annotations

from typing import Self

from pydantic import SecretStr

from policenotify.channel import Channel
from policenotify.networks.email.channel import Email
from policenotify.testing import (
    Call,
    ChannelContract,
    FakeMailServer,
    Fault,
    NetworkFixture,
    VisiblePost,
)
from tests.support.channels import open_channel
from tests.support.mails import visible_mail
from tests.support.patience import PATIENCE, short


class MailFixture(NetworkFixture):
    """Mailboxes, and a mail server with a login."""

    faults = frozenset(Fault) - {Fault.TRUNCATED, Fault.HTML_PAGE, Fault.SERVER_ERROR}  # these are HTTP's

    def __init__(self) -> None:
        super().__init__()
        self.server = FakeMailServer(login=("desk", "s3cret"))

    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self.server.__exit__(kind, error, traceback)

    @property
    def visible_posts(self) -> list[VisiblePost]:
        return [visible_mail(mail) for mail in self.server.mails]

    def refuse_recipient(self, address: str) -> None:
        self.server.refuse(address)

    def fail_next(self, fault: Fault, call: Call = "post") -> None:
        del call  # there is only one
        match fault:
            case Fault.REFUSED:
                self.server.refuse("*", times=1)
            case Fault.RATE_LIMITED:
                self.server.refuse("*", 451, "4.7.1 greylisted", times=1)
            case Fault.UNREACHABLE:
                self.server.refuse_connections()
            case Fault.UNAUTHORIZED:
                self.server.fail_next("AUTH", 535, "5.7.8 who are you?", times=9)
            case Fault.NO_RESPONSE:
                self.server.hang_up("DATA", silence=PATIENCE)
            case Fault.DISCONNECTED | Fault.DISCONNECTED_AFTER:
                self.server.hang_up("DATA", delivered=fault is Fault.DISCONNECTED_AFTER)
            case _:
                raise AssertionError(f"A mail server does not suffer {fault}.")

    def recover(self) -> None:
        self.server.recover()


class TestEmail(ChannelContract):
    secrets = ("s3cret",)

    def make_network(self) -> MailFixture:
        return MailFixture()

    def open(self, network: MailFixture) -> Channel:
        url = (
            f"mailto://desk:s3cret@{network.server.host}:{network.server.port}?from=alertes@police.example&name=Police"
        )
        return open_channel(Email, url=SecretStr(url), timeout=short(0.6), clock=network.clock)
