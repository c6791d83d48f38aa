"""The mails of one SMTP session on their way, as few round trips as the server allows.

Where the server offers PIPELINING (RFC 2920), the envelope of a mail is one write, and that of the next mail goes out
with the content of the one before: one round trip for each mail in place of four. A mail may have been accepted without
our knowledge only between its content and the reply to it, so that this can be true of one mail in each session.
"""
# ruff: noqa: PLR2004 - reply codes of RFC 5321, section 4.3.2

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from policenotify.errors import JournalError
from policenotify.networks.email.replies import Reply, timed_out
from policenotify.transport import before_publishing

if TYPE_CHECKING:
    from policenotify.networks.email.smtp import SmtpSession

_CLOSING = 421  # RFC 5321, section 4.2.3: the server ends the session
_END = b".\r\n"  # of a content

_To: TypeAlias = Literal["reset", "sender", "recipient", "content"]
_ENVELOPE: Final[tuple[_To, ...]] = ("sender", "recipient", "content")
_GOES_ON: Final[Mapping[str, tuple[int, ...]]] = {
    "reset": (250,),
    "sender": (250,),
    "recipient": (250, 251, 252),
    "content": (354,),
}


@dataclass(frozen=True, slots=True, eq=False)
class OutgoingMail:
    """A mail to one recipient.

    Attributes:
        key: The recipient's opaque key.
        sender: The envelope's sender, which gets bounces, in ASCII.
        address: The recipient's address in ASCII.
        content: The whole mail, 7-bit, with CR LF line ends and doubled leading dots (RFC 5321, section 4.5.2).
    """

    key: str
    sender: str
    address: str
    content: bytes

    def __repr__(self) -> str:
        return f"OutgoingMail({self.key[:8]}…)"


class SessionLost(Exception):
    """The session ended without a reply that decides about the mail, and is closed.

    Attributes:
        in_doubt: A part of the mail had been sent, so it may have been accepted.
        silent: The server did not answer in time.
    """

    def __init__(self, *, in_doubt: bool = False, silent: bool = False) -> None:
        self.in_doubt = in_doubt
        self.silent = silent
        super().__init__()


class Pipeline:
    """The mails in one session.

    For each mail `offer`, then `publish` if the server waits for the content, then `result`.

    Args:
        session: An open session. It is closed when it cannot be used any more.

    Attributes:
        used: The server has decided about a mail in this session.
    """

    def __init__(self, session: SmtpSession) -> None:
        self.session = session
        self.used: bool = False
        self.pipelining: bool = session.pipelining
        self._takes_size = session.takes_size
        self._under_way = False  # the server waits for a content, or has not replied to one
        self._ahead: OutgoingMail | None = None  # its envelope was sent, its replies were not read
        self._open = False  # the server keeps a refused mail's envelope
        self._refused = False  # the last reply was a refusal

    @property
    def alive(self) -> bool:
        """The session is open."""
        return self.session.alive

    def offer(self, mail: OutgoingMail) -> Reply | None:
        """Send the envelope of a mail, unless it was sent with the mail before, and read the replies to it.

        Returns:
            The refusal, or `None` if the server waits for the content.

        Raises:
            SessionLost: No reply decided about the mail. It is not in doubt.
        """
        refusal: Reply | None = None
        try:
            for to, number, text in self._replies(mail):
                if refusal is not None:
                    self._pass_over(number)
                elif not _goes_on(to, number):
                    refusal = self._refusal(mail, to, number, text)
        except OSError as error:  # SMTPException is one
            if refusal is None:
                self._lose(silent=timed_out(error))
            self.session.drop()
        if refusal is not None:
            self.used = self._open = self._refused = True
        self._under_way = refusal is None
        return refusal

    def _refusal(self, mail: OutgoingMail, to: _To, number: int, text: bytes) -> Reply:
        reply = self._reply(mail, "sender" if to == "reset" else to, number, text)
        if to == "reset" or number == _CLOSING or not (reply.for_now or reply.final):
            self._lose()
        return reply

    def _pass_over(self, number: int) -> None:
        """Handle the reply to a command that was sent together with a refused one."""
        if number == 354:  # RFC 2920, section 3.1: it waits for the content of a mail to nobody
            self.session.write(_END)
            number, _ = self.session.read()
        if number == _CLOSING:
            raise ConnectionAbortedError

    def publish(self, mail: OutgoingMail, ahead: OutgoingMail | None = None) -> None:
        """Send the content of an offered mail, and with it the envelope of another one that is offered next.

        Raises:
            SessionLost: The connection is lost. The mail is in doubt if a part of it was sent.
            JournalError: It must not be sent any more. The session is closed, so that the server forgets the mail.
        """
        try:
            before_publishing(mail.key)
        except JournalError:
            self.session.drop()
            raise
        if not self.session.quiet:  # it has ended while nothing was sent
            self._lose()
        content = mail.content + _END
        if ahead is not None:
            content += b"".join(self._commands(ahead))
        self._ahead = ahead
        try:
            self.session.write(content)
        except OSError as error:
            self._lose(in_doubt=True, silent=timed_out(error))

    def result(self, mail: OutgoingMail) -> Reply:
        """Read the reply to the content of a mail.

        Raises:
            SessionLost: None came, so that the mail is in doubt, or the server ended the session without accepting it.
        """
        try:
            reply = self._reply(mail, "content", *self.session.read())
        except OSError as error:
            self._lose(in_doubt=True, silent=timed_out(error))
        if reply.number == _CLOSING:  # it was not accepted
            self._lose()
        if not (reply.accepted or reply.for_now or reply.final):
            self._lose(in_doubt=True)
        self.used, self._refused, self._under_way = True, not reply.accepted, False
        return reply

    def end(self) -> None:
        """End the session, politely unless a mail is under way, which the server then forgets."""
        if self._under_way or self._ahead is not None:
            self.session.drop()
        else:
            self.session.quit()

    def _replies(self, mail: OutgoingMail) -> Iterator[tuple[_To, int, bytes]]:
        """Yield the replies to the commands of an envelope, and send those that were not sent before.

        Without pipelining the caller stops at the first refusal, so that the others are not sent.
        """
        names = ("reset", *_ENVELOPE) if self._open else _ENVELOPE
        commands = [] if self._ahead is mail else self._commands(mail)
        sent, self._ahead = 0 if commands else len(names), None
        for number, to in enumerate(names):
            if number == sent:
                sent += self._together(len(commands) - sent)
                self.session.write(b"".join(commands[number:sent]))
            code, text = self.session.read()
            if to == "reset" and code == 250:
                self._open = False
            yield to, code, text
            if sent == number + 1 and not _goes_on(to, code):
                return

    def _together(self, left: int) -> int:
        """Return how many of the commands left go out in one write.

        After a refusal DATA waits for the reply to RCPT: it would be refused as well, and a server such as postfix ends
        a session after a number of errors in a row.
        """
        if not self.pipelining:
            return 1
        return left - 1 if self._refused and left > 1 else left

    def _commands(self, mail: OutgoingMail) -> list[bytes]:
        size = f" SIZE={len(mail.content)}" if self._takes_size else ""
        commands = [
            f"MAIL FROM:<{mail.sender}>{size}\r\n".encode("ascii"),
            f"RCPT TO:<{mail.address}>\r\n".encode("ascii"),
            b"DATA\r\n",
        ]
        return [b"RSET\r\n", *commands] if self._open else commands

    def _reply(
        self, mail: OutgoingMail, to: Literal["sender", "recipient", "content"], number: int, text: bytes
    ) -> Reply:
        private = self.session.private(mail.sender, mail.address) if number >= 400 else None
        return Reply.of(to, number, text, private=private)

    def _lose(self, *, in_doubt: bool = False, silent: bool = False) -> None:
        self.session.drop()
        raise SessionLost(in_doubt=in_doubt, silent=silent) from None


def _goes_on(to: _To, number: int) -> bool:
    """Return True if a reply lets the mail go on."""
    return number in _GOES_ON[to]
