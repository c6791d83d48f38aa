"""What goes over the wire where the server takes commands ahead (RFC 2920)."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

import pytest
from pydantic import SecretStr

from policenotify.channel import Recipient, RecipientOutcome
from policenotify.errors import LostLease, Unavailable
from policenotify.networks.email.channel import Email
from policenotify.testing.fakes import FakeClock
from policenotify.transport import publishing_under
from tests.support.network_calls import a_post
from tests.support.patience import ANSWERED, PATIENCE

NAMES = ("ana", "bob", "cleo", "dan", "eve")
PEOPLE = tuple(Recipient(key=f"key-of-{name}", address=f"{name}@c.example") for name in NAMES)
Answer = str | Callable[[str], str]


@dataclass
class Wire:
    """A server that notes each piece that comes in one read, and answers each command from a table.

    Attributes:
        answers: By command, a reply or a function of the recipient's name. An empty reply disconnects.
        pieces: The commands of each read. A content is one `content`.
        accepted: Who got a mail with a content.
        empty: How many contents had no line.
    """

    answers: Mapping[str, Answer] = field(default_factory=dict)
    offers: str = "PIPELINING"
    pieces: list[list[str]] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    empty: int = 0
    sessions: int = 0
    port: int = 0

    @contextmanager
    def listening(self) -> Iterator[Wire]:
        with socket.create_server(("127.0.0.1", 0)) as door:
            self.port = door.getsockname()[1]
            thread = Thread(target=self._accept, args=(door,), daemon=True)
            thread.start()
            yield self
            door.shutdown(socket.SHUT_RDWR)
            thread.join(PATIENCE)

    def _accept(self, door: socket.socket) -> None:
        with suppress(OSError):
            while True:
                peer, _ = door.accept()
                self.sessions += 1
                with suppress(OSError), peer:
                    peer.sendall(b"220 hello\r\n")
                    self._serve(peer)

    def _serve(self, peer: socket.socket) -> None:
        usual: dict[str, Answer] = {
            "EHLO": f"250-hello\r\n250 {self.offers}", "MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go on",
            "content": "250 accepted", "RSET": "250 ok", "QUIT": "221 bye",
        }  # fmt: skip
        answers = {**usual, **self.answers}
        lines, name = b"", ""
        content: list[bytes] | None = None
        while True:
            read = peer.recv(65_536)
            if not read:
                return
            lines += read
            piece: list[str] = []
            replies: list[str] = []
            self.pieces.append(piece)
            while b"\r\n" in lines:
                line, _, lines = lines.partition(b"\r\n")
                if content is not None and line != b".":
                    content.append(line)
                    continue
                command = "content" if content is not None else line[:4].decode().upper()
                if command == "RCPT":
                    name = re.findall(r"<(.*)@", line.decode())[0]
                piece.append(command)
                answer = answers[command]
                reply = answer if isinstance(answer, str) else answer(name)
                if command == "content":
                    self.empty += not content
                    if content and reply.startswith("2"):
                        self.accepted.append(name)
                    content = None
                if not reply:
                    peer.sendall("".join(f"{each}\r\n" for each in replies).encode())
                    return
                replies.append(reply)
                if command == "DATA" and reply.startswith("354"):
                    content = []
            peer.sendall("".join(f"{each}\r\n" for each in replies).encode())


def send(wire: Wire, *people: Recipient, **options: Any) -> dict[str, RecipientOutcome]:
    url = SecretStr(f"mailto://127.0.0.1:{wire.port}?from=alertes@police.example")
    options = {"timeout": 2.0, "sessions": 1, **options}
    with closing(Email(url=url, clock=FakeClock(), **options)) as channel:
        request = channel.prepare(a_post(account=channel.account, title="x"), ())
        outcomes = list(channel.send_each(request, people or PEOPLE))
    assert len(outcomes) == len({each.key for each in outcomes})
    return {each.key.removeprefix("key-of-"): each for each in outcomes}


def refuses(*names: str, reply: str = "550 5.1.1 no such user", other: str = "250 ok") -> Callable[[str], str]:
    return lambda name: reply if name in names else other


def outcomes_of(outcomes: Mapping[str, RecipientOutcome]) -> dict[str, str]:
    return {name: each.outcome for name, each in outcomes.items()}


ENVELOPE = ["MAIL", "RCPT", "DATA"]


def test_each_mail_is_one_round_trip() -> None:
    with Wire().listening() as wire:
        assert set(outcomes_of(send(wire)).values()) == {"posted"}
    assert wire.pieces[1:] == [ENVELOPE, *[["content", *ENVELOPE]] * 4, ["content"], ["QUIT"]]
    assert wire.accepted == list(NAMES)


def test_a_server_that_does_not_offer_it_gets_one_command_at_a_time() -> None:
    with Wire(offers="HELP").listening() as wire:
        assert set(outcomes_of(send(wire)).values()) == {"posted"}
    assert {len(piece) for piece in wire.pieces} == {1}
    assert wire.accepted == list(NAMES)


def test_a_refused_recipient_costs_no_other_the_mail() -> None:
    answers: dict[str, Answer] = {
        "RCPT": refuses("bob", "dan"),
        "DATA": refuses("bob", "dan", reply="554 no valid recipients", other="354 go on"),
    }
    with Wire(answers).listening() as wire:
        outcomes = send(wire)
    assert outcomes_of(outcomes) == {
        "ana": "posted",
        "bob": "refused",
        "cleo": "posted",
        "dan": "refused",
        "eve": "posted",
    }
    assert outcomes["bob"].code == "550 5.1.1"
    assert wire.accepted == ["ana", "cleo", "eve"]
    assert ["RSET", "MAIL", "RCPT"] in wire.pieces  # RSET ends the refused one, and DATA waits


def test_a_server_that_waits_for_the_mail_of_nobody_gets_an_empty_one() -> None:
    """RFC 2920, section 3.1: a lone dot follows a 354 after a refused recipient."""
    with Wire({"RCPT": refuses("ana", "cleo", "eve")}).listening() as wire:
        outcomes = send(wire)
    assert [name for name, outcome in outcomes_of(outcomes).items() if outcome == "posted"] == ["bob", "dan"]
    assert wire.accepted == ["bob", "dan"]
    assert wire.empty == 3
    assert wire.sessions == 1


def test_only_the_first_refusal_in_a_row_costs_two_errors() -> None:
    """postfix ends a session after 20 errors without a mail (`smtpd_hard_error_limit`)."""
    errors = 0

    def no(_name: str) -> str:
        nonlocal errors
        errors += 1
        return "550 5.1.1 no such user" if errors <= 20 else ""

    many = tuple(Recipient(key=f"key-of-p{number}", address=f"p{number}@c.example") for number in range(19))
    with Wire({"RCPT": no, "DATA": no}).listening() as wire:
        assert set(outcomes_of(send(wire, *many)).values()) == {"refused"}
    assert wire.sessions == 1
    assert errors == 20


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA", "content"])
@pytest.mark.parametrize("reply", ["421 4.3.2 shutting down", ""])
def test_a_session_that_ends_in_the_middle_loses_and_doubles_nobody(command: str, reply: str) -> None:
    """A mail is in doubt only if its content was sent, and no reply came."""
    count = 0
    usual = {"DATA": "354 go on"}.get(command, "250 ok")

    def third(_name: str) -> str:
        nonlocal count
        count += 1
        return reply if count == 3 else usual

    with Wire({command: third}).listening() as wire:
        outcomes = outcomes_of(send(wire))
    doubted = {"cleo": "unconfirmed"} if command == "content" and not reply else {}
    assert outcomes == {**dict.fromkeys(NAMES, "posted"), **doubted}
    assert wire.accepted == [name for name in NAMES if name not in doubted]
    assert wire.sessions == 2


def test_a_refusal_stands_where_the_session_ends_after_it() -> None:
    for answer in ("421 4.7.0 too many errors", ""):
        answers: dict[str, Answer] = {"RCPT": refuses("bob"), "DATA": refuses("bob", reply=answer, other="354 go on")}
        with Wire(answers).listening() as wire:
            outcomes = send(wire)
        assert outcomes_of(outcomes) == {**dict.fromkeys(NAMES, "posted"), "bob": "refused"}
        assert wire.sessions == 2


def test_a_reset_that_is_not_accepted_costs_the_session_only() -> None:
    with Wire({"RCPT": refuses("bob"), "RSET": "500 what?"}).listening() as wire:
        outcomes = send(wire)
    assert outcomes_of(outcomes) == {**dict.fromkeys(NAMES, "posted"), "bob": "refused"}
    assert wire.sessions == 2


def test_a_farewell_before_the_mail_leaves_no_doubt() -> None:
    """The server ends the session after it has accepted the envelope: the content is not sent to it."""
    ended = []

    def ends_once(_name: str) -> str:
        ended.append(1)
        return "354 go on\r\n421 4.4.2 timeout" if len(ended) == 1 else "354 go on"

    with Wire({"DATA": ends_once}).listening() as wire:
        outcomes = outcomes_of(send(wire))
    assert outcomes == dict.fromkeys(NAMES, "posted")
    assert sorted(wire.accepted) == sorted(NAMES)


def test_nothing_is_written_past_the_lease_although_the_envelope_was() -> None:
    allowed = iter(range(2))

    def allow(_recipient: str) -> None:
        if next(allowed, None) is None:
            raise LostLease("over")

    with Wire().listening() as wire, publishing_under(allow), pytest.raises(LostLease):
        send(wire)
    assert wire.accepted == ["ana", "bob"]


def test_two_sessions_share_a_list_and_report_everybody_when_one_is_lost() -> None:
    """The mail that is under way in the other session has an outcome before the error."""
    many = tuple(Recipient(key=f"key-of-p{number}", address=f"p{number}@c.example") for number in range(60))
    names: list[str] = []
    calls = 0

    def allow(recipient: str) -> None:
        nonlocal calls
        calls += 1
        if calls > 50:
            raise LostLease("over")
        names.append(recipient.removeprefix("key-of-"))

    server = Many()
    with server.listening():
        url = SecretStr(f"mailto://127.0.0.1:{server.port}?from=alertes@police.example")
        outcomes: dict[str, str] = {}
        with (
            closing(Email(url=url, timeout=ANSWERED, sessions=2, clock=FakeClock())) as channel,
            publishing_under(allow),
        ):
            request = channel.prepare(a_post(account=channel.account, title="x"), ())
            with suppress(LostLease):
                for outcome in channel.send_each(request, many):
                    outcomes[outcome.key.removeprefix("key-of-")] = outcome.outcome
    assert calls > 50
    assert server.sessions == 2
    assert sorted(server.accepted) == sorted(names) == sorted(outcomes)
    assert set(outcomes.values()) == {"posted"}


class Many(Wire):
    """The same server for several sessions at once."""

    def _accept(self, door: socket.socket) -> None:
        def serve(peer: socket.socket) -> None:
            with suppress(OSError), peer:
                peer.sendall(b"220 hello\r\n")
                self._serve(peer)

        with suppress(OSError):
            while True:
                peer, _ = door.accept()
                self.sessions += 1
                Thread(target=serve, args=(peer,), daemon=True).start()


def test_a_server_that_takes_one_session_only_serves_the_whole_list() -> None:
    class One(Many):
        def _serve(self, peer: socket.socket) -> None:
            if self.sessions > 1:
                peer.sendall(b"421 4.7.0 too many connections\r\n")
                return
            super()._serve(peer)

    many = tuple(Recipient(key=f"key-of-p{number}", address=f"p{number}@c.example") for number in range(60))
    server = One()
    with server.listening():
        outcomes = send(server, *many, sessions=3)
    assert set(outcomes_of(outcomes).values()) == {"posted"}
    assert len(server.accepted) == 60
    assert server.sessions == 2


def test_a_server_that_ends_every_session_leaves_the_others_waiting() -> None:
    with Wire({"MAIL": "421 4.3.2 no"}).listening() as wire, pytest.raises(Unavailable, match="ends every session"):
        send(wire)
    assert wire.accepted == []
