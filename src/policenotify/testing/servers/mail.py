"""A scripted SMTP server on the loopback that fails on demand.

```python
with FakeMailServer(login=("desk", "secret")) as mail:
    mail.refuse("gone@a.example")                                     # 550, for good
    mail.refuse("*@b.example", 451, "4.7.1 greylisted", times=1)
    mail.hang_up("DATA", delivered=True)                              # delivered, but not acknowledged
    ...                                                               # the client, at mail.host, mail.port
    assert mail.mailbox("ana@c.example")[0].message["Subject"] == "Route barrée"
```
"""

# ruff: noqa: ANN401, N802 - aiosmtpd is untyped, and names the hooks of _Script

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as modern
from fnmatch import fnmatchcase
from threading import Thread
from typing import Any, Literal, TypeAlias
from weakref import WeakSet

from policenotify.errors import MissingExtra
from policenotify.testing.servers import LoopbackServer

Command: TypeAlias = Literal["EHLO", "AUTH", "MAIL", "RCPT", "DATA"]
"""A command of a client (RFC 5321, section 4.1; RFC 4954). `DATA` is answered after the final dot of the mail."""


@dataclass(frozen=True, repr=False)
class Mail:
    """A mail as one recipient has it.

    Attributes:
        sender: The envelope's sender (`MAIL FROM`), which gets bounces.
        recipient: The envelope's recipient (`RCPT TO`). A mail to three recipients is three of these.
        raw: Headers and body as received, with CR LF line ends.
        at: Time of acceptance, aware.
    """

    sender: str
    recipient: str
    raw: bytes
    at: datetime

    @property
    def message(self) -> EmailMessage:
        """The mail parsed with `email.policy.default`, with LF line ends."""
        return message_from_bytes(self.raw.replace(b"\r\n", b"\n"), policy=modern)

    def __repr__(self) -> str:
        return f"<Mail {str(self.message['Subject'])!r} at {self.at:%H:%M:%S}>"


class FakeMailServer(LoopbackServer):
    """A scripted SMTP server on 127.0.0.1, at a free port, in a daemon thread.

    Args:
        login: User and password. With it, `AUTH` (PLAIN, LOGIN; without TLS) is offered. A wrong login is answered with
            535, and a mail without login with 530 (RFC 4954, section 6).
        size_limit: The largest mail in bytes, announced as SIZE; 552 beyond (RFC 1870). The default is aiosmtpd's, 32
            MiB.
        now: The clock for `Mail.at`.

    Attributes:
        login: As above; a change applies from the next session on.
        latency: Seconds before the answer to `DATA`. A client that gives up meanwhile has had no effect.
        sessions: Number of accepted connections.

    Raises:
        MissingExtra: aiosmtpd is not installed. It is in `policenotify[testing]`.
    """

    def __init__(
        self,
        login: tuple[str, str] | None = None,
        *,
        size_limit: int = 33_554_432,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        try:
            from aiosmtpd import smtp  # noqa: PLC0415 - needs the extra
        except ImportError as error:
            raise MissingExtra("FakeMailServer", "testing") from error
        logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # aiosmtpd logs every address there
        self._smtp = smtp
        self.login = login
        self._size_limit = size_limit
        super().__init__(now)
        self.sessions: int = 0
        self._faults: list[_Fault] = []
        self._mails: list[Mail] = []
        self._protocols: WeakSet[Any] = WeakSet()
        self._thread: Thread | None = None

    @property
    def mails(self) -> list[Mail]:
        """Every accepted mail in order, one for each recipient, as a copy."""
        with self._lock:
            return list(self._mails)

    def mailbox(self, address: str) -> list[Mail]:
        """Return the mails of one recipient in order; the address in any case."""
        return [mail for mail in self.mails if mail.recipient.lower() == address.lower()]

    def threads(self, address: str) -> list[list[Mail]]:
        """Return the mails of one recipient by conversation, as a mail reader shows them.

        A mail joins the first conversation with an id that it names (RFC 5322, section 3.6.4). Equal subjects join
        nothing.
        """
        threads: list[tuple[set[str], list[Mail]]] = []
        for mail in self.mailbox(address):
            headers = (mail.message[name] for name in ("Message-ID", "In-Reply-To", "References"))
            ids = set(" ".join(str(each or "") for each in headers).split())
            known = next((each for each in threads if each[0] & ids), None)
            if known is None:
                threads.append(known := (set(), []))
            known[0].update(ids)
            known[1].append(mail)
        return [mails for _, mails in threads]

    def refuse(
        self, pattern: str, code: int = 550, text: str = "5.1.1 no such user", *, times: int | None = None
    ) -> None:
        """Refuse recipients.

        Args:
            pattern: An address or a pattern (`*@b.example`), both in any case.
            code: The reply code (RFC 5321, section 4.2.3): 550 for good, 451 for now. A 421 also closes the connection.
            text: The reply's text with its enhanced code (RFC 3463).
            times: Number of refusals. By default all.
        """

        def matches(_session: Any, address: str) -> bool:
            return fnmatchcase(address.lower(), pattern.lower())

        self._faults.insert(0, _Fault("RCPT", f"{code} {text}", times, matches))

    def fail_next(self, command: Command, code: int, text: str, *, times: int = 1) -> None:
        """Fail the next commands of a kind. A 421 also closes the connection.

        `fail_next("DATA", 554, "5.7.1 looks like spam")` refuses a whole mail after it was sent.
        """
        self._faults.append(_Fault(command, f"{code} {text}", times))

    def hang_up(self, command: Command, *, delivered: bool = False, times: int = 1, silence: float = 0.0) -> None:
        """Close the connection instead of answering the next `times` commands of a kind.

        Args:
            command: The command; `"DATA"` is after the whole mail was sent.
            delivered: Accept the mail first, so that it is delivered and the client does not learn it. Only for
                `"DATA"`.
            times: Number of commands.
            silence: Seconds before closing, for a client with a shorter timeout.

        Raises:
            ValueError: `delivered` with another command.
        """
        if delivered and command != "DATA":
            raise ValueError(f"{command} delivers nothing; only DATA delivers.")
        self._faults.append(_Fault(command, None, times, delivered=delivered, silence=silence))

    def recover(self) -> None:
        """End every failure, and accept connections again at the same port."""
        self._faults.clear()
        super().recover()

    def _listen(self, bound: socket.socket) -> asyncio.Server:
        loop = asyncio.new_event_loop()
        loop.set_exception_handler(lambda _loop, _context: None)  # clients may disconnect
        self._thread = Thread(target=loop.run_forever, daemon=True)
        self._thread.start()
        return asyncio.run_coroutine_threadsafe(loop.create_server(self._session, sock=bound), loop).result()

    def _stop(self, server: asyncio.Server) -> None:
        loop = server.get_loop()
        asyncio.run_coroutine_threadsafe(self._cut(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        if self._thread is not None:
            self._thread.join()
        loop.close()

    async def _cut(self, server: asyncio.Server) -> None:
        for listening in server.sockets:
            asyncio.get_running_loop().remove_reader(listening)
        for _ in range(10):  # an accepted connection becomes a session after four turns, and leaks if its
            await asyncio.sleep(0)  # server is closed or its task cancelled before
        server.close()
        for protocol in list(self._protocols):
            if protocol.transport is not None:
                protocol.transport.abort()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # the aborted transports close their sockets in the loop's next turn
        await server.wait_closed()

    def _session(self) -> Any:
        self.sessions += 1
        protocol = self._smtp.SMTP(
            _Hooks(self._answer, self._broken.append, self._smtp.MISSING),
            loop=asyncio.get_running_loop(),
            hostname="server.invalid",
            data_size_limit=self._size_limit,
            enable_SMTPUTF8=True,
            auth_require_tls=self.login is None,  # AUTH is not offered then
            authenticator=self._authenticate,
        )
        self._protocols.add(protocol)
        return protocol

    def _authenticate(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, login: Any) -> Any:
        valid = [login.login, login.password] == [each.encode() for each in self.login or ()]
        return self._smtp.AuthResult(success=valid, handled=False)

    async def _answer(
        self, command: Command, server: Any, session: Any, envelope: Any, address: str = ""
    ) -> str | None:
        """Return the reply of a requested failure, or `None` for that of a server without failures."""
        session.mails = getattr(session, "mails", 0)
        await asyncio.sleep(self.latency if command == "DATA" else 0)
        with self._lock:
            fits = (each for each in self._faults if each.command == command and each.matches(session, address))
            fault = next(fits, None)
            if fault is not None and fault.left is not None:
                fault.left -= 1
                if not fault.left:
                    self._faults.remove(fault)
        if command == "MAIL" and fault is None and self.login and not session.authenticated:
            return "530 5.7.0 authentication required"
        if command == "DATA" and (fault is None or fault.delivered):
            session.mails += 1
            self._deliver(envelope)
        if fault is None:
            return None
        await asyncio.sleep(fault.silence)
        if fault.reply is None or fault.reply.startswith("421"):  # RFC 5321, section 3.8: a 421 ends the connection
            if fault.reply is not None:
                await server.push(fault.reply)
            raise asyncio.CancelledError  # makes aiosmtpd close the connection
        return fault.reply

    def _deliver(self, envelope: Any) -> None:
        if not self.drops_posts:
            with self._lock:
                sender, raw, at = envelope.mail_from, envelope.content, self._now()
                self._mails += [Mail(sender, recipient, raw, at) for recipient in envelope.rcpt_tos]


@dataclass(eq=False)
class _Fault:
    """A failure of a kind of command.

    Attributes:
        reply: The reply. `None`: the connection is closed.
        left: Number of failures left. `None`: any number.
        matches: Is called with the session, and with the recipient of a `RCPT`.
        delivered: The mail is delivered before.
        silence: Seconds before.
    """

    command: Command
    reply: str | None
    left: int | None = 1
    matches: Callable[[Any, str], bool] = lambda _, __: True
    delivered: bool = False
    silence: float = 0.0


@dataclass(frozen=True)
class _Hooks:
    """The hooks of aiosmtpd, each of which returns the reply. *missing* lets aiosmtpd itself answer."""

    answer: Callable[..., Awaitable[str | None]]
    broken: Callable[[Exception], None]
    missing: object

    async def handle_EHLO(self, server: Any, session: Any, envelope: Any, name: str, offers: list[str]) -> list[str]:
        session.host_name = name
        failure = await self.answer("EHLO", server, session, envelope)
        return [failure] if failure else offers

    async def handle_AUTH(self, server: Any, session: Any, envelope: Any, _: list[str]) -> object:
        return await self.answer("AUTH", server, session, envelope) or self.missing

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, _: list[str]) -> str:
        failure = await self.answer("MAIL", server, session, envelope)
        envelope.mail_from = None if failure else address
        return failure or "250 2.1.0 ok"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, _: list[str]) -> str:
        failure = await self.answer("RCPT", server, session, envelope, address)
        envelope.rcpt_tos += [] if failure else [address]
        return failure or "250 2.1.5 ok"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        return await self.answer("DATA", server, session, envelope) or "250 2.0.0 accepted"

    async def handle_exception(self, error: Exception) -> str:
        if not isinstance(error, OSError):  # clients may disconnect
            self.broken(error)
        return "451 4.3.0 the script of the server failed"
