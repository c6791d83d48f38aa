"""Whatever a mail server replies, each recipient has one outcome, and no mail that was accepted counts as refused."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Final

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from policenotify.channel import Recipient, Request
from policenotify.errors import ChannelError
from policenotify.networks.email.channel import Email
from policenotify.testing import FakeClock
from tests.support.channels import open_channel
from tests.support.fuzz import FEW, damaged, only_ours
from tests.support.hostile_server import listening
from tests.support.network_calls import a_post
from tests.support.patience import ANSWERED, short

USER: Final = "desk"
PASSWORD: Final = "Gr4nd-Secret!"
PEOPLE: Final = {f"key-of-{name}": f"{name}.martin@hopital.example" for name in ("marie", "paul")}
SECRETS: Final = (PASSWORD, *PEOPLE.values())

Moment = tuple[str, int]
"""A command, and how many of its kind came before it. The mail's content is the command `.`."""

GENUINE: Final = {
    "connect": b"220 server.invalid\r\n",
    "EHLO": b"250-server.invalid\r\n250-SIZE 99999999\r\n250 AUTH PLAIN LOGIN\r\n",
    "HELO": b"250 ok\r\n", "AUTH": b"235 2.7.0 ok\r\n", "MAIL": b"250 2.1.0 ok\r\n", "RCPT": b"250 2.1.5 ok\r\n",
    "DATA": b"354 go on\r\n", ".": b"250 2.0.0 accepted\r\n", "RSET": b"250 ok\r\n", "NOOP": b"250 ok\r\n",
    "QUIT": b"221 bye\r\n",
}  # fmt: skip


@dataclass
class Session:
    """A server for one example: genuine replies, but for a few. An empty one closes the connection."""

    replies: Mapping[Moment, bytes]
    counts: dict[str, int] = field(default_factory=dict)
    accepted: list[str] = field(default_factory=list)
    certain: dict[str, bytes] = field(default_factory=dict)

    def reply(self, command: str) -> bytes:
        number = self.counts[command] = self.counts.get(command, -1) + 1
        return self.replies.get((command, number), GENUINE.get(command, b"500 what?\r\n"))

    def serve(self, connection: socket.socket) -> None:
        connection.settimeout(3)
        with suppress(OSError), closing(connection), connection.makefile("rb") as lines:
            connection.sendall(self.reply("connect"))
            recipient = ""
            for line in lines:
                command = line[:4].decode("ascii", "replace").strip().upper()
                if command == "RCPT":
                    recipient = re.findall(rb"<(.*?)>", line)[0].decode()
                reply = self.reply(command)
                if not reply:
                    return
                connection.sendall(reply)
                if command == "DATA" and reply.startswith(b"354") and not self._content(connection, lines, recipient):
                    return
                if command == "QUIT":
                    return

    def _content(self, connection: socket.socket, lines: Iterator[bytes], recipient: str) -> bool:
        for line in lines:
            if line == b".\r\n":
                reply = self.reply(".")
                if not refuses(reply):
                    self.accepted.append(recipient)
                connection.sendall(reply)
                return bool(reply)
        return False


def refuses(reply: bytes) -> bool:
    """Return True if a reply refuses. The first line without a hyphen decides (RFC 5321, section 4.2.1)."""
    last = next((line for line in reply.split(b"\n") if line[3:4] != b"-"), b"")
    return re.match(rb"[45]\d\d", last) is not None


WORDS: Final = (
    "ok", "5.1.1 no such user", "4.2.1 later", "5.7.1 spam", "4.7.0 too many", "5.7.8 bad login", "9.9.9 x", "5.1",
    "é\xff\x00\x1b[2J", "a" * 600, "", " ", "-", "2.0.0", f"bad {PASSWORD}", "\ud83d",
    *(f"<{address}> unknown" for address in PEOPLE.values()), "5.1.1 <marie.mar\r\n550 tin@hopital.example>",
    "SIZE", "SIZE 0", "SIZE -1", "SIZE x", "SIZE 99999999999999999999", "AUTH", "AUTH =", "AUTH CRAM-MD5 X", "SMTPUTF8",
    "STARTTLS", "334 ", "dGVzdA==",
)  # fmt: skip
CODES: Final = (
    200, 220, 221, 235, 250, 251, 252, 334, 354, 421, 450, 451, 452, 454, 500, 501, 502, 503, 504, 521, 530, 534, 535,
    550, 551, 552, 553, 554, 571,
)  # fmt: skip


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """Generate replies of one or more lines, with any code, mostly well formed."""
    code = draw(st.sampled_from(CODES) | st.integers(0, 999))
    words = draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=4))
    end = draw(st.sampled_from(("\r\n", "\r\n", "\r\n", "\n", "\r", "")))
    marks = ["-"] * (len(words) - 1) + [draw(st.sampled_from((" ", " ", " ", "-", "")))]
    text = "".join(f"{code:03}{mark}{word}{end}" for mark, word in zip(marks, words, strict=True))
    reply = text.encode("utf-8", "surrogatepass")
    return draw(st.just(reply) | st.just(reply) | damaged(reply) | st.just(b""))


moments = st.tuples(st.sampled_from(list(GENUINE)), st.integers(0, 1))


@settings(max_examples=FEW, suppress_health_check=[HealthCheck.too_slow])
@given(replies=st.dictionaries(moments, lines(), max_size=2))
@example(replies={})
@example(replies={(".", 0): b""})
@example(replies={("RCPT", 0): b"550 5.1.1 unknown\r\n", ("RCPT", 1): b"421 bye\r\n"})
@example(replies={("MAIL", 1): b"421 4.3.2 bye\r\n", (".", 0): b"421 4.3.2 bye\r\n"})
def test_any_reply_is_judged(replies: dict[Moment, bytes]) -> None:
    session, patience = Session(replies), short(0.5) if replies else ANSWERED
    with listening(session.serve) as port:
        url = SecretStr(f"mailto://{USER}:{PASSWORD}@127.0.0.1:{port}/?from=alerte@police34.example&mode=insecure")
        outcomes: dict[str, str] = {}
        for step in (ask, send):
            with (
                closing(open_channel(Email, url=url, timeout=patience, clock=FakeClock())) as channel,
                only_ours(secrets=SECRETS) as raised,
            ):
                step(channel, outcomes)
            assert all(isinstance(error, ChannelError) for error in raised)
            assert not [secret for secret in SECRETS if secret in f"{raised}"]
    for key, address in PEOPLE.items():
        assert session.accepted.count(address) <= 1, "a mail was sent twice"
        if address in session.accepted:
            assert outcomes.get(key, "unconfirmed") in {"posted", "unconfirmed"}, f"accepted, but {outcomes[key]}"
        else:
            assert outcomes.get(key) != "posted", "never accepted"
    assert replies or set(outcomes.values()) == {"posted"}


def ask(channel: Email, _outcomes: dict[str, str]) -> None:
    channel.whoami()


def send(channel: Email, outcomes: dict[str, str]) -> None:
    request: Request = channel.prepare(a_post(account="alerte@police34.example", title="Accident"), ())
    for person in (Recipient(key=key, address=at) for key, at in PEOPLE.items()):
        (outcome,) = channel.send_to(request, [person])
        assert not [secret for secret in SECRETS if secret in repr(outcome)], outcome
        outcomes[outcome.key] = outcome.outcome
