"""The contents of the report page, before it is laid out."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from pathlib import Path

import pytest

from policenotify.channel import Capabilities, Operation, Picture, PostRef, Span
from policenotify.cli.report.builder import Report, draw
from policenotify.cli.report.cards import (
    Card,
    Device,
    Piece,
    data_url,
    initials,
    link_card,
    notes_of,
    pieces,
    tone,
    verdict_of,
    web_address,
)
from policenotify.cli.report.file import MailFrame, html
from policenotify.cli.report.networks import ORDER, look_of
from policenotify.cli.report.source import ReaderPost, ReportEntry
from policenotify.model.history import Outcome, RenderedPost
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.message import Message
from policenotify.model.receipt import Receipt
from policenotify.testing.samples import PARIS, SAMPLES
from policenotify.text import Budget
from tests.acceptance.browser.pages import budgets, desk, everywhere, png, previewed, publish_entry, stories

SAMPLE = {sample.id: sample for sample in SAMPLES}
POSTS = Capabilities(budget=Budget(300), replies=True)
ACCIDENT = ("accident/opening", "accident/update", "accident/end")


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


# --- texts


def test_a_text_is_cut_where_the_network_links_it() -> None:
    text = "🚨 #Accident, voir https://a.example/b."
    spans = (
        Span(kind="url", start=18, end=37, value="https://a.example/b"),
        Span(kind="tag", start=2, end=11, value="Accident"),
    )
    assert pieces(text, spans) == [
        Piece(text="🚨 "),
        Piece(text="#Accident", linked=True),
        Piece(text=", voir "),
        Piece(text="https://a.example/b", linked=True, href="https://a.example/b"),
        Piece(text="."),
    ]


def test_spans_beyond_the_text_or_over_another_are_passed_over() -> None:
    spans = (
        Span(kind="tag", start=0, end=2, value="a"),
        Span(kind="tag", start=1, end=3, value="b"),
        Span(kind="tag", start=3, end=9, value="c"),
    )
    assert pieces("abcd", spans) == [Piece(text="ab", linked=True), Piece(text="cd")]
    assert pieces("", ()) == []


def test_cursor_controls_are_not_in_a_page(tmp_path: Path) -> None:
    [channel] = everywhere()[:1]
    with desk(tmp_path, [channel], sender="a\x1b[2Jb\x9f") as (publisher, clock):
        preview = publisher.preview(SAMPLE["accident/opening"].message)
        seen = ReaderPost(id="1", text="c\x1b[2Jd\x00", warning="e\x07")
        text = html(
            draw("demo", [ReportEntry(at=clock.now(), preview=preview, reader_posts={"x": (seen,)})], publisher)
        )
    assert "a\N{REPLACEMENT CHARACTER}[2Jb\N{REPLACEMENT CHARACTER}" in text
    assert "c\N{REPLACEMENT CHARACTER}[2Jd\N{REPLACEMENT CHARACTER}" in text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", "data:text/html,x", "//evil.example", "https:///x", "https://a\nb", "ftp://a", ""],
)
def test_only_the_web_may_be_clicked(address: str) -> None:
    assert web_address(address) == ""
    assert link_card(address).href == ""


def test_a_link_card_names_the_host() -> None:
    assert link_card("https://www.police34.example:8443/a", "Titre").host == "police34.example"
    assert link_card("https://[::1/a").host == "https://[::1/a"
    assert web_address("HTTPS://police34.example") == "HTTPS://police34.example"


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("Police nationale de l'Hérault", "PN"),
        ("de la", "DL"),
        ("Préfecture", "P"),
        ("« »", "?"),
        ("", "?"),
        ("écoute des citoyens", "ÉC"),
    ],
)
def test_initials(name: str, letters: str) -> None:
    assert initials(name) == letters


def test_a_picture_is_in_the_page_itself() -> None:
    shown = Picture(digest="0" * 64, media_type="image/png", width=4, height=3, alt="Plan\x07", data=png(4, 3))
    assert data_url(shown.data).startswith("data:image/png;base64,iVBOR")
    assert data_url(b"\xff\xd8").startswith("data:image/jpeg;base64,")


# --- networks


def test_the_networks_are_known_and_any_other_is_a_plain_card() -> None:
    assert ORDER == ("x", "mastodon", "bluesky", "sms", "email")
    assert (look_of("pager").form, look_of("pager").name) == ("plain", "pager")
    assert look_of("x").handle("police34") == "@police34"
    assert look_of("bluesky").handle("police34.example@host:1") == "@police34.example"
    assert look_of("mastodon").handle("@police34@social.example") == "@police34@social.example"
    assert look_of("mastodon").handle("police34@127.0.0.1:4711") == "@police34"
    assert look_of("email").handle("alerte@a.example list.a.example") == "alerte@a.example"
    assert look_of("sms").handle("token") == look_of("pager").handle("token") == ""


# --- outcomes


def test_every_outcome_has_a_text() -> None:
    for outcome in Outcome:
        told = verdict_of(Receipt(channel="x", language="fr", outcome=outcome, delivery=1), POSTS)
        assert told.label
        assert str(told.meaning).endswith(".")
        assert (told.state == "bad") == (not outcome.ok and outcome.is_final)


def test_a_receipt_is_shown_with_reason_remedy_and_counts_never_with_recipients(tmp_path: Path) -> None:
    channels = [one for one in everywhere() if one.network == "sms"]
    with desk(tmp_path, channels) as (publisher, clock):
        clock.put_to(SAMPLE["accident/opening"].at)
        entry = publish_entry(publisher, SAMPLE["accident/opening"].message, "one")
        assert entry.publication
        receipt = entry.publication.receipts[0].model_copy(
            update={
                "outcome": Outcome.WAITING,
                "reason": "Slow.",
                "remedy": "Wait.",
                "code": "421\x1b",
                "retry_at": datetime(2026, 6, 5, 16, 0, tzinfo=UTC),
                "recipients": {Outcome.POSTED: 3, Outcome.REFUSED: 0, Outcome.WAITING: 2},
                "note": "The next drain sends it.",
            }
        )
        waiting = replace(entry, publication=entry.publication.model_copy(update={"receipts": (receipt,)}))
        report = draw("demo", [waiting], publisher)
    text = " ".join(html(report).split())
    assert "<p>Slow. <code>421\N{REPLACEMENT CHARACTER}</code></p>" in text
    assert "<b>What to do:</b> Wait.</p>" in text
    assert "<b>Waiting</b> (3 posted, 2 waiting)." in text
    assert "<p>Not before 2026-06-05 18:00.</p> <p>The next drain sends it.</p>" in text


def test_the_meaning_of_an_acceptance() -> None:
    posted = Receipt(channel="x", language="fr", outcome=Outcome.POSTED, delivery=1)
    partly = posted.model_copy(update={"recipients": {Outcome.POSTED: 1, Outcome.REFUSED: 1}})
    alone = posted.model_copy(update={"standalone": True, "ref": PostRef(account="a", id="1")})
    assert verdict_of(posted, POSTS).label == "Published"
    assert verdict_of(posted, replace(POSTS, acceptance="unverified")).label == "Accepted"
    assert verdict_of(partly, POSTS).label == "Published, not to everybody"
    for replies, notes in ((True, 1), (False, 0)):
        channel = everywhere()[0].model_copy(update={"capabilities": replace(POSTS, replies=replies)})
        device = Device(id="d", channel=channel, look=look_of("x"), sender="", zone=PARIS)
        assert [str(note)[:15] for note in notes_of(alone, device)] == ["It stands alone"] * notes
    assert verdict_of(posted.model_copy(update={"operation": Operation.EDIT}), POSTS).label == "Edited"
    assert verdict_of(posted.model_copy(update={"operation": Operation.DELETE}), POSTS).label == "Deleted"


# --- mails


def test_a_mail_is_shown_in_a_page_that_can_do_nothing() -> None:
    made = MailFrame('<html><head lang="fr"><title>T</title></head><body><h1>A</h1><p>b<br>c</p>')
    assert '<head lang="fr"><meta http-equiv="Content-Security-Policy" content="default-src \'none\';' in made.document
    assert MailFrame("<p>a</p>").document.startswith("<meta http-equiv")


def test_the_height_of_a_mail_grows_with_its_words_and_shrinks_with_its_width() -> None:
    short = MailFrame("<p>a</p>")
    long = MailFrame(f"<style>{'x' * 5000}</style><p>{'mot ' * 400}</p>")
    assert list(long.heights) == sorted(long.heights, reverse=True)
    assert short.heights[0] < 120
    assert long.heights[0] > 1000
    split = MailFrame("<p>un <b>deux</b> trois</p>")
    assert split.heights == MailFrame("<p>un deux trois</p>").heights
    assert MailFrame("<h1>a</h1>").heights[0] > short.heights[0]


# --- the page


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


def test_a_mail_has_its_subject_and_its_formatted_version(page: Report) -> None:
    mail = devices(page, 1)["email"].cards[2]
    assert mail.title.startswith("[Accident – FIN]")
    assert re.search(r'<iframe class="letter".* srcdoc="[^"]*Accident – FIN', article(page, mail))


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


def test_the_card_of_a_link_is_the_posts_or_the_pages(tmp_path: Path) -> None:
    message = SAMPLE["accident/opening"].message.model_copy(update={"link": "https://police34.example/a9"})
    with desk(tmp_path, everywhere()) as (publisher, clock):
        preview = publisher.preview(message)
        told = ReportEntry(at=clock.now(), preview=preview)
        found = {
            device.look.network: device.cards[0] for device in draw("preview", [told], publisher).sections[0].devices
        }
        assert found["bluesky"].link
        assert found["bluesky"].link.title == "Accident de la circulation"
        assert found["x"].link
        assert (found["x"].link.host, found["x"].link.title) == ("police34.example", "")
        assert found["sms"].link is found["email"].link is None
        seen = {
            "bluesky": (ReaderPost(id="1", text="autre", card=("https://b.example/", "Titre", "Texte")),),
            "mastodon": (ReaderPost(id="1", text="autre", warning="Images choquantes"),),
            "x": (ReaderPost(id="1", text="a"), ReaderPost(id="2", text="b")),
        }
        shown = draw("demo", [replace(told, reader_posts=seen)], publisher).sections[0].devices
    cards = {device.look.network: device.cards[0] for device in shown}
    assert cards["bluesky"].link == link_card("https://b.example/", "Titre", "Texte")
    assert cards["bluesky"].pieces == [Piece(text="autre")]  # the places of the links are not known any more
    assert cards["mastodon"].reader_post
    assert str(cards["mastodon"].reader_post.warning) == "Images choquantes"
    assert words(cards["x"]) == words(found["x"])  # two posts for one wording: indistinguishable


def test_published_posts_are_shown_with_the_parent_that_the_network_has(tmp_path: Path) -> None:
    with desk(tmp_path, everywhere()) as (publisher, clock):
        told = []
        for number, name in enumerate(ACCIDENT):
            clock.put_to(SAMPLE[name].at)
            one = publish_entry(publisher, SAMPLE[name].message, name)
            seen = ReaderPost(id=f"p{number}", text=f"post {number}", parent={1: "p0", 2: "gone"}.get(number))
            told.append(replace(one, reader_posts={"x": (seen,)}))
        cards = devices(draw("demo", told, publisher), 0)["x"].cards
    assert [words(card) for card in cards] == ["post 0", "post 1", "post 2"]
    assert (cards[1].is_reply, cards[1].parent) == (True, cards[0])
    assert (cards[2].is_reply, cards[2].parent) == (True, None)


def test_a_correction_is_shown_beside_the_corrected_message(tmp_path: Path) -> None:
    with desk(tmp_path, everywhere()) as (publisher, clock):
        clock.put_to(SAMPLE["scam/info"].at)
        first = publish_entry(publisher, SAMPLE["scam/info"].message, "first")
        assert first.publication
        wrong = publish_entry(publisher, first.publication.correct("Rectificatif : le bon numéro est le 17"), "second")
        page = draw("demo", [first, wrong], publisher)
    assert len(page.sections) == 1
    assert page.sections[0].tone == "info"
    assert page.sections[0].entries[1].message.stage is Stage.CORRECTION


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


def test_an_unworded_delivery_is_reported_too(tmp_path: Path) -> None:
    channels = [one.model_copy(update={"without_opening": "skip"}) for one in everywhere()[:1]]
    capabilities = replace(channels[0].capabilities, deletes=True)
    channels = [channels[0].model_copy(update={"capabilities": capabilities, "on_cancellation": "delete"})]
    with desk(tmp_path, channels) as (publisher, clock):
        clock.put_to(SAMPLE["accident/opening"].at)
        first = publish_entry(publisher, SAMPLE["accident/opening"].message, "first")
        assert first.publication
        preview = publisher.preview(first.publication.cancel("Annulation"))
        assert preview.deletions
        page = draw("preview", [first, ReportEntry(at=clock.now(), preview=preview)], publisher)
        card = page.sections[0].devices[0].cards[-1]
        assert (card.wording, card.pieces, card.verdict) == ("Deletes an earlier post", [], None)
        receipt = Receipt(channel="x", language="fr", operation=Operation.DELETE, outcome=Outcome.POSTED, delivery=9)
        gone = first.publication.model_copy(update={"message": preview.message, "receipts": (receipt,)})
        told = ReportEntry(at=clock.now(), preview=preview, publication=gone)
        page = draw("demo", [first, told], publisher)
        card = page.sections[0].devices[0].cards[-1]
        assert card.verdict
        assert card.verdict.label == "Deleted"
        assert str(page.sections[0].status).startswith("Cancelled at ")


def test_an_edit_changes_an_earlier_post(tmp_path: Path) -> None:
    [channel] = everywhere()[:1]
    with desk(tmp_path, [channel]) as (publisher, clock):
        clock.put_to(SAMPLE["accident/opening"].at)
        first = publish_entry(publisher, SAMPLE["accident/opening"].message, "first")
        [wording] = first.preview.posts
        leg = replace(wording.target, operation=Operation.EDIT)
        edit = replace(first.preview, posts=(RenderedPost(target=leg, standalone=wording.standalone),))
        told = ReportEntry(at=first.at, preview=edit, reader_posts={"x": (ReaderPost(id="1", text="neu"),)})
        [card] = draw("preview", [told], publisher).sections[0].devices[0].cards
    assert card.wording == "Changes the earlier post"
    assert words(card) == wording.standalone.text


def test_a_forbidden_message_is_reported(tmp_path: Path) -> None:
    message = Message(category="fire", headline="Feu", lifecycle=Lifecycle(stage=Stage.OPENING, incident="f"))
    with desk(tmp_path, everywhere()) as (publisher, clock):
        page = draw("preview", [ReportEntry(at=clock.now(), preview=publisher.preview(message))], publisher)
    assert page.closing == "It may not be published as it is; see below. Nothing was sent."
    assert page.concerns[0].id == "s1-m1"
    assert "PN101" in str(page.concerns[0].label)
    assert page.sections[0].status == "Under way"
    assert ("1", "incident, none over") in page.figures


def test_a_gateway_that_reports_nothing_is_not_verified(tmp_path: Path) -> None:
    [pager] = [one for one in everywhere() if one.network == "pager"]
    pager = pager.model_copy(update={"capabilities": Capabilities(budget=Budget(300), acceptance="unverified")})
    with desk(tmp_path, [pager]) as (publisher, clock):
        clock.put_to(SAMPLE["scam/info"].at)
        told = publish_entry(publisher, SAMPLE["scam/info"].message, "one")
        [card] = draw("demo", [told], publisher).sections[0].devices[0].cards
    assert card.verdict
    assert card.verdict.label == "Accepted"
    assert card.receipt
    assert "Accepted by the gateway, not verified" in str(next(notes_of(card.receipt, card.device)))


def test_how_urgent_a_message_looks() -> None:
    assert tone(SAMPLE["bomb/opening"].resolved) == "act"
    assert tone(SAMPLE["accident/opening"].resolved) == "caution"
    assert tone(SAMPLE["accident/end"].resolved) == "clear"
    assert tone(SAMPLE["accident/correction"].resolved) == "info"


def test_a_thread_is_empty_before_something_is_published(tmp_path: Path) -> None:
    [channel] = everywhere()[:1]
    assert Device(id="d", channel=channel, look=look_of("x"), sender="", zone=PARIS).cards == []
    with desk(tmp_path, [channel]) as (publisher, _):
        told = ReportEntry(at=datetime.now(UTC), preview=publisher.preview(SAMPLE["scam/info"].message))
        assert told.receipts_without_post == ()
        assert told.receipt(told.preview.posts[0]) is None
