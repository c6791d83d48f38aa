"""The contents of the report page, before it is laid out."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest

from policenotify.cli.report.builder import Report, draw
from policenotify.cli.report.cards import (
    Card,
    Device,
    initials,
)
from policenotify.cli.report.file import html
from policenotify.cli.report.networks import ORDER
from policenotify.cli.report.source import ReportEntry
from policenotify.model.lifecycle import Stage
from policenotify.testing.samples import SAMPLES
from tests.acceptance.browser.pages import budgets, desk, everywhere, previewed, publish_entry, stories

SAMPLE = {sample.id: sample for sample in SAMPLES}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return stories(tmp_path_factory.mktemp("stories"))


def devices(page: Report, section: int) -> dict[str, Device]:
    return {device.look.network: device for device in page.sections[section].devices}


def article(page: Report, card: Card) -> str:
    """Return the page's texts of a card."""
    return html(page).partition(f'<article id="{card.id}"')[2].partition("</article>")[0]


def words(card: Card) -> str:
    return "".join(piece.text for piece in card.pieces)


# --- mails


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
    assert (bluesky.sender, initials(bluesky.sender), bluesky.handle) == (
        "Police nationale de l'Hérault",
        "PN",
        "@police34.example",
    )
    assert bluesky.cards[-1] is end


def test_each_text_is_measured_in_the_networks_own_count(page: Report) -> None:
    for network, device in devices(page, 1).items():
        capabilities = budgets()["pager" if network == "other" else network]
        for card in device.cards:
            used, limit = capabilities.budget.usage(words(card))
            assert f'<meter id="{card.id}-m" min="0" max="{limit}" value="{used}">' in article(page, card)
    sms = devices(page, 1)["sms"].cards[0]
    shown = article(page, sms)
    assert ": GSM-7, 2 segments</label>" in shown
    bubble = shown.partition('<p class="text bubble"')[2].partition(">")[2].partition("</p>")[0]
    first, cut, second = re.split(r'(<span class="cut".*?</span></span>)', bubble)
    assert "(segment 1 of 2 ends)" in cut
    assert unescape(first + second) == words(sms)


def test_what_needs_a_person_is_shown_once_and_first(page: Report) -> None:
    told = {concern.label: concern.reason for concern in page.concerns}
    assert told["x: refused"] == "X says that the text was posted already."
    assert told["mastodon: waiting, 8 posts"] == "The token was revoked."
    assert "email: published, not to everybody" in told
    assert page.closing == "A person needs to act; see below."
    refused = devices(page, 0)["x"].cards[0]
    assert refused.needs_attention
    assert not refused.is_published
    assert ("9", "messages, each published once") in page.figures
    assert ("3", "incidents, 3 over") in page.figures


def test_a_preview_shows_both_wordings_and_what_gave_way(tmp_path: Path) -> None:
    page = previewed(tmp_path)
    assert page.closing == "Nothing was sent: this is how it would read."
    assert page.concerns == []
    cards = devices(page, 0)["bluesky"].cards
    assert [card.wording for card in cards[:2]] == ["Under the earlier post", "Where there is nothing to answer"]
    assert (cards[0].is_reply, cards[0].parent) == (True, None)
    assert "In reply to an earlier post" in html(page)
    assert not cards[1].is_reply
    assert cards[0].verdict is None
    assert any(card.omitted and card.needs_attention for card in cards)
    assert cards[0].post
    assert cards[0].post.pictures[0].alt == "Plan du secteur"
    assert cards[0].link is None  # pictures leave no space for a card
    assert ("6", "channels that would publish it") in page.figures


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
