"""Comparing texts as a reader would: without accents, case and punctuation."""

from __future__ import annotations

import re
import unicodedata


def folded(text: str) -> str:
    """The text for comparing only: plain small letters and digits, words apart by one space."""
    plain = "".join(mark for mark in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(mark))
    return " ".join(re.findall(r"\w+", plain))


def says(text: str, words: str) -> bool:
    """Whether a text says the words already; it says no words at all only if it is empty itself."""
    return f" {folded(words)} " in f" {folded(text)} "
