"""The report page: what it shows, that it does nothing, and its file."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import click
import pytest

from policenotify.channel import Operation
from policenotify.cli.output import plain
from policenotify.cli.report.builder import Report, draw
from policenotify.cli.report.cards import ORDER, Card, Device, link_card
from policenotify.cli.report.file import GENERATOR, PAGE_POLICY, POLICY, html, page_path, write_page
from policenotify.cli.report.source import ReportEntry
from policenotify.errors import SettingsError
from policenotify.model.lifecycle import Stage
from policenotify.testing.samples import SAMPLES
from tests.acceptance.browser.pages import (
    ACCOUNTS,
    HOSTILE,
    LONG_WORD,
    READERS,
    attacks,
    budgets,
    desk,
    everywhere,
    hostile,
    previewed,
    publish_entry,
    stories,
)
from tests.support.installation import ADDRESSES, Desk
from tests.support.shell import ACCIDENT, Run

SAMPLE = {sample.id: sample for sample in SAMPLES}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return stories(tmp_path_factory.mktemp("stories"))


@pytest.fixture(scope="module")
def texts(page: Report, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    makers = {"preview": previewed, "hostile": hostile}
    reports = {"stories": page} | {name: make(tmp_path_factory.mktemp(name)) for name, make in makers.items()}
    return {name: html(report) for name, report in reports.items()}


def devices(page: Report, section: int) -> dict[str, Device]:
    return {device.look.network: device for device in page.sections[section].devices}


def article(text: str, card: Card) -> str:
    """Return the part of a page that shows a card."""
    return text.partition(f'<article id="{card.id}"')[2].partition("</article>")[0]


def words(card: Card) -> str:
    return "".join(piece.text for piece in card.pieces)


@pytest.mark.slow
def test_the_page_shows_each_incident_on_every_network(page: Report) -> None:
    assert [section.label for section in page.sections] == ["Arnaque", "Accident", "Colis suspect", "Incendie"]
    accident = page.sections[1]
    assert (accident.status, accident.tone, accident.severity) == ("Over at 19:02", "clear", "Moderate")
    assert [entry.message.stage for entry in accident.entries] == [Stage.OPENING, Stage.UPDATE, Stage.END]
    assert '<time datetime="2026-06-05T17:42:00+02:00">Friday 5 June 2026</time>' in html(page)
    assert [device.look.network for device in accident.devices] == [*ORDER, "other"]
    assert [look.name for look in page.looks] == ["X", "Mastodon", "Bluesky", "SMS", "E-mail", "pager"]
    assert page.sections[0].status == "Standalone"
    assert page.sections[0].incident == ""


def test_a_thread_hangs_together_by_the_ids_of_the_page(page: Report) -> None:
    bluesky = devices(page, 1)["bluesky"]
    opening, update, end = bluesky.cards
    assert not opening.is_reply
    assert (update.is_reply, update.parent) == (True, opening)
    assert f'<a href="#{opening.id}">In reply to 17:42</a>' in html(page)
    assert (end.is_reply, end.parent) == (True, update)
    assert (bluesky.sender, bluesky.handle) == ("Police nationale de l'Hérault", "@police34.example")
    assert bluesky.cards[-1] is end


def test_each_text_is_measured_in_the_networks_own_count(page: Report, texts: dict[str, str]) -> None:
    for network, device in devices(page, 1).items():
        capabilities = budgets()["pager" if network == "other" else network]
        for card in device.cards:
            used, limit = capabilities.budget.usage(words(card))
            assert f'<meter id="{card.id}-m" min="0" max="{limit}" value="{used}">' in article(texts["stories"], card)
    sms = devices(page, 1)["sms"].cards[0]
    shown = article(texts["stories"], sms)
    assert ": GSM-7, 2 segments</label>" in shown
    bubble = shown.partition('<p class="text bubble"')[2].partition(">")[2].partition("</p>")[0]
    first, cut, second = re.split(r'(<span class="cut".*?</span></span>)', bubble)
    assert "(segment 1 of 2 ends)" in cut
    assert unescape(first + second) == words(sms)


def test_what_needs_a_person_is_shown(page: Report, texts: dict[str, str]) -> None:
    assert page.needs_person
    assert page.closing == "A person needs to act; see below."
    refused = devices(page, 0)["x"].cards[0]
    assert not refused.is_published
    assert "X says that the text was posted already." in article(texts["stories"], refused)
    figures = [(count, str(what)) for count, what in page.figures]
    assert (9, "messages, each published once") in figures
    assert (3, "incidents, 3 over") in figures


def test_an_edit_and_a_deletion_are_named_as_such(page: Report) -> None:
    card = next(card for device in devices(page, 0).values() for card in device.cards if card.is_published)
    assert card.receipt
    assert card.outcome == "posted"
    for operation, outcome in (("edit", "edited"), ("delete", "deleted")):
        receipt = card.receipt.model_copy(update={"operation": Operation(operation)})
        assert str(replace(card, receipt=receipt).outcome) == outcome


def test_a_preview_shows_both_wordings_and_what_gave_way(tmp_path: Path) -> None:
    page = previewed(tmp_path)
    assert page.closing == "Nothing was sent: this is how it would read."
    assert not page.needs_person
    cards = devices(page, 0)["bluesky"].cards
    assert [card.wording for card in cards[:2]] == ["Under the earlier post", "Where there is nothing to answer"]
    assert (cards[0].is_reply, cards[0].parent) == (True, None)
    assert "In reply to an earlier post" in html(page)
    assert not cards[1].is_reply
    assert cards[0].state is None
    assert any(card.omitted for card in cards)
    assert cards[0].post
    assert cards[0].post.pictures[0].alt == "Plan du secteur"
    assert cards[0].link is None  # pictures leave no space for a card
    assert (6, "channels that would publish it") in [(count, str(what)) for count, what in page.figures]


def test_continuations_are_shown_below_the_post_before(tmp_path: Path) -> None:
    long = SAMPLE["scam/info"].message.model_copy(update={"instruction": "Raccrochez et appelez votre agence. " * 15})
    with desk(tmp_path, [one for one in everywhere() if one.network == "bluesky"]) as (publisher, clock):
        clock.put_to(SAMPLE["scam/info"].at)
        foreseen = draw("preview", [ReportEntry(at=clock.now(), preview=publisher.preview(long))], publisher)
        page = draw("demo", [publish_entry(publisher, long, "first")], publisher)
    for shown in (foreseen, page):
        first, *further = devices(shown, 0)["bluesky"].cards
        assert len(further) > 1
        assert not first.is_reply
        assert [card.parent for card in further] == [first, *further[:-1]]
        assert words(further[0]).endswith(f"(2/{len(further) + 1})")
        assert {card.wording for card in further} == {""}
    assert all(card.is_published for card in devices(page, 0)["bluesky"].cards)


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
    assert any("evil.example/pixel.png" in (letter or "") for letter in read.all("srcdoc"))
    told = "".join(read.text)
    for typed in HOSTILE:
        assert plain(typed[:100]) in told
    assert LONG_WORD in told
    assert "{{ 7*7 }}" in told
    assert "javascript:" not in " ".join(read.all("href"))


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("https://www.police34.example:8443/a9?x", "police34.example"),
        ("https://WWW.Police34.example/a9", "police34.example"),
        ("https://www.police34.example@evil.example/", "evil.example"),
        ("https://[::1/a9", "https://[::1/a9"),
    ],
)
def test_a_link_card_names_the_host_alone(address: str, host: str) -> None:
    assert link_card(address).host == host


def test_what_a_network_shows_is_read_and_does_nothing() -> None:
    read = Read(attacks())
    assert plain(HOSTILE[0][:100]) in "".join(read.text)
    assert "javascript:" not in " ".join(read.all("href"))
    [letter] = [attributes for tag, attributes in read.tags if tag == "iframe"]
    assert "allow-scripts" not in (letter["sandbox"] or "")
    assert POLICY in (letter["srcdoc"] or "")
    assert "script" not in {tag for tag, _ in read.tags}


@pytest.fixture(scope="module")
def preview(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return previewed(tmp_path_factory.mktemp("preview"))


def refused(file: Path) -> str:
    with pytest.raises(click.BadParameter) as why:
        page_path(str(file))
    return why.value.format_message()


def test_a_page_is_for_its_owner(preview: Report, tmp_path: Path) -> None:
    path = page_path(str(tmp_path / "page.html"))
    assert not path.exists()
    assert str(write_page(path, preview)) == f"The page: {path}"
    text = path.read_text(encoding="utf-8")
    assert GENERATOR in text[:2048]
    assert text.rstrip().endswith("</html>")
    assert path.stat().st_mode & 0o777 == 0o600  # a preview shows drafts


def test_a_page_is_written_where_files_have_no_mode_of_their_own(
    tmp_path: Path, preview: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_args: object, **_named: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))  # as of a stick with FAT

    monkeypatch.setattr(Path, "chmod", refused)
    write_page(tmp_path / "page.html", preview)
    assert (tmp_path / "page.html").stat().st_mode & 0o777 == 0o600


def test_a_page_that_cannot_be_written_leaves_the_earlier_one_whole(
    preview: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = page_path(str(tmp_path / "page.html"))
    write_page(path, preview)
    before = path.read_bytes()

    def fill_the_disk(self: Path, content: bytes) -> int:
        self.write_text(content[:2_000].decode())
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", fill_the_disk)
    with pytest.raises(SettingsError, match="No space left on device"):
        write_page(path, preview)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["page.html"]


def test_an_earlier_page_is_written_over_and_nothing_else_is(preview: Report, tmp_path: Path) -> None:
    for _ in range(2):
        write_page(page_path(str(tmp_path / "page.html")), preview)
    (tmp_path / "notes.html").write_text("<!DOCTYPE html>\n<title>Notes</title>", encoding="utf-8")
    assert "is not a page of policenotify. Give another name." in refused(tmp_path / "notes.html")
    (tmp_path / "photo.png").write_bytes(b"\x89PNG\xff\xfe")
    for other in (tmp_path / "photo.png", tmp_path, Path("/dev/null")):
        assert "is not a page of policenotify" in refused(other)
    assert "cannot be written (No such file or directory)" in refused(tmp_path / "no" / "page.html")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["notes.html", "page.html", "photo.png"]


def test_a_preview_as_a_page(run: Run, desk: Desk) -> None:
    ran = run("preview", *ACCIDENT, "--html", "page.html")
    assert ran.code == 0
    assert ran.out.endswith(f"\nThe page: {desk.folder.resolve() / 'page.html'}\n")
    assert "bluesky · fr · " in ran.out
    text = Path("page.html").read_text(encoding="utf-8")
    assert "Nothing was sent: this is how it would read." in text
    assert "Évitez le secteur." in text
    assert "@police34.example" in text
    for secret in (*ADDRESSES, desk.bluesky.password, "127.0.0.1"):
        assert secret not in text
    assert not desk.bluesky.posts
    assert run("preview", *ACCIDENT, "--html", "page.html").code == 0  # its own page is written over


@pytest.mark.usefixtures("desk")
def test_a_message_that_may_not_leave_is_shown_with_its_reason(run: Run) -> None:
    assert run("preview", "--category", "fire", "--headline", "Feu", "--html", "page.html").code == 1
    text = Path("page.html").read_text(encoding="utf-8")
    assert "It may not be published as it is; see below. Nothing was sent." in text
    assert "PN101" in text


def test_json_stays_one_document(run: Run, desk: Desk) -> None:
    ran = run("preview", *ACCIDENT, "--json", "--html", "page.html")
    assert ran.document["allowed"] is True
    assert ran.err == f"\nThe page: {desk.folder.resolve() / 'page.html'}\n"


@pytest.mark.usefixtures("desk")
def test_an_impossible_page_is_reported_before_anything_runs(run: Run) -> None:
    Path("mine.html").write_text("<title>Mine</title>", encoding="utf-8")
    ran = run("preview", *ACCIDENT, "--html", "mine.html")
    assert ran.code == 2
    assert "Invalid value for --html: " in ran.err
    assert ran.out == ""
    assert Path("mine.html").read_text(encoding="utf-8") == "<title>Mine</title>"


def test_a_cancellation_that_deletes_is_previewed(run: Run, desk: Desk) -> None:
    desk.change_settings("handle =", 'on_cancellation = "delete"\nhandle =')
    assert run("publish", *ACCIDENT).code == 0
    lifecycle = {"stage": "cancellation", "incident": "2026-4711"}
    message = {"category": "traffic_accident", "headline": "Fausse alerte", "lifecycle": lifecycle}
    Path("message.json").write_text(json.dumps(message), encoding="utf-8")
    ran = run("preview", "message.json", "--html", "page.html")
    assert "bluesky · fr · deletes an earlier post" in ran.out
    assert "Deletes an earlier post" in Path("page.html").read_text(encoding="utf-8")
    document = run("preview", "message.json", "--json").document
    assert [(one["channel"], one["language"]) for one in document["deletions"]] == [("bluesky", "fr")]
    assert len(desk.bluesky.posts) == 1
