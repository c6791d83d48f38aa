"""SMTP sessions of the standard `smtplib`, at the server that apprise reads from a channel's URL.

Importing this module loads apprise's e-mail plugin.
"""

# ruff: noqa: PLR2004 - reply codes of RFC 5321, section 4.3.2

from __future__ import annotations

import smtplib
import ssl
import warnings
from contextlib import suppress

from policenotify.errors import Blocked
from policenotify.networks._apprise.service import Service, read_service
from policenotify.networks.email.replies import Command, Reply, SessionLost, not_opened
from policenotify.translation import Text
from policenotify.transport import is_loopback

with warnings.catch_warnings():  # apprise imports imghdr, which is deprecated until Python 3.13 removes it
    warnings.simplefilter("ignore", DeprecationWarning)
    from apprise.plugins.email import NotifyEmail

_CLOSING = 421  # RFC 5321, section 4.2.3: the server ends the session
_UPLOAD = 65_536  # bytes a second: the slowest line on which pictures are still sent
_ADD_FROM = Text(
    "Add it: …?from=alertes@police.example; percent-encode @ : / ? # in user and password. Then: policenotify doctor"
)


def open_service(url: str, *, sender: str, allow_plain: bool) -> Service:
    """Return apprise's e-mail service for a URL: server, port, login, TLS mode.

    Args:
        url: The URL.
        sender: The sender's address as we read it from the URL.
        allow_plain: The URL explicitly asks for an unencrypted connection.

    Raises:
        Blocked: apprise reads another sender, or the connection would not be safe.
    """
    service: Service = read_service(NotifyEmail, url)
    service.smtp_host = service.smtp_host.strip("[]")  # RFC 3986 writes IPv6 in brackets, sockets do not
    if service.from_addr[1].lower() != sender.lower():
        raise Blocked(Text("The channel's url does not name the sender clearly. Nothing was sent."), remedy=_ADD_FROM)
    if is_loopback(service.smtp_host):
        return service
    plain = service.secure_mode == "insecure"
    if service.password and (plain or not service.verify_certificate):
        raise Blocked(
            Text("The channel's url would send the password where others can read it. Nothing was sent."),
            remedy=Text(
                "Write mailtos:// without mode=insecure and verify=no; for an authority of your own, name "
                "its certificate in SSL_CERT_FILE."
            ),
        )
    if plain and not allow_plain:
        raise Blocked(
            Text("The channel's url would send mails without encryption. Nothing was sent."),
            remedy=Text("Write mailtos://, or add mode=insecure if this is meant."),
        )
    return service


class SmtpSession:
    """An SMTP session that is connected, secured and logged in. *timeout* is in seconds, for each exchange.

    Attributes:
        used: The server has decided about a mail in this session.

    Raises:
        Blocked: The server rejects our login or this machine.
        Unavailable: The server cannot be reached.
    """

    def __init__(self, service: Service, timeout: float) -> None:
        client: smtplib.SMTP | None = None
        try:
            if service.secure_mode == "ssl":
                client = smtplib.SMTP_SSL(service.smtp_host, service.port, timeout=timeout, context=_tls(service))
            else:
                client = smtplib.SMTP(service.smtp_host, service.port, timeout=timeout)
            if service.secure_mode == "starttls":
                client.starttls(context=_tls(service))
            client.ehlo_or_helo_if_needed()
            if service.user and service.password:
                client.login(service.user, service.password)
        except (OSError, ValueError, RuntimeError) as error:  # what smtplib raises
            if client is not None:
                client.close()
            problem = not_opened(error, service.user or "")
        else:
            self.used: bool = False
            self._client: smtplib.SMTP = client
            self._takes_size = client.has_extn("size")
            self._timeout = timeout
            self._private: tuple[str, ...] = (service.user or "", service.password or "")
            return
        raise problem  # outside of `except`: the cause may hold the password or an address

    def send(self, sender: str, address: str, content: bytes) -> Reply:
        """Send a mail, and return the reply that decides about it.

        Args:
            sender: The envelope's sender, which gets bounces, in ASCII.
            address: The recipient's address in ASCII.
            content: The mail, 7-bit, with CR LF line ends.

        Raises:
            SessionLost: There is none, or the server ends the session without accepting the mail.
        """
        client, writing = self._client, False
        to: Command = "sender"
        try:
            size = f" SIZE={len(content)}" if self._takes_size else ""
            number, text = client.docmd(f"MAIL FROM:<{sender}>{size}")
            if number == 250:
                to, (number, text) = "recipient", client.docmd(f"RCPT TO:<{address}>")
            if to == "recipient" and number in {250, 251, 252}:
                to, writing = "content", True
                number, text = self._data(content)
            reply = Reply.of(to, number, text, (*self._private, sender, address))
            return self._decided(reply)
        except OSError:  # SMTPException is one
            self.drop()
            raise SessionLost(in_doubt=writing) from None

    def _data(self, content: bytes) -> tuple[int, bytes]:
        """Send a mail, and return the server's reply to it or to the command before it."""
        client = self._client
        if client.sock is not None:
            client.sock.settimeout(self._timeout + len(content) / _UPLOAD)  # smtplib sends the mail in one call
        try:
            return client.data(content)
        except smtplib.SMTPDataError as error:
            if error.smtp_code < 400:  # not an answer to DATA: the mail was not written
                raise
            raw = error.smtp_error
            return error.smtp_code, raw if isinstance(raw, bytes) else raw.encode()
        finally:
            if client.sock is not None:
                client.sock.settimeout(self._timeout)

    def _decided(self, reply: Reply) -> Reply:
        """Return a reply that decides about a mail, and let the server forget a refused one."""
        if reply.number == _CLOSING or not (reply.accepted or 400 <= reply.number < 600):
            self.drop()
            raise SessionLost(in_doubt=reply.to == "content" and reply.number != _CLOSING)
        self.used = True
        if not reply.accepted:
            with suppress(OSError):
                if self._client.rset()[0] == 250:
                    return reply
            self.drop()
        return reply

    @property
    def alive(self) -> bool:
        """The session is open, as far as is known."""
        return self._client.sock is not None

    def quit(self) -> None:
        """End the session politely."""
        if self.alive:
            try:
                self._client.quit()
            except OSError:  # the server was faster
                self.drop()

    def drop(self) -> None:
        """Close the connection."""
        self._client.close()


def _tls(service: Service) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not service.verify_certificate:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
