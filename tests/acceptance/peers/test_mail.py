"""E-mail through postfix into dovecot's mailboxes."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import closing
from datetime import timedelta
from email.header import decode_header, make_header
from typing import Any, ClassVar, Self

import pytest
from pydantic import SecretStr

from policenotify.channel import Channel, ChannelConfig
from policenotify.cli.exit_codes import Exit
from policenotify.errors import Blocked
from policenotify.model.history import Outcome
from policenotify.networks.email.channel import Email
from policenotify.networks.registry import configure_channel
from policenotify.testing import VisiblePost
from tests.acceptance.peers.conftest import NewPublisher
from tests.acceptance.peers.contract import ServerContract, ServerFixture
from tests.acceptance.peers.incident import publish_incident
from tests.acceptance.peers.mail_server import (
    DOMAIN,
    FULL_DOMAIN,
    GONE_DOMAIN,
    LOGIN,
    SENDER_DOMAIN,
    Delivered,
    MailServer,
)
from tests.acceptance.peers.programs import wait_until
from tests.support.audiences import listed
from tests.support.channels import open_channel
from tests.support.installation import accident, later
from tests.support.mails import visible_mail

pytestmark = pytest.mark.peers

ONCE = {
    "From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Reply-To", "Auto-Submitted",
    "Content-Language", "Content-Type", "Content-Transfer-Encoding", "MIME-Version", "List-Id", "List-Unsubscribe",
    "List-Unsubscribe-Post",
}  # fmt: skip


def by_mail(port: int, *people: str, **how: Any) -> ChannelConfig:
    """A channel to people `@readers.example`."""
    options = {
        "url": f"mailto://127.0.0.1:{port}/?from=alerte@police34.example&mode=insecure",
        "list_id": "alerte.police34.example",
        "reply_to": '"Préfecture de l’Hérault, bureau de la presse" <presse@police34.example>',
        "unsubscribe": "https://police34.example/stop/{token}",
        "bounces": f"bounce@{SENDER_DOMAIN}",
        "timeout": 20.0,
    }
    return configure_channel(
        "presse",
        "email",
        options,
        audiences=listed("presse", lambda: [one if "@" in one else f"{one}@{DOMAIN}" for one in people]),
        **how,
    )


def with_login(port: int, password: str) -> Email:
    url = f"mailto://{LOGIN[0]}:{password}@127.0.0.1:{port}?from=alertes@police.example&name=Police"
    return open_channel(Email, url=SecretStr(url), timeout=20.0)


def readers(mails: list[Delivered]) -> Counter[str]:
    return Counter(each.recipient.partition("@")[0] for each in mails)


def test_an_incident_is_one_thread_in_every_mailbox(mail: MailServer, new_publisher: NewPublisher) -> None:
    publish_incident(new_publisher(by_mail(mail.smtp, "ana", "bruno")))
    for person in ("ana", "bruno"):
        [thread] = mail.threads(f"{person}@{DOMAIN}")
        assert sorted(thread) == [1, 2, 3]


def test_refused_and_deferred_recipients_have_different_outcomes(mail: MailServer, new_publisher: NewPublisher) -> None:
    mail.policy.refuse("bounce*", "550 5.1.1 no such user")
    mail.policy.refuse("grey*", "451 4.7.1 greylisted", times=1)
    publisher = new_publisher(by_mail(mail.smtp, "ana", "bounce", "grey", "bruno"), backoff=later)
    said = publisher.publish(accident(), key="1", actor="desk", wait=timedelta(seconds=5))
    people = said.on("presse").recipients or {}
    assert (people[Outcome.POSTED], people[Outcome.REFUSED], people[Outcome.WAITING]) == (2, 1, 1), str(
        said.on("presse")
    )
    assert readers(mail.mails) == {"ana": 1, "bruno": 1}


def test_a_server_that_closes_the_connection_in_a_list_loses_no_recipient(
    mail: MailServer, new_publisher: NewPublisher
) -> None:
    mail.policy.refuse("*", "421 4.3.2 shutting down", after=7, times=1)
    everybody = [f"p{number}" for number in range(20)]
    said = new_publisher(by_mail(mail.smtp, *everybody)).publish(accident(), key="1", actor="desk")
    assert said.on("presse").outcome is Outcome.POSTED, str(said.on("presse"))
    assert readers(mail.mails) == dict.fromkeys(everybody, 1)


def test_more_errors_than_the_server_allows_lose_no_recipient(mail: MailServer, new_publisher: NewPublisher) -> None:
    """After 20 in a row postfix answers 421 and disconnects (`smtpd_hard_error_limit`)."""
    mail.policy.refuse("strict*", "550 5.7.1 mail refused by the recipient")
    strict = [f"strict{number}" for number in range(50)]
    said = new_publisher(by_mail(mail.smtp, *strict, "ana")).publish(accident(), key="1", actor="desk")
    assert said.on("presse").recipients == {Outcome.POSTED: 1, Outcome.REFUSED: len(strict)}, str(said.on("presse"))
    assert readers(mail.mails) == {"ana": 1}
    assert "too many errors" in mail.log


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.deep)])
def test_a_long_list_gets_one_valid_mail_each(mail: MailServer, new_publisher: NewPublisher, count: int) -> None:
    """A twentieth of the list is gone, which is more errors than postfix takes in one go."""
    everybody = [f"{'p' if number % 20 else 'gone'}{number}" for number in range(count)]
    gone = {person for person in everybody if person.startswith("gone")}
    mail.policy.refuse("gone*", "550 5.1.1 no such user")
    publisher = new_publisher(by_mail(mail.smtp, *everybody))

    said = publisher.publish(accident(), key="1", actor="desk", wait=timedelta(minutes=4))
    people = said.on("presse").recipients or {}
    assert (people[Outcome.POSTED], people[Outcome.REFUSED]) == (count - len(gone), len(gone)), str(said.on("presse"))
    mails = mail.mails
    assert readers(mails) == dict.fromkeys(set(everybody) - gone, 1)
    assert len({each.message["Message-ID"] for each in mails}) == len(mails)
    assert len({each.message["List-Unsubscribe"] for each in mails}) == len(mails)
    for each in mails:
        _is_valid(each)


def test_mails_that_come_back_through_the_relays_pipe_name_their_person(
    mail: MailServer, new_publisher: NewPublisher
) -> None:
    """They come as postfix writes them, and stay in its queue while the journal is away."""
    gone, full = f"Gone.Person@{GONE_DOMAIN}", f"full@{FULL_DOMAIN}"
    publisher = new_publisher(by_mail(mail.smtp, "ana", gone, full))
    mail.answer_returned(Exit.TRY_AGAIN)
    said = publisher.publish(accident(), key="1", actor="desk", wait=timedelta(seconds=20))
    assert said.on("presse").recipients == {Outcome.POSTED: 3}, str(said.on("presse"))
    wait_until(lambda: mail.log.count("status=deferred") >= 2, "postfix to put two mails back", 60)
    mail.answer_returned(0)
    returned = mail.returned(2)
    done = {publisher.people.bounce(content, [to]) for to, content in returned}
    assert {(each.kind, each.status, each.result) for each in done} == {
        ("gone", "5.1.1", "remembered"),
        ("soft", "5.2.2", "remembered"),
    }
    assert {publisher.people.bounce(content).result for _, content in returned} == {"repeated"}  # named by its headers
    for address, kind in ((gone, "gone"), (full, "soft")):
        assert [each.kind for each in publisher.people.export(address, actor="desk").reports] == [kind]
    assert publisher.people.suppressed() == ()


def _is_valid(mail: Delivered) -> None:
    head, _, _ = mail.raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    assert head.isascii()
    ours = head[head.index(b"\nTo: ") :].decode()  # the servers' own headers are above
    for line in ours.split("\n"):  # RFC 5322, section 2.1.1; a long URL or id cannot be folded
        assert len(line) <= 78 or " " not in line.partition(": ")[2], line
    names = Counter(re.findall(r"^([!-9;-~]+):", ours, re.MULTILINE))
    assert names.keys() <= ONCE, names
    assert set(names.values()) == {1}, names
    message = mail.message
    assert [defect for part in message.walk() for defect in part.defects] == []
    assert str(message["To"]) == mail.recipient
    assert "Accident de la circulation" in str(make_header(decode_header(str(message["Subject"]))))
    assert re.fullmatch(r"<https://police34\.example/stop/[a-z2-7]+>", str(message["List-Unsubscribe"]))
    assert str(message["List-Unsubscribe-Post"]) == "List-Unsubscribe=One-Click"
    for encoded in re.findall(r"=\?[^?]*\?[BQ]\?[^?]*\?=", ours):
        assert len(encoded) <= 75  # RFC 2047, section 2


# --- the contract


class PostfixFixture(ServerFixture):
    """Mailboxes behind postfix, which accepts one login only."""

    peer: ClassVar[MailServer]
    port = 0

    def __enter__(self) -> Self:
        self.peer.empty()
        self.port = self.peer.smtp
        return self

    @property
    def visible_posts(self) -> list[VisiblePost]:
        return [visible_mail(each) for each in self.peer.mails]


class TestPostfix(ServerContract):
    @pytest.fixture(autouse=True)
    def _on(self, mail_server: MailServer) -> None:
        PostfixFixture.peer = mail_server

    def make_network(self) -> PostfixFixture:
        return PostfixFixture()

    def open(self, network: PostfixFixture) -> Channel:
        return with_login(network.port, LOGIN[1])

    def test_another_login_blocks_the_channel(self, mail_server: MailServer) -> None:
        with closing(with_login(mail_server.smtp, "another")) as channel, pytest.raises(Blocked):
            channel.whoami()
