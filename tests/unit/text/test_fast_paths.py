"""The fast path for plain texts has the same results as the full one."""

from __future__ import annotations

import re
from unittest.mock import patch

import regex
from hypothesis import given
from hypothesis import strategies as st

from policenotify.testing.strategies import nasty_text
from policenotify.text import budget, characters
from policenotify.text.budget import grapheme_ends, graphemes
from policenotify.text.characters import clean, one_line, visible

ALL = "".join(chr(sign) for sign in range(0x110000) if not 0xD800 <= sign < 0xE000)
NEVER = re.compile(r"(?!)")
PIECES = st.sampled_from(
    (
        *(
            "Accident",
            "de",
            "n°",
            "12",
            "km",
            "1",
            "200",
            "m",
            "h",
            "30",
            ":",
            "!",
            "«",
            "»",
            "M.",
            "04",
            "67",
            "-",
            "–",
        ),
        *(
            "https://www.police.fr/a-b_c",
            "http://a.com",
            "https://t.co/a",
            "https://a.fr?",
            "a.fr",
            "secteur,",
            "(ici)",
        ),
        *("é", "🚨", "⚠️", "🇫🇷", "\ufe0f", "e\u0301", "https://a--b.fr", "x" * 64, "1."),
    )
)
TEXTS = nasty_text() | st.lists(PIECES, max_size=40).map(" ".join) | st.lists(PIECES, max_size=12).map("".join)


def test_characters_that_occur_alone_are_graphemes_by_themselves() -> None:
    alone = re.findall(budget._SIGNS, ALL)
    assert len(alone) > 3_000
    assert not regex.search(r"[^\p{Grapheme_Cluster_Break=Other}\n]", "".join(alone))


def test_of_visible_signs_nothing_is_removed_or_composed() -> None:
    runs = [run for run in re.findall(characters._VISIBLE.pattern, ALL) if run]
    assert sum(map(len, runs)) > 2_000
    with patch.object(characters, "_VISIBLE", NEVER):
        assert [visible(run) for run in runs] == runs


BESIDE_FLAGS = "🇫🇷\u0600\u200d\ufe0f\u0301\u0903\u094d\u0915👨a\r\n"


@given(TEXTS | st.text(BESIDE_FLAGS, max_size=14))
def test_graphemes_are_counted_and_ended_alike(text: str) -> None:
    ends = [found.end() for found in regex.finditer(r"\X", text)]
    assert (graphemes(text), grapheme_ends(text)) == (len(ends), ends)


@given(TEXTS)
def test_a_text_is_cleaned_alike(text: str) -> None:
    quickly = clean(text), one_line(text)
    with patch.object(characters, "_VISIBLE", NEVER):
        assert (clean(text), one_line(text)) == quickly
