"""Fold a text for comparison, with a map back to the characters as typed.

Readers read the same word in Cyrillic letters that look like Latin ones, with a soft hyphen or a zero-width space in
it, with accents, with digits for letters (`c0upable`) or with spaces between its letters. So do the checks.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

# Letters that look like Latin ones: Unicode Technical Standard #39, confusables; the rest of Greek and Cyrillic stays.
_LOOK_ALIKES: Final = {
    **dict(zip("авекмнорстухіјѕԁԛԝһӏѵ", "abekmhopctyxijsdqwhlv", strict=True)),
    **dict(zip("αβεηικνορτυχγω", "aben" + "ikvoptuxyw", strict=True)),
    **dict(zip("ɑɡıɩʟɪɴʀʙʜøđłħŧƒɓɗɨʉᴀᴄᴅᴇᴊᴋᴍᴏᴘᴛᴜᴠᴡᴢ", "agiilinrbhodlhtfbdiuacdejkmoptuvwz", strict=True)),
    "œ": "oe",
    "æ": "ae",
    "ꞌ": "'",
    "’": "'",
    "‘": "'",
    "ʼ": "'",
    "´": "'",
    "`": "'",
    "′": "'",
    "\u2044": "/",
    **dict.fromkeys("‐‑‒–—―−﹣－", "-"),
    **dict.fromkeys("…⋯", "."),
    **{chr(first + place): chr(ord("a") + place) for first in (0x1F150, 0x1F170, 0x1F1E6) for place in range(26)},
}
_INVISIBLE: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")  # marks and fillers that show nothing
_SPACE_LIKE: Final = "\u2800"  # the empty Braille cell
_FOR_LETTERS: Final = str.maketrans("0134578", "oieastb")
_WORD: Final = re.compile(r"[^\W_]+")
_SPELT: Final = 3  # single letters in a row that make a word


@lru_cache(maxsize=4096)
def fold_character(character: str) -> str:
    """Return what a character is read as: plain small letters, one space, or nothing."""
    if character.isspace() or character == _SPACE_LIKE:
        return " "
    kind = unicodedata.category(character)
    if kind in {"Cf", "Mn", "Me", "Cc"} or character in _INVISIBLE:
        return ""
    plain = unicodedata.normalize("NFKD", _LOOK_ALIKES.get(character, character)).casefold()
    letters = (_LOOK_ALIKES.get(letter, letter) for letter in plain if not unicodedata.combining(letter))
    return " ".join("".join(letters).split()) or ("" if plain else " ")


class Token(NamedTuple):
    """A word of a folded text.

    Attributes:
        word: In plain small letters.
        start: Its first character in the folded text.
        end: One past its last one.
        capital: True if it begins with a capital.
        capitals: True if it has no small letter, and at least two capitals.
    """

    word: str
    start: int
    end: int
    capital: bool
    capitals: bool


class FoldedText:
    """A text as readers read it.

    Attributes:
        original: The text as typed.
        text: The same, folded. Each run of white space is one space.
    """

    __slots__ = ("_hashtag", "_origins", "_tokens", "original", "text")

    def __init__(self, original: str, *, hashtag: bool = False) -> None:
        """Fold a text. The text of a hashtag is given without its `#`."""
        self.original = original
        self._hashtag = hashtag
        letters: list[str] = []
        origins: list[int] = []
        last = ""
        for position, character in enumerate(original):
            folded = character if "a" <= character <= "z" else fold_character(character)
            if folded == " " == last or not folded:
                continue
            letters.append(folded)
            origins += [position] * len(folded)
            last = folded
        self.text = "".join(letters)
        self._origins = [*origins, len(original)]
        self._tokens: tuple[Token, ...] | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return where a part of the folded text is in the original."""
        first, last = self._origins[start], self._origins[max(start, end - 1)]
        after = next((origin for origin in self._origins[end : end + 3] if origin > last), last + 1)
        return first, max(after, last + 1)

    def typed(self, start: int, end: int) -> str:
        """Return the original of a part of the folded text."""
        first, last = self.span(start, end)
        return self.original[first:last]

    @property
    def tokens(self) -> tuple[Token, ...]:
        """Its words. Letters that stand alone in a row, `c o u p a b l e`, are one word."""
        if self._tokens is None:
            words = [part for match in _WORD.finditer(self.text) for part in self._parts(*match.span())]
            self._tokens = tuple(self._joined([self._token(*part) for part in words]))
        return self._tokens

    def _parts(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the words of a hashtag, `#AppelÀTémoins`, or a word as it is."""
        if self._hashtag or self.text[max(0, start - 1) : start] == "#":
            for at in range(start + 1, end):
                before, after = self.original[self._origins[at - 1]], self.original[self._origins[at]]
                if after.isupper() and not before.isupper():
                    yield start, at
                    start = at
        yield start, end

    def _token(self, start: int, end: int) -> Token:
        first = self.original[self._origins[start]]
        typed = "" if not first.isupper() else self.typed(start, end)
        capitals = end - start > 1 and bool(typed) and typed.upper() == typed
        return Token(self.text[start:end], start, end, bool(typed), capitals)

    def _joined(self, tokens: list[Token]) -> Iterator[Token]:
        """Yield the words, runs of spelt letters as one."""
        at = 0
        while at < len(tokens):
            end = at + 1
            gap = self._gap(tokens, at)
            while gap and end < len(tokens) and len(tokens[end].word) == 1 and self._gap(tokens, end - 1) == gap:
                end += 1
            run = tokens[at:end]
            if len(run) >= _SPELT and not all(token.word.isdigit() for token in run):
                word = "".join(token.word for token in run)
                yield Token(word, run[0].start, run[-1].end, run[0].capital, all(token.capital for token in run))
            else:
                yield from run
            at = end

    def _gap(self, tokens: list[Token], at: int) -> str:
        """Return the one sign as typed between a single letter and the next word, empty if it is another case."""
        if len(tokens[at].word) != 1 or at + 1 >= len(tokens):
            return ""
        between = self.text[tokens[at].end : tokens[at + 1].start]
        start = self._origins[tokens[at].end] if between else 0
        wide = self._origins[tokens[at + 1].start] - start if between else 0
        return between if len(between) == 1 and wide == 1 else ""


def with_letters(word: str) -> Iterator[str]:
    """Yield readings of a word with digits for letters: `c0upable` is *coupable*."""
    if not word.isalpha() and any(letter.isalpha() for letter in word):
        read = word.translate(_FOR_LETTERS)
        yield read
        if "1" in word:
            yield word.replace("1", "l").translate(_FOR_LETTERS)
