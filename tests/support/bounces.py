"""Mails that come back, written after RFC 3464, RFC 5965 and what servers send."""

from __future__ import annotations

from email.mime.multipart import MIMEMultipart
from textwrap import dedent
from typing import Final

MAILBOX: Final = "bounce+abc@police.example"
ORIGINAL: Final = f"Return-Path: <{MAILBOX}>\nFrom: alerte@police.example\nTo: ana@journal.example\nSubject: Accident\n"


def report(
    fields: str,
    *,
    words: str = "Your mail could not be delivered.",
    kind: str = "delivery-status",
    to: str = MAILBOX,
    original: str = ORIGINAL,
    original_type: str = "text/rfc822-headers",
    head: str = "",
) -> bytes:
    """Return a report in three parts (RFC 6522)."""
    boundary = MIMEMultipart().get_boundary() or "b8c1d2"
    lines = [
        "From: MAILER-DAEMON@mx.example (Mail Delivery System)",
        f"To: {to}",
        "Subject: Undelivered Mail Returned to Sender",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        *([head] if head else []),
        f'Content-Type: multipart/report; report-type={kind}; boundary="{boundary}"',
        "",
        f"--{boundary}",
        "Content-Type: text/plain; charset=us-ascii",
        "",
        words,
        "",
        f"--{boundary}",
        f"Content-Type: message/{kind}",
        "",
        dedent(fields).strip(),
        "",
        f"--{boundary}",
        f"Content-Type: {original_type}",
        "",
        original,
        f"--{boundary}--",
        "",
    ]
    return "\r\n".join(lines).replace("\r\n", "\n").replace("\n", "\r\n").encode()


def failure(status: str, diagnostic: str = "", *, action: str = "failed", how: str = "Diagnostic-Code") -> bytes:
    """Return a report about one recipient."""
    words = f"{how}: {diagnostic}" if diagnostic else "Remote-MTA: dns; mx.journal.example"
    return report(
        f"""
        Reporting-MTA: dns; mx.police.example
        Arrival-Date: Thu, 26 Nov 2026 16:21:00 +0000 (UTC)

        Final-Recipient: rfc822; ana@journal.example
        Original-Recipient: rfc822;ana@journal.example
        Action: {action}
        Status: {status}
        {words}
        """
    )


def words_only(text: str, *, head: str = "") -> bytes:
    """Return a mail without a machine-readable part."""
    lines = ["From: Mail Delivery System <Mailer-Daemon@mx.example>", f"To: {MAILBOX}", *([head] if head else [])]
    return "\n".join([*lines, "Subject: Mail delivery failed", "", text, ORIGINAL]).encode()


COMPLAINT: Final = report(
    """
    Feedback-Type: abuse
    User-Agent: SomeGenerator/1.0
    Version: 1
    Original-Mail-From: <bounce+abc@police.example>
    """,
    kind="feedback-report",
    to="abuse@police.example",
    original_type="message/rfc822",
)

ABSENCE: Final = (
    f"From: ana@journal.example\nTo: {MAILBOX}\nSubject: Absence\nAuto-Submitted: auto-replied (vacation)\n\n"
    "Je suis absente jusqu'au 550 5.1.1 janvier.\n"
).encode()
