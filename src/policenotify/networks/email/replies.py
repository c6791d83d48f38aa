"""Replies of a mail server, as outcomes of one recipient or errors of the channel."""
# ruff: noqa: PLR2004 - reply codes of RFC 5321, section 4.2

from __future__ import annotations

import re
import ssl
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from smtplib import (
    SMTPAuthenticationError,
    SMTPException,
    SMTPNotSupportedError,
    SMTPResponseException,
    SMTPServerDisconnected,
)
from typing import Literal, Self, TypeAlias

from policenotify.channel import RecipientOutcome
from policenotify.errors import Blocked, ChannelError, Refused, Unavailable
from policenotify.formats.mail_status import FULL, GONE, names_full_mailbox, names_unknown_user
from policenotify.networks._bounds import ADDRESS, beginning
from policenotify.transport import quoted, why_unreachable

_LOGIN = frozenset({530, 534, 535, 538})  # RFC 4954, section 6
_ENHANCED = re.compile(r"^([245]\.\d{1,3}\.\d{1,3})(?!\d)[\s:-]*")  # RFC 2034, section 4
_ENHANCED_OCTETS = 16  # hold an enhanced code, and what follows it
_ADDRESS = re.compile(rf"<?{ADDRESS}>?")
_WORD = re.compile(r"[^\s<>:;,()\[\]\"']+")
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f-\x9f]+")
_MAX_BYTES = 8_000  # of a reply: 2000 characters
_SHARED = 4  # characters of a private value that show it
_SHARED_CODED = 8  # characters of it in base64 or hexadecimal, which ordinary words share by chance
_SPENT = "4.5.3"  # RFC 3463, section 3.6, "too many recipients": each mail has one, so it counts the session
_MAX_TEXT = 160  # characters of a reply that are repeated
_NO_LOGIN = "The mail server does not accept our login."
_AGAIN = "It will be tried again."
_CHECK_LOGIN = "Check user and password in the channel's url, then: policenotify doctor"


@dataclass(frozen=True, slots=True)
class Private:
    """The values that a server's text must not show.

    Attributes:
        names: Our own address and user, removed where they are a whole word.
        address: The recipient's address. Any word is removed that holds a part of its name.
        password: Any word is removed that holds a part of it.
    """

    names: tuple[str, ...] = field(default=(), repr=False)
    address: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    def mask(self, text: str) -> str:
        """Return a line without these values and without mail addresses."""
        text = _ADDRESS.sub("<address>", text)
        local = self.address.partition("@")[0]
        for name in filter(None, (*(each.partition("@")[0] for each in self.names), local, self.password)):
            form = rf"(?<![\w.-]){re.escape(name)}(?![\w-])"  # some servers name only the mailbox
            text = re.sub(form, "<address>", text, flags=re.IGNORECASE)
        parts = {*_parts(local, self.address), *_parts(self.password, self.password)}

        def shown(word: re.Match[str]) -> str:
            lower = word[0].lower()
            pieces = (lower[at : at + size] for size in (_SHARED, _SHARED_CODED) for at in range(len(lower)))
            return word[0] if lower == "address" or parts.isdisjoint(pieces) else "…"

        return _WORD.sub(shown, text)


def _parts(value: str, encoded: str) -> Iterator[str]:
    """Yield pieces that show a value, and pieces of its form in base64 and hexadecimal, in lower case."""
    content = encoded.encode()
    # The letters of base64 depend on what stands before: none, one or two more bytes.
    coded = (b64encode(bytes(before) + content).decode()[2 * before : -4] for before in range(3))
    for form, size in ((value, _SHARED), *((each, _SHARED_CODED) for each in (content.hex(), *coded))):
        lower = form.lower()
        yield from (lower[at : at + size] for at in range(len(lower) - size + 1))


Command: TypeAlias = Literal["sender", "recipient", "content"]
"""What a reply answers: the sender's address, the recipient's, or the mail."""

_About: TypeAlias = Literal["gone", "full", "large", "policy", "content", ""]


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply of the server.

    Attributes:
        to: The command that it answers.
        number: The reply code (RFC 5321, section 4.2).
        enhanced: The enhanced status code (RFC 3463), or empty.
        text: The text in one line, without private values.
        about: What it is about: a mailbox that does not exist or is full, the size of the mail, us (`policy`), the
            mail, or something else.
    """

    to: Command
    number: int
    enhanced: str
    text: str
    about: _About

    @classmethod
    def of(cls, to: Command, number: int, text: bytes, *, private: Private | None = None) -> Self:
        """Parse a reply, and remove private values from its text."""
        if number < 400:  # nobody reads it
            return cls(to, number, _enhanced(text), "", "")
        enhanced, line = _parse(text)
        about = _about(to, number, enhanced, line)
        return cls(to, number, enhanced, (private or Private()).mask(line)[:_MAX_TEXT], about)

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
    def final(self) -> bool:
        """A permanent failure."""
        return 500 <= self.number < 600

    @property
    def quoted(self) -> str:
        """The server's text, as the end of a sentence."""
        return quoted(self.text)

    @property
    def wants_login(self) -> bool:
        """The server asks for a login or rejects it."""
        return self.number in _LOGIN

    @property
    def session_spent(self) -> bool:
        """A temporary failure that may concern only the session.

        OpenSMTPD answers the 101st `MAIL` of a session with `452 4.5.3`. Other servers limit the rate of a session in
        this way, or the recipients of all its mails.
        """
        return self.for_now and (self.to == "sender" or self.enhanced == _SPENT)


def _about(to: Command, number: int, enhanced: str, line: str) -> _About:
    """Return what a refusal is about, by its enhanced code, else by its number and words."""
    bare = number if not enhanced else 0
    if enhanced in GONE or (to == "recipient" and bare in {550, 551, 553} and names_unknown_user(line)):
        return "gone"
    if to != "sender" and (enhanced in FULL or names_full_mailbox(line) or (to == "recipient" and bare == 552)):
        return "full"  # RFC 5321, section 4.2.3
    if to != "recipient" and (enhanced == "5.3.4" or bare == 552):
        return "large"  # RFC 1870, section 6.1
    if enhanced.startswith("5.7."):
        return "policy"
    return "content" if to == "content" else ""


class SessionLost(Exception):
    """The session ended without a reply that decides about the mail, and is closed.

    Attributes:
        in_doubt: A part of the mail had been sent, so it may have been accepted.
        silent: The server did not answer in time.
    """

    def __init__(self, *, in_doubt: bool, silent: bool = False) -> None:
        self.in_doubt = in_doubt
        self.silent = silent
        super().__init__()


def judge(reply: Reply | None, key: str) -> RecipientOutcome:
    """Return the outcome of a recipient.

    Args:
        reply: The deciding reply, or `None` if none came after the mail was sent.
        key: The recipient's key.

    Raises:
        ChannelError: The reply concerns all recipients.
    """
    if reply is None:
        reason = "No answer came when the mail server had the mail: it may or may not have gone out."
        return RecipientOutcome(key=key, outcome="unconfirmed", reason=reason)
    if reply.accepted:
        return RecipientOutcome(key=key, outcome="posted", code=reply.code)
    if error := _channel_error(reply):
        raise error
    return _outcome(reply, key)


def _channel_error(reply: Reply) -> ChannelError | None:
    """Return the error of a refusal that concerns all recipients."""
    code, words = reply.code, reply.quoted
    if reply.wants_login:
        return Blocked(_NO_LOGIN, code=code, remedy=_CHECK_LOGIN)
    if reply.about == "large":
        return Refused("The mail is larger than the mail server takes.", code=code, remedy="Use fewer pictures.")
    if reply.to != "sender":
        return None
    if reply.for_now:
        return Unavailable(f"The mail server takes no mail from us now{words}", code=code, remedy=_AGAIN)
    return Blocked(
        f"The mail server does not take mail from the sender's address{words}",
        code=code,
        remedy="Check from= in the channel's url against what the server's operator allows, then: policenotify doctor",
    )


def _outcome(reply: Reply, key: str) -> RecipientOutcome:
    words, gone = reply.quoted, reply.about == "gone"
    if reply.about == "full":
        reason = f"The mailbox of this person is full{words}"
    elif reply.for_now:
        reason = f"The mail server takes no mail for this person now{words}"
    else:
        reason = f"This address does not exist{words}" if gone else f"The mail server refused this mail{words}"
    if reply.for_now:
        return RecipientOutcome(key=key, outcome="unavailable", code=reply.code, reason=reason)
    personal = reply.about not in {"policy", "content"}
    return RecipientOutcome(key=key, outcome="refused", code=reply.code, reason=reason, gone=gone, personal=personal)


def not_opened(error: Exception, private: Private) -> ChannelError:
    """Return the error of a session that could not be opened. Nothing was sent.

    Args:
        error: Raised by smtplib, apprise's controller or the network.
        private: Values to remove from a reply.
    """
    kind = type(error).__name__
    if isinstance(error, SMTPResponseException):
        return _rejected(error, private)
    if isinstance(error, SMTPNotSupportedError):
        return Blocked(
            "The mail server offers neither the encryption (STARTTLS) nor the login that the channel's url asks for.",
            code=kind,
            remedy="Check port and mode in the url (mode=ssl is usual on port 465), then: policenotify doctor",
        )
    if isinstance(error, UnicodeError):
        return Blocked(
            "The mail server's name, the user or the password holds a letter that cannot be sent.",
            code=kind,
            remedy="Use a password of ASCII characters, and the xn-- form of the server's name.",
        )
    if isinstance(error, ssl.SSLError):
        return Unavailable(
            "No trusted encrypted connection to the mail server can be made.",
            code=kind,
            remedy="Check port and mode in the channel's url, the server's certificate and this machine's clock; for "
            f"an authority of your own, name its certificate in SSL_CERT_FILE. {_AGAIN}",
        )
    if type(error) is SMTPException:  # smtplib: no login method is common to both sides
        return Blocked(_NO_LOGIN, code=kind, remedy=_CHECK_LOGIN)
    return _unreachable(error, kind)


def _unreachable(error: Exception, kind: str) -> Unavailable:
    if timed_out(error):
        return silent(code=kind)
    why, remedy = why_unreachable(error)
    return Unavailable(f"The mail server cannot be reached{why}.", code=kind, remedy=f"{_AGAIN}{remedy}")


def silent(*, code: str = "") -> Unavailable:
    """Return the error of a server slower than the channel's `timeout`."""
    remedy = f"{_AGAIN} If the server is slow on purpose, give the channel a longer `timeout`."
    return Unavailable("The mail server does not answer in time.", code=code, remedy=remedy)


def timed_out(error: BaseException) -> bool:
    """Return True if a call ended because the server was silent for too long.

    smtplib then raises `SMTPServerDisconnected` while it handles the timeout.
    """
    cause = error.__context__ if isinstance(error, SMTPServerDisconnected) else error
    return isinstance(cause, TimeoutError)


def _rejected(error: SMTPResponseException, private: Private) -> ChannelError:
    raw = error.smtp_error
    reply = Reply.of("sender", error.smtp_code, raw if isinstance(raw, bytes) else str(raw).encode(), private=private)
    if reply.wants_login or (isinstance(error, SMTPAuthenticationError) and not reply.for_now):
        return Blocked(_NO_LOGIN, code=reply.code, remedy=_CHECK_LOGIN)
    if reply.final:
        remedy = "Ask its operator whether this machine may send mail, then: policenotify doctor"
        return Blocked(f"The mail server refuses to talk to us{reply.quoted}", code=reply.code, remedy=remedy)
    return Unavailable(f"The mail server takes no mail now{reply.quoted}", code=reply.code, remedy=_AGAIN)


def _enhanced(text: bytes) -> str:
    """Return the enhanced code of a reply."""
    if b"\n" in text or b"\r" in text:
        return _parse(text)[0]
    match = _ENHANCED.match(text[:_ENHANCED_OCTETS].decode("ascii", "replace"))
    return match[1] if match else ""


def _parse(text: bytes) -> tuple[str, str]:
    """Return the enhanced code of a reply, and the beginning of its text in one line."""
    enhanced, words = "", []
    for line in beginning(text[:_MAX_BYTES].decode("utf-8", "replace")).splitlines():
        if match := _ENHANCED.match(line):
            enhanced = enhanced or match[1]
        words.append(_ENHANCED.sub("", line))
    return enhanced, _UNPRINTABLE.sub(" ", " ".join(words)).strip()
