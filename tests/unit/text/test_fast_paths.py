"""The fast path for plain texts has the same results as the full one."""

from __future__ import annotations

import re
from unittest.mock import patch

import regex
from hypothesis import given
from hypothesis import strategies as st

from policenotify.testing.strategies import nasty_text
from policenotify.text import characters
from policenotify.text.budget import graphemes
from policenotify.text.characters import clean, one_line

NEVER = re.compile(r"(?!)")
PIECES = st.sampled_from(
    (
        *("Accident", "n°", "12", "km", "1", ":", "«", "»", "–", "(ici)", "https://www.police.fr/a-b_c"),
        *("é", "🚨", "⚠️", "🇫🇷", "\ufe0f", "e\u0301", "x" * 64),
    )
)
TEXTS = nasty_text() | st.lists(PIECES, max_size=40).map(" ".join) | st.lists(PIECES, max_size=12).map("".join)


BESIDE_FLAGS = "🇫🇷\u0600\u200d\ufe0f\u0301\u0903\u094d\u0915👨a\r\n"


@given(TEXTS | st.text(BESIDE_FLAGS, max_size=14))
def test_graphemes_are_counted_alike(text: str) -> None:
    assert graphemes(text) == len(regex.findall(r"\X", text))


@given(TEXTS)
def test_a_text_is_cleaned_alike(text: str) -> None:
    quickly = clean(text), one_line(text)
    with patch.object(characters, "_VISIBLE", NEVER):
        assert (clean(text), one_line(text)) == quickly
