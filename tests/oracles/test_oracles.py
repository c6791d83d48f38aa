"""Our measures beside others: X's own JavaScript, ICU, and the calculator of an SMS gateway.

`npm ci --ignore-scripts` in this folder installs them. What is missing is skipped.
`tests/unit/text/vectors` has some of their answers.
"""

from __future__ import annotations

import shutil

import pytest

from policenotify.testing.servers._x_rules import weighted_length
from policenotify.text import graphemes, sms, x_weight
from policenotify.text.links import add_missing_spaces, find_links
from tests.oracles.golden_texts import golden_texts
from tests.oracles.texts import HERE, asked, join_surrogates, settled, texts

pytestmark = pytest.mark.oracle

node = pytest.mark.skipif(not shutil.which("node"), reason="there is no node")
packages = pytest.mark.skipif(
    not shutil.which("node") or not (HERE / "node_modules").is_dir(), reason="npm ci --ignore-scripts in tests/oracles"
)


GOLDEN = sorted({golden.text for golden in golden_texts()})
TYPED = (
    "fermé.La",
    "17h.Le",
    "M.Dupont",
    "av.de",
    "etc.Il",
    "@PoliceNat34",
    "@a@b.social",
    "RT@name",
    "police.gouv.fr.La",
)


@packages
def test_no_text_weighs_less_than_it_does_for_x() -> None:
    given = list(texts(seed=1, count=6_000))
    answers = asked("x.mjs", given)
    assert [ascii(text) for text, answer in zip(given, answers, strict=True) if x_weight(text) < answer["weight"]] == []


@packages
def test_golden_posts_weigh_what_they_do_for_x_and_for_the_fake_x() -> None:
    weights = [answer["weight"] for answer in asked("x.mjs", GOLDEN)]
    assert all(x_weight(text) >= weight for text, weight in zip(GOLDEN, weights, strict=True))
    equal = sum(x_weight(text) == weight for text, weight in zip(GOLDEN, weights, strict=True))
    assert equal >= 0.99 * len(GOLDEN)
    assert [weighted_length(text) for text in GOLDEN] == weights


@packages
def test_x_links_no_typing_error_and_mentions_no_one_in_a_repaired_text() -> None:
    words = [text.split(" ") for text in GOLDEN]
    typed = [" ".join((*each[:3], TYPED[number % len(TYPED)], *each[3:])) for number, each in enumerate(words)]
    repaired = [add_missing_spaces(text) for text in (*GOLDEN, *typed)]
    for text, answer in zip(repaired, asked("x.mjs", repaired), strict=True):
        for one in answer["entities"]:
            assert one["kind"] not in {"mention", "list"}, text
            assert one["kind"] != "url" or "://" in one["value"] or _is_address(one["value"]), text


def _is_address(shown: str) -> bool:
    return [(link.start, link.end) for link in find_links(shown)] == [(0, len(shown))]


@node
def test_readers_see_as_many_characters_as_icu() -> None:
    given = [text for text in map(join_surrogates, texts(seed=3, count=8_000)) if settled(text)]
    counts = asked("graphemes.mjs", given)["counts"]
    different = [(ascii(text), graphemes(text), count) for text, count in zip(given, counts, strict=True)]
    assert len(given) > 6_000
    assert [one for one in different if one[1] != one[2]] == []


@node
def test_words_in_scripts_with_conjuncts_are_counted_as_icu_does_within_one_in_a_hundred() -> None:
    words = [
        "नमस्ते", "पुलिस", "सूचना", "क्षेत्र", "বাংলা", "ক্ষমা", "ગુજરાતી", "తెలుగు",
        "ക്ഷമ", "ภาษาไทย", "น้ำ", "ភាសាខ្មែរ", "မြန်မာ", "ලංකා", "தமிழ்", "ਪੰਜਾਬੀ",
    ]  # fmt: skip
    given = [f"{one} {other}" for one in words for other in words]
    counts = asked("graphemes.mjs", given)["counts"]
    apart = sum(abs(graphemes(text) - count) for text, count in zip(given, counts, strict=True))
    assert apart <= sum(counts) / 100


def _for_sms(seed: int, count: int) -> list[str]:
    return [join_surrogates(text) * (1, 3, 8)[index % 3] for index, text in enumerate(texts(seed=seed, count=count))]


@packages
def test_an_sms_is_counted_as_by_the_calculator_of_a_gateway() -> None:
    given = _for_sms(4, 1_200)
    answers = asked("sms.mjs", given)
    whole = [(text, answer) for text, answer in zip(given, answers, strict=True) if not answer["clustered"] and text]
    different = [
        (ascii(text), sent, answer)
        for text, answer in whole
        for sent in [sms(text)]
        if (sent.encoding, sent.segments, list(sent.parts)) != (answer["encoding"], answer["segments"], answer["parts"])
    ]
    assert len(whole) > 300
    assert different == []
