"""Atom, RSS and JSON Feed: the rules that follow from how real readers behave."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from policenotify.channel import Picture
from policenotify.formats.drawing import draw
from policenotify.formats.feed import KEPT, MOST_ENTRIES, Feed
from policenotify.formats.item import Item
from policenotify.formats.syndication import atom, json_feed, rss
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.location import Location, Point
from policenotify.model.message import Known, Message, Translation
from policenotify.model.post import Span
from policenotify.render.locales import LOCALES
from tests.support.feed_items import NOW, SITE, THREAD, make_feed, make_item

A = "{http://www.w3.org/2005/Atom}"
REPLY = "{http://purl.org/syndication/thread/1.0}in-reply-to"
POINT = "{http://www.georss.org/georss}point"
LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"


def message(stage: Stage = Stage.OPENING, headline: str = "Rue Foch fermée", **fields: Any) -> Message:
    lifecycle = Lifecycle(
        stage=stage,
        incident=None if stage is Stage.STANDALONE else "2026-0815",
        corrects="0" * 26 if stage is Stage.CORRECTION else None,
    )
    return Message(category="road_closure", headline=headline, lifecycle=lifecycle, **fields)


def item(stage: Stage = Stage.OPENING, minutes: int = 0, answers: Item | None = None, **fields: Any) -> Item:
    at, name = NOW + timedelta(minutes=minutes), f"{stage} {minutes}"
    own = {
        key: fields.pop(key)
        for key in ("headline", "expires_at", "location", "exercise", "translations")
        if key in fields
    }
    return make_item(message(stage, **own), name=fields.pop("name", name), at=at, answers=answers, **fields)


OPENING = item()
UPDATE = item(Stage.UPDATE, 20, OPENING, headline="Toujours fermée")
END = item(Stage.END, 55, UPDATE, headline="Rue Foch rouverte")
ENDED = (OPENING, UPDATE, END)


def entries(feed: Feed) -> list[ET.Element]:
    return tree(atom(feed)).findall(f"{A}entry")


def tree(content: bytes) -> ET.Element:
    return ET.fromstring(content)  # noqa: S314 - our own file


def titles(feed: Feed) -> list[str]:
    return [entry.findtext(f"{A}title", "") for entry in entries(feed)]


def feed_at(moment: datetime, *items: Item) -> Feed:
    return make_feed(*items, now=moment)


# --- rule 1: every stage is an entry of its own


def test_every_stage_is_an_entry_with_its_own_id_and_page() -> None:
    shown = entries(make_feed(*ENDED))

    assert len({entry.findtext(f"{A}id") for entry in shown}) == len(ENDED)
    links = [[link.get("href") for link in entry.iterfind(f"{A}link")] for entry in shown]
    assert {each[0] for each in links} == {SITE.message_url(each.id) for each in ENDED}


def test_an_update_names_what_it_answers() -> None:
    replies = {entry.findtext(f"{A}id"): entry.find(REPLY) for entry in entries(make_feed(*ENDED))}

    assert replies[OPENING.urn] is None
    for reply, answered in ((UPDATE, OPENING), (END, UPDATE)):
        found = replies[reply.urn]
        assert found is not None
        assert (found.get("ref"), found.get("href")) == (answered.urn, SITE.message_url(answered.id))


# --- rule 2: what a stage ends, cancels or corrects is amended


def test_the_opening_of_an_ended_incident_begins_with_its_end() -> None:
    shown = {entry.findtext(f"{A}id"): entry for entry in entries(make_feed(*ENDED))}

    for amended in (OPENING, UPDATE):
        entry = shown[amended.urn]
        assert entry.findtext(f"{A}title") == amended.title
        assert entry.findtext(f"{A}content", "").startswith("<p>Terminé à 18h55.</p>")
    assert shown[END.urn].findtext(f"{A}title") == "Rue Foch rouverte"


@pytest.mark.parametrize(
    ("stage", "note", "mark"),
    [(Stage.CANCELLATION, "Annulé à 18h30.", "ANNULÉ"), (Stage.CORRECTION, "Rectifié à 18h30.", "RECTIFIÉ")],
)
def test_cancelled_and_corrected_entries_are_amended_likewise(stage: Stage, note: str, mark: str) -> None:
    feed = make_feed(OPENING, item(stage, 30, OPENING, headline="Rue Fabre"))

    amended, by = feed.entries
    assert (str(amended.note), amended.text) == (note, f"{note}\n\n{OPENING.text}")
    assert (amended.heading, by.heading) == (f"{mark} – Rue Foch fermée", "Rue Fabre")


def test_an_end_that_is_withdrawn_is_still_the_end() -> None:
    at = END.published_at + timedelta(minutes=5)
    feed = feed_at(at, *ENDED[:-1], END.withdrawn(at))
    assert feed.open == ()
    assert {str(each.note) for each in feed.entries if not each.item.withdrawn_at} == {"Terminé à 18h55."}
    assert feed_at(at + KEPT, *feed.items).entries == ()


def test_a_correction_that_is_withdrawn_amends_nothing() -> None:
    wrong = item(Stage.CORRECTION, 30, OPENING, headline="Rue Fabre").withdrawn(NOW + timedelta(minutes=40))
    shown = {entry.item.id: entry for entry in make_feed(OPENING, wrong).entries}
    opening = shown[OPENING.id]
    assert (opening.heading, str(opening.note)) == (OPENING.title, "")


def test_a_clock_that_is_set_back_turns_no_incident_round() -> None:
    late = item(Stage.UPDATE, -30, OPENING, headline="Toujours fermée")
    end = item(Stage.END, -10, late, headline="Rue Foch rouverte")
    feed = make_feed(end, OPENING, late)
    assert feed.threads[0].items == (OPENING, late, end)
    by_title = {entry.title: entry for entry in feed.entries}
    opening = by_title[OPENING.title]
    assert str(opening.note).startswith("Terminé")
    assert opening.updated_at > OPENING.published_at  # else a reader keeps the old text
    assert not feed.open


def test_no_amendment_changes_a_title() -> None:
    """Sfeed tells entries apart by id, title and link, and lists a changed one twice."""
    for number in range(1, len(ENDED) + 1):
        shown = {each.item.id: each for each in make_feed(*ENDED[:number]).entries}
        assert {(each.title, each.url) for each in shown.values()} == {
            (each.title, SITE.message_url(each.id)) for each in ENDED[:number]
        }


def test_an_incident_that_a_correction_reopens_is_open_again() -> None:
    wrong = item(Stage.CORRECTION, 60, END)
    lifecycle = wrong.message.lifecycle.model_copy(update={"reopens": True})
    reopened = wrong.model_copy(update={"message": wrong.message.model_copy(update={"lifecycle": lifecycle})})
    assert len(make_feed(*ENDED, reopened).open) == 1


# --- rule 3: entries stay for 48 hours


def test_entries_stay_for_48_hours_after_the_end_and_then_leave() -> None:
    left = END.published_at + KEPT

    assert len(entries(feed_at(left - timedelta(seconds=1), *ENDED))) == 3
    after = feed_at(left, *ENDED)
    assert entries(after) == []
    assert after.threads[0].is_over(after.now)


def test_a_withdrawn_item_is_an_entry_without_words_before_it_leaves() -> None:
    taken = OPENING.withdrawn(NOW + timedelta(hours=1))
    shown = feed_at(NOW + timedelta(hours=2), taken, UPDATE)

    assert titles(shown) == ["Publication retirée", "Toujours fermée"]
    assert OPENING.title.encode() not in atom(shown) + rss(shown) + json_feed(shown)
    later = feed_at(NOW + timedelta(hours=1) + KEPT, taken, UPDATE)
    assert titles(later) == ["Toujours fermée"]


# --- rule 4: bytes change with the content only, and no two entries share a time


def test_the_time_of_drawing_changes_no_byte() -> None:
    for write in (atom, rss, json_feed):
        assert write(feed_at(NOW + timedelta(hours=1), *ENDED)) == write(feed_at(NOW + timedelta(hours=40), *ENDED))


def test_no_two_entries_share_a_time() -> None:
    feed = make_feed(*ENDED)

    times = [entry.findtext(f"{A}updated") for entry in entries(feed)]
    assert len(set(times)) == len(times) == 3
    assert times == sorted(times, key=str, reverse=True)
    assert tree(atom(feed)).findtext(f"{A}updated") == times[0]


# --- rule 5: at most 100 entries


def test_a_feed_holds_its_newest_hundred_entries() -> None:
    many = [item(Stage.UPDATE, number) for number in range(MOST_ENTRIES + 5)]

    assert titles(make_feed(*many)) == ["Rue Foch fermée"] * MOST_ENTRIES
    assert entries(make_feed(*many))[0].findtext(f"{A}id") == many[-1].urn


# --- rule 6: RSS


def test_rss_has_the_ids_of_atom_its_own_address_and_a_short_life() -> None:
    feed = make_feed(*ENDED, site=replace(SITE, hubs=("https://hub.example/",)))
    channel = tree(rss(feed))[0]

    guids = [(guid.text, guid.get("isPermaLink")) for guid in channel.iter("guid")]
    assert guids == [(entry.findtext(f"{A}id"), "false") for entry in entries(feed)]
    links = {link.get("rel"): link.get("href") for link in channel.iterfind(f"{A}link")}
    assert links == {"self": SITE.file_url("rss"), "hub": "https://hub.example/"}
    assert channel.findtext("ttl") == "1"


# --- the rest of the fields


def test_place_pictures_links_and_sender_are_in_all_three() -> None:
    text = "Voir https://police.example/a?b=1&c et @maire\n\nÉvitez la rue.\nMerci."
    whole = item(
        location=Location(point=Point(latitude=43.61, longitude=3.87)),
        text=text,
        spans=(
            Span(kind="url", start=5, end=34, value="https://police.example/a?b=1&c"),
            Span(kind="mention", start=38, end=44, value="maire"),
        ),
        pictures=(Picture(digest="a" * 64, media_type="image/jpeg", width=4, height=3, alt='Une "rue"'),),
    )
    feed = make_feed(whole, site=replace(SITE, hubs=("https://hub.example/",)))

    [entry] = feed.entries
    html = feed.content(entry)
    assert '<a href="https://police.example/a?b=1&amp;c">' in html
    assert "<p>Évitez la rue.<br>Merci.</p>" in html
    assert f'<img src="{SITE.url}media/{"a" * 64}.jpg" alt="Une &quot;rue&quot;" width="4" height="3">' in html
    assert tree(atom(feed)).findtext(f".//{POINT}") == tree(rss(feed)).findtext(f".//{POINT}") == "43.61 3.87"
    shown = json.loads(json_feed(feed))
    assert shown["hubs"] == [{"type": "WebSub", "url": "https://hub.example/"}]
    assert (shown["items"][0]["content_html"], shown["items"][0]["content_text"]) == (html, text)
    assert shown["items"][0]["image"].endswith(".jpg")
    nobody = make_feed(OPENING.model_copy(update={"sender": ""}))
    assert "authors" not in json.loads(json_feed(nobody))["items"][0]
    assert entries(nobody)[0].find(f"{A}author") is None


def test_each_entry_has_the_words_of_all_its_languages() -> None:
    known = Known(confirmed="Two lanes.")
    english = Translation(language="en", headline="Rue Foch closed", description="Smoke & <fire>.", known=known)
    feed = make_feed(item(translations=(english,)))
    html = '<div lang="en" dir="auto"><h2>Rue Foch closed</h2><p>Smoke &amp; &lt;fire&gt;.</p><p>Two lanes.</p></div>'
    [entry] = entries(feed)
    assert entry.findtext(f"{A}content", "").endswith(f"<p>Rue Foch fermée</p>{html}")
    assert tree(rss(feed)).findtext(".//item/description", "").endswith(html)
    [shown] = json.loads(json_feed(feed))["items"]
    assert shown["content_html"].endswith(html)
    assert shown["content_text"] == "Rue Foch fermée\n\nRue Foch closed\nSmoke & <fire>.\nTwo lanes."
    assert (shown["language"], entry.get(LANGUAGE)) == ("fr", "fr")


def test_a_language_of_the_installation_is_that_of_its_feed() -> None:
    """Without its phrases, another language would stand in."""
    german = LOCALES["en"].model_copy(
        update={
            "language": "de",
            "exercise": "ÜBUNG",
            "feed": LOCALES["en"].feed.model_copy(update={"withdrawn": "Meldung zurückgezogen"}),
        }
    )
    site = replace(SITE, language="de-CH", locales={**LOCALES, "de": german})
    drill = make_item(message(language="de", exercise=True), name="drill").withdrawn(NOW)
    shown = tree(atom(make_feed(drill, site=site)))
    assert shown.findtext(f"{A}title", "").startswith("[ÜBUNG] ")
    assert shown.findtext(f"{A}entry/{A}title") == "Meldung zurückgezogen"


# --- drawing


def test_links_are_written_after_what_they_lead_to() -> None:
    paths = list(draw(make_feed(*ENDED)))

    assert paths[-1] == "index.html"
    assert max(map(paths.index, (f"m/{each.id}.html" for each in ENDED))) < paths.index("feed.atom")
    assert paths.index(f"i/{THREAD}.html") < paths.index("feed.rss")
