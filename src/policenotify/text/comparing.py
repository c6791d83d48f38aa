"""Comparing texts as a reader would: without accents, case and punctuation."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_WORD: Final = re.compile(r"\w+")


def folded(text: str) -> str:
    """The text for comparing only: plain small letters and digits, words apart by one space."""
    return " ".join(_WORD.findall(unmarked(text.casefold())))


def unmarked(text: str) -> str:
    """The text without accents, each sign in its plainest form: `½` is `1⁄2`."""
    if text.isascii():
        return text
    plain = unicodedata.normalize("NFKD", text)
    for mark in filter(unicodedata.combining, set(plain)):
        plain = plain.replace(mark, "")
    return plain


def says(text: str, words: str) -> bool:
    """Whether a text says the words already; it says no words at all only if it is empty itself."""
    return f" {folded(words)} " in f" {folded(text)} "
