"""Our records beside those of Bluesky's own library and app for the same texts.

Counts always agree. Links and hashtags agree in usual texts: an address with `https://` after a space or an opening
bracket, a hashtag of letters and digits after a space. `test_where_we_link_otherwise` lists the intended differences.
"""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from policenotify.channel import Post, Span
from policenotify.model.lifecycle import Stage
from policenotify.networks.bluesky.post import BUDGET, record, valid_uri
from policenotify.text import graphemes, utf8_bytes
from policenotify.text.links import find_links
from tests.oracles.texts import FRENCH, HERE, asked, join_surrogates, settled, texts

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.skipif(not shutil.which("node"), reason="there is no node"),
    pytest.mark.skipif(not (HERE / "node_modules").is_dir(), reason="npm ci --ignore-scripts in tests/oracles"),
]

PATHS: Final = (
    "", "/", "/a", "/actualites", "/actualites/2026", "/123456789012345", "/1234567890123456", "/a_(b)_c?d=e#f",
    "?id=1", "?id=1234567890123456", "/#a", "/a%C3%A9%C3%A9%C3%A9%C3%A9", "/%C3%A9t%C3%A9-%C3%A9t%C3%A9", "/~a/'b'/$c",
    "/a-b-c_d.e/f.html?x=1&y=2#z", "/@police/1234567890123456", "/été", "/arrêté-préfectoral-2026",
)  # fmt: skip
HOSTS: Final = (
    "police.fr", "www.interieur.gouv.fr", "POLICE.FR", "a.b.c-d.example", "1.example", "x--y.example", "police.fr:8443",
    "xn--strae-oqa.example", "straße.example", "192.0.2.1", "localhost", "a_b.example",
)  # fmt: skip
TAGS: Final = ("#A6", "#Hérault", "#Sécurité", "#infoTrafic2026", "#été_2026", "#Ge\u0301ne\u0300ve")
SIGNS: Final = ("🚨", "🇫🇷", "👮🏽‍♀️", "👨‍👩‍👧‍👦", "1️⃣", "e\u0301te\u0301", "n°\u00a017", "«\u202fvoie\u202f»")


def links() -> Iterator[str]:
    """Addresses of all kinds."""
    return (f"{scheme}://{host}{path}" for scheme in ("https", "http") for host in HOSTS for path in PATHS)


def posts(seed: int, count: int) -> Iterator[str]:
    """Generate posts: French words with links, hashtags and mentions."""
    rnd = random.Random(seed)  # noqa: S311 - the same texts again
    urls = list(links())
    words = [words for words in FRENCH if not re.search(r"[#@.]", words)]
    for _ in range(count):
        said = rnd.choices(words, k=rnd.randint(1, 60)) + rnd.choices(TAGS, k=2) + rnd.choices(SIGNS, k=3)
        said += [_placed(rnd.choice(urls), rnd.choice(("{}", "({})", "{},", "{}.", "{} :", "{}!"))) for _ in range(3)]
        yield " ".join(rnd.sample(said, len(said)))


def _placed(url: str, among: str) -> str:
    return url if "(" in url else among.format(url)


def encoded(text: str) -> dict[str, Any]:
    """Return the record of a post with this text."""
    post = Post(
        key="0" * 64,
        account="police.example",
        stage=Stage.OPENING,
        category="traffic",
        language="fr",
        text=text,
        spans=tuple(Span(**found._asdict()) for found in find_links(text)),
        created_at=datetime(2026, 3, 2, tzinfo=UTC),
    )
    return dict(record(post, reply=None, images=(), dids={}))


def given(seed: int, count: int) -> list[str]:
    whole = map(join_surrogates, texts(seed=seed, count=count))
    return [text for text in whole if text and not any("\ud800" <= sign <= "\udfff" for sign in text)]


def test_texts_are_as_long_as_for_blueskys_own_library() -> None:
    said = given(7, 2_500) + list(posts(8, 300))
    different = [
        (ascii(text), answer)
        for text, answer in zip(said, asked("bluesky.mjs", said), strict=True)
        if utf8_bytes(text) != answer["bytes"] or (settled(text) and graphemes(text) != answer["graphemes"])
    ]
    assert len(said) > 2_500
    assert different == []


def test_a_post_is_as_long_as_its_budget_counts_and_all_links_are_where_they_claim() -> None:
    said = [text * (1, 1, 4)[index % 3] for index, text in enumerate(given(9, 1_200))] + list(posts(10, 800))
    said = [text for text in said if settled(text)]
    made = [encoded(text) for text in said]
    answers = asked("bluesky.mjs", [one["text"] for one in made])
    assert len(said) > 1_500
    limits = set()
    for text, one, answer in zip(said, made, answers, strict=True):
        fits = answer["graphemes"] <= 300 and answer["bytes"] <= 3000
        limits.add(fits)
        assert BUDGET.fits(text) is fits
        assert BUDGET.measure(text) == answer["graphemes"]
        sent = one["text"].encode()
        for facet in one.get("facets", ()):
            sent[facet["index"]["byteStart"] : facet["index"]["byteEnd"]].decode()  # cuts no character
    assert limits == {True, False}


def test_usual_texts_are_linked_as_by_blueskys_own_library() -> None:
    said = list(posts(11, 1_500))
    different = [
        (ascii(text), _ours(text), _theirs(answer))
        for text, answer in zip(said, asked("bluesky.mjs", said), strict=True)
        if _ours(text) != _theirs(answer)
    ]
    assert different == []


def _ours(text: str) -> list[tuple[str, int, int, str]]:
    return [
        ("link" if one.kind == "url" else "tag", utf8_bytes(text[: one.start]), utf8_bytes(text[: one.end]), one.value)
        for one in find_links(text)
    ]


def _theirs(answer: dict[str, Any]) -> list[tuple[str, int, int, str]]:
    return sorted(((one["kind"], *one["index"], one["value"]) for one in answer["facets"]), key=lambda facet: facet[1])


_OTHERWISE: Final[list[tuple[str, list[str], list[str]]]] = [
    # a word with a dot is a missing space more often than an address
    ("à suivre.la rue", [], ["https://suivre.la"]),
    # a bracket around an address is none of it, also where the address has its own
    ("(https://police.fr/a_(b))", ["https://police.fr/a_(b)"], ["https://police.fr/a_(b))"]),
    # a fragment follows a path
    ("https://police.fr#a", ["https://police.fr"], ["https://police.fr#a"]),
    # a hyphen is part of a name
    ("voir service-public.fr", ["https://service-public.fr"], []),
    # a text in quotation marks or brackets may be followed
    ("«https://police.fr»", ["https://police.fr"], []),
    ("« https://police.fr» et", ["https://police.fr"], ["https://police.fr»"]),
    ("l’#Hérault, (#A6)", ["Hérault", "A6"], []),
    # a hashtag ends where a word does, as on X and Mastodon: it is one tag everywhere
    ("#Saint-Étienne", ["Saint"], ["Saint-Étienne"]),
    ("#🚨", [], ["🚨"]),
    # stock is not what a police desk speaks of, and whom a name belongs to only the network can tell
    ("$TWTR et @police.bsky.social", [], ["$TWTR", "police.bsky.social"]),
]


def test_where_we_link_otherwise() -> None:
    answers = asked("bluesky.mjs", [text for text, _, _ in _OTHERWISE])
    for (text, ours, theirs), answer in zip(_OTHERWISE, answers, strict=True):
        assert [one.value for one in find_links(text)] == ours
        assert [one["value"] for one in answer["facets"]] == theirs


def test_links_are_shown_as_the_app_shows_them_and_it_warns_of_none() -> None:
    """As `toShortUrl` has it, but with … for ..., no `%` torn from its digits, and a path beyond ASCII as written."""
    shown = [(url, encoded(url)["text"], uri) for url in links() if (uri := valid_uri(url))]
    answers = asked("bluesky_links.mjs", [f"{text} {uri}" for _, text, uri in shown])
    assert [url for (url, *_), answer in zip(shown, answers, strict=True) if answer["warns"]] == []
    short = {
        text: answer["short"]
        for (url, text, _), answer in zip(shown, answers, strict=True)
        if text != url and url.isascii()
    }
    assert len(short) > 60
    assert [(ours, theirs) for ours, theirs in short.items() if ours != re.sub(r"(%.?)?\.\.\.$", "…", theirs)] == []
