"""Mails that come back: delivery status notifications (RFC 3464) and complaints (RFC 5965).

Servers write them in many ways, so what is not understood is `OTHER`, and nothing follows from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.policy import compat32  # the modern policy parses each header, which takes twelve times as long
from email.utils import getaddresses
from enum import StrEnum
from typing import Any, Final

GONE: Final = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"})
"""Enhanced codes of an address that does not exist (RFC 3463, section 3.2; RFC 7505, section 4.2)."""

FULL: Final = frozenset({"4.2.2", "5.2.2"})
"""Enhanced codes of a full mailbox (RFC 3463, section 3.3)."""

UNKNOWN_USER: Final = re.compile(
    r"(unknown|no such|invalid|unrout\w+) (local )?(user|recipient|mailbox|address)"
    r"|(user|recipient|mailbox|address) (is )?(unknown|not found|does not exist|doesn't exist)",
    re.IGNORECASE,
)
"""A server's words for a mailbox that does not exist, without an enhanced code.

A bare 550 also means "relay not permitted", which concerns all recipients.
"""

FULL_MAILBOX: Final = re.compile(
    r"\b(over|exceed\w*) (\w+ ){0,3}quota|\bquota (\w+ ){0,2}(exceeded|full|reached)"
    r"|\b(mailbox|inbox) (\w+ ){0,3}(full|out of storage)|\bfull mailbox|\bmailbox size limit exceeded",
    re.IGNORECASE,
)
"""Its words for a full mailbox, which is also refused with a bare 550 or 552, and with other enhanced codes."""

MOST_BYTES: Final = 131_072
"""Bytes of a mail that are read. A report stands at its beginning, before the mail that it returns.

The words of Outlook.com before it take 50 kB. A mail made to cost as much as possible takes half a second.
"""

_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.]*\d)")  # RFC 3463, section 2
_WITHOUT_DETAIL: Final = frozenset({"", "5.0.0", "5.5.0", "4.0.0"})  # Exim and Outlook.com give the real one in words
_UNAVAILABLE: Final = "mailbox unavailable"  # with 5.5.0, Outlook.com's words for an address that does not exist
_NOT_THE_PERSON: Final = frozenset("67")  # RFC 3463, section 2: the content, or a policy of the server
_COMPLAINTS: Final = frozenset({"abuse", "opt-out", "opt-out-list"})  # RFC 5965, section 7.3, and its registry
_ENVELOPE: Final = ("Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "To")
_RETURN: Final = ("Original-Mail-From", "Return-Path", "X-Original-Mail-From")


class ReportKind(StrEnum):
    """What a mail that came back reports about its recipient, the final first."""

    GONE = "gone"
    """The address does not exist."""
    SOFT = "soft"
    """The mail was returned for a reason that may pass: a full mailbox, a server that was away for days."""
    REFUSED = "refused"
    """The server refuses this content or this sender. It is about the sender, not about the person."""
    COMPLAINT = "complaint"
    """The person marked the mail as unwanted."""
    OTHER = "other"
    """Anything else, of which nothing follows: a delay, a receipt, an absence note."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailReport:
    """A mail that came back.

    Attributes:
        kind: What it reports.
        status: The enhanced status code (RFC 3463), the type of a complaint, or empty. No address, no words.
        addresses: Where it was sent to, and whom it names as the sender of the mail that it is about, in lower case.
    """

    kind: ReportKind
    status: str = ""
    addresses: tuple[str, ...] = field(default=(), repr=False)


def read_report(mail: bytes) -> MailReport:
    """Read a mail that came back. At most `MOST_BYTES` of it are looked at."""
    try:
        message = message_from_bytes(mail[:MOST_BYTES], policy=compat32)
        kind, status = _classify(message)
        addresses = tuple(dict.fromkeys(_addresses(message)))
    except (RecursionError, LookupError, ValueError):  # parts in parts in parts, an unknown encoding, a wrong header
        return MailReport(kind=ReportKind.OTHER)
    return MailReport(kind=kind, status=status, addresses=addresses)


def _classify(message: Message) -> tuple[ReportKind, str]:
    for part in message.walk():
        kind = part.get_content_type()
        payload: Any = part.get_payload()
        blocks = payload if isinstance(payload, list) else []  # groups of fields, if a program is to read them
        if kind == "message/delivery-status":
            order = list(ReportKind)
            return min(map(_failure, blocks), key=lambda each: order.index(each[0]), default=(ReportKind.OTHER, ""))
        if kind == "message/feedback-report":
            complaint = next((str(block["Feedback-Type"]).strip().lower() for block in blocks), "")
            return (ReportKind.COMPLAINT, complaint) if complaint in _COMPLAINTS else (ReportKind.OTHER, "")
    return ReportKind.OTHER, ""


def _failure(block: Message) -> tuple[ReportKind, str]:
    """Return what a report states of one recipient: only a failure that the server does not try again counts."""
    if str(block["Action"]).split()[:1] != ["failed"]:
        return ReportKind.OTHER, ""
    words = f"{block.get('Diagnostic-Code', '')} {block.get('X-Supplementary-Info', '')}"
    stated, detailed = _STATUS.search(str(block.get("Status", ""))), _STATUS.search(words)
    status = stated[1] if stated else ""
    if detailed and status in _WITHOUT_DETAIL:
        status = detailed[1]
    return _kind(status, words), status


def _kind(status: str, words: str) -> ReportKind:
    if status in FULL or FULL_MAILBOX.search(words):
        return ReportKind.SOFT
    unknown = UNKNOWN_USER.search(words) or _UNAVAILABLE in words.lower()
    if status in GONE or (status in _WITHOUT_DETAIL and unknown):
        return ReportKind.GONE
    return ReportKind.REFUSED if status.startswith("5.") and status[2:3] in _NOT_THE_PERSON else ReportKind.SOFT


def _addresses(message: Message) -> Iterator[str]:
    yield from _in_headers(message, _ENVELOPE)
    for part in message.walk():
        if part.get_content_type() == "text/rfc822-headers":
            content: Any = part.get_payload(decode=True)
            yield from _in_headers(message_from_bytes(content or b"", policy=compat32), _RETURN)
        elif part is not message:  # the fields of a complaint, or the mail that comes back
            yield from _in_headers(part, _RETURN)


def _in_headers(message: Message, names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        for _, address in getaddresses([str(value) for value in message.get_all(name, [])]):
            if "@" in address:
                yield address.lower()
