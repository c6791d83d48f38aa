"""SMTP sessions that apprise opens, with the reply to each command.

Importing this module loads apprise's e-mail plugin.
"""

# ruff: noqa: PLR2004 - reply codes of RFC 5321, section 4.3.2

from __future__ import annotations

import smtplib
import socket
import ssl
import warnings
from types import SimpleNamespace
from typing import Any, ClassVar, Self

from policenotify.errors import Blocked, Unavailable
from policenotify.networks._apprise import plugin
from policenotify.networks._bounds import PIECE, call_seconds, connect, deadline, rebound, time_left
from policenotify.networks.email.replies import Private, not_opened, silent, timed_out
from policenotify.transport import is_loopback

with warnings.catch_warnings():  # apprise imports imghdr, which is deprecated until Python 3.13 removes it
    warnings.simplefilter("ignore", DeprecationWarning)
    from apprise.plugins.email import NotifyEmail
    from apprise.plugins.email.smtp import AppriseSMTPController

_OPENING = 4  # exchanges' time to connect, secure and log in
_LONGEST_SHORT = 512  # octets of a line with a reply (RFC 5321, section 4.5.3.1.5)
_MAX_LINES = 100  # of a reply: EHLO has the longest, of some twenty
_ADD_FROM = (
    "Add it: …?from=alertes@police.example; percent-encode @ : / ? # in user and password. Then: policenotify doctor"
)


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


class _Replies:
    """The replies of a server, each up to a number of lines. Whatever waits ends at the deadline.

    Args:
        sock: A socket, plain or of TLS.
    """

    def __init__(self, sock: Any) -> None:  # noqa: ANN401 - see above
        self._sock = sock
        self._seconds = sock.gettimeout()
        self._received = b""
        self._at = 0  # what stands before was read
        self.left = 0

    @property
    def has_more(self) -> bool:
        """More was received than was read."""
        return self._at < len(self._received)

    def short_reply(self) -> tuple[int, bytes] | None:
        """Return the next reply if it is here, and one line, as almost all are. `readline` returns any other."""
        received, at = self._received, self._at
        end = received.find(b"\r\n", at, at + _LONGEST_SHORT)
        if end < 0 or received[at + 3 : at + 4] != b" " or not (number := received[at : at + 3]).isdigit():
            return None
        self._at = end + 2
        return int(number), received[at + 4 : end].strip()

    def wait(self) -> None:
        """Wait for the next line, unless it is too long or the connection ends."""
        self.left = _MAX_LINES
        while not self._has_line(_LONGEST_SHORT) and self._receive():
            pass

    def readline(self, limit: int) -> bytes:
        """Return the next line of a reply."""
        self.left -= 1
        if self.left < 0:
            raise OSError("the reply has too many lines")
        while not self._has_line(limit) and self._receive():
            pass
        at, end = self._at, self._received.find(b"\n", self._at, self._at + limit)
        self._at = end + 1 if end >= 0 else min(len(self._received), at + limit)
        return self._received[at : self._at]

    def _has_line(self, limit: int) -> bool:
        return len(self._received) - self._at >= limit or self._received.find(b"\n", self._at) >= 0

    def _receive(self) -> bool:
        self._sock.settimeout(time_left(self._seconds))
        piece = self._sock.recv(PIECE)
        self._received, self._at = self._received[self._at :] + piece, 0
        return bool(piece)

    def close(self) -> None:
        """Do nothing: the socket is closed by its owner."""


class _BoundedReplies(smtplib.SMTP):
    """A client whose exchanges have an end: each reply in lines and in time, each mail in time."""

    def getreply(self) -> tuple[int, bytes]:
        """Read a reply of up to 100 lines within the timeout."""
        if self.file is None and self.sock is not None:
            self.file = _Replies(self.sock)
        replies: Any = self.file
        if replies and (short := replies.short_reply()):  # it came together with the one before
            return short  # type: ignore[no-any-return]  # of Any
        with deadline(self.timeout):
            try:
                if replies:
                    replies.wait()
            except OSError:  # as in the parent
                self.close()
                raise smtplib.SMTPServerDisconnected("the connection was lost") from None
            return (replies and replies.short_reply()) or super().getreply()

    def send(self, s: Any) -> None:  # noqa: ANN401 - the parent's: bytes, or text in ASCII
        """Send a command or a mail within the timeout, and a second more for each 64 kB."""
        content = s.encode("ascii") if isinstance(s, str) else s
        if len(content) <= PIECE and self.sock is not None:
            self.sock.settimeout(time_left(self.timeout))
            super().send(content)
            return
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

    @property
    def pipelining(self) -> bool:
        """The server takes several commands at once (RFC 2920)."""
        return bool(self._socket.has_extn("pipelining"))

    @property
    def takes_size(self) -> bool:
        """The server wants to know the size of a mail in advance (RFC 1870)."""
        return bool(self._socket.has_extn("size"))

    @property
    def quiet(self) -> bool:
        """The server has sent nothing that was not read yet: no farewell, and no end of the connection."""
        sock = self._socket.sock
        if sock is None or self._socket.file.has_more:  # smtplib has closed it, or more came than was asked for
            return False
        try:
            sock.settimeout(0)  # each next call sets it again
            # A byte that is read here is lost, and so is the session: nothing was to be answered.
            sock.recv(1, *() if isinstance(sock, ssl.SSLSocket) else (socket.MSG_PEEK,))
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return True
        except OSError:
            return False
        return False

    def write(self, content: bytes) -> None:
        """Send commands, or a mail.

        Raises:
            OSError: The connection is lost, or the server reads too slowly.
        """
        self._socket.send(content)

    def read(self) -> tuple[int, bytes]:
        """Read the next reply: its code, and its text.

        Raises:
            OSError: The connection is lost, or the reply cannot be read or comes too late.
        """
        reply: tuple[int, bytes] = self._socket.getreply()
        return reply

    def private(self, sender: str, address: str) -> Private:
        """Return what a reply to a mail must not show."""
        return Private(names=(sender, self.user or ""), address=address, password=self.password or "")

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
