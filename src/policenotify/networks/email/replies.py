"""What a mail server's replies mean: for one person, or for all."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from smtplib import (
    SMTPAuthenticationError,
    SMTPException,
    SMTPNotSupportedError,
    SMTPResponseException,
    SMTPServerDisconnected,
)
from typing import Literal, Self

from policenotify.channel import RecipientOutcome
from policenotify.errors import Blocked, ChannelError, Refused, Unavailable
from policenotify.transport import quoted, why_unreachable

_LOGIN = frozenset({530, 534, 535, 538})  # RFC 4954, section 6: who we are is not settled
_ENHANCED = re.compile(r"^([245]\.\d{1,3}\.\d{1,3})(?!\d)[\s:-]*")  # RFC 2034, section 4
_ADDRESS = re.compile(r"<?[^\s<>:;,()\"']+@[^\s<>:;,()\"']+>?")
_FULL = frozenset({"4.2.2", "5.2.2"})  # RFC 3463, section 3.3
_SPENT = "4.5.3"  # RFC 3463, section 3.6, "too many recipients": each mail has one, so it counts the whole session
_GONE = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"})  # RFC 3463, section 3.2; RFC 7505, section 4.2
# For servers without enhanced codes. A bare 550 also stands for "relay not permitted", and that is our fault, not his.
_UNKNOWN = re.compile(
    r"(unknown|no such|invalid|unrout\w+) (local )?(user|recipient|mailbox|address)"
    r"|(user|recipient|mailbox|address) (is )?(unknown|not found|does not exist|doesn't exist)",
    re.IGNORECASE,
)
# A full mailbox is also refused with a bare 550 or 552, and with other enhanced codes.
_QUOTA = re.compile(
    r"\b(over|exceed\w*) (\w+ ){0,3}quota|\bquota (\w+ ){0,2}(exceeded|full|reached)"
    r"|\b(mailbox|inbox) (\w+ ){0,3}(full|out of storage)|\bfull mailbox|\bmailbox size limit exceeded",
    re.IGNORECASE,
)
_NO_LOGIN = "The mail server does not accept our login."
_AGAIN = "It will be tried again."
_CHECK_LOGIN = "Check user and password in the channel's url, then: policenotify doctor"


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server answered.

    Attributes:
        to: What it answered to: our address, the person's address, or the mail.
        number: The reply code (RFC 5321, section 4.2).
        enhanced: The enhanced status code (RFC 3463), or empty.
        said: The text in one line, without addresses.
    """

    to: Literal["sender", "recipient", "content"]
    number: int
    enhanced: str
    said: str

    @classmethod
    def of(cls, to: Literal["sender", "recipient", "content"], number: int, text: bytes, *private: str) -> Self:
        """Read a reply; *private* are addresses that its text must not give away."""
        enhanced, said = _read(text, private)
        return cls(to, number, enhanced, said)

    @property
    def code(self) -> str:
        """The server's own code, such as `550 5.1.1`."""
        return f"{self.number} {self.enhanced}".strip()

    @property
    def accepted(self) -> bool:
        """The server has taken the mail over."""
        return self.to == "content" and 200 <= self.number < 300  # noqa: PLR2004 - RFC 5321, section 4.2.1

    @property
    def for_now(self) -> bool:
        """It may be asked again."""
        return 400 <= self.number < 500  # noqa: PLR2004 - RFC 5321, section 4.2.1

    @property
    def final(self) -> bool:
        """Asking again would bring the same."""
        return 500 <= self.number < 600  # noqa: PLR2004 - RFC 5321, section 4.2.1

    @property
    def quoted(self) -> str:
        """The server's words, as the end of a sentence."""
        return quoted(self.said)

    @property
    def wants_login(self) -> bool:
        """The server does not know who we are."""
        return self.number in _LOGIN

    @property
    def too_large(self) -> bool:
        """The mail is larger than the server takes (RFC 1870, section 6.1; RFC 3463, section 3.4)."""
        bare = self.number == 552 and not self.enhanced  # noqa: PLR2004 - RFC 1870, section 6.1
        return self.to != "recipient" and (bare or self.enhanced == "5.3.4") and not self.full

    @property
    def gone(self) -> bool:
        """There is no such mailbox."""
        if self.enhanced:
            return self.enhanced in _GONE
        return self.number in {550, 551, 553} and self.to == "recipient" and bool(_UNKNOWN.search(self.said))

    @property
    def full(self) -> bool:
        """The person's mailbox has no room (RFC 3463, section 3.3; RFC 5321, section 4.2.3)."""
        if self.to == "sender" or self.gone:
            return False
        bare = self.to == "recipient" and self.number == 552 and not self.enhanced  # noqa: PLR2004 - RFC 5321, 4.2.3
        return bare or self.enhanced in _FULL or bool(_QUOTA.search(self.said))

    @property
    def session_spent(self) -> bool:
        """The reply may be about the session: a new one may be asked the same.

        OpenSMTPD answers the 101st `MAIL` of a session with `452 4.5.3`. Other servers limit the rate of a session
        so, or the recipients of all its mails.
        """
        return self.for_now and (self.to == "sender" or self.enhanced == _SPENT)

    @property
    def policy(self) -> bool:
        """Neither the mailbox nor the content is wrong: the server does not want it from us (RFC 3463, section 3.8)."""
        return self.enhanced.startswith("5.7.")


def judged(reply: Reply | None, key: str) -> tuple[RecipientOutcome, ChannelError | None]:
    """Tell what became of the mail for one person.

    Args:
        reply: What settled it; `None`: nothing did, and the mail had been sent.
        key: The person's key.

    Returns:
        The outcome, and the error that it is if it turns out to be the same for everybody.

    Raises:
        ChannelError: It is the same for everybody for certain.
    """
    if reply is None:
        reason = "No answer came when the mail server had the mail: it may or may not have gone out."
        return RecipientOutcome(key=key, outcome="unconfirmed", reason=reason), None
    if error := _for_all(reply):
        raise error
    return _for_one(reply, key), _perhaps_for_all(reply)


def _for_all(reply: Reply) -> ChannelError | None:
    code, said = reply.code, reply.quoted
    if reply.wants_login:
        return Blocked(_NO_LOGIN, code=code, remedy=_CHECK_LOGIN)
    if reply.too_large:
        return Refused("The mail is larger than the mail server takes.", code=code, remedy="Use fewer pictures.")
    if reply.to != "sender":
        return None
    if reply.for_now:
        return Unavailable(f"The mail server takes no mail from us now{said}", code=code, remedy=_AGAIN)
    return Blocked(
        f"The mail server does not take mail from the sender's address{said}",
        code=code,
        remedy="Check from= in the channel's url against what the server's operator allows, then: policenotify doctor",
    )


def _perhaps_for_all(reply: Reply) -> ChannelError | None:
    code, said = reply.code, reply.quoted
    if not reply.final or reply.gone or reply.full:
        return None
    if reply.to == "content":
        remedy = "Ask the server's operator what it dislikes, or word the message otherwise."
        return Refused(f"The mail server does not take this mail{said}", code=code, remedy=remedy)
    if reply.policy:
        remedy = "Ask its operator to relay for this machine or login, then: policenotify doctor"
        return Blocked(f"The mail server does not pass mail on for us{said}", code=code, remedy=remedy)
    return None


def _for_one(reply: Reply, key: str) -> RecipientOutcome:
    code, said = reply.code, reply.quoted
    if reply.accepted:
        return RecipientOutcome(key=key, outcome="posted", code=code)
    if reply.full:
        reason = f"The mailbox of this person is full{said}"
    elif reply.for_now:
        reason = f"The mail server takes no mail for this person now{said}"
    else:
        reason = f"This address does not exist{said}" if reply.gone else f"The mail server refused this mail{said}"
    if reply.for_now:
        return RecipientOutcome(key=key, outcome="unavailable", code=code, reason=reason)
    return RecipientOutcome(key=key, outcome="refused", code=code, reason=reason, gone=reply.gone)


def not_opened(error: Exception) -> ChannelError:
    """What it means that a session could not be opened: nothing was sent.

    Args:
        error: What smtplib, apprise's controller or the network raised.
    """
    kind = type(error).__name__
    if isinstance(error, SMTPResponseException):
        return _turned_away(error)
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
    if type(error) is SMTPException:  # what smtplib raises when no way of logging in is known to both sides
        return Blocked(_NO_LOGIN, code=kind, remedy=_CHECK_LOGIN)
    return _unreachable(error, kind)


def _unreachable(error: Exception, kind: str) -> Unavailable:
    if timed_out(error):
        return silent(code=kind)
    why, remedy = why_unreachable(error)
    return Unavailable(f"The mail server cannot be reached{why}.", code=kind, remedy=f"{_AGAIN}{remedy}")


def silent(*, code: str = "") -> Unavailable:
    """Make the error of a server that is slower than the channel's `timeout`, by itself or on purpose (a tarpit)."""
    remedy = f"{_AGAIN} If the server is slow on purpose, give the channel a longer `timeout`."
    return Unavailable("The mail server does not answer in time.", code=code, remedy=remedy)


def timed_out(error: BaseException) -> bool:
    """Return True if a call ended because the server was silent for too long.

    smtplib raises `SMTPServerDisconnected` then, and the timeout is the error that it was handling.
    """
    behind = error.__context__ if isinstance(error, SMTPServerDisconnected) else error
    return isinstance(behind, TimeoutError)


def _turned_away(error: SMTPResponseException) -> ChannelError:
    raw = error.smtp_error
    reply = Reply.of("sender", error.smtp_code, raw if isinstance(raw, bytes) else str(raw).encode())
    if reply.wants_login or (isinstance(error, SMTPAuthenticationError) and not reply.for_now):
        return Blocked(_NO_LOGIN, code=reply.code, remedy=_CHECK_LOGIN)
    if reply.final:
        remedy = "Ask its operator whether this machine may send mail, then: policenotify doctor"
        return Blocked(f"The mail server refuses to talk to us{reply.quoted}", code=reply.code, remedy=remedy)
    return Unavailable(f"The mail server takes no mail now{reply.quoted}", code=reply.code, remedy=_AGAIN)


def _read(text: bytes, private: tuple[str, ...]) -> tuple[str, str]:
    """Take a reply's text apart: its enhanced code, and its words in one line without addresses."""
    enhanced, words = "", []
    for line in text.decode("utf-8", "replace").splitlines():
        if found := _ENHANCED.match(line):
            enhanced = enhanced or found[1]
        words.append(_ENHANCED.sub("", line))
    said = re.sub(r"[\x00-\x20\x7f-\x9f]+", " ", " ".join(words)).strip()
    said = _ADDRESS.sub("<address>", said)
    for address in private:  # some servers name the mailbox only
        local = address.partition("@")[0]
        said = re.sub(rf"(?<![\w.-]){re.escape(local)}(?![\w-])", "<address>", said, flags=re.IGNORECASE)
    return enhanced, said[:160]
