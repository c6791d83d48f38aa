"""The way to a mail server: sessions that apprise opens, and a reply for each mail.

Importing this module loads apprise's e-mail plugin.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import suppress
from smtplib import SMTPException
from typing import Any, Self

from policenotify.errors import Blocked, JournalError, Unavailable
from policenotify.networks._apprise import plugin
from policenotify.networks.email.replies import Reply, not_opened, silent, timed_out
from policenotify.transport import before_publishing, is_loopback

with warnings.catch_warnings():  # apprise looks for the stdlib's imghdr, which says that it will leave in Python 3.13
    warnings.simplefilter("ignore", DeprecationWarning)
    from apprise.plugins.email import NotifyEmail
    from apprise.plugins.email.smtp import AppriseSMTPController

_CLOSING = 421  # RFC 5321, section 4.2.3: the server ends the session, whatever was asked
_CUTS = 2  # so many lost sessions without a reply between them: the server is not well
_ADD_FROM = (
    "Add it: …?from=alertes@police.example; percent-encode @ : / ? # in user and password. Then: policenotify doctor"
)


class Cut(Exception):
    """The session ended before a reply that settles the mail.

    Attributes:
        doubt: Some of the mail had been sent, so it may have been taken.
        silent: The server did not end it: it gave no answer in time.
    """

    def __init__(self, *, doubt: bool, silent: bool = False) -> None:
        self.doubt = doubt
        self.silent = silent
        super().__init__()


def service(url: str, *, sender: str, plain_is_meant: bool) -> Any:  # noqa: ANN401 - as in Session.open
    """Read the URL as apprise does: server, port, login, TLS mode, the known providers' settings.

    Args:
        url: A `mailto://` or `mailtos://` URL.
        sender: The sender's address that we read from it, which mails will carry.
        plain_is_meant: The URL asks for a connection without encryption in so many words.

    Returns:
        apprise's e-mail service.

    Raises:
        Blocked: apprise reads another sender, or the connection would not be safe.
    """
    made: Any = plugin.service(NotifyEmail, url)
    made.smtp_host = made.smtp_host.strip("[]")  # RFC 3986 writes IPv6 in brackets, and sockets do not know them
    if made.from_addr[1].lower() != sender.lower():
        raise Blocked("The channel's url does not say clearly whom mails come from.", remedy=_ADD_FROM)
    if is_loopback(made.smtp_host):
        return made
    plain = made.secure_mode == "insecure"
    if made.password and (plain or not made.verify_certificate):
        raise Blocked(
            "The channel's url would send the password where others can read it. Nothing was sent.",
            remedy="Write mailtos:// without mode=insecure and verify=no; for an authority of your own, name its "
            "certificate in SSL_CERT_FILE.",
        )
    if plain and not plain_is_meant:
        raise Blocked(
            "The channel's url would send mails without encryption. Nothing was sent.",
            remedy="Write mailtos://, or add mode=insecure if this is meant.",
        )
    return made


class SmtpSession(AppriseSMTPController):
    """A session that apprise opens (TLS modes, certificates, login) and in which we say what it would lose.

    `AppriseSMTPController.sendmail` tells success from failure only: neither the reply's code nor whether a lost
    connection leaves a doubt. `Apprise.notify()` stands further out still: one result for all recipients, and a
    process-wide pool that gives up after a time and goes on sending.
    """

    _socket: Any  # an smtplib.SMTP while there is a session

    @classmethod
    def open(cls, service: Any, timeout: float) -> Self:  # noqa: ANN401 - apprise annotates its services loosely
        """Connect, secure and log in.

        Args:
            service: apprise's e-mail service, for what its URL said.
            timeout: Seconds that each exchange with the server may take.

        Raises:
            Blocked: The server does not accept our login, or us.
            Unavailable: It cannot be reached.
        """
        session = cls(
            host=service.smtp_host,
            port=service.port,
            secure_mode=service.secure_mode,
            user=service.user,
            password=service.password,
            verify_certificate=service.verify_certificate,
            # In smtplib this is the time for every exchange, and may be a fraction.
            socket_connect_timeout=timeout,  # type: ignore[arg-type]  # apprise says int
        )
        try:
            with plugin.hush():
                session.__enter__()
            session._socket.ehlo_or_helo_if_needed()
        except (OSError, ValueError, RuntimeError) as error:  # what the controller and smtplib raise
            session.drop()
            problem = not_opened(error)
        else:
            return session
        raise problem  # outside of `except`: the error behind it may hold the password or an address

    @property
    def alive(self) -> bool:
        """Whether more can be said in this session."""
        return self._socket is not None

    def deliver(self, sender: str, address: str, mail: bytes) -> Reply:
        """Hand one mail over for one person.

        Args:
            sender: The envelope's sender, where bounces go.
            address: The person's address, in ASCII.
            mail: The whole mail, 7-bit, lines ended by CR LF, leading dots doubled (RFC 5321, section 4.5.2).

        Returns:
            The reply that settled it.

        Raises:
            Cut: There was none; the session is over.
            JournalError: The lease is over; the mail was not sent, and neither is the session kept.
        """
        smtp, begun = self._socket, False
        options = [f"size={len(mail)}"] if smtp.has_extn("size") else []
        try:
            reply = Reply.of("sender", *smtp.mail(sender, options), sender)
            if reply.number == 250:  # noqa: PLR2004 - RFC 5321, section 4.3.2
                reply = Reply.of("recipient", *smtp.rcpt(address), sender, address)
            if reply.to == "recipient" and reply.number in {250, 251, 252}:
                reply = Reply.of("content", *smtp.docmd("DATA"), sender, address)
            if reply.to == "content" and reply.number == 354:  # noqa: PLR2004 - RFC 5321, section 4.3.2
                before_publishing()
                begun = True  # from here on only the server's reply tells
                smtp.send(mail + b".\r\n")
                reply = Reply.of("content", *smtp.getreply(), sender, address)
                if not (reply.accepted or reply.for_now or reply.final):
                    raise SMTPException
            elif reply.number != _CLOSING:
                self._settle(reply)
        except JournalError:  # the lease is over
            self.drop()
            raise
        except OSError as error:  # SMTPException is one
            self.drop()
            raise Cut(doubt=begun, silent=timed_out(error)) from None
        if reply.number == _CLOSING:  # said after the mail, too, it means that the mail was not taken
            self.drop()
            raise Cut(doubt=False)
        return reply

    def noop(self) -> None:
        """Ask whether the server is still there.

        Raises:
            Unavailable: It is not.
        """
        try:
            number, _ = self._socket.noop()
        except OSError as error:
            number = 0
            if timed_out(error):
                raise silent() from None
        if number != 250:  # noqa: PLR2004 - RFC 5321, section 4.3.2
            raise Unavailable("The mail server went away.", code=str(number or ""), remedy="It will be tried again.")

    def quit(self) -> None:
        """Take leave of the server."""
        if self.alive:
            with plugin.hush():
                self.__exit__(None, None, None)
        self.drop()

    def drop(self) -> None:
        """Hang up."""
        smtp, self._socket = self._socket, None
        if smtp is not None:
            smtp.close()

    def _settle(self, reply: Reply) -> None:
        """Forget a transaction that the server refused, so that the next can begin."""
        if not (reply.for_now or reply.final):
            raise SMTPException
        with suppress(OSError):
            number, _ = self._socket.rset()
            if number == 250:  # noqa: PLR2004 - RFC 5321, section 4.3.2
                return
        self.drop()  # the reply stands; the next mail gets a new session


class Connection:
    """The way to the server for a number of mails: a session, and another one when the server ends it.

    Args:
        connect: Opens a session.
        sender: The envelope's sender.
    """

    def __init__(self, connect: Callable[[], SmtpSession], sender: str) -> None:
        self._connect = connect
        self._sender = sender
        self._session: SmtpSession | None = None
        self._cuts = 0
        self._silent = False  # the server gave no answer in the last session that was lost

    def deliver(self, address: str, mail: bytes) -> Reply | None:
        """Hand one mail over, in a new session if the first ends, or takes no more, before it has the mail.

        Returns:
            The reply that settled it; `None`: the session ended when the mail had been sent.

        Raises:
            ChannelError: No session can be opened, or a second one ended without a reply to any mail.
        """
        while True:
            if self._cuts == _CUTS:
                raise self._left_alone()
            used = self._session is not None and self._session.alive
            if self._session is None or not used:
                self._session = self._connect()
            try:
                reply = self._session.deliver(self._sender, address, mail)
            except Cut as cut:
                self._cuts += 1
                self._silent = cut.silent
                if cut.doubt:
                    return None
                continue
            self._cuts = 0
            if not (used and reply.session_spent):  # the reply of a new session stands
                return reply
            self._session.quit()

    def _left_alone(self) -> Unavailable:
        if self._silent:
            return silent()
        return Unavailable("The mail server ends every session.", remedy="It will be tried again.")

    def hang_up(self) -> None:
        """End the session without a word, which nobody may be there to answer; the next mail opens another."""
        if self._session is not None:
            self._session.drop()

    def close(self) -> None:
        """Take leave of the server."""
        if self._session is not None:
            self._session.quit()
