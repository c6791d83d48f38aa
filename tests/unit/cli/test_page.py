"""What the page shows, before it is laid out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from policenotify.channel import Capabilities, Operation, Picture, PostRef, Span
from policenotify.cli.report.builder import columns, draw
from policenotify.cli.report.cards import Thread, tone
from policenotify.cli.report.mail_frame import letter
from policenotify.cli.report.networks import ORDER, look_of
from policenotify.cli.report.outcomes import verdict
from policenotify.cli.report.pieces import image, initials, link_card, pieces, web
from policenotify.cli.report.source import Seen, Told
from policenotify.cli.report.values import Card, Device, Page, Piece
from policenotify.model.history import Outcome, RenderedPost
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.message import Message
from policenotify.model.receipt import Receipt
from policenotify.testing.samples import PARIS, SAMPLES
from policenotify.text import Budget
from tests.acceptance.browser.pages import budgets, desk, everywhere, png, previewed, said, stories

SAMPLE = {sample.id: sample for sample in SAMPLES}
POSTS = Capabilities(budget=Budget(300), replies=True)
ACCIDENT = ("accident/opening", "accident/update", "accident/end")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return stories(tmp_path_factory.mktemp("stories"))


def devices(page: Page, section: int) -> dict[str, Device]:
    return {device.look.network: device for device in page.sections[section].devices}


def words(card: Card) -> str:
    return "".join(piece.text for piece in card.pieces)


# --- texts


def test_a_text_is_cut_where_the_network_links_it() -> None:
    text = "🚨 #Accident, voir https://a.example/b."
    spans = (
        Span(kind="url", start=18, end=37, value="https://a.example/b"),
        Span(kind="tag", start=2, end=11, value="Accident"),
    )
    assert pieces(text, spans) == (
        Piece(text="🚨 "),
        Piece(text="#Accident", linked=True),
        Piece(text=", voir "),
        Piece(text="https://a.example/b", linked=True, href="https://a.example/b"),
        Piece(text="."),
    )


def test_spans_beyond_the_text_or_over_another_are_passed_over() -> None:
    spans = (
        Span(kind="tag", start=0, end=2, value="a"),
        Span(kind="tag", start=1, end=3, value="b"),
        Span(kind="tag", start=3, end=9, value="c"),
    )
    assert pieces("abcd", spans) == (Piece(text="ab", linked=True), Piece(text="cd"))
    assert pieces("", ()) == ()


def test_what_moves_a_cursor_is_not_in_a_text() -> None:
    assert pieces("a\x1b[2Jb\x00", ()) == (Piece(text="a\N{REPLACEMENT CHARACTER}[2Jb\N{REPLACEMENT CHARACTER}"),)


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", "data:text/html,x", "//evil.example", "https:///x", "https://a\nb", "ftp://a", ""],
)
def test_only_the_web_may_be_clicked(address: str) -> None:
    assert web(address) == ""
    assert link_card(address).href == ""


def test_a_link_card_names_the_host() -> None:
    assert link_card("https://www.police34.example:8443/a", "Titre").host == "police34.example"
    assert link_card("https://[::1/a").host == "https://[::1/a"
    assert web("HTTPS://police34.example") == "HTTPS://police34.example"


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
    assert image(shown).src.startswith("data:image/png;base64,iVBOR")
    assert image(shown).alt == "Plan\N{REPLACEMENT CHARACTER}"
    assert image(shown.model_copy(update={"data": b""})).src == ""


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


@pytest.mark.parametrize(
    ("wide", "two", "three"),
    [
        ([False], [2], [3]),
        ([True], [2], [3]),
        ([False, True], [1, 1], [1, 2]),
        ([False, False, True], [1, 1, 2], [1, 1, 1]),
        ([False] * 4 + [True], [1, 1, 1, 1, 2], [1, 1, 1, 1, 2]),
        ([False] * 4 + [True, False], [1, 1, 1, 1, 2, 2], [1, 1, 1, 1, 2, 3]),
        ([], [], []),
    ],
)
def test_no_row_of_devices_has_a_hole(wide: list[bool], two: list[int], three: list[int]) -> None:
    assert columns(wide) == tuple(zip(two, three, strict=True))


# --- outcomes


def test_every_outcome_is_told_in_words() -> None:
    for outcome in Outcome:
        told = verdict(Receipt(channel="x", language="fr", outcome=outcome, delivery=1), PARIS, POSTS)
        assert told.label
        assert told.meaning.endswith(".")
        assert (told.state == "bad") == (not outcome.ok and outcome.is_final)


def test_a_receipt_is_told_with_reason_remedy_and_counts_never_people() -> None:
    told = verdict(
        Receipt(
            channel="sms",
            language="fr",
            outcome=Outcome.WAITING,
            delivery=1,
            reason="Slow.",
            remedy="Wait.",
            code="421\x1b",
            retry_at=datetime(2026, 6, 5, 16, 0, tzinfo=UTC),
            recipients={Outcome.POSTED: 3, Outcome.REFUSED: 0, Outcome.WAITING: 2},
            note="The next drain sends it.",
        ),
        ZoneInfo("Europe/Paris"),
        POSTS,
    )
    assert (told.reason, told.remedy, told.code) == ("Slow.", "Wait.", "421\N{REPLACEMENT CHARACTER}")
    assert told.people == "3 posted, 2 waiting"
    assert told.notes == ("Not before 2026-06-05 18:00.", "The next drain sends it.")


def test_what_a_yes_is_worth() -> None:
    posted = Receipt(channel="x", language="fr", outcome=Outcome.POSTED, delivery=1)
    partly = posted.model_copy(update={"recipients": {Outcome.POSTED: 1, Outcome.REFUSED: 1}})
    alone = posted.model_copy(update={"standalone": True, "ref": PostRef(account="a", id="1")})
    assert verdict(posted, PARIS, POSTS).label == "Published"
    assert verdict(posted, PARIS, replace(POSTS, acceptance="unverified")).label == "Accepted"
    assert verdict(partly, PARIS, POSTS).label == "Published, not to everybody"
    assert verdict(alone, PARIS, POSTS).notes[0].startswith("It stands alone")
    assert verdict(alone, PARIS, replace(POSTS, replies=False)).notes == ()
    assert verdict(posted.model_copy(update={"operation": Operation.EDIT}), PARIS, POSTS).label == "Changed"
    assert verdict(posted.model_copy(update={"operation": Operation.DELETE}), PARIS, POSTS).label == "Taken back"


# --- mails


def test_a_mail_is_shown_in_a_page_that_can_do_nothing() -> None:
    made = letter('<html><head lang="fr"><title>T</title></head><body><h1>A</h1><p>b<br>c</p>')
    assert '<head lang="fr"><meta http-equiv="Content-Security-Policy" content="default-src \'none\';' in made.document
    assert letter("<p>a</p>").document.startswith("<meta http-equiv")


def test_the_height_of_a_mail_grows_with_its_words_and_shrinks_with_its_width() -> None:
    short = letter("<p>a</p>")
    long = letter(f"<style>{'x' * 5000}</style><p>{'mot ' * 400}</p>")
    assert list(long.heights) == sorted(long.heights, reverse=True)
    assert short.heights[0] < 120
    assert long.heights[0] > 1000
    split = letter("<p>un <b>deux</b> trois</p>")
    assert split.heights == letter("<p>un deux trois</p>").heights
    assert letter("<h1>a</h1>").heights[0] > short.heights[0]


# --- the page


@pytest.mark.slow
def test_the_page_tells_each_incident_on_every_network(page: Page) -> None:
    assert [section.label for section in page.sections] == ["Arnaque", "Accident", "Colis suspect", "Incendie"]
    accident = page.sections[1]
    assert (accident.state, accident.tone, accident.severity) == ("Over at 19:02", "clear", "Moderate")
    assert [step.stage for step in accident.steps] == ["Opening", "Update", "End"]
    assert accident.steps[0].at.day == "Friday 5 June 2026"
    assert accident.steps[0].at.iso == "2026-06-05T17:42:00+02:00"
    assert [device.look.network for device in accident.devices] == [*ORDER, "other"]
    assert [look.name for look in page.looks] == ["X", "Mastodon", "Bluesky", "SMS", "E-mail", "pager"]
    assert page.sections[0].state == "Said once"
    assert page.sections[0].incident == ""


def test_a_thread_hangs_together_by_the_ids_of_the_page(page: Page) -> None:
    bluesky = devices(page, 1)["bluesky"]
    opening, update, end = bluesky.cards
    assert opening.answers is None
    assert update.answers
    assert (update.answers.id, update.answers.label) == (opening.id, "17:42")
    assert end.answers
    assert end.answers.id == update.id
    assert (bluesky.name, bluesky.initials, bluesky.handle) == (
        "Police nationale de l'Hérault",
        "PN",
        "@police34.example",
    )
    assert bluesky.newest is end


def test_each_text_is_measured_in_the_networks_own_count(page: Page) -> None:
    for network, device in devices(page, 1).items():
        capabilities = budgets()["pager" if network == "other" else network]
        for card in device.cards:
            assert card.meter is not None
            assert (card.meter.used, card.meter.limit) == capabilities.budget.usage(words(card))
    sms = devices(page, 1)["sms"].cards[0]
    assert "".join(sms.segments) == words(sms)
    assert len(sms.segments) == 2
    assert sms.meter is not None
    assert sms.meter.note == "GSM-7, 2 segments"


def test_a_mail_has_its_subject_and_its_formatted_version(page: Page) -> None:
    mail = devices(page, 1)["email"].cards[2]
    assert mail.title.startswith("TERMINÉ – [Accident]")
    assert mail.letter is not None
    assert "Accident – TERMINÉ" in mail.letter.document


def test_what_needs_a_person_is_told_once_and_first(page: Page) -> None:
    told = {concern.what: concern.reason for concern in page.concerns}
    assert told["x: refused"] == "X says that the text was posted already."
    assert told["mastodon: waiting, 8 posts"] == "The token was revoked."
    assert "email: published, not to everybody" in told
    assert page.closing == "Somebody needs to act; see below."
    refused = devices(page, 0)["x"].cards[0]
    assert refused.wants_a_look
    assert not refused.out
    assert ("9", "messages, each said once") in page.figures
    assert ("3", "incidents, 3 over") in page.figures


def test_a_preview_shows_both_wordings_and_what_gave_way(tmp_path: Path) -> None:
    page = previewed(tmp_path)
    assert page.closing == "Nothing was sent: this is how it would read."
    assert page.concerns == ()
    cards = devices(page, 0)["bluesky"].cards
    assert [card.wording for card in cards[:2]] == ["Under the earlier post", "Where there is nothing to answer"]
    assert cards[0].answers
    assert (cards[0].answers.id, cards[0].answers.label) == ("", "an earlier post")
    assert cards[1].answers is None
    assert cards[0].verdict is None
    assert any(card.omitted and card.wants_a_look for card in cards)
    assert cards[0].images[0].alt == "Plan du secteur"
    assert cards[0].link is None  # pictures leave no room for a card
    assert ("6", "channels that would say it") in page.figures


def test_the_card_of_a_link_is_the_posts_or_the_pages(tmp_path: Path) -> None:
    message = SAMPLE["accident/opening"].message.model_copy(update={"link": "https://police34.example/a9"})
    with desk(tmp_path, everywhere()) as (publisher, clock):
        preview = publisher.preview(message)
        told = Told(at=clock.now(), preview=preview)
        found = {
            device.look.network: device.cards[0] for device in draw("preview", [told], publisher).sections[0].devices
        }
        assert found["bluesky"].link
        assert found["bluesky"].link.title == "Accident de la circulation"
        assert found["x"].link
        assert (found["x"].link.host, found["x"].link.title) == ("police34.example", "")
        assert found["sms"].link is found["email"].link is None
        seen = {
            "bluesky": (Seen(id="1", text="autre", card=("https://b.example/", "Titre", "Texte")),),
            "mastodon": (Seen(id="1", text="autre", warning="Images choquantes"),),
            "x": (Seen(id="1", text="a"), Seen(id="2", text="b")),
        }
        shown = draw("demo", [replace(told, seen=seen)], publisher).sections[0].devices
    cards = {device.look.network: device.cards[0] for device in shown}
    assert cards["bluesky"].link == link_card("https://b.example/", "Titre", "Texte")
    assert cards["bluesky"].pieces == (Piece(text="autre"),)  # the places of the links are not known any more
    assert cards["mastodon"].warning == "Images choquantes"
    assert words(cards["x"]) == words(found["x"])  # two posts for one wording: nobody can tell which


def test_what_readers_have_is_shown_with_the_parent_that_the_network_has(tmp_path: Path) -> None:
    with desk(tmp_path, everywhere()) as (publisher, clock):
        told = []
        for number, name in enumerate(ACCIDENT):
            clock.put_to(SAMPLE[name].at)
            one = said(publisher, SAMPLE[name].message, name)
            seen = Seen(id=f"p{number}", text=f"post {number}", parent={1: "p0", 2: "gone"}.get(number))
            told.append(replace(one, seen={"x": (seen,)}))
        cards = devices(draw("demo", told, publisher), 0)["x"].cards
    assert [words(card) for card in cards] == ["post 0", "post 1", "post 2"]
    assert cards[1].answers
    assert cards[1].answers.id == cards[0].id
    assert cards[2].answers
    assert cards[2].answers.id == ""


def test_a_correction_stands_with_what_it_corrects(tmp_path: Path) -> None:
    with desk(tmp_path, everywhere()) as (publisher, clock):
        clock.put_to(SAMPLE["scam/info"].at)
        first = said(publisher, SAMPLE["scam/info"].message, "first")
        assert first.publication
        wrong = said(publisher, first.publication.correct("Rectificatif : le bon numéro est le 17"), "second")
        page = draw("demo", [first, wrong], publisher)
    assert len(page.sections) == 1
    assert page.sections[0].tone == "info"
    assert page.sections[0].steps[1].stage == "Correction"


def test_what_goes_on_in_further_posts_hangs_under_the_post_before(tmp_path: Path) -> None:
    long = SAMPLE["scam/info"].message.model_copy(update={"instruction": "Raccrochez et appelez votre agence. " * 15})
    with desk(tmp_path, [one for one in everywhere() if one.network == "bluesky"]) as (publisher, clock):
        clock.put_to(SAMPLE["scam/info"].at)
        foreseen = draw("preview", [Told(at=clock.now(), preview=publisher.preview(long))], publisher)
        page = draw("demo", [said(publisher, long, "first")], publisher)
    for shown in (foreseen, page):
        first, *further = devices(shown, 0)["bluesky"].cards
        assert len(further) > 1
        assert first.answers is None
        assert [card.answers and card.answers.id for card in further] == [first.id, *(card.id for card in further[:-1])]
        assert words(further[0]).endswith(f"(2/{len(further) + 1})")
        assert {card.wording for card in further} == {""}
    assert all(card.out for card in devices(page, 0)["bluesky"].cards)


def test_what_has_no_words_is_told_too(tmp_path: Path) -> None:
    channels = [replace(one, without_opening="skip") for one in everywhere()[:1]]
    capabilities = replace(channels[0].capabilities, deletes=True)
    channels = [replace(channels[0], capabilities=capabilities, on_cancellation="delete")]
    with desk(tmp_path, channels) as (publisher, clock):
        clock.put_to(SAMPLE["accident/opening"].at)
        first = said(publisher, SAMPLE["accident/opening"].message, "first")
        assert first.publication
        preview = publisher.preview(first.publication.cancel("Annulation"))
        assert preview.deletions
        page = draw("preview", [first, Told(at=clock.now(), preview=preview)], publisher)
        card = page.sections[0].devices[0].newest
        assert (card.wording, card.pieces, card.verdict) == ("Takes an earlier post back", (), None)
        receipt = Receipt(channel="x", language="fr", operation=Operation.DELETE, outcome=Outcome.POSTED, delivery=9)
        gone = first.publication.model_copy(update={"message": preview.message, "receipts": (receipt,)})
        told = Told(at=clock.now(), preview=preview, publication=gone)
        page = draw("demo", [first, told], publisher)
        card = page.sections[0].devices[0].newest
        assert card.verdict
        assert card.verdict.label == "Taken back"
        assert page.sections[0].state.startswith("Cancelled at ")


def test_an_edit_changes_an_earlier_post(tmp_path: Path) -> None:
    [channel] = everywhere()[:1]
    with desk(tmp_path, [channel]) as (publisher, clock):
        clock.put_to(SAMPLE["accident/opening"].at)
        first = said(publisher, SAMPLE["accident/opening"].message, "first")
        [wording] = first.preview.wordings
        leg = replace(wording.target, operation=Operation.EDIT)
        edit = replace(first.preview, wordings=(RenderedPost(target=leg, standalone=wording.standalone),))
        told = Told(at=first.at, preview=edit, seen={"x": (Seen(id="1", text="neu"),)})
        [card] = draw("preview", [told], publisher).sections[0].devices[0].cards
    assert card.wording == "Changes the earlier post"
    assert words(card) == wording.standalone.text


def test_a_forbidden_message_says_so(tmp_path: Path) -> None:
    message = Message(category="fire", headline="Feu", lifecycle=Lifecycle(stage=Stage.OPENING, incident="f"))
    with desk(tmp_path, everywhere()) as (publisher, clock):
        page = draw("preview", [Told(at=clock.now(), preview=publisher.preview(message))], publisher)
    assert page.closing == "It may not go out as it is; see below. Nothing was sent."
    assert page.concerns[0].id == page.sections[0].steps[0].id
    assert "PN101" in page.concerns[0].what
    assert page.sections[0].state == "Under way"
    assert ("1", "incident, none over") in page.figures


def test_a_gateway_that_tells_nothing_is_not_believed(tmp_path: Path) -> None:
    [pager] = [one for one in everywhere() if one.network == "pager"]
    pager = replace(pager, capabilities=Capabilities(budget=Budget(300), acceptance="unverified"))
    with desk(tmp_path, [pager]) as (publisher, clock):
        clock.put_to(SAMPLE["scam/info"].at)
        told = said(publisher, SAMPLE["scam/info"].message, "one")
        [card] = draw("demo", [told], publisher).sections[0].devices[0].cards
    assert card.verdict
    assert card.verdict.label == "Accepted"
    assert "Accepted by the gateway, not verified" in card.verdict.notes[0]


def test_how_urgent_a_message_looks() -> None:
    assert tone(SAMPLE["bomb/opening"].resolved) == "act"
    assert tone(SAMPLE["accident/opening"].resolved) == "caution"
    assert tone(SAMPLE["accident/end"].resolved) == "clear"
    assert tone(SAMPLE["accident/correction"].resolved) == "info"


def test_a_thread_knows_nothing_before_something_is_said(tmp_path: Path) -> None:
    [channel] = everywhere()[:1]
    assert Thread(channel, look_of("x"), "d", PARIS).cards == []
    with desk(tmp_path, [channel]) as (publisher, _):
        told = Told(at=datetime.now(UTC), preview=publisher.preview(SAMPLE["scam/info"].message))
        assert told.unworded == ()
        assert told.receipt(told.preview.wordings[0]) is None
