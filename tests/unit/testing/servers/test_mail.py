"""An unmodified SMTP client and the fake server, and the mailboxes."""

from __future__ import annotations

import gc
import logging
import smtplib
import socket
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest

from policenotify.errors import MissingExtra
from policenotify.testing.servers.mail import FakeMailServer
from tests.support.patience import ANSWERED, PATIENCE

DESK = "desk@police.example"


@pytest.fixture
def mail() -> Iterator[FakeMailServer]:
    with FakeMailServer() as opened:
        yield opened


@pytest.fixture
def client(mail: FakeMailServer) -> Iterator[smtplib.SMTP]:
    with smtplib.SMTP(mail.host, mail.port, timeout=ANSWERED) as opened:
        yield opened


def letter(to: str = "ana@a.example", subject: str = "Route barrée", **headers: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = DESK
    message["To"] = to
    message["Subject"] = subject
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content("Évitez le secteur.\n.\nUne ligne après un point.\n")
    return message


def test_a_mail_arrives_whole_in_each_recipients_mailbox(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    with (
        FakeMailServer(now=lambda: noon) as mail,
        smtplib.SMTP(mail.host, mail.port, timeout=ANSWERED) as client,
    ):
        client.send_message(letter(), to_addrs=["ana@a.example", "Bo@b.example"])

    assert [each.recipient for each in mail.mails] == ["ana@a.example", "Bo@b.example"]
    (kept,) = mail.mailbox("BO@b.example")
    assert (kept.sender, kept.at) == (DESK, noon)
    assert kept.message["Subject"] == "Route barrée"
    assert kept.message.get_content() == "Évitez le secteur.\n.\nUne ligne après un point.\n"
    assert kept.raw.startswith(b"From: desk@police.example\r\n")
    assert repr(kept) == "<Mail 'Route barrée' at 12:00:00>"
    assert "example" not in caplog.text


def test_threads_are_those_a_mail_reader_shows(mail: FakeMailServer, client: smtplib.SMTP) -> None:
    for subject, headers in [
        ("A opens", {"Message_ID": "<a1@p.example>"}),
        ("B opens", {"Message_ID": "<b1@p.example>"}),
        ("A goes on", {"Message_ID": "<a2@p.example>", "References": "<a1@p.example>"}),
        ("A opens", {"Message_ID": "<c1@p.example>"}),
        ("B ends", {"Message_ID": "<b2@p.example>", "In_Reply_To": "<b1@p.example>"}),
        ("A ends", {"Message_ID": "<a3@p.example>", "References": "<a2@p.example>"}),
        ("D follows what was never seen", {"Message_ID": "<d2@p.example>", "References": "<d1@p.example>"}),
        ("D ends", {"Message_ID": "<d3@p.example>", "References": f"<{'d' * 60}@p.example> <d1@p.example>"}),
        ("no id at all", {}),
    ]:
        client.send_message(letter(subject=subject, **headers))
    client.send_message(letter("bo@b.example", "A opens", Message_ID="<a1@p.example>"))

    def subjects(address: str) -> list[list[str]]:
        return [[str(each.message["Subject"]) for each in thread] for thread in mail.threads(address)]

    assert subjects("ana@a.example") == [
        ["A opens", "A goes on", "A ends"],
        ["B opens", "B ends"],
        ["A opens"],
        ["D follows what was never seen", "D ends"],
        ["no id at all"],
    ]
    assert subjects("bo@b.example") == [["A opens"]]
    assert subjects("nobody@b.example") == []


def test_a_refused_recipient_does_not_stop_the_others(mail: FakeMailServer, client: smtplib.SMTP) -> None:
    mail.refuse("Gone@a.example")

    refused = client.send_message(letter(), to_addrs=["gone@a.example", "ana@a.example"])
    assert refused == {"gone@a.example": (550, b"5.1.1 no such user")}
    assert [each.recipient for each in mail.mails] == ["ana@a.example"]
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        client.send_message(letter("gone@a.example"))


def test_a_command_fails_as_often_as_set(mail: FakeMailServer, client: smtplib.SMTP) -> None:
    mail.fail_next("DATA", 554, "5.7.1 looks like spam", times=2)
    mail.fail_next("MAIL", 452, "4.3.1 disk full")

    with pytest.raises(smtplib.SMTPSenderRefused) as full:
        client.send_message(letter())
    assert (full.value.smtp_code, full.value.smtp_error) == (452, b"4.3.1 disk full")
    for _ in range(2):
        with pytest.raises(smtplib.SMTPDataError) as spam:
            client.send_message(letter())
        assert (spam.value.smtp_code, spam.value.smtp_error) == (554, b"5.7.1 looks like spam")
    client.send_message(letter())
    assert len(mail.mails) == 1


def test_a_login_is_required_and_checked() -> None:
    with (
        FakeMailServer(login=("desk", "secret")) as mail,
        smtplib.SMTP(mail.host, mail.port, timeout=ANSWERED) as client,
    ):
        with pytest.raises(smtplib.SMTPSenderRefused) as refused:
            client.send_message(letter())
        assert refused.value.smtp_code == 530
        for user, password in (("desk", "wrong"), ("other", "secret"), ("secret", "desk")):
            with pytest.raises(smtplib.SMTPAuthenticationError) as wrong:
                client.login(user, password)
            assert wrong.value.smtp_code == 535
        assert mail.mails == []

        client.login("desk", "secret")
        client.send_message(letter())
        assert len(mail.mails) == 1


def test_refused_connections_come_back_at_the_same_port(mail: FakeMailServer, client: smtplib.SMTP) -> None:
    port = mail.port
    mail.refuse_connections()
    mail.refuse_connections()
    with pytest.raises(ConnectionRefusedError):
        smtplib.SMTP(mail.host, port, timeout=ANSWERED)
    with pytest.raises(smtplib.SMTPServerDisconnected):
        client.noop()

    mail.recover()
    assert mail.port == port
    with smtplib.SMTP(mail.host, mail.port, timeout=ANSWERED) as again:
        again.send_message(letter())
    assert len(mail.mails) == 1


def test_closing_ends_sessions_at_once_and_leaves_nothing_behind() -> None:
    before = set(threading.enumerate())
    mail = FakeMailServer().start()
    mail.latency = PATIENCE
    idle = smtplib.SMTP(mail.host, mail.port, timeout=ANSWERED)
    busy = smtplib.SMTP(mail.host, mail.port, timeout=ANSWERED)
    caught: list[BaseException] = []

    def send() -> None:
        try:
            busy.send_message(letter())
        except smtplib.SMTPException as error:
            caught.append(error)

    sender = threading.Thread(target=send)
    sender.start()
    time.sleep(0.05)  # the mail is under way
    fresh = socket.create_connection((mail.host, mail.port))
    begun = time.monotonic()
    mail.close()
    mail.close()
    sender.join()

    assert time.monotonic() - begun < PATIENCE / 2
    assert len(caught) == 1
    with pytest.raises(smtplib.SMTPServerDisconnected):
        idle.noop()
    fresh.close()
    assert set(threading.enumerate()) <= before
    gc.collect()  # a leaked socket is a ResourceWarning, and with it an error


def test_without_aiosmtpd_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiosmtpd", None)

    with pytest.raises(MissingExtra, match=r"policenotify\[testing\]"):
        FakeMailServer()
