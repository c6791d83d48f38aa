"""Servers that give odd answers or none, and one call of each network."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

from pydantic import SecretStr

from policenotify.channel import Recipient
from policenotify.model.lifecycle import Stage
from policenotify.networks.apprise import Apprise
from policenotify.networks.bluesky.channel import Bluesky
from policenotify.networks.email.channel import Email
from policenotify.networks.mastodon.channel import Mastodon
from policenotify.networks.sms.channel import Sms
from policenotify.networks.webhook import Webhook
from policenotify.networks.x.channel import X
from policenotify.testing import FakeClock
from policenotify.testing.contract.texts import message
from tests.support.channels import open_channel
from tests.support.network_calls import a_post

Answer = Callable[[], Iterator[bytes]]
"""Makes the pieces of an answer. An empty one is a pause."""

PAUSE = 0.05  # seconds
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
THREAD = "hostile server"


def repeated(*before: bytes, piece: bytes, pause: bool, times: int = 1_000_000) -> Answer:
    def answer() -> Iterator[bytes]:
        yield from before
        for _ in range(times):
            yield piece
            if pause:
                yield b""

    return answer


def whole(body: bytes) -> Answer:
    return lambda: iter((HEAD + f"Content-Length: {len(body)}\r\n\r\n".encode(), body))


NO_ANSWER: Answer = repeated(piece=b"", pause=True)
LONG_REPLY: Answer = repeated(b"220 ", piece=b"x" * 65_536, pause=False)  # of a mail server

_MAIL_REPLIES = {
    b"EHLO": b"250-here\r\n250 AUTH PLAIN\r\n",
    b"AUTH": b"235 yes\r\n",
    b"DATA": b"354 go on\r\n",
    b"QUIT": b"221 bye\r\n",
}


@contextmanager
def hostile_mail_server(stage: str, answer: Answer) -> Iterator[int]:
    """Yield the port of a mail server whose reply to one command is this answer.

    Args:
        stage: The command, or `content` for the reply to the mail.
        answer: The pieces of the reply.
    """
    closed = threading.Event()

    def reply(connection: socket.socket, command: str, usual: bytes) -> None:
        for piece in answer() if command == stage else (usual,):
            connection.sendall(piece)
            if (not piece and closed.wait(PAUSE)) or closed.is_set():
                raise OSError

    def talk(connection: socket.socket) -> None:
        with closing(connection), suppress(OSError), connection.makefile("rb") as lines:
            connection.sendall(b"220 here\r\n")
            while line := lines.readline():
                command = line[:4].upper()
                reply(connection, command.decode(), _MAIL_REPLIES.get(command, b"250 yes\r\n"))
                if command == b"DATA":
                    while lines.readline() not in {b".\r\n", b""}:
                        pass
                    reply(connection, "content", b"250 yes\r\n")
                if command == b"QUIT":
                    return

    with listening(talk) as port:
        try:
            yield port
        finally:
            closed.set()


@contextmanager
def listening(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """Yield the port of a server that talks to each connection in a thread of its own."""

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=talk, args=(connection,), daemon=True, name=THREAD).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        acceptor = threading.Thread(target=accept, daemon=True, name=THREAD)
        acceptor.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            acceptor.join()


@contextmanager
def hostile_server(answer: Answer, *, reads: bool = True) -> Iterator[int]:
    """Yield the port of a server that gives this answer to each connection, after it has read a request."""
    closed = threading.Event()

    def reply(connection: socket.socket) -> None:
        with closing(connection), suppress(OSError):
            if reads:
                connection.recv(65_536)
            for piece in answer():
                connection.sendall(piece)
                if (not piece and closed.wait(PAUSE)) or closed.is_set():
                    return
            closed.wait(PAUSE)

    with listening(reply) as port:
        try:
            yield port
        finally:
            closed.set()


Call = Callable[[int, float], None]
"""Makes one call of a network to a port, with a timeout."""


def _whoami(kind: Any, **options: Any) -> Call:
    def call(port: int, timeout: float) -> None:
        own: dict[str, Any] = {
            name: value.format(port) if isinstance(value, str) else value for name, value in options.items()
        }
        with closing(open_channel(kind, **own, timeout=timeout)) as channel:
            channel.whoami()

    return call


def _push(port: int, timeout: float) -> None:
    url = SecretStr(f"json://127.0.0.1:{port}/alertes")
    with closing(open_channel(Apprise, url=url, timeout=timeout, clock=FakeClock())) as channel:
        channel.send(channel.prepare(a_post(), ()))


def _webhook(port: int, timeout: float) -> None:
    url, secret = SecretStr(f"http://127.0.0.1:{port}/"), SecretStr(f"whsec_{'a' * 32}")
    with closing(open_channel(Webhook, url=url, secret=secret, timeout=timeout, clock=FakeClock())) as channel:
        post = a_post(message=message(Stage.OPENING, "Route barrée", "Route barrée à Évian."))
        channel.send(channel.prepare(post, ()))


def _sms(port: int, timeout: float) -> None:
    url = SecretStr(f"form://127.0.0.1:{port}/send?:to={{recipient}}")
    with closing(open_channel(Sms, url=url, timeout=timeout, clock=FakeClock())) as channel:
        person = Recipient(key="someone", address="+33639980001")
        for outcome in channel.send_to(channel.prepare(a_post(), ()), [person]):
            assert outcome.outcome != "refused"


def mail(port: int, timeout: float) -> None:
    url = SecretStr(f"mailto://desk:s3cretword@127.0.0.1:{port}/?from=alerte@police34.example&mode=insecure")
    with closing(open_channel(Email, url=url, timeout=timeout, clock=FakeClock())) as channel:
        channel.whoami()


def mail_list(port: int, timeout: float) -> None:
    """Send a mail to one person."""
    url = SecretStr(f"mailto://desk:s3cretword@127.0.0.1:{port}/?from=alerte@police34.example&mode=insecure")
    with closing(open_channel(Email, url=url, timeout=timeout, clock=FakeClock())) as channel:
        channel.send_to(channel.prepare(a_post(), ()), [Recipient(key="a", address="a@journal.example")])


_KEYS = ("consumer_key", "consumer_secret", "access_token", "access_token_secret")
CALLS: dict[str, Call] = {
    "x": _whoami(
        X, handle="police34", service="http://127.0.0.1:{}", **{name: SecretStr(f"{name}-0123456789") for name in _KEYS}
    ),
    "mastodon": _whoami(Mastodon, handle="police34", server="http://127.0.0.1:{}", token=SecretStr("0123456789abcdef")),
    "bluesky": _whoami(
        Bluesky, handle="police.example", service="http://127.0.0.1:{}", password=SecretStr("abcd-efgh-ijkl-mnop")
    ),
    "apprise": _push,
    "sms": _sms,
    "webhook": _webhook,
}
