"""Wrong fields of a message are refused by name, and no refusal repeats what was written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.model.test_message import make, refusal

TEXTS: dict[str, Any] = {
    "headline": lambda text: {"headline": text},
    "description": lambda text: {"description": text},
    "hashtags": lambda text: {"hashtags": [text]},
    "link": lambda text: {"link": f"https://police.example/{text}"},
    "images.alt": lambda text: {"images": [{"alt": text, "data": "aaaa"}]},
    "images.path": lambda text: {"images": [{"alt": "a", "path": Path(text)}]},
    "translations.headline": lambda text: {"translations": [{"language": "en", "headline": text}]},
    "location.street": lambda text: {"location": {"street": text}},
    "lifecycle.incident": lambda text: {"lifecycle": {"stage": "opening", "incident": text}},
    "language": lambda text: {"language": text},
}


@pytest.mark.parametrize("bad", ["\0", "\x07", "\x1b[2J", "\ud83d"])
@pytest.mark.parametrize("field", TEXTS)
def test_an_unreadable_character_is_refused_and_never_dropped(field: str, bad: str) -> None:
    assert field.split(".", maxsplit=1)[0] in refusal(**TEXTS[field](f"a{bad}b"))


def test_a_refusal_names_the_character_and_its_place() -> None:
    assert "headline\n  Value error, character 5 is U+0007, which nobody can read: remove it" in refusal(
        headline="Feu \ab"
    )


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"headline": " \n "}, "headline"),
        ({"headline": "x" * 161}, "at most 160 characters"),
        ({"description": "x" * 10_001}, "at most 10000 characters"),
        ({"category": "Fire"}, "category"),
        ({"language": "french"}, "language"),
        ({"location": "Montpellier"}, "location\n  Input should be a valid dictionary"),
        ({"hedline": "x"}, "hedline\n  Extra inputs are not permitted"),
        ({"starts_at": "2026-07-26T14:05:00"}, "starts_at\n  Input should have timezone info"),
        ({"expires_at": "20260726"}, "expires_at\n  Value error, write the time as RFC 3339"),
        ({"expires_at": 1.5}, "expires_at\n  Value error, write the time as RFC 3339"),
        ({"next_update_at": "in ten minutes"}, "next_update_at"),
        ({"starts_at": "0001-01-01T00:00:00+14:00"}, "starts_at\n  Value error, this time lies outside the years"),
        (
            {"starts_at": "2026-07-26T14:00:00+02:00", "expires_at": "2026-07-26T12:00:00Z"},
            "expires_at: must be later than starts_at",
        ),
        ({"translations": [{"language": "fr", "headline": "x"}]}, "translations: each language once"),
        (
            {"translations": [{"language": "en", "headline": "x", "alts": ["a"]}]},
            "translations: alts: one for each image, in the same order, or none",
        ),
        ({"images": [{"alt": "a"}]}, "path: an image is given by exactly one of path, data or digest"),
        ({"images": [{"alt": "a", "path": Path("a"), "digest": "0" * 64}]}, "path: an image is given by exactly one"),
        ({"images": [{"alt": "a", "digest": "AB" * 32}]}, "images.0.digest"),
        ({"images": [{"alt": "a", "data": "é==="}]}, "images.0.data\n  Value error, not Base64"),
    ],
)
def test_a_wrong_field_is_refused_by_name(fields: dict[str, Any], says: str) -> None:
    assert says in refusal(**fields)


@pytest.mark.parametrize("language", ["fr", "zh-Hant", "es-419"])
def test_a_language_tag(language: str) -> None:
    assert make(language=language).language == language


def test_huge_texts_are_refused_in_few_words() -> None:
    assert len(refusal(headline="x" * 5_000_000)) < 300
    assert len(refusal(link="https://police.example/" + "x" * 5_000_000)) < 300
    assert len(refusal(images=[{"alt": "a", "path": Path("a"), "data": b"x" * 5_000_000}])) < 300


def test_a_refusal_never_repeats_what_was_written() -> None:
    said = refusal(
        link="https://claire:geheim@police.example/",
        headline="geheim" * 40,
        language="geheim",
        location={"road": {"road": "geheim"}, "street": "geheim\0"},
        images=[{"alt": "a", "path": "geheim", "data": "geheim"}],
    )
    assert "geheim" not in said
    assert "claire" not in said


@pytest.mark.parametrize(
    "link",
    [
        "https://www.police.example",
        "https://préfecture.example/hérault",
        "https://police.example/@compte/1",
        "https://police.example/" + "a" * 1_900,
    ],
)
def test_a_link_is_kept_as_written(link: str) -> None:
    assert make(link=link).link == link


@pytest.mark.parametrize(
    ("link", "says"),
    [
        ("javascript:alert(1)", "begins with https://"),
        ("//police.example", "begins with https://"),
        ("https://police.example\\@other.example", "begins with https://"),
        ("https://police.example/a b", "white space"),
        ("https://police.example/<script>", "none of <"),
        ('https://police.example/"', "none of <"),
        ("https://claire:pw@police.example/", "no user name and no password"),
        ("https://police.example:99999/", "invalid port number"),
        ("https://police.example/" + "a" * 2_000, "at most 2000 characters"),
    ],
)
def test_no_link(link: str, says: str) -> None:
    assert says in refusal(link=link)


@pytest.mark.parametrize(
    ("written", "tag"),
    [
        ("#Montpellier", "Montpellier"),
        (" ＃été ", "été"),
        ("भारत", "भारत"),
    ],
)
def test_a_hashtag_is_kept_without_its_sign(written: str, tag: str) -> None:
    assert make(hashtags=[written]).hashtags == (tag,)


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("#", "needs a letter"),
        ("route coupée", "is one word"), ("a#b", "is one word"), ("a＃b", "is one word"),
        ("a" * 65, "at most 64 characters"),
    ],
)  # fmt: skip
def test_no_hashtag(written: str, says: str) -> None:
    assert says in refusal(hashtags=["ok", written])
