"""Comparison of texts without accents, case and punctuation."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Final

_WORD: Final = re.compile(r"\w+")
_PLACE: Final = "\0"
_BETWEEN: Final = 6  # words between two words of a phrase: `n'est pas encore tout à fait`
_CLAUSE: Final = re.compile(r"[.,;:!?…()\n]|\s[–—-]\s")


@lru_cache(maxsize=64)  # the networks of a message ask for the same words
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

    A negation counts in the clause of the phrase, before it, directly after it or between its words: *n'est pas encore
    rétablie*, *circuler normalement n'est pas possible*, *le périmètre n'est toujours pas levé*. A phrase that begins
    with a negation (*aucun danger*, *no danger*) is not negated by another one: *il n'y a plus aucun danger*. A
    conjunction ends a clause, like a comma.
    """
    folded, result = f" {fold(phrase)} ", None
    negative = [f" {fold(word)} " for word in negations]
    is_negative = any(folded.startswith(word) for word in negative)
    words = folded.split()
    if len(words) > 1 and not any(word in folded for word in negative):
        clauses = (clause.split() for clause in _clauses(text, _PLACE, conjunctions))
        if any(_is_divided(clause, words, negative) for clause in clauses):
            return False
    for clause in _clauses(text, folded, conjunctions):
        before, mark, after = clause.partition(_PLACE)
        if mark and not is_negative and any(word in before or after.startswith(word) for word in negative):
            return False
        result = True if mark else result
    return result


def _is_divided(clause: list[str], phrase: list[str], negative: Iterable[str]) -> bool:
    """Return True if a clause has the words of a phrase in order, with a negation between them."""
    for start in (place for place, word in enumerate(clause) if word == phrase[0]):
        at = start
        for word in phrase[1:]:
            nearby = clause[at + 1 : at + 2 + _BETWEEN]
            if word not in nearby:
                break
            at += 1 + nearby.index(word)
        else:
            inside = f" {' '.join(clause[start : at + 1])} "
            if any(word in inside for word in negative):
                return True
    return False


def _clauses(text: str, phrase: str, conjunctions: Iterable[str]) -> Iterator[str]:
    """Yield each clause, folded, with a mark in place of the phrase."""
    ends_of_clause = {fold(word) for word in conjunctions}
    for part in _CLAUSE.split(text):
        words = f" {fold(part)} ".replace(phrase, f" {_PLACE} ").split()
        ends = [-1, *(place for place, word in enumerate(words) if word in ends_of_clause), len(words)]
        yield from (f" {' '.join(words[start + 1 : end])} " for start, end in pairwise(ends))
