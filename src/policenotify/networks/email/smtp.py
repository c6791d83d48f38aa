"""SMTP sessions that apprise opens, with the reply to each mail.

Importing this module loads apprise's e-mail plugin.
"""

# ruff: noqa: PLR2004 - reply codes of RFC 5321, section 4.3.2

from __future__ import annotations

import smtplib
import socket
import warnings
from collections.abc import Callable
from contextlib import suppress
from smtplib import SMTPException
from types import SimpleNamespace
from typing import Any, ClassVar, Self

from policenotify.errors import Blocked, JournalError, Unavailable
from policenotify.networks._apprise import plugin
from policenotify.networks._bounds import PIECE, TimedReader, call_seconds, connect, deadline, rebound, time_left
from policenotify.networks.email.replies import Private, Reply, not_opened, silent, timed_out
from policenotify.transport import before_publishing, is_loopback

with warnings.catch_warnings():  # apprise imports imghdr, which is deprecated until Python 3.13 removes it
    warnings.simplefilter("ignore", DeprecationWarning)
    from apprise.plugins.email import NotifyEmail
    from apprise.plugins.email.smtp import AppriseSMTPController

_CLOSING = 421  # RFC 5321, section 4.2.3: the server ends the session
_OPENING = 4  # exchanges' time to connect, secure and log in
_MAX_LINES = 100  # of a reply: EHLO has the longest, of some twenty
_MAX_LOST = 2  # sessions lost in a row before the server counts as unavailable
_ADD_FROM = (
    "Add it: …?from=alertes@police.example; percent-encode @ : / ? # in user and password. Then: policenotify doctor"
)


class SessionLost(Exception):
    """The session ended without a reply that decides about the mail.

    Attributes:
        in_doubt: Part of the mail had been sent, so it may have been accepted.
        silent: The server did not answer in time.
    """

    def __init__(self, *, in_doubt: bool, silent: bool = False) -> None:
        self.in_doubt = in_doubt
        self.silent = silent
        super().__init__()


def open_service(url: str, *, sender: str, allow_plain: bool) -> Any:  # noqa: ANN401 - apprise annotates its services loosely
    """Return apprise's e-mail service for a URL: server, port, login, TLS mode.

    Args:
        url: The URL.
        sender: The sender's address as we read it from the URL.
        allow_plain: The URL explicitly asks for an unencrypted connection.

    Raises:
        Blocked: apprise reads another sender, or the connection would not be safe.
    """
    service: Any = plugin.make_service(NotifyEmail, url)
    service.smtp_host = service.smtp_host.strip("[]")  # RFC 3986 writes IPv6 in brackets, sockets do not
    if service.from_addr[1].lower() != sender.lower():
        raise Blocked("The channel's url does not name the sender clearly. Nothing was sent.", remedy=_ADD_FROM)
    if is_loopback(service.smtp_host):
        return service
    plain = service.secure_mode == "insecure"
    if service.password and (plain or not service.verify_certificate):
        raise Blocked(
            "The channel's url would send the password where others can read it. Nothing was sent.",
            remedy="Write mailtos:// without mode=insecure and verify=no; for an authority of your own, name its "
            "certificate in SSL_CERT_FILE.",
        )
    if plain and not allow_plain:
        raise Blocked(
            "The channel's url would send mails without encryption. Nothing was sent.",
            remedy="Write mailtos://, or add mode=insecure if this is meant.",
        )
    return service


class _Lines:
    """The replies of a server, each up to a number of lines."""

    def __init__(self, file: Any) -> None:  # noqa: ANN401 - a binary file
        self._file = file
        self.left = 0

    def readline(self, limit: int) -> bytes:
        """Return the next line of a reply."""
        self.left -= 1
        if self.left < 0:
            raise OSError("the reply has too many lines")
        line: bytes = self._file.readline(limit)
        return line

    def close(self) -> None:
        """Close the socket's file."""
        self._file.close()


class _BoundedReplies(smtplib.SMTP):
    """A client whose exchanges have an end: each reply in lines and in time, each mail in time."""

    def getreply(self) -> tuple[int, bytes]:
        """Read a reply of up to 100 lines within the timeout."""
        if self.file is None and self.sock is not None:
            self.file = _Lines(TimedReader.file(self.sock))
        if self.file is not None:
            self.file.left = _MAX_LINES
        with deadline(self.timeout):
            return super().getreply()

    def send(self, s: Any) -> None:  # noqa: ANN401 - the parent's: bytes, or text in ASCII
        """Send a command or a mail within the timeout, and a second more for each 64 kB."""
        content = s.encode("ascii") if isinstance(s, str) else s
        with deadline(call_seconds((0, self.timeout), len(content))):
            for at in range(0, len(content), PIECE):
                if self.sock is not None:
                    self.sock.settimeout(time_left(self.timeout))
                super().send(content[at : at + PIECE])

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return connect(lambda each, left: socket.create_connection((each, port), left), host, port, timeout)


class _BoundedTls(smtplib.SMTP_SSL, _BoundedReplies):
    """The same on a port that begins with TLS."""


class SmtpSession(AppriseSMTPController):
    """An SMTP session opened by apprise that keeps each reply.

    `AppriseSMTPController.sendmail` returns success or failure only, without the reply code, and without telling
    whether a lost connection leaves the mail in doubt. `Apprise.notify()` has one result for all recipients, and a
    process-wide pool that gives up after a time and goes on sending.
    """

    _socket: Any  # an smtplib.SMTP while the session is open
    __enter__: ClassVar[Any] = rebound(
        AppriseSMTPController.__enter__, smtplib=SimpleNamespace(SMTP=_BoundedReplies, SMTP_SSL=_BoundedTls)
    )

    @classmethod
    def open(cls, service: Any, timeout: float) -> Self:  # noqa: ANN401 - see service
        """Connect, secure and log in. *timeout* is in seconds, for each exchange.

        Raises:
            Blocked: The server rejects our login or this machine.
            Unavailable: The server cannot be reached.
        """
        session = cls(
            host=service.smtp_host,
            port=service.port,
            secure_mode=service.secure_mode,
            user=service.user,
            password=service.password,
            verify_certificate=service.verify_certificate,
            # In smtplib this is the timeout of each exchange, and may be a fraction.
            socket_connect_timeout=timeout,  # type: ignore[arg-type]  # apprise annotates int
        )
        try:
            with plugin.hush(), deadline(_OPENING * timeout):
                session.__enter__()
                session._socket.ehlo_or_helo_if_needed()
        except (OSError, ValueError, RuntimeError) as error:  # what the controller and smtplib raise
            session.drop()
            problem = not_opened(error, Private(names=(service.user or "",), password=service.password or ""))
        else:
            return session
        raise problem  # outside of `except`: the cause may hold the password or an address

    @property
    def alive(self) -> bool:
        """The session is open."""
        return self._socket is not None

    def deliver(self, sender: str, address: str, mail: bytes) -> Reply:
        """Send one mail to one recipient and return the reply that decides about it.

        Args:
            sender: The envelope's sender, which gets bounces.
            address: The recipient's address, in ASCII.
            mail: The whole mail, 7-bit, with CR LF line ends and doubled leading dots (RFC 5321, section 4.5.2).

        Raises:
            SessionLost: No such reply came. The session is closed.
            JournalError: The lease has expired. The mail was not sent, and the session is closed.
        """
        smtp, begun = self._socket, False
        private = Private(names=(sender, self.user or ""), address=address, password=self.password or "")
        options = [f"size={len(mail)}"] if smtp.has_extn("size") else []
        try:
            reply = Reply.of("sender", *smtp.mail(sender, options), private=private)
            if reply.number == 250:
                reply = Reply.of("recipient", *smtp.rcpt(address), private=private)
            if reply.to == "recipient" and reply.number in {250, 251, 252}:
                reply = Reply.of("content", *smtp.docmd("DATA"), private=private)
            if reply.to == "content" and reply.number == 354:
                before_publishing()
                begun = True  # from here on only the reply decides
                smtp.send(mail + b".\r\n")
                reply = Reply.of("content", *smtp.getreply(), private=private)
                if not (reply.accepted or reply.for_now or reply.final):
                    raise SMTPException
            elif reply.number != _CLOSING:
                self._reset(reply)
        except JournalError:  # the lease is over
            self.drop()
            raise
        except OSError as error:  # SMTPException is one
            self.drop()
            raise SessionLost(in_doubt=begun, silent=timed_out(error)) from None
        if reply.number == _CLOSING:  # also after the mail: it was not accepted
            self.drop()
            raise SessionLost(in_doubt=False)
        return reply

    def noop(self) -> None:
        """Check the session.

        Raises:
            Unavailable: It has ended.
        """
        try:
            number, _ = self._socket.noop()
        except OSError as error:
            number = 0
            if timed_out(error):
                raise silent() from None
        if number != 250:
            raise Unavailable(
                "The mail server closed the connection.", code=str(number or ""), remedy="It will be tried again."
            )

    def quit(self) -> None:
        """End the session politely."""
        if self.alive:
            with plugin.hush():
                self.__exit__(None, None, None)
        self.drop()

    def drop(self) -> None:
        """Close the connection."""
        smtp, self._socket = self._socket, None
        if smtp is not None:
            smtp.close()

    def _reset(self, reply: Reply) -> None:
        """Reset a transaction that the server refused, so that the next can begin."""
        if not (reply.for_now or reply.final):
            raise SMTPException
        with suppress(OSError):
            number, _ = self._socket.rset()
            if number == 250:
                return
        self.drop()  # the next mail gets a new session


class Connection:
    """A series of sessions, with a new one whenever the server ends the last.

    Args:
        connect: Opens a session.
        sender: The envelope's sender.
    """

    def __init__(self, connect: Callable[[], SmtpSession], sender: str) -> None:
        self._connect = connect
        self._sender = sender
        self._session: SmtpSession | None = None
        self._lost = 0
        self._silent = False  # the last session was lost to a timeout

    def deliver(self, address: str, mail: bytes) -> Reply | None:
        """Send one mail, in a new session if the old one has ended.

        Returns:
            The reply that decides about the mail, or `None` if the session ended after it was sent.

        Raises:
            ChannelError: No session can be opened, or a second one ended without any reply to a mail.
        """
        while True:
            if self._lost == _MAX_LOST:
                error = Unavailable("The mail server ends every session.", remedy="It will be tried again.")
                raise silent() if self._silent else error
            used = self._session is not None and self._session.alive
            if self._session is None or not used:
                self._session = self._connect()
            try:
                reply = self._session.deliver(self._sender, address, mail)
            except SessionLost as lost:
                self._lost += 1
                self._silent = lost.silent
                if lost.in_doubt:
                    return None
                continue
            self._lost = 0
            if not (used and reply.session_spent):  # the reply of a new session is final
                return reply
            self._session.quit()

    def hang_up(self) -> None:
        """Close the session without waiting for a reply. The next mail opens another."""
        if self._session is not None:
            self._session.drop()

    def close(self) -> None:
        """End the session politely."""
        if self._session is not None:
            self._session.quit()
