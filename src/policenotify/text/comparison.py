"""Comparison of texts without accents, case and punctuation."""

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
    """Return the words of a text in plain small letters, with single spaces."""
    return " ".join(_WORD.findall(strip_accents(text.casefold())))


def strip_accents(text: str) -> str:
    """Return the text without accents, in Unicode's compatibility form: `½` is `1⁄2`."""
    if text.isascii():
        return text
    plain = unicodedata.normalize("NFKD", text)
    for mark in filter(unicodedata.combining, set(plain)):
        plain = plain.replace(mark, "")
    return plain


def contains_words(text: str, words: str) -> bool:
    """Return True if a text contains the words. Only an empty text contains no words."""
    return f" {fold(words)} " in f" {fold(text)} "


def affirms(text: str, phrase: str, *, negations: Iterable[str], conjunctions: Iterable[str]) -> bool | None:
    """Return True if a text affirms a phrase, False if it negates it, else None.

    A negation counts in the clause of the phrase, before it or directly after it: *n'est pas encore rétablie*,
    *circuler normalement n'est pas possible*. A phrase that begins with a negation (*aucun danger*, *no danger*) is not
    negated by another one: *il n'y a plus aucun danger*. A conjunction ends a clause, like a comma.
    """
    folded, result = f" {fold(phrase)} ", None
    negative = [f" {fold(word)} " for word in negations]
    is_negative = any(folded.startswith(word) for word in negative)
    for clause in _clauses(text, folded, conjunctions):
        before, mark, after = clause.partition(_PLACE)
        if mark and not is_negative and any(word in before or after.startswith(word) for word in negative):
            return False
        result = True if mark else result
    return result


def _clauses(text: str, phrase: str, conjunctions: Iterable[str]) -> Iterator[str]:
    """Yield each clause, folded, with a mark in place of the phrase."""
    ends_of_clause = {fold(word) for word in conjunctions}
    for part in _CLAUSE.split(text):
        words = f" {fold(part)} ".replace(phrase, f" {_PLACE} ").split()
        ends = [-1, *(place for place, word in enumerate(words) if word in ends_of_clause), len(words)]
        yield from (f" {' '.join(words[start + 1 : end])} " for start, end in pairwise(ends))
