"""Comparing texts as a reader would: without accents, case and punctuation."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final

_WORD: Final = re.compile(r"\w+")
_PLACE: Final = "\0"
_CLAUSE: Final = re.compile(r"[.,;:!?…()\n]|\s[–—-]\s")


def fold(text: str) -> str:
    """The text for comparing only: plain small letters and digits, words apart by one space."""
    return " ".join(_WORD.findall(strip_accents(text.casefold())))


def strip_accents(text: str) -> str:
    """The text without accents, each sign in its plainest form: `½` is `1⁄2`."""
    if text.isascii():
        return text
    plain = unicodedata.normalize("NFKD", text)
    for mark in filter(unicodedata.combining, set(plain)):
        plain = plain.replace(mark, "")
    return plain


def contains_words(text: str, words: str) -> bool:
    """Whether a text says the words already; it says no words at all only if it is empty itself."""
    return f" {fold(words)} " in f" {fold(text)} "


def affirms(text: str, phrase: str, *, negations: Iterable[str], conjunctions: Iterable[str]) -> bool | None:
    """Return True if a text says a phrase, False if it says its negation, None if it says neither.

    A negation counts in the clause of the phrase, before it or directly after it: *n'est pas encore rétablie*,
    *circuler normalement n'est pas possible*. A phrase that begins with a negative word of its own (*aucun danger*,
    *no danger*) is not turned by another: *il n'y a plus aucun danger*.

    Args:
        text: What is said.
        phrase: Compared as `says` compares.
        negations: Words that negate.
        conjunctions: Words at which a clause ends, like a comma.
    """
    sought, found = f" {fold(phrase)} ", None
    negative = [f" {fold(word)} " for word in negations]
    own = any(sought.startswith(word) for word in negative)
    for clause in _clauses(text, sought, conjunctions):
        before, told, after = clause.partition(_PLACE)
        if told and not own and any(word in before or after.startswith(word) for word in negative):
            return False
        found = True if told else found
    return found


def _clauses(text: str, sought: str, conjunctions: Iterable[str]) -> Iterator[str]:
    """Yield each clause, folded, with a mark in place of the phrase, which may hold a conjunction itself."""
    joints = {fold(word) for word in conjunctions}
    for part in _CLAUSE.split(text):
        words = f" {fold(part)} ".replace(sought, f" {_PLACE} ").split()
        ends = [-1, *(place for place, word in enumerate(words) if word in joints), len(words)]
        yield from (f" {' '.join(words[start + 1 : end])} " for start, end in pairwise(ends))
