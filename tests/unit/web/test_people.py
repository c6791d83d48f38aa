"""The links by which people leave."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import html5lib
import httpx
import pytest

from policenotify.errors import JournalError
from policenotify.journal import open_journal
from policenotify.journal.journal import Journal
from policenotify.journal.keys import Keys
from policenotify.journal.persons.tokens import make_token
from policenotify.publishing.people import People
from policenotify.testing import FakeClock
from policenotify.web import app

KEY = "0123456789abcdef" * 2
ONE_CLICK = b"List-Unsubscribe=One-Click"  # RFC 8058, section 3.1


@dataclass
class Leaving:
    """Knows one token."""

    token: str = "ours"
    left: list[str] = field(default_factory=list)
    broken: bool = False

    def knows(self, token: str) -> bool:
        return token == self.token

    def leave(self, token: str) -> bool:
        if self.broken:
            raise JournalError("It is away.")
        if token == self.token:
            self.left.append(token)
        return token == self.token


def ask(people: object, method: str, path: str, **how: object) -> httpx.Response:
    async def request() -> httpx.Response:
        transport = httpx.ASGITransport(app(people=people))  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="https://police.example") as client:
            return await client.request(method, path, **how)  # type: ignore[arg-type]

    return asyncio.run(request())


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
def test_only_a_post_changes_anything(method: str) -> None:
    people = Leaving()
    ask(people, method, "/stop/ours")
    assert people.left == []


def test_one_click_leaves() -> None:
    people = Leaving()
    answer = ask(people, "POST", "/stop/ours", content=ONE_CLICK)
    assert (answer.status_code, people.left) == (200, ["ours"])
    assert "C’est fait" in answer.text
    assert "Unsubscribed" in answer.text


def test_the_page_has_one_button_that_sends_what_a_mail_program_sends() -> None:
    page = ask(Leaving(), "GET", "/stop/ours").text
    tree = html5lib.parse(page, namespaceHTMLElements=False)
    [french, english] = tree.findall(".//form")
    assert {form.get("method") for form in (french, english)} == {"post"}
    assert [(each.get("name"), each.get("value")) for each in french.findall("input")] == [
        ("List-Unsubscribe", "One-Click")
    ]
    assert len(french.findall("button")) == 1
    assert not re.search(r"<script|onclick|<img|<link|src=|https?:", page)
    assert len(page) < 2_500


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_nothing_is_remembered_and_no_one_else_learns_of_it(method: str) -> None:
    headers = ask(Leaving(), method, "/stop/ours").headers
    assert "set-cookie" not in headers
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert headers["x-robots-tag"] == "noindex, nofollow"
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "path", ["/stop/other", "/stop/", "/stop", "/stop/ours/more", "/stop/%00", "/stop/" + "a" * 5000]
)
def test_a_wrong_token_is_not_found_without_a_hint(method: str, path: str) -> None:
    people = Leaving()
    answer, nowhere = ask(people, method, path), ask(people, "GET", "/nowhere")
    if method == "GET":
        assert (answer.status_code, answer.text) == (404, nowhere.text)
    assert answer.status_code in {404, 405}
    assert people.left == []


def test_a_journal_that_is_away_asks_to_come_back() -> None:
    answer = ask(Leaving(broken=True), "POST", "/stop/ours")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
    assert "rien n’a changé" in answer.text


# --- with a journal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    keys = Keys.create(secrets.token_bytes)
    with closing(open_journal(str(tmp_path / "j.db"), keys=keys, clock=FakeClock(), create=True)) as opened:
        yield opened


def test_leaving_twice_is_leaving_once(journal: Journal) -> None:
    people = People(journal, {}, journal.clock)
    token = make_token(journal.keys, "stop", delivery=1, recipient=KEY)
    for _ in range(2):
        assert ask(people, "POST", f"/stop/{token}").status_code == 200
    [suppression] = journal.suppressions.list()
    assert (suppression.source, suppression.channel) == ("one-click", None)  # of a delivery that is not known here
    assert journal.audit.verify() == 0
    forged = token[:-4] + ("aaaa" if token[-4:] != "aaaa" else "bbbb")
    for wrong in (forged, make_token(journal.keys, "bounce", delivery=1, recipient=KEY), token[1:]):
        assert ask(people, "POST", f"/stop/{wrong}").status_code == 404
    assert len(journal.suppressions.list()) == 1


# --- delivery receipts


@dataclass
class Receiving(Leaving):
    """Takes receipts."""

    got: list[tuple[str, str, bytes, str]] = field(default_factory=list)
    unreadable: bool = False

    def receipt(self, channel: str, token: str, *, body: bytes, query: str) -> str:
        if self.broken:
            raise JournalError("It is away.")
        if self.unreadable:
            raise ValueError("It is not a receipt of 0612345678.")
        self.got.append((channel, token, body, query))
        return "ACK/Jasmin" if token == self.token else ""


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_receipt_is_handed_over_as_it_came(method: str) -> None:
    people = Receiving()
    answer = ask(people, method, "/dlr/sms/ours?status=8&x=%20", content=b"a=b")
    assert (answer.status_code, answer.text) == (200, "ACK/Jasmin")
    assert people.got == [("sms", "ours", b"a=b", "status=8&x=%20")]


def test_receipts_that_are_wrong_or_too_long_are_refused_without_repeating_them() -> None:
    assert ask(Receiving(), "POST", "/dlr/sms/other").status_code == 404
    unreadable = ask(Receiving(unreadable=True), "POST", "/dlr/sms/ours", content=b"0612345678")
    assert (unreadable.status_code, "0612345678" in unreadable.text) == (400, False)
    long = Receiving()
    assert ask(long, "POST", "/dlr/sms/ours", content=b"x" * 70_000).status_code == 413
    assert long.got == []
    away = ask(Receiving(broken=True), "POST", "/dlr/sms/ours")
    assert (away.status_code, away.headers["retry-after"]) == (503, "60")


def test_a_gateway_that_leaves_in_the_middle_of_a_receipt_is_not_a_failure_of_the_server() -> None:
    calls: list[dict[str, object]] = [{"type": "http.disconnect"}, {"type": "http.request", "more_body": True}]
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        return calls.pop()

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/dlr/sms/token", "query_string": b"", "headers": []}
    asyncio.run(app(people=Leaving())(scope, receive, send))  # type: ignore[arg-type]
    assert sent[0]["status"] == 400
