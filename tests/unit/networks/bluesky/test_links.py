"""How links read in a Bluesky post, their share of the budget, and their targets."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policenotify.channel import Post, Span
from policenotify.model.lifecycle import Stage
from policenotify.networks.bluesky.post import BUDGET, record, shown, valid_uri
from policenotify.text import graphemes, utf8_bytes
from policenotify.text.links import find_links

LONG = "https://www.police.example/actualites/2026/accident-avenue-de-toulouse?source=bluesky#carte"
SHORT = "www.police.example/actualites/2…"


def marked(text: str, *spans: Span) -> Post:
    return Post(
        key="0" * 64,
        account="police.example",
        stage=Stage.OPENING,
        category="traffic",
        language="fr",
        text=text,
        spans=spans or tuple(Span(**found._asdict()) for found in find_links(text)),
        created_at=datetime(2026, 3, 2, tzinfo=UTC),
    )


def encoded(post: Post, **dids: str) -> dict[str, Any]:
    return dict(record(post, reply=None, images=(), dids=dids))


def covered(made: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the text that each facet covers, and its target."""
    sent = made["text"].encode()
    return [
        (
            sent[facet["index"]["byteStart"] : facet["index"]["byteEnd"]].decode(),
            next(value for name, value in facet["features"][0].items() if name != "$type"),
        )
        for facet in made.get("facets", ())
    ]


@pytest.mark.parametrize(
    ("url", "seen"),
    [  # the app's own toShortUrl, with … for ...
        (LONG, SHORT),
        ("https://www.police.example/", "www.police.example"),
        ("http://police.example", "police.example"),
        ("https://police.example/123456789012345", "police.example/123456789012…"),
        ("https://Police.Example/Plan", "police.example/Plan"),
        ("https://police.example?id=1#a", "police.example?id=1#a"),
        ("https://police.example/#a", "police.example#a"),
        ("www.police.example/a/b/c/d/e/f/g/h/i/j", "www.police.example/a/b/c/d/e/f/…"),
        ("17Cyber.gouv.fr/a/b/c/d/e/f/g/h", "17Cyber.gouv.fr/a/b/c/d/e/f/…"),
        # no sign is torn: neither one in percent-encoding, nor one of several code points
        ("https://police.example/abcdefghij%C3%A9t%C3%A9", "police.example/abcdefghij…"),
        ("https://police.example/abcdefghi%C3%A9t%C3%A9", "police.example/abcdefghi%C3…"),
        ("https://police.example/abcdefghijke\u0301te\u0301-2026", "police.example/abcdefghijke\u0301…"),
        ("https://police.example/👮🏽‍♀️👮🏽‍♀️👮🏽‍♀️👮🏽‍♀️", "police.example/👮🏽‍♀️👮🏽‍♀️👮🏽‍♀️👮🏽‍♀️"),
    ],
)
def test_an_address_is_shown_short(url: str, seen: str) -> None:
    assert shown(url) == seen
    assert shown(f"Plan : {url}, à lire.") == f"Plan : {seen}, à lire."
    value = url if url.startswith("http") else f"https://{url}"
    assert covered(encoded(marked(url))) == [(seen, valid_uri(value))]


@pytest.mark.parametrize(
    "url",
    [
        "https://police.example:8443/actualites/2026",  # shown without its scheme the app would not know its host
        "https://pоlice.example/actualites/2026",  # a Cyrillic o, which must not be mistaken more easily
        "https://xn--strae-oqa.example/actualites/2026",
        "https://192.0.2.1/actualites/2026",
        f"https://{'a' * 64}.example/actualites/2026",
    ],
)
def test_an_address_with_a_misleading_host_stays_whole(url: str) -> None:
    made = encoded(marked(url, Span(kind="url", start=0, end=len(url), value=url)))
    assert made["text"] == url
    assert covered(made) == [(url, valid_uri(url))]


@pytest.mark.parametrize(
    "url",
    [
        "https://police.fr@evil.example/actualites/2026",
        "https://police.fr\\@evil.example/actualites/2026",
    ],
)
def test_an_address_made_to_mislead_is_not_linked(url: str) -> None:
    made = encoded(marked(url, Span(kind="url", start=0, end=len(url), value=url)))
    assert made["text"] == url
    assert "facets" not in made


def test_all_that_follows_moves_with_it() -> None:
    text = f"🚨 Plan\u0301 ({LONG}) #évite @prefet.example {LONG}"
    at = text.index("@")
    mention = Span(kind="mention", start=at, end=at + 15, value="prefet.example")
    links = (Span(**found._asdict()) for found in find_links(text))
    spans = sorted((mention, *links), key=lambda span: span.start)
    made = encoded(marked(text, *spans), **{"prefet.example": "did:plc:prefet"})
    assert made["text"] == f"🚨 Plan\u0301 ({SHORT}) #évite @prefet.example {SHORT}"
    assert covered(made) == [
        (SHORT, LONG),
        ("#évite", "évite"),
        ("@prefet.example", "did:plc:prefet"),
        (SHORT, LONG),
    ]


PIECES = st.one_of(
    st.sampled_from(
        [LONG, "https://police.fr/", "police.fr/a/b/c/d/e/f/g/h/i/j", "https://a.fr:8443/1234567890123456"]
    ),
    st.sampled_from(
        ["https://straße.example/é", "https://a.example/", "www.a.fr", "http://", "#évite", "#A6", "@a.fr"]
    ),
    st.sampled_from(
        ["🚨", "👨‍👩‍👧‍👦", "👮🏽‍♀️", "🇫🇷", "1️⃣", "e\u0301", "\u0301", "\u200d", "\ufe0f", "\u0600", "\r\n", "नि"]
    ),
    st.sampled_from([" ", " ", "\n", ".", ",", "(", ")", "…", "é", "x" * 60, "été " * 20, "%C3%A9"]),
    st.text(max_size=8),
)
TEXTS = st.lists(PIECES, max_size=40).map("".join)


@given(TEXTS)
@example("a" * 250 + LONG)
@example("👨‍👩‍👧‍👦" * 118 + " " + LONG)
def test_the_budget_counts_what_is_sent_and_the_bytes_of_what_is_written(text: str) -> None:
    sent = encoded(marked(text))["text"]
    assert utf8_bytes(sent) <= utf8_bytes(text)
    assert BUDGET.fits(text) is (graphemes(sent) <= 300 and utf8_bytes(text) <= 3000)
    assert BUDGET.measure(text) == graphemes(sent)
    assert BUDGET.usage(text) in {(graphemes(sent), 300), (utf8_bytes(text), 3000)}
    assert BUDGET.usage(text)[0] <= BUDGET.usage(text)[1] or not BUDGET.fits(text)
    if BUDGET.fits(text) and graphemes(sent) < 300 and utf8_bytes(sent) < 2700 and not text.endswith("\r"):
        full = text + "\n" + "x" * (299 - graphemes(sent))
        assert BUDGET.measure(full) == 300
        assert BUDGET.fits(full)
        assert not BUDGET.fits(full + "x")


@given(TEXTS)
def test_links_lead_to_what_they_show(text: str) -> None:
    made, spans = encoded(marked(text)), find_links(text)
    facets = covered(made)
    linked = [found for found in spans if found.kind == "tag" or valid_uri(found.value)]
    assert len(facets) == len(linked)
    for found, (seen, leads) in zip(linked, facets, strict=True):
        if found.kind == "tag":
            assert (seen[1:], leads) == (found.value, found.value)
            continue
        assert leads == valid_uri(found.value)
        host = urlsplit(leads).netloc
        whole = text[found.start : found.end]
        assert seen == whole or seen.lower().startswith(host)
        assert len(seen) <= len(whole)
