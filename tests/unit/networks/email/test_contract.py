"""E-mail keeps the contract."""

from __future__ import annotations

from datetime import timedelta
from email.message import EmailMessage
from typing import Self

from pydantic import SecretStr

from policenotify.channel import Channel
from policenotify.networks.email.channel import Email
from policenotify.testing import (
    Call,
    ChannelContract,
    FakeClock,
    FakeMailServer,
    Fault,
    InMemoryStateStore,
    Mail,
    VisiblePost,
)


class MailWire:
    """Mailboxes, and a mail server that lets only the desk in."""

    troubles = frozenset(Fault) - {Fault.HALF, Fault.PAGE, Fault.BROKEN}  # these are HTTP's
    wait: timedelta | None = None
    secrets = ()

    def __init__(self) -> None:
        self.stand = FakeMailServer(login=("desk", "s3cret"))
        self.clock, self.keep = FakeClock(), InMemoryStateStore()

    def __enter__(self) -> Self:
        self.stand.__enter__()
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self.stand.__exit__(kind, error, traceback)

    @property
    def shown(self) -> list[VisiblePost]:
        return [_shown(mail) for mail in self.stand.mails]

    def refuse_person(self, address: str) -> None:
        self.stand.refuse(address)

    def fail_next(self, trouble: Fault, _call: Call = "post") -> None:
        match trouble:
            case Fault.REFUSED:
                self.stand.refuse("*", times=1)
            case Fault.LATER:
                self.stand.refuse("*", 451, "4.7.1 greylisted", times=1)
            case Fault.NOBODY:
                self.stand.refuse_connections()
            case Fault.DENIED:
                self.stand.fail_next("AUTH", 535, "5.7.8 who are you?", times=9)
            case Fault.SILENCE:
                self.stand.delay("DATA", 1.0)
            case Fault.CUT | Fault.CUT_AFTER:
                self.stand.hang_up("DATA", delivered=trouble is Fault.CUT_AFTER)
            case _:
                raise AssertionError(f"A mail server does not suffer {trouble}.")

    def recover(self) -> None:
        self.stand.recover()


def _shown(mail: Mail) -> VisiblePost:
    message = mail.message
    parts = [part for part in message.walk() if isinstance(part, EmailMessage)]
    texts = {
        part.get_content_subtype(): part.get_content().replace("\r\n", "\n").removesuffix("\n")
        for part in parts
        if part.get_content_maintype() == "text"
    }
    images = [(str(part["Content-Description"]), bytes(part.get_content())) for part in message.iter_attachments()]
    return VisiblePost(
        texts=(str(message["Subject"]), texts["plain"], texts.get("html", "")),
        id=str(message["Message-ID"]),
        under=tuple(str(message["References"] or "").split()),
        pictures=tuple(images),
        breaks_lines=True,
        reader=mail.recipient,
        whole=mail.raw,
    )


class TestEmail(ChannelContract):
    secrets = ("s3cret",)

    def make_wire(self) -> MailWire:
        return MailWire()

    def open(self, wire: MailWire) -> Channel:
        url = f"mailto://desk:s3cret@{wire.stand.host}:{wire.stand.port}?from=alertes@police.example&name=Police"
        return Email(url=SecretStr(url), timeout=0.6, clock=wire.clock)
