"""The pages of a feed: valid HTML, one of each message and incident, without a script."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urljoin, urlsplit
from xml.etree.ElementTree import Element

import html5lib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.formats.drawing import draw
from policenotify.formats.feed import Feed, picture_path
from policenotify.formats.item import Item
from policenotify.formats.pages import embed, index_files, thread_files
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.location import Location, Point
from policenotify.model.message import Known, Message, Translation
from policenotify.model.post import Picture
from policenotify.testing import strategies
from tests.support.feed_items import NOW, SITE, THREAD, digest, make_feed, make_item, sample_items

_OPENING = Message(
    category="fire",
    headline="Feu rue Foch",
    description="Fermez les fenêtres.",
    lifecycle=Lifecycle(stage=Stage.OPENING, incident="2026-17"),
    location=Location(commune_name="Montpellier", point=Point(latitude=43.6, longitude=3.9)),
)
_PICTURE = Picture(digest=digest("picture"), media_type="image/jpeg", width=800, height=450, alt='Plan du "secteur"')
_ATTACKS = (
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)" x=\'',
    "<!-- --><![CDATA[ ]]></title></style></article><base href=//evil.example>",
    "&lt;b&gt; &amp;#60;script&#62;",
    "\x00\x0c\x1b\x7f\x85\ufdd0\ufffe\U0010ffff",
    "{time}{0}%s",
)


def parsed(page: bytes) -> Element:
    """Return the tree of a page that a strict parser of HTML accepts."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    tree: Element = parser.parse(page.decode())
    return tree


def words_of(tree: Element, name: str) -> list[str]:
    return ["".join(element.itertext()) for element in tree.iter(name)]


def _pages(feed: Feed) -> dict[str, Element]:
    """Return all pages of a feed by their paths."""
    files = {path: page for thread in feed.threads for path, page in thread_files(feed, thread).items()}
    files |= {**index_files(feed), "embed.html": embed(feed)}
    return {path: parsed(page) for path, page in files.items() if path.endswith(".html")}


def _metas(tree: Element) -> dict[str, str]:
    return {meta.get("property") or meta.get("name") or "": meta.get("content") or "" for meta in tree.iter("meta")}


def _later(stage: Stage, **fields: Any) -> Message:
    corrects = "0" * 26 if stage is Stage.CORRECTION else None
    return _OPENING.followed_by(stage, headline=stage.value, incident="2026-17", corrects=corrects, **fields)


def _thread(*messages: Message) -> list[Item]:
    return [make_item(each, name=str(n), at=NOW + timedelta(minutes=n)) for n, each in enumerate(messages)]


def test_a_message_has_a_page_with_its_words() -> None:
    [item] = _thread(_OPENING)
    tree = _pages(make_feed(item))[f"m/{item.id}.html"]

    assert tree.get("lang") == "fr"
    assert words_of(tree, "h1") == ["Feu rue Foch"]
    assert words_of(tree, "title") == ["Feu rue Foch · Police nationale de l'Hérault"]
    assert "Fermez les fenêtres." in words_of(tree, "p")
    assert "Publié vendredi 5 juin 2026 à 18h" in words_of(tree, "p")
    assert next(tree.iter("time")).get("datetime") == "2026-06-05T18:00:00+02:00"


def test_networks_show_the_link_with_its_picture() -> None:
    [item] = _thread(_OPENING)
    item = item.model_copy(update={"pictures": (_PICTURE,), "text": "Feu. " * 80})
    tree = _pages(make_feed(item))[f"m/{item.id}.html"]
    metas = _metas(tree)

    assert metas["og:type"] == "article"
    assert metas["og:title"] == "Feu rue Foch"
    assert metas["og:locale"] == "fr"
    assert metas["og:image"] == f"https://alerte.police34.example/{picture_path(_PICTURE)}"
    assert metas["og:image:alt"] == _PICTURE.alt
    assert metas["description"] == metas["og:description"]
    assert len(metas["description"]) <= 200
    assert metas["description"].endswith("…")


def test_each_language_has_a_section_and_a_link() -> None:
    english = Translation(
        language="en",
        headline="Fire in rue Foch",
        description="Smoke.\nMuch of it.",
        instruction="Close the windows.",
        known=Known(confirmed="Two are hurt.", unconfirmed="The cause."),
    )
    breton = Translation(language="br", headline="Tan", known=Known(confirmed="Unan."))
    other = Translation(language="vo", headline="Fil")
    [item] = _thread(_OPENING.model_copy(update={"translations": (english, breton, other)}))
    tree = _pages(make_feed(item))[f"m/{item.id}.html"]

    sections = {section.get("lang"): section for section in tree.iter("section")}
    assert list(sections) == ["en", "br", "vo"]
    assert words_of(sections["en"], "h2") == ["Fire in rue Foch"]
    assert words_of(sections["en"], "p") == [
        "Smoke.",
        "Much of it.",
        "Two are hurt.",
        "Not yet known: The cause.",
        "Close the windows.",
    ]
    assert words_of(sections["br"], "p") == ["Unan."]
    inside = {link.get("href"): link.text for link in tree.iter("a") if link.get("hreflang")}
    assert inside == {"#en": "English", "#br": "Brezhoneg", "#vo": "vo"}
    assert {link.get("hreflang") for link in tree.iter("link") if link.get("hreflang")} == {"en", "br", "vo"}


@pytest.mark.parametrize(
    ("stage", "note"),
    [
        (Stage.END, "Terminé à 18h01."),
        (Stage.CANCELLATION, "Annulé à 18h01."),
        (Stage.CORRECTION, "Rectifié à 18h01."),
    ],
)
def test_what_became_of_a_message_stands_above_its_text(stage: Stage, note: str) -> None:
    opening, later = _thread(_OPENING, _later(stage))
    later = later.model_copy(update={"answers": opening.id})
    pages = _pages(make_feed(opening, later))
    tree = pages[f"m/{opening.id}.html"]

    [banner] = [each for each in tree.iter("p") if each.get("class") == "banner"]
    assert "".join(banner.itertext()) == f"{note} {stage.value}"
    [link] = banner.iter("a")
    assert link.get("href") == f"{later.id}.html"
    assert words_of(tree, "title")[0].startswith(f"{note.partition(' ')[0].upper()} – ")
    assert words_of(tree, "h1") == [words_of(tree, "title")[0].removesuffix(" · Police nationale de l'Hérault")]
    state = [each.text for each in pages[f"i/{THREAD}.html"].iter("p") if each.get("class") == "banner"]
    assert state == ([] if stage is Stage.CORRECTION else [note])


def test_an_incident_has_a_page_with_all_its_messages_the_last_first() -> None:
    items = sample_items("accident/opening", "accident/update", "accident/end")
    tree = _pages(make_feed(*items))[f"i/{items[0].thread}.html"]

    assert words_of(tree, "h1") == [f"TERMINÉ – {items[0].title}"]
    links = [link.get("href") for heading in tree.iter("h2") for link in heading.iter("a")]
    assert links == [f"../m/{item.id}.html" for item in reversed(items)]


def test_the_index_names_the_open_incidents_first() -> None:
    fire, scam = sample_items("fire/opening"), sample_items("scam/info")
    tree = _pages(make_feed(*fire, *scam))["index.html"]

    assert words_of(tree, "h1") == [SITE.title]
    assert words_of(tree, "h2") == ["En cours et à venir", "Tous les messages"]
    [article] = tree.iter("article")
    assert next(article.iter("a")).get("href") == f"i/{fire[0].thread}.html"
    assert len([*tree.iter("li")]) >= 2


def test_the_frame_reloads_itself_and_opens_links_outside() -> None:
    items = sample_items("accident/opening", "accident/end", "fire/opening", "scam/info")
    tree = _pages(make_feed(*items, now=items[-1].published_at))["embed.html"]

    assert [meta.get("content") for meta in tree.iter("meta") if meta.get("http-equiv") == "refresh"] == ["60"]
    assert {(link.get("target"), link.get("rel")) for link in tree.iter("a")} == {("_blank", "noopener")}
    assert [line.get("class") for line in tree.iter("li")] == ["open"]


def test_exercises_are_marked_on_every_page() -> None:
    [item] = _thread(_OPENING.model_copy(update={"exercise": True}))

    for path, tree in _pages(make_feed(item)).items():
        banners = [each for each in tree.iter("p") if "exercise" in (each.get("class") or "")]
        assert ["".join(each.itertext()) for each in banners] == [
            "EXERCICE\u00a0: ceci n'est pas une situation réelle."
        ], path


def test_every_link_among_the_files_leads_to_one() -> None:
    items = sample_items("accident/opening", "accident/end", "fire/opening", "scam/info")
    files = draw(make_feed(*items))

    for path, page in files.items():
        if path.endswith(".html"):
            tree = parsed(page)
            for element in tree.iter():
                address = element.get("href") or element.get("content", "")
                target = urljoin(f"{SITE.url}{path}", address)
                if element.tag in {"a", "link"} and target.startswith(SITE.url):
                    name = urlsplit(target).path.lstrip("/") or "index.html"
                    assert name in files, (path, address)


def _allowed(tree: Element) -> Iterator[Element]:
    """Yield every element, and fail at one that the pages have no use for."""
    for element in tree.iter():
        if not isinstance(element.tag, str):  # a comment
            pytest.fail("a comment")
        assert element.tag not in {"base", "iframe", "object", "embed", "form", "script", "style", "svg", "math"}
        assert not any(name.startswith("on") or name == "style" for name in element.attrib)
        if element.tag in {"a", "link"}:
            assert urlsplit(element.get("href") or "").scheme in {"", "https"}
        yield element


@given(
    texts=st.lists(st.one_of(strategies.nasty_text(), st.sampled_from(_ATTACKS)), min_size=4, max_size=4),
    exercise=st.booleans(),
)
def test_no_text_becomes_markup(texts: list[str], exercise: bool) -> None:  # noqa: FBT001 - by name
    plain = _thread(_OPENING)[0]
    hostile = Translation.model_construct(
        language="en", headline=texts[0], description=texts[1], instruction=texts[2], known=None, alts=()
    )
    changes = {"headline": texts[0], "translations": (hostile,), "exercise": exercise}
    message = plain.message.model_copy(
        update={**changes, "location": Location.model_construct(**{**dict(Location()), "label": texts[3]})}
    )
    picture = _PICTURE.model_copy(update={"alt": texts[2] or "x"})
    item = plain.model_copy(
        update={"message": message, "title": texts[0], "text": texts[1], "sender": texts[3], "pictures": (picture,)}
    )
    expected = _pages(make_feed(_thread(_OPENING.model_copy(update={"exercise": exercise}))[0]))

    pages = _pages(make_feed(item))

    for tree in pages.values():
        assert [*_allowed(tree)]
    page = pages[f"m/{item.id}.html"]
    assert len([*page.iter("h1")]) == 1
    assert set(pages) == set(expected)
