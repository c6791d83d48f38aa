"""How a post becomes a Bluesky record: bytes, keys, languages, links."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.channel import Post, Span
from policenotify.networks.bluesky.post import BUDGET, record, record_key, valid_uri
from policenotify.testing.servers._bluesky_lexicon import key_refusal, post_refusal
from tests.support import network_calls

AT = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
FAMILY = "👨‍👩‍👧‍👦"

# text, graphemes, UTF-8 bytes: counted by Intl.Segmenter of Node 22, and confirmed at the limit on @atproto/pds 0.5.35
HARD = [
    ("Gro\xdfeinsatz \U0001f6a8 \u2013 Z\xfcrich, Stra\xdfe gesperrt", 39, 47),
    (f"{FAMILY}\U0001f46e\U0001f3fd\u200d\u2640\ufe0f\U0001f3f3\ufe0f\u200d\U0001f308", 3, 56),
    ("\U0001f1e8\U0001f1ed\U0001f1e9\U0001f1ea\U0001f1eb", 3, 20),
    ("1\ufe0f\u20e31\ufe0f\u20e37\ufe0f\u20e3 #\ufe0f\u20e3", 5, 29),
    ("Ge\u0301ne\u0300ve cafe\u0301", 11, 17),
    ("a\r\nb\n\rc", 6, 7),
    ("\u1112\u1161\u11ab\u1100\u1173\u11af \ud55c\uae00", 5, 25),
    ("\u0928\u092e\u0938\u094d\u0924\u0947 \u0915\u094d\u0937\u093f \u092a\u0941\u0932\u093f\u0938", 9, 47),
    (
        (
            "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f\u26d3\ufe0f\u200d\U0001f4a5"
            "\U0001f9d1\u200d\U0001f9d1\u200d\U0001f9d2\u200d\U0001f9d2\U0001fac6"
        ),
        4,
        70,
    ),
    ("\u0600\u0661 \u0e01\u0e33 \u1b13\u1b44\u1b13", 5, 21),
]


def a_post(text: str = "x", **other: Any) -> Post:
    return network_calls.a_post(text, **{"key": "0" * 64} | other)


def encoded(post: Post) -> dict[str, Any]:
    return dict(record(post, reply=None, images=(), dids={}))


@pytest.mark.parametrize(("text", "graphemes", "size"), HARD)
def test_the_limit_is_counted_as_the_server_counts(text: str, graphemes: int, size: int) -> None:
    assert BUDGET.measure(text) == graphemes
    assert len(text.encode()) == size
    full = text + "x" * (300 - graphemes)
    assert BUDGET.fits(full)
    assert not BUDGET.fits(full + "x")
    assert post_refusal(encoded(a_post(full))) is None


@pytest.mark.parametrize(("before", "_graphemes", "size"), HARD)
def test_a_facet_after_any_text_covers_its_bytes(before: str, _graphemes: int, size: int) -> None:
    text = f"{before} #evitez {before}"
    start = len(before) + 1
    (facet,) = encoded(a_post(text, spans=(Span(kind="tag", start=start, end=start + 7, value="evitez"),)))["facets"]
    assert facet["index"] == {"byteStart": size + 1, "byteEnd": size + 8}
    assert facet["features"] == [{"$type": "app.bsky.richtext.facet#tag", "tag": "evitez"}]


@given(st.text(), st.text(min_size=1), st.text())
def test_a_facet_covers_exactly_its_span(before: str, inside: str, after: str) -> None:
    span = Span(kind="tag", start=len(before), end=len(before + inside), value="tag")
    text = before + inside + after
    (facet,) = encoded(a_post(text, spans=(span,)))["facets"]
    assert text.encode()[facet["index"]["byteStart"] : facet["index"]["byteEnd"]] == inside.encode()


@pytest.mark.parametrize(
    "span",
    [
        Span(kind="tag", start=0, end=3, value="x" * 65),
        Span(kind="tag", start=0, end=3, value=FAMILY * 26),  # 26 characters, 650 bytes
        Span(kind="url", start=0, end=3, value="https://☃.example/"),
        Span(kind="url", start=0, end=3, value="https://xn--a.example/"),
        Span(kind="mention", start=0, end=3, value="nobody.example"),
    ],
)
def test_an_unlinkable_name_stays_text(span: Span) -> None:
    assert "facets" not in encoded(a_post("abcdef", spans=(span,)))


@pytest.mark.parametrize(
    ("url", "uri"),
    [
        ("https://police.example/a?b=c%20d&e=f+g#h", "https://police.example/a?b=c%20d&e=f+g#h"),
        ("https://polizei.example/ä?x=ü#é", "https://polizei.example/%C3%A4?x=%C3%BC#%C3%A9"),
        ("https://faß.example/", "https://xn--fa-hia.example/"),  # IDNA 2008: not fass.example
        ("https://Bücher.example:8443/%C3%A4 x", "https://xn--bcher-kva.example:8443/%C3%A4%20x"),
        ("https://x.example/\x00", None),
    ],
)
def test_a_link_becomes_a_valid_uri(url: str, uri: str | None) -> None:
    assert valid_uri(url) == uri
    if uri:
        assert uri.isascii()
        assert valid_uri(uri) == uri


@pytest.mark.parametrize(("language", "langs"), [("FR", ["fr"]), ("de-CH", ["de-CH"]), ("GSW", ["gsw"])])
def test_the_language_is_the_posts_own(language: str, langs: list[str]) -> None:
    made = encoded(a_post(language=language))
    assert made["langs"] == langs
    assert post_refusal(made) is None


def test_the_time_is_written_in_milliseconds_and_utc() -> None:
    paris = datetime(2026, 3, 2, 7, 30, 0, 123_999, tzinfo=timezone(timedelta(hours=1)))
    assert encoded(a_post(created_at=paris))["createdAt"] == "2026-03-02T06:30:00.123Z"


def test_a_link_that_is_none_makes_no_card() -> None:
    assert "embed" not in encoded(a_post(link="police.example"))
    assert encoded(a_post(link="https://police.example"))["embed"]["external"]["title"] == "https://police.example"


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)), st.integers(1, 10**15), st.integers(0, 99))  # noqa: DTZ001 - hypothesis wants naive bounds
def test_record_keys_are_valid_and_in_order_of_time(at: datetime, later: int, variant: int) -> None:
    first = at.replace(tzinfo=UTC)
    one, two = (
        record_key(a_post(created_at=when, variant=variant)) for when in (first, first + timedelta(microseconds=later))
    )
    assert key_refusal(one) is None
    assert key_refusal(two) is None
    assert one < two


def test_a_record_key_holds_its_microsecond() -> None:
    alphabet = "234567abcdefghijklmnopqrstuvwxyz"
    number = 0
    for letter in record_key(a_post(created_at=AT)):
        number = number * 32 + alphabet.index(letter)
    assert datetime.fromtimestamp((number >> 10) / 1e6, UTC) == AT
    assert re.fullmatch(r"2{11}[2-7a-z]{2}", record_key(a_post(created_at=datetime(1970, 1, 1, tzinfo=UTC))))
