"""Our measures beside others: X's own JavaScript, ICU, and three libraries for SMS.

`npm ci --ignore-scripts` in this folder installs the first ones. `smsutil` and `sms-toolkit` (with `six`) are used
where they are installed. What is missing is skipped. `tests/unit/text/vectors` has some of their answers.
"""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from policenotify.text import graphemes, sms, x_entities, x_valid, x_weight
from policenotify.text._data.tlds import FROZEN
from policenotify.text.x_entities import find_links, join_surrogates, to_utf16
from tests.oracles.texts import HERE, asked, settled, texts

pytestmark = pytest.mark.oracle

node = pytest.mark.skipif(not shutil.which("node"), reason="there is no node")
packages = pytest.mark.skipif(
    not shutil.which("node") or not (HERE / "node_modules").is_dir(), reason="npm ci --ignore-scripts in tests/oracles"
)


@packages
def test_a_post_weighs_and_links_what_it_does_for_x() -> None:
    given = list(texts(seed=1, count=25_000))
    different = [
        (ascii(text), ours, theirs)
        for text, answer in zip(given, asked("x.mjs", given), strict=True)
        for ours, theirs in [(_ours(text), _theirs(answer))]
        if ours != theirs
    ]
    assert different == []


def _ours(text: str) -> dict[str, Any]:
    places = [0]
    for sign in text:
        places.append(places[-1] + len(to_utf16(sign)))
    return {
        "weight": x_weight(text, tlds=FROZEN),
        "valid": x_valid(text, tlds=FROZEN),
        "urls": [tuple(link[:3]) for link in find_links(to_utf16(text), FROZEN)],
        "entities": [
            (one.kind, places[one.start], places[one.end], join_surrogates(one.value))
            for one in x_entities(text, tlds=FROZEN)
        ],
    }


def _theirs(answer: dict[str, Any]) -> dict[str, Any]:
    return {
        "weight": answer["weight"],
        "valid": answer["valid"],
        "urls": [(start, end, to_utf16(url)) for start, end, url in answer["urls"]],
        "entities": [(one["kind"], *one["indices"], join_surrogates(one["value"])) for one in answer["entities"]],
    }


def test_newer_top_level_domains_only_ever_make_a_post_heavier() -> None:
    assert all(x_weight(text) >= x_weight(text, tlds=FROZEN) for text in texts(seed=2, count=5_000))


@node
def test_readers_see_as_many_characters_as_icu() -> None:
    given = [text for text in map(join_surrogates, texts(seed=3, count=27_000)) if settled(text)]
    counts = asked("graphemes.mjs", given)["counts"]
    different = [(ascii(text), graphemes(text), count) for text, count in zip(given, counts, strict=True)]
    assert len(given) > 20_000
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
    given = _for_sms(4, 8_000)
    answers = asked("sms.mjs", given)
    whole = [(text, answer) for text, answer in zip(given, answers, strict=True) if not answer["clustered"] and text]
    different = [
        (ascii(text), sent, answer)
        for text, answer in whole
        for sent in [sms(text)]
        if (sent.encoding, sent.segments, list(sent.parts)) != (answer["encoding"], answer["segments"], answer["parts"])
    ]
    assert len(whole) > 2_000
    assert different == []


def test_an_sms_is_counted_as_by_smsutil() -> None:
    smsutil = pytest.importorskip("smsutil")
    for text in _for_sms(5, 20_000):
        if text and "\x1b" not in text:  # it takes the escape for a character, and nothing for UCS-2
            sent, parts = sms(text), smsutil.split(text).parts
            assert sent.parts == tuple(part.content for part in parts)
            assert sent.units * (2 if sent.encoding == "UCS-2" else 1) == sum(part.bytes for part in parts)


def test_an_sms_is_counted_as_by_sms_toolkit() -> None:
    profiling = pytest.importorskip("sms_toolkit.messages.profiling")
    for text in _for_sms(6, 4_000):
        if not any("\ud800" <= sign <= "\udfff" for sign in text):  # it cannot encode them
            profile = profiling.profile_message(text)
            assert sms(text).parts == tuple(segment["message"] for segment in profile["segments"])
