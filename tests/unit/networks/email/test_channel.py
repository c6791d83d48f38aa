from __future__ import annotations

import logging
import socket
import ssl
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from pydantic import SecretStr

from policenotify.channel import (
    Picture,
    Post,
    PostRef,
    Recipient,
    RecipientOutcome,
    Request,
)
from policenotify.errors import Blocked, ChannelError, Refused, SettingsError, Unavailable
from policenotify.networks.email.channel import Email
from policenotify.testing.fakes import FakeClock
from policenotify.testing.servers.mail import FakeMailServer, _Fault
from tests.support import network_calls
from tests.support.channels import open_channel
from tests.support.network_calls import NOW, a_post
from tests.support.patience import ANSWERED, PATIENCE, short
from tests.support.ports import free_port

SENDER = "alertes@police.example"


@pytest.fixture
def server() -> Iterator[FakeMailServer]:
    with FakeMailServer() as server:
        yield server


_made: list[Email] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    _close_all()


def _close_all() -> None:
    while _made:
        _made.pop().close()


def email(url: str, **options: Any) -> Email:
    made = open_channel(Email, url=SecretStr(url), **{"timeout": ANSWERED, "clock": FakeClock(), **options})
    _made.append(made)
    return made


def channel(server: FakeMailServer, login: str = "", query: str = "", **options: Any) -> Email:
    url = f"mailto://{login}{server.host}:{server.port}?from={SENDER}&name=Police{query}"
    return email(url, **options)


def key(number: int) -> str:
    return sha256(str(number).encode()).hexdigest()


def post(number: int = 1, **other: object) -> Post:
    fields: dict[str, Any] = {
        "text": "Évitez le secteur.\n.\n..fin",
        "key": key(number),
        "account": SENDER,
        "category": "accident",
        "title": "Accident avenue de Toulouse",
        "html": "<p>Évitez le secteur.</p>",
        "created_at": NOW + timedelta(minutes=number),
    }
    return a_post(**fields | other)


def ref(number: int) -> PostRef:
    return PostRef(account=SENDER, id=key(number))


def person(name: str) -> Recipient:
    return Recipient(key=f"key-of-{name}", address=f"{name}@c.example")


PEOPLE = tuple(person(name) for name in ("ana", "bob", "cleo", "dan"))


def send(mail: Email, *people: Recipient, request: Request | None = None) -> dict[str, RecipientOutcome]:
    outcomes = network_calls.outcomes_of(mail, request or mail.prepare(post(), ()), people or PEOPLE)
    return {each.key.removeprefix("key-of-"): each for each in outcomes}


def send_one(mail: Email, to: Recipient) -> str:
    (outcome,) = mail.send_to(mail.prepare(post(), ()), [to])
    return outcome.outcome


def outcomes_of(outcomes: dict[str, RecipientOutcome]) -> dict[str, str]:
    return {name: each.outcome for name, each in outcomes.items()}


def received(server: FakeMailServer) -> Counter[str]:
    return Counter(mail.recipient.partition("@")[0] for mail in server.mails)


def until_error(mail: Email, *people: Recipient, request: Request | None = None) -> tuple[dict[str, str], ChannelError]:
    return network_calls.until_error(mail, request or mail.prepare(post(), ()), people or PEOPLE)


def test_every_recipient_gets_a_mail_of_its_own(server: FakeMailServer) -> None:
    outcomes = send(channel(server))
    assert outcomes_of(outcomes) == dict.fromkeys(("ana", "bob", "cleo", "dan"), "posted")
    assert outcomes["ana"].code == "250 2.0.0"
    assert received(server) == Counter(ana=1, bob=1, cleo=1, dan=1)
    assert server.sessions == 1
    mail = server.mailbox("bob@c.example")[0]
    assert mail.sender == SENDER
    assert b"ana@" not in mail.raw
    assert mail.raw.startswith(b"To: <bob@c.example>\r\n")  # without brackets a picture counts as spam
    assert mail.message["From"] == f"Police <{SENDER}>"
    body = mail.message.get_body(("plain",))
    assert body is not None
    assert body.get_content().replace("\r\n", "\n") == "Évitez le secteur.\n.\n..fin\n"  # the dots came through


def test_each_recipient_has_a_link_of_its_own_to_unsubscribe_in_one_click(server: FakeMailServer) -> None:
    send(channel(server, unsubscribe="https://police.example/u/{recipient}"), *PEOPLE[:2])
    for name in ("ana", "bob"):
        message = server.mailbox(f"{name}@c.example")[0].message
        assert message["List-Unsubscribe"] == f"<https://police.example/u/key-of-{name}>"
        assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_another_accounts_mails_and_ids_of_other_kinds_are_not_answered(server: FakeMailServer) -> None:
    mail = channel(server)
    others = (PostRef(account="old@police.example", id=key(1)), PostRef(account=SENDER, id="<x@y>\r\nBcc: z@d.example"))
    assert mail.prepare(post(2), others).body["thread"] == []


def test_one_refusal_of_many_costs_no_other_recipient_the_mail(server: FakeMailServer) -> None:
    server.refuse("bob@c.example", 550, "5.1.1 <bob@c.example>: no mailbox bob here, says BOB@c.example")
    server.refuse("dan@c.example", 451, "4.7.1 greylisted")
    outcomes = send(channel(server))
    assert outcomes_of(outcomes) == {"ana": "posted", "bob": "refused", "cleo": "posted", "dan": "unavailable"}
    assert (outcomes["bob"].code, outcomes["bob"].gone) == ("550 5.1.1", True)
    assert outcomes["bob"].reason == "This address does not exist: …: no mailbox … here, says …"
    assert (outcomes["dan"].code, outcomes["dan"].gone) == ("451 4.7.1", False)
    assert received(server) == Counter(ana=1, cleo=1)
    assert server.sessions == 1


@pytest.mark.parametrize(
    ("number", "text", "gone"),
    [
        (550, "5.1.1 no such user", True),
        (550, "5.1.10 null MX", True),
        (550, "5.1.8 sender's domain unknown", False),
        (550, "User unknown", True),
        (550, "relay not permitted", False),
    ],
)
def test_only_a_mailbox_that_is_not_there_is_gone(server: FakeMailServer, number: int, text: str, gone: bool) -> None:  # noqa: FBT001 - an expected value
    server.refuse("bob@c.example", number, text)
    outcomes = send(channel(server), *PEOPLE[:2])
    assert outcomes_of(outcomes) == {"ana": "posted", "bob": "refused"}
    assert outcomes["bob"].gone is gone


@pytest.mark.parametrize(
    ("number", "text", "outcome"),
    [
        (552, "no room", "refused"),
        (550, "bob@c.example: mailbox is full", "refused"),  # exim 4.98.2
        (452, "4.2.2 no room", "unavailable"),
    ],
)
@pytest.mark.parametrize("command", ["RCPT", "DATA"])
def test_a_full_mailbox_is_neither_a_wrong_address_nor_a_large_mail(
    server: FakeMailServer, command: Any, number: int, text: str, outcome: str
) -> None:
    if command == "DATA" and text == "no room":
        text = (
            "quota exceeded (mailbox for <bob@c.example> is full)"  # a bare 552 alone means that the mail is too large
        )
    server.fail_next(command, number, text)
    bob = send(channel(server), PEOPLE[1])["bob"]
    assert (bob.outcome, bob.gone) == (outcome, False)
    assert str(bob.reason).startswith("The mailbox of this person is full: ")
    assert "bob" not in str(bob.reason)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (452, "4.5.3 Too many recipients: Too many messages sent"),  # OpenSMTPD 7.6.0
        (421, "4.7.0 too many messages in this connection"),  # exim 4.98.2
    ],
)
def test_a_session_that_takes_no_more_mails_is_not_an_outage(server: FakeMailServer, number: int, text: str) -> None:
    server._faults.append(_Fault("MAIL", f"{number} {text}", None, lambda session, _: session.mails >= 3))
    people = tuple(person(f"p{number}") for number in range(11))
    assert set(outcomes_of(send(channel(server), *people)).values()) == {"posted"}
    assert received(server) == Counter(f"p{number}" for number in range(11))
    assert server.sessions == 4


def test_a_session_that_takes_no_more_recipients_is_not_the_persons_fault(server: FakeMailServer) -> None:
    mail = channel(server)
    assert send_one(mail, PEOPLE[0]) == "posted"
    server.refuse("*", 452, "4.5.3 Too many recipients", times=1)
    assert set(outcomes_of(send(mail, *PEOPLE[1:])).values()) == {"posted"}
    assert server.sessions == 2


@pytest.mark.parametrize(("mails", "sessions"), [(0, 1), (2, 2)])
def test_a_server_that_takes_nothing_in_a_new_session_either_is_waited_for(
    server: FakeMailServer, mails: int, sessions: int
) -> None:
    mail = channel(server)
    assert [send_one(mail, to) for to in PEOPLE[:mails]] == ["posted"] * mails
    server.fail_next("MAIL", 452, "4.3.1 insufficient storage", times=9)
    with pytest.raises(Unavailable, match=r"takes no mail from us now: insufficient storage"):
        send_one(mail, PEOPLE[3])
    assert server.sessions == sessions


@pytest.mark.parametrize("command", ["MAIL", "DATA"])
def test_a_421_in_the_middle_loses_and_doubles_no_recipient(server: FakeMailServer, command: Any) -> None:
    mail = channel(server)
    assert send_one(mail, PEOPLE[0]) == "posted"
    server.fail_next(command, 421, "4.3.2 shutting down")
    assert set(outcomes_of(send(mail, *PEOPLE[1:])).values()) == {"posted"}
    assert received(server) == Counter(ana=1, bob=1, cleo=1, dan=1)
    assert server.sessions == 2


def test_a_connection_lost_before_the_mail_leaves_no_doubt(server: FakeMailServer) -> None:
    server.hang_up("RCPT")
    assert outcomes_of(send(channel(server))) == dict.fromkeys(("ana", "bob", "cleo", "dan"), "posted")
    assert received(server) == Counter(ana=1, bob=1, cleo=1, dan=1)


def test_a_silent_server_is_named(server: FakeMailServer) -> None:
    server.hang_up("MAIL", times=9, silence=PATIENCE)
    outcomes, error = until_error(channel(server, timeout=short(0.1)))
    assert outcomes == {}
    assert (type(error), str(error.reason)) == (
        Unavailable,
        "The mail server ends every session, or does not answer in time.",
    )
    assert "`timeout`" in str(error.remedy)


def test_a_server_without_a_greeting_is_silent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        silent = email(f"mailto://127.0.0.1:{door.getsockname()[1]}?from={SENDER}", timeout=short(0.1))
        with pytest.raises(Unavailable, match="cannot be reached"):
            silent.whoami()


def test_a_mail_that_is_too_large_is_refused_before_it_is_sent() -> None:
    with FakeMailServer(size_limit=1000) as server:
        outcomes, error = until_error(channel(server), request=channel(server).prepare(post(text="x\n" * 2000), ()))
    assert (outcomes, type(error)) == ({}, Refused)
    assert error.code == "552"


def test_a_picture_without_its_bytes_is_refused(server: FakeMailServer) -> None:
    lost = Picture(digest="a" * 64, media_type="image/png", width=1, height=1, alt="Plan")
    with pytest.raises(Refused):
        channel(server).prepare(post(pictures=(lost,)), ())


EVERYWHERE = tuple(Recipient(key=f"key-of-{name}", address=f"ana@{name}.example") for name in "cdef")


def test_a_mail_that_no_recipient_may_have_blocks_the_channel(server: FakeMailServer) -> None:
    server.fail_next("DATA", 554, "5.7.1 looks like spam", times=9)
    outcomes, error = until_error(channel(server), *EVERYWHERE)
    assert (outcomes, type(error), error.code) == ({}, Blocked, "554 5.7.1")
    assert "looks like spam" in str(error)
    assert server.mails == []


@pytest.mark.parametrize(
    ("number", "text", "kind"),
    [
        (553, "5.7.1 sender address rejected: not yours, alertes@police.example", Blocked),
        (530, "5.7.0 authentication required", Blocked),
        (552, "5.3.4 too large", Refused),
    ],
)
def test_a_refusal_of_the_sender_address_holds_for_all(
    server: FakeMailServer, number: int, text: str, kind: type
) -> None:
    server.fail_next("MAIL", number, text)
    outcomes, error = until_error(channel(server))
    assert (outcomes, type(error)) == ({}, kind)
    assert SENDER not in str(error)
    assert server.mails == []


def test_a_password_that_cannot_be_sent_is_not_given_away() -> None:
    with FakeMailServer(login=("desk", "secret")) as server:
        _, error = until_error(channel(server, "desk:s%C3%A9cret@"))
    assert type(error) is Blocked
    assert "ASCII" in str(error.remedy)
    assert error.__cause__ is None
    assert error.__context__ is None  # it holds the password


def test_unmailable_addresses_cost_no_other_recipient_the_mail(server: FakeMailServer) -> None:
    bad = Recipient(key="key-of-rené", address="rené@c.example")
    worse = Recipient(key="key-of-x", address="x@c.example>\r\nDATA")
    idn = Recipient(key="key-of-idn", address="maire@préfecture.example")
    outcomes = send(channel(server), bad, PEOPLE[0], worse, idn)
    assert outcomes_of(outcomes) == {"rené": "refused", "ana": "posted", "x": "refused", "idn": "posted"}
    assert not outcomes["rené"].gone
    assert [each.recipient for each in server.mails] == ["ana@c.example", "maire@xn--prfecture-c4a.example"]


def test_a_session_is_kept_from_chunk_to_chunk_but_not_for_long(server: FakeMailServer) -> None:
    clock = FakeClock()
    mail = channel(server, clock=clock)
    send(mail, *PEOPLE[:2])
    clock.pass_by(5)
    send(mail, *PEOPLE[2:])
    assert server.sessions == 1
    clock.pass_by(11)
    send(mail, PEOPLE[0])
    assert server.sessions == 2
    server.refuse_connections()  # the kept session is dead, too
    server.recover()
    assert outcomes_of(send(mail, PEOPLE[1])) == {"bob": "posted"}
    assert server.sessions == 3
    mail.close()
    mail.close()
    assert outcomes_of(send(mail, PEOPLE[2])) == {"cleo": "posted"}
    assert received(server) == Counter(ana=2, bob=2, cleo=2, dan=1)
    mail.close()


def test_a_server_that_takes_one_session_only_serves_the_whole_list(server: FakeMailServer) -> None:
    first, *others = mails = [channel(server) for _ in range(3)]
    assert send_one(first, PEOPLE[0]) == "posted"
    server.fail_next("EHLO", 421, "4.7.0 too many sessions", times=9)
    people = tuple(person(f"p{number}") for number in range(50))
    chunk = network_calls.send_list(first.prepare(post(), ()), people, *mails)
    if chunk.left:  # the first one was faster than the others
        chunk.run([first])
    assert {each.outcome for each in chunk.outcomes.values()} == {"posted"}
    assert len(chunk.outcomes) == 50
    assert all(each in others for each in chunk.useless)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://police.example", "mailtos://"),
        ("mailtos://u:p#s@h.example?from=a@b.example", "mailtos://"),
        ("mailtos://u:p@h.example/ana@c.example", "recipients"),
        ("mailtos://u:p@h.example?bcc=ana@c.example", "recipients"),
        ("mailtos://u:p@h.example?retry=3&cto=9", "cto, retry"),
        ("mailtos://h.example?from=Police", "from="),
        ("mailtos://u:p@h.example?from=a@préfecture.example", "xn--"),
    ],
)
def test_a_url_that_makes_no_sense_is_refused_without_being_repeated(url: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        email(url)
    assert said in str(caught.value)
    assert ":p@" not in str(caught.value)
    assert "ana@" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"list_id": "Alertes <x>"}, "list_id"),
        ({"unsubscribe": "https://police.example/u"}, "unsubscribe"),
        ({"unsubscribe": "https://police.example/{recipient}>\r\nX: y"}, "unsubscribe"),
        ({"reply_to": "nobody"}, "reply_to"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused_by_name(options: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        email(f"mailtos://x.example?from={SENDER}", **options)


def test_two_lists_of_one_sender_are_two_accounts() -> None:
    url = f"mailtos://mx.example?from={SENDER}"
    accounts = {email(url, list_id=name).account for name in ("", "presse.police.example", "mairies.police.example")}
    assert len(accounts) == 3


@pytest.mark.parametrize(
    ("url", "account"),
    [
        ("mailtos://desk%40police.example:secret@mx.example", "desk@mx.example"),
        (
            "mailtos://desk:secret@mx.example?from=Police%20%3Calertes%2Blist@police.example%3E",
            "alertes+list@police.example",
        ),
        ("mailtos://police.example?user=desk&pass=secret", "desk@police.example"),
        ("mailtos://desk:secret@police.example?from=Police&smtp=mx.example", "desk@police.example"),
    ],
)
def test_the_account_is_the_senders_address_as_apprise_reads_it(url: str, account: str) -> None:
    from policenotify.networks.email import smtp  # noqa: PLC0415 - loads apprise

    assert email(url).account == account
    service = smtp.open_service(url, sender=account, allow_plain=False)
    assert service.from_addr[1] == account
    assert service.request_rate_per_sec == 0


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mailtos://u:secret@mx.invalid?from=a@b.example&mode=insecure", "password"),
        ("mailtos://u:secret@mx.invalid?from=a@b.example&verify=no", "password"),
        ("mailto://mx.invalid?from=a@b.example", "without encryption"),
        ("mailtos://mx.invalid?from=a@b.example&mode=tls13", "cannot read the channel's url"),
        ("mailtos://u@mx.invalid?from=desk@lan", "does not name the sender"),  # no address to apprise
    ],
)
def test_nothing_leaves_this_machine_where_others_can_read_it(url: str, said: str) -> None:
    mail = email(url)
    with pytest.raises(Blocked, match=said) as caught:
        mail.whoami()
    assert "secret" not in str(caught.value)


def test_an_explicitly_requested_plain_connection_is_made() -> None:
    from policenotify.networks.email import smtp  # noqa: PLC0415 - loads apprise

    url = "mailto://mx.invalid?from=a@b.example&mode=insecure"
    service = smtp.open_service(url, sender="a@b.example", allow_plain=True)
    assert (service.smtp_host, service.port, service.secure_mode) == ("mx.invalid", 25, "insecure")


def test_a_server_without_encryption_never_gets_the_password(server: FakeMailServer) -> None:
    with pytest.raises(Blocked, match="STARTTLS"):
        channel(server, "desk:secret@", "&mode=starttls").whoami()
    with pytest.raises(Unavailable, match="encrypted connection"):
        channel(server, "desk:secret@", "&mode=ssl").whoami()


@pytest.mark.parametrize(
    ("replies", "kind", "said"),
    [
        ({"greeting": "554 5.7.1 ana@c.example: listed"}, Blocked, "…: listed"),
        ({"greeting": "421 4.3.2 busy"}, Unavailable, "busy"),
        ({"ehlo": "250-hello\r\n250 AUTH NTLM"}, Blocked, "login"),
    ],
)
def test_a_server_that_will_not_have_us_blocks_the_channel_or_makes_it_wait(
    replies: dict[str, str], kind: type[ChannelError], said: str
) -> None:
    with _raw_server(replies) as port, pytest.raises(kind, match=said) as caught:
        open_channel(
            Email,
            url=SecretStr(f"mailto://desk:secret@127.0.0.1:{port}?from={SENDER}"),
            timeout=ANSWERED,
            clock=FakeClock(),
        ).whoami()
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("replies", "outcome"),
    [
        ({".": "550 " + "x" * 9000}, "unconfirmed"),  # longer than smtplib reads
        ({"rcpt": "what?", "times": "1"}, "posted"),
        ({"rcpt": "550 5.1.1 nobody", "rset": ""}, "refused"),
        ({"data": "451 4.3.0 not now"}, "unavailable"),
        ({"data": "250 ok"}, "unconfirmed"),  # no answer to DATA, and no mail was written
    ],
)
def test_only_a_reply_that_can_be_read_settles_a_mail(replies: dict[str, str], outcome: str) -> None:
    with _raw_server(replies) as port:
        mail = email(f"mailto://127.0.0.1:{port}?from={SENDER}")
        assert outcomes_of(send(mail, PEOPLE[0])) == {"ana": outcome}


@contextmanager
def _raw_server(replies: dict[str, str]) -> Iterator[int]:
    """A server with invalid replies: one for each command. An empty one disconnects."""
    usual = {
        "greeting": "220 hello", "ehlo": "250-hello\r\n250 AUTH PLAIN", "auth": "235 ok", "mail": "250 ok",
        "rcpt": "250 ok", "data": "354 go on", ".": "250 ok", "rset": "250 ok", "quit": "221 bye",
    }  # fmt: skip
    once = "times" in replies

    def serve(door: socket.socket) -> None:
        said = usual | replies
        while True:
            try:
                peer, _ = door.accept()
            except OSError:
                return
            with suppress(OSError), peer, peer.makefile("rb") as lines:
                peer.sendall(said["greeting"].encode() + b"\r\n")
                for line in lines:
                    command = line.decode().strip().lower().partition(" ")[0]
                    if command not in usual:
                        continue  # a line of the mail
                    if not said[command]:
                        break
                    peer.sendall(said[command].encode() + b"\r\n")
            said = usual if once else said

    with socket.create_server(("127.0.0.1", 0)) as door:
        thread = Thread(target=serve, args=(door,), daemon=True)
        thread.start()
        try:
            yield door.getsockname()[1]
        finally:
            _close_all()
            door.shutdown(socket.SHUT_RDWR)
            thread.join(PATIENCE)


@pytest.mark.parametrize("mode", ["starttls", "ssl"])
def test_through_tls_with_an_authority_of_our_own(mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with _tls_server(mode, tmp_path) as (port, got):
        url = f"mailtos://desk:secret@127.0.0.1:{port}?from={SENDER}&mode={mode}"
        with pytest.raises(Unavailable, match="trusted"):
            email(url).whoami()
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        assert outcomes_of(send(email(url), *PEOPLE[:2])) == {
            "ana": "posted",
            "bob": "posted",
        }
        assert got == ["ana@c.example", "bob@c.example"]


@contextmanager
def _tls_server(mode: str, folder: Path) -> Iterator[tuple[int, list[str]]]:
    """A real aiosmtpd with TLS. The certificate of its authority is in `folder`."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "cert.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    got: list[str] = []

    class Handler:
        async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's
            got.extend(envelope.rcpt_tos)
            return "250 ok"

    port = free_port()
    tls = {"ssl_context": context} if mode == "ssl" else {"tls_context": context, "require_starttls": True}
    controller = Controller(
        Handler(),
        hostname="127.0.0.1",
        port=port,
        authenticator=lambda *said: AuthResult(success=said[-1].password == b"secret"),
        auth_require_tls=mode != "ssl",  # aiosmtpd does not count TLS from the first byte
        **tls,
    )
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)
    controller.start()
    try:
        yield port, got
    finally:
        _close_all()
        controller.stop()


def test_a_server_may_be_named_by_its_ipv6_address() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as nobody:
        port = nobody.getsockname()[1]
    with pytest.raises(Unavailable) as caught:
        email(f"mailto://[::1]:{port}?from={SENDER}").whoami()
    assert caught.value.code == "ConnectionRefusedError"  # and not that its name is not found
