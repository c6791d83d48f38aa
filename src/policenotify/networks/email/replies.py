"""Replies of a mail server, as outcomes of one recipient or errors of the channel."""

# ruff: noqa: PLR2004 - reply codes of RFC 5321, section 4.2

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from smtplib import SMTPAuthenticationError, SMTPException, SMTPNotSupportedError, SMTPResponseException
from typing import Final, Literal, Self, TypeAlias

from policenotify.channel import RecipientOutcome
from policenotify.errors import Blocked, ChannelError, Refused, Unavailable
from policenotify.formats.mail_report import FULL, FULL_MAILBOX, GONE, UNKNOWN_USER
from policenotify.networks._redact import redact
from policenotify.translation import AnyText, Text
from policenotify.transport import quoted, why_unreachable

_ENHANCED = re.compile(r"^([245]\.\d{1,3}\.\d{1,3})(?!\d)[\s:-]*", re.MULTILINE)  # RFC 2034, section 4
_MAX_BYTES = 8_000  # of a reply: 2000 characters
_MAX_TEXT = 160  # characters of a reply that are repeated
_NO_LOGIN = Text("The mail server does not accept our login.")
_AGAIN = Text("It will be tried again.")
_CHECK_LOGIN = Text("Check user and password in the channel's url, then: policenotify doctor")

Command: TypeAlias = Literal["sender", "recipient", "content"]
"""What a reply answers: the sender's address, the recipient's, or the mail."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply of the server.

    Attributes:
        to: The command that it answers.
        number: The reply code (RFC 5321, section 4.2).
        enhanced: The enhanced status code (RFC 3463), or empty.
        text: The text in one line, without private values. Of a refusal only.
        about: The case of `_CASES` that it is.
    """

    to: Command
    number: int
    enhanced: str
    text: str = ""
    about: str = ""

    @classmethod
    def of(cls, to: Command, number: int, text: bytes, private: Sequence[str]) -> Self:
        """Parse a reply, and remove private values, and what stands before their `@`, from its text."""
        words = text[:_MAX_BYTES].decode("utf-8", "replace")
        match = _ENHANCED.search(words)
        enhanced = match[1] if match else ""
        if number < 400:  # nobody reads it
            return cls(to, number, enhanced)
        line = " ".join(_ENHANCED.sub("", words).split())
        values = (*private, *(each.partition("@")[0] for each in private))
        return cls(to, number, enhanced, redact(line, values)[:_MAX_TEXT], _case(to, number, enhanced, line))

    @property
    def code(self) -> str:
        """The server's code, such as `550 5.1.1`."""
        return f"{self.number} {self.enhanced}".strip()

    @property
    def accepted(self) -> bool:
        """The server has accepted the mail."""
        return self.to == "content" and 200 <= self.number < 300

    @property
    def for_now(self) -> bool:
        """A temporary failure."""
        return 400 <= self.number < 500

    @property
    def session_spent(self) -> bool:
        """A temporary failure that may concern only the session.

        OpenSMTPD answers the 101st `MAIL` of a session with `452 4.5.3`, "too many recipients" (RFC 3463, section 3.6).
        Other servers limit the rate of a session in this way, or the recipients of all its mails.
        """
        return self.for_now and (self.to == "sender" or self.enhanced == "4.5.3")


@dataclass(frozen=True, slots=True)
class _Case:
    """What a refusal means.

    Attributes:
        reason: What happened. `{words}` is the end of the sentence with the server's words.
        error: The error, if it concerns all recipients.
        remedy: What to do now.
        gone: The address does not exist.
        personal: No sign that the server refuses everybody.
    """

    reason: Text
    error: type[ChannelError] | None = None
    remedy: AnyText = ""
    gone: bool = False
    personal: bool = True


_CASES: Final[Mapping[str, _Case]] = {
    "login": _Case(_NO_LOGIN, Blocked, _CHECK_LOGIN),
    "large": _Case(Text("The mail is larger than the mail server takes."), Refused, Text("Use fewer pictures.")),
    "wait": _Case(Text("The mail server takes no mail from us now{words}"), Unavailable, _AGAIN),
    "sender": _Case(
        Text("The mail server does not take mail from the sender's address{words}"),
        Blocked,
        Text("Check from= in the channel's url against what the server's operator allows, then: policenotify doctor"),
    ),
    "gone": _Case(Text("This address does not exist{words}"), gone=True),
    "full": _Case(Text("The mailbox of this person is full{words}")),
    "later": _Case(Text("The mail server takes no mail for this person now{words}")),
    "policy": _Case(Text("The mail server refused this mail{words}"), personal=False),
    "": _Case(Text("The mail server refused this mail{words}")),
}
_LOGIN: Final = frozenset({530, 534, 535, 538})  # RFC 4954, section 6
_NO_SUCH: Final = frozenset({"550", "551", "553"})
_TOO_LARGE: Final = frozenset({"552", "5.3.4"})  # RFC 1870, section 6.1


def _case(to: Command, number: int, enhanced: str, line: str) -> str:
    """Return the case of a refusal, by its enhanced code (RFC 3463), else by its number (RFC 5321) and words."""
    code = enhanced or str(number)
    cases = (
        ("login", number in _LOGIN),
        ("large", to == "sender" and code in _TOO_LARGE),
        ("wait", to == "sender" and number < 500),
        ("sender", to == "sender"),
        ("gone", code in GONE or (to == "recipient" and code in _NO_SUCH and UNKNOWN_USER.search(line))),
        ("full", code in FULL or FULL_MAILBOX.search(line) or (to == "recipient" and code == "552")),
        ("large", code in _TOO_LARGE and to == "content"),
        ("later", number < 500),
        ("policy", to == "content" or code.startswith("5.7.")),
    )
    return next((case for case, applies in cases if applies), "")


class SessionLost(Exception):
    """The session ended without a reply that decides about the mail, and is closed.

    Attributes:
        in_doubt: A part of the mail had been sent, so it may have been accepted.
    """

    def __init__(self, *, in_doubt: bool) -> None:
        self.in_doubt = in_doubt
        super().__init__()


def judge(reply: Reply | None, key: str) -> RecipientOutcome:
    """Return the outcome of a recipient by the deciding reply, which is `None` if none came after the mail was sent.

    Raises:
        ChannelError: The reply concerns all recipients.
    """
    if reply is None:
        reason = Text("No answer came when the mail server had the mail: it may or may not have gone out.")
        return RecipientOutcome(key=key, outcome="unconfirmed", reason=reason)
    if reply.accepted:
        return RecipientOutcome(key=key, outcome="posted", code=reply.code)
    case = _CASES[reply.about]
    reason = case.reason.filled(words=quoted(reply.text))
    if case.error is not None:
        raise case.error(reason, code=reply.code, remedy=case.remedy)
    if reply.for_now:
        return RecipientOutcome(key=key, outcome="unavailable", code=reply.code, reason=reason)
    return RecipientOutcome(
        key=key, outcome="refused", code=reply.code, reason=reason, gone=case.gone, personal=case.personal
    )


_NOT_OPENED: Final[Sequence[tuple[type[Exception], type[ChannelError], Text, Text]]] = (
    (
        SMTPNotSupportedError,
        Blocked,
        Text("The mail server offers neither the encryption (STARTTLS) nor the login that the channel's url asks for."),
        Text("Check port and mode in the url (mode=ssl is usual on port 465), then: policenotify doctor"),
    ),
    (
        UnicodeError,
        Blocked,
        Text("The mail server's name, the user or the password holds a letter that cannot be sent."),
        Text("Use a password of ASCII characters, and the xn-- form of the server's name."),
    ),
    (
        ssl.SSLError,
        Unavailable,
        Text("No trusted encrypted connection to the mail server can be made."),
        Text(
            "Check port and mode in the channel's url, the server's certificate and this machine's "
            "clock; for an authority of your own, name its certificate in SSL_CERT_FILE. {again}",
            again=_AGAIN,
        ),
    ),
)


def not_opened(error: Exception, user: str) -> ChannelError:
    """Return the error of a session that could not be opened by smtplib for this user. Nothing was sent."""
    code = type(error).__name__
    if isinstance(error, SMTPResponseException):
        return _rejected(error, user)
    for kind, meaning, reason, remedy in _NOT_OPENED:
        if isinstance(error, kind):
            return meaning(reason, code=code, remedy=remedy)
    if type(error) is SMTPException:  # smtplib: no login method is common to both sides
        return Blocked(_NO_LOGIN, code=code, remedy=_CHECK_LOGIN)
    why, again = why_unreachable(error)
    return Unavailable(
        Text("The mail server cannot be reached{why}.", why=why),
        code=code,
        remedy=Text("{again}{remedy}", again=_AGAIN, remedy=again),
    )


def _rejected(error: SMTPResponseException, user: str) -> ChannelError:
    raw = error.smtp_error
    reply = Reply.of("sender", error.smtp_code, raw if isinstance(raw, bytes) else str(raw).encode(), (user,))
    login = isinstance(error, SMTPAuthenticationError)
    words = quoted("" if login else reply.text)  # which may repeat the password, in base64
    if reply.about == "login" or (login and not reply.for_now):
        return Blocked(_NO_LOGIN, code=reply.code, remedy=_CHECK_LOGIN)
    if 500 <= reply.number < 600:
        remedy = Text("Ask its operator whether this machine may send mail, then: policenotify doctor")
        return Blocked(
            Text("The mail server refuses to talk to us{words}", words=words), code=reply.code, remedy=remedy
        )
    return Unavailable(Text("The mail server takes no mail now{words}", words=words), code=reply.code, remedy=_AGAIN)
