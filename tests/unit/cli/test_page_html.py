"""The report page as a file: complete, self-contained, and safe from the texts it shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from policenotify.cli.output import plain
from policenotify.cli.report.file import PAGE_POLICY, POLICY, html
from tests.acceptance.browser.pages import ACCOUNTS, HOSTILE, LONG_WORD, READERS, hostile, previewed, stories

_VOID = frozenset({"meta", "img", "br", "path", "rect", "circle", "base", "link", "input", "hr"})
_LINKS = re.compile(r"https://(17Cyber\.gouv\.fr|police34\.example/|evil\.example/)")


class Read(HTMLParser):
    """A page as a parser reads it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.crossed: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.crossed.append(tag)

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text.append(data)

    def all(self, name: str) -> Iterator[str]:
        """Every value of an attribute."""
        return (value for _, attributes in self.tags if (value := attributes.get(name)) is not None)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    makers = {"stories": stories, "preview": previewed, "hostile": hostile}
    return {name: html(make(tmp_path_factory.mktemp(name))) for name, make in makers.items()}


@pytest.fixture(params=["stories", "preview", "hostile"])
def text(request: pytest.FixtureRequest, texts: dict[str, str]) -> str:
    return texts[str(request.param)]


@pytest.fixture
def read(text: str) -> Read:
    return Read(text)


def test_it_loads_nothing_from_outside(text: str, read: Read) -> None:
    policies = [attributes["content"] for _, attributes in read.tags if "http-equiv" in attributes]
    assert policies == [PAGE_POLICY]
    assert "default-src 'none'" in PAGE_POLICY
    assert [src for src in read.all("src") if not src.startswith("data:image/png;base64,")] == []
    assert {tag for tag, _ in read.tags} & {"script", "link", "base", "object", "embed", "form", "input"} == set()
    assert not re.search(r"@import|@font-face|url\(", text)
    assert [name for _, attributes in read.tags for name in attributes if name.startswith("on")] == []


def test_only_readers_links_lead_out_and_send_no_referrer(read: Read) -> None:
    for tag, attributes in read.tags:
        href = attributes.get("href") or "#"
        if not href.startswith("#"):
            assert tag == "a"
            assert _LINKS.match(href)
            assert attributes["rel"] == "noopener noreferrer"
    assert "no-referrer" in set(read.all("content"))


def test_a_mail_lies_in_a_sandbox(read: Read) -> None:
    frames = [attributes for tag, attributes in read.tags if tag == "iframe"]
    assert frames
    for frame in frames:
        assert set((frame["sandbox"] or "").split()) == {"allow-popups", "allow-popups-to-escape-sandbox"}
        assert frame["title"]
        assert POLICY in (frame["srcdoc"] or "")
        assert "src" not in frame


def test_no_recipient_is_named(text: str) -> None:
    for reader in (*READERS, ACCOUNTS["sms"], ACCOUNTS["pager"], "127.0.0.1"):
        assert reader not in text
    for reader in READERS:
        assert reader.partition("@")[0] not in text


def test_the_page_is_in_the_language_of_the_desk(tmp_path: Path) -> None:
    french = Read(html(previewed(tmp_path), "fr"))
    assert french.tags[0] == ("html", {"lang": "fr"})
    told = "".join(french.text)
    assert "Rien n'a été envoyé" in told
    assert "Nothing was sent" not in told


def test_hostile_texts_are_read_and_do_nothing(texts: dict[str, str]) -> None:
    read = Read(texts["hostile"])
    told = "".join(read.text)
    for typed in HOSTILE:
        assert plain(typed[:100]) in told
    assert LONG_WORD in told
    assert "{{ 7*7 }}" in told
    assert "javascript:" not in " ".join(read.all("href"))
