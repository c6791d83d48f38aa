"""Mails as the contract of channels compares them, from a fake server or a real mailbox."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Protocol

from policenotify.testing import VisiblePost


class ReceivedMail(Protocol):
    @property
    def recipient(self) -> str: ...

    @property
    def raw(self) -> bytes: ...

    @property
    def message(self) -> EmailMessage: ...


def visible_mail(mail: ReceivedMail) -> VisiblePost:
    """Return a mail as the contract compares what readers see."""
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
        parents=tuple(str(message["References"] or "").split()),
        pictures=tuple(images),
        breaks_lines=True,
        reader=mail.recipient,
        whole=mail.raw,
    )
