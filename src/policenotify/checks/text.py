"""A text folded for comparison: plain small letters, with a map back to the characters as typed."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

from policenotify.checks.words import Match, Token, WordLists

_WORD: Final = re.compile(r"[^\W_]+")
_SENTENCE_END: Final = re.compile(r"[.!?;\n](?=\s|$)|[!?;]")
_CLAUSE_END: Final = re.compile(r"[,:()–]|(?<!\w)(?:et|mais|puis|and|but)(?!\w)")
_LONGEST: Final = 60  # words of a sentence: what looks around in one stays fast
_SIGNS: Final = {"œ": "oe", "æ": "ae", "’": "'", "‘": "'", "‐": "-", "‑": "-"}
_ABBREVIATIONS: Final = frozenset({"m", "mm", "dr", "pr", "me", "st", "ste", "av", "bd", "bat"})


@lru_cache(maxsize=2048)
def _plain(character: str) -> str:
    """Return a character without case and accents: `É` is *e*, `œ` is *oe*, a no-break space is a space."""
    if character == "\n":
        return character
    letter = character.casefold()
    decomposed = unicodedata.normalize("NFKD", _SIGNS.get(letter, letter)).casefold()
    return "".join(" " if letter.isspace() else letter for letter in decomposed if not unicodedata.combining(letter))


@dataclass(frozen=True)
class TextPart:
    """One text of a message, folded.

    Attributes:
        field: The field of the message that holds it: `headline`, `translations.en.headline`, `images.0.alt`.
        language: Its language, BCP 47.
        original: As typed, without invisible signs.
        words: The word lists of that language.
    """

    field: str
    language: str
    original: str
    words: WordLists

    @cached_property
    def text(self) -> str:
        """The folded text."""
        return "".join(map(_plain, self.original))

    @cached_property
    def _origins(self) -> list[int] | range:
        """The place in the original of each character of the folded text, and one past the last."""
        if len(self.text) == len(self.original) and all(len(_plain(sign)) == 1 for sign in set(self.original)):
            return range(len(self.original) + 1)
        return [*(at for at, sign in enumerate(self.original) for _ in _plain(sign)), len(self.original)]

    @cached_property
    def tokens(self) -> tuple[Token, ...]:
        """Its words, those of a hashtag apart: `#AppelÀTémoins`."""
        return tuple(self._read())

    def _read(self) -> Iterator[Token]:
        tag = self.field.startswith("hashtags.")
        for match in _WORD.finditer(self.text):
            start, end = match.span()
            if tag or self.text[start - 1 : start] == "#":
                for at in range(start + 1, end):
                    joined = self.typed(at - 1, at).isupper() and not self.typed(at + 1, at + 2).islower()
                    if self.typed(at, at + 1).isupper() and not joined:
                        yield self._token(start, at)
                        start = at
            yield self._token(start, end)

    def _token(self, start: int, end: int) -> Token:
        aligned = isinstance(self._origins, range)
        typed = self.original[start:end] if aligned else self.typed(start, end)
        return Token(self.text[start:end], start, end, typed[:1].isupper(), typed.isupper() and len(typed) > 1)

    def typed(self, start: int, end: int) -> str:
        """Return the original of a part of the folded text."""
        return self.original[slice(*self.place(start, end))] if start < len(self.text) else ""

    def place(self, start: int, end: int) -> tuple[int, int]:
        """Return where a part of the folded text is in the original."""
        if isinstance(self._origins, range):  # as nearly always
            return start, max(start + 1, end)
        last = self._origins[max(start, end - 1)]
        return self._origins[start], min(len(self.original), max(last + 1, self._origins[end]))

    def span(self, match: Match) -> tuple[int, int]:
        """Return where some words are in the original."""
        return self.place(self.tokens[match.first].start, self.tokens[match.end - 1].end)

    @cached_property
    def in_capitals(self) -> bool:
        """True if most words are in capitals: a capital shows no name then."""
        return 2 * sum(token.capitals for token in self.tokens) > len(self.tokens)

    @cached_property
    def found(self) -> Mapping[str, list[Match]]:
        """Where each word list has a phrase in it, in order."""
        return self.words.find(self.text, self.tokens)

    def has(self, *names: str) -> bool:
        """Return True if one of these lists has a phrase in it."""
        return any(name in self.found for name in names)

    def within(self, name: str, words: range) -> list[Match]:
        """Return where a list has a phrase that begins at one of these words."""
        matches = self.found.get(name, [])
        first = bisect_left(matches, (words.start,))
        return matches[first : bisect_left(matches, (words.stop,), lo=first)]

    def near(self, match: Match, *names: str) -> Match | None:
        """Return a phrase of these lists in the same sentence."""
        sentence = self.sentence(match.first)
        return next((other for name in names for other in self.within(name, sentence)), None)

    def starts(self, at: int, *words: str) -> bool:
        """Return True if a word is one of these. One before the first or after the last word is none."""
        return 0 <= at < len(self.tokens) and self.tokens[at].word in words

    def gap(self, at: int) -> str:
        """Return what stands between a word and the next one, a full stop after the last."""
        if not 0 <= at < len(self.tokens) - 1:
            return ". "
        return self.text[self.tokens[at].end : self.tokens[at + 1].start]

    def sentence(self, at: int) -> range:
        """Return the words of the sentence of a word."""
        return self._around(self._sentences, at)

    def word_at(self, place: int) -> int:
        """Return the word at a place in the original, or the next one."""
        return bisect_right(self.tokens, place, key=lambda token: self.place(token.start, token.end)[1] - 1)

    def clause(self, at: int) -> range:
        """Return the words of the clause of a word."""
        return self._around(self._clauses, at)

    def _around(self, starts: list[int], at: int) -> range:
        place = bisect_right(starts, at)
        return range(starts[place - 1], starts[place] if place < len(starts) else len(self.tokens))

    @cached_property
    def _sentences(self) -> list[int]:
        """The first word of each sentence. A stop behind an abbreviation or an initial ends none."""
        starts = [0]
        for at in range(1, len(self.tokens)):
            gap, before = self.gap(at - 1), self.tokens[at - 1].word
            initial = len(before) == 1 and before.isalpha() and not self.tokens[at].word.endswith("ez")
            short = before in _ABBREVIATIONS or initial
            ends = _SENTENCE_END.search(gap) and not (short and gap == ". ")
            if ends or at - starts[-1] >= _LONGEST:
                starts.append(at)
        return starts

    @cached_property
    def _clauses(self) -> list[int]:
        sentences = set(self._sentences)
        return [
            at
            for at in range(len(self.tokens))
            if at in sentences or _CLAUSE_END.search(self.gap(at - 1)) or _CLAUSE_END.fullmatch(self.tokens[at].word)
        ] or [0]
