"""Fold a text for comparison, with a map back to the characters as typed.

Readers read the same word in Cyrillic letters that look like Latin ones, with a soft hyphen or a zero-width space in
it, with accents, with digits for letters (`c0upable`) or with spaces between its letters. So do the checks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Final, NamedTuple

from policenotify.text.look_alikes import fold_character
from policenotify.text.patterns import lazy_pattern

_FOR_LETTERS: Final = str.maketrans("0134578", "oieastb")
_WORD: Final = lazy_pattern(r"[^\W_]+")
# Neither the unit in `à 21 h` nor an article, `l'entrée`.
_SINGLE: Final = lazy_pattern(r"(?<![^\W_])(?!(?<=\d )h)[^\W\d_](?![^\W_]|[.@-][^\W\d_]{2}|'[^\W\d_]{2})")
# The sign between two such letters, or between more that have an article or a unit among them.
_MAY_STAND_APART: Final = lazy_pattern(r"(?s)[ .*_·/|+~-](?=[^\W\d_](?![^\W_]))(?<=[^\W\d_].)(?<![^\W_]..)")
_DIGIT: Final = lazy_pattern(r"\d")
_SPELT: Final = 3  # letters that stand apart, at least
_SIGNS: Final = frozenset(" .*_·/|+~-")
_SPACES: Final = lazy_pattern(r" {2,}")
_LETTERS: Final = 3  # in a word with figures, at least
# A word with letters and figures that is no hour.
_MIXED: Final = lazy_pattern(r"(?<![^\W_])(?!\d{1,2}h(?:\d\d)?(?![^\W_]))(?=\d*[^\W\d_])[^\W\d_]*\d[^\W_]*")
_ORDINAL: Final = lazy_pattern(r"\d+(?:ere?|er|eme|nde?|e)s?")


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


_new_token: Final = partial(tuple.__new__, Token)  # what the class calls, without a call of Python for each word


class FoldedText:
    """A text as readers read it.

    Attributes:
        original: The text as typed.
        text: The same, folded. Each run of white space is one space.
        tokens: Its words. Letters that stand apart, `c o u p a b l e`, are one word.
        digits: How many digits it has, of any script.
        is_aligned: True if each character of the text stands for the one at its place in the original. No letters stand
            apart in it then.
        may_be_apart: False if [`is_apart`][policenotify.checks.folds.FoldedText.is_apart] is False for each token.
    """

    __slots__ = (
        *("_hashtag", "_origins", "_readings"),
        *("digits", "is_aligned", "may_be_apart", "original", "text", "tokens"),
    )

    def __init__(self, original: str, *, hashtag: bool = False) -> None:
        """Fold a text. The text of a hashtag is given without its `#`."""
        self.original: str = original
        self._hashtag = hashtag
        folds = {character: fold_character(character) for character in set(original)}
        self.is_aligned: bool = all(len(folded) == 1 for folded in folds.values())
        text = "".join(map(folds.__getitem__, original))
        origins: Sequence[int] = range(len(original))
        if not self.is_aligned:
            origins = [position for position, character in enumerate(original) for _ in folds[character]]
        # The signs between letters that stand apart go, and so do all spaces after the first.
        needless = _signs_between(text) if _MAY_STAND_APART.search(text) else []
        if "  " in text:
            needless += [place for run in _SPACES.finditer(text) for place in range(run.start() + 1, run.end())]
        if needless:
            gone = set(needless)
            text = "".join(letter for place, letter in enumerate(text) if place not in gone)
            origins = [origin for place, origin in enumerate(origins) if place not in gone]
            self.is_aligned = False
        self.text: str = text
        self._origins: Sequence[int] = range(len(text) + 1) if self.is_aligned else [*origins, len(original)]
        self.digits: int = len(_DIGIT.findall(text))
        self._readings: tuple[str, ...] | None = None if self.digits else (text,)
        self.may_be_apart: bool = not self.is_aligned or "#" in text
        spans = [match.span() for match in _WORD.finditer(text)]
        parts = (part for span in spans for part in self._parts(*span)) if hashtag or "#" in text else spans
        self.tokens: tuple[Token, ...] = tuple(self._read(parts))

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return where a part of the folded text is in the original."""
        if self.is_aligned:
            return start, max(start + 1, end)
        first, last = self._origins[start], self._origins[max(start, end - 1)]
        after = next((origin for origin in self._origins[end : end + 3] if origin > last), last + 1)
        return first, max(after, last + 1)

    def typed(self, start: int, end: int) -> str:
        """Return the original of a part of the folded text."""
        first, last = self.span(start, end)
        return self.original[first:last]

    @property
    def readings(self) -> tuple[str, ...]:
        """The folded text, and the same with letters for the figures in its words if that is another."""
        if self._readings is None:
            read = _MIXED.sub(lambda word: word[0].translate(_FOR_LETTERS), self.text)
            self._readings = (self.text,) if read == self.text else (self.text, read)
        return self._readings

    def is_apart(self, token: Token) -> bool:
        """Return True if the letters of a token stand apart, or it is a hashtag: it may be several words."""
        return self.may_be_apart and (self._is_wide(token) or self.text[max(0, token.start - 1) : token.start] == "#")

    def is_spelt(self, token: Token) -> bool:
        """Return True if signs or spaces that are seen divide the letters of a token."""
        if not self._is_wide(token):
            return False
        seen = sum(map(bool, map(fold_character, self.typed(token.start, token.end))))
        return seen >= 2 * (token.end - token.start) - 1

    def _is_wide(self, token: Token) -> bool:
        width = self._origins[token.end - 1] - self._origins[token.start]
        return width >= 2 * (token.end - token.start - 1) > 0

    def _parts(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the words of a hashtag, `#AppelÀTémoins`, or a word as it is."""
        if self._hashtag or self.text[max(0, start - 1) : start] == "#":
            for at in range(start + 1, end):
                before, after = self.original[self._origins[at - 1]], self.original[self._origins[at]]
                if after.isupper() and not before.isupper():
                    yield start, at
                    start = at
        yield start, end

    def _read(self, parts: Iterable[tuple[int, int]]) -> Iterator[Token]:
        """Yield the words that begin and end there."""
        text, original, origins, is_aligned = self.text, self.original, self._origins, self.is_aligned
        for start, end in parts:
            word = text[start:end]
            typed = original[start:end] if is_aligned else original[origins[start] : origins[end - 1] + 1]
            if not word.isalpha():
                word = _as_word(word)
            if typed.islower():
                yield _new_token((word, start, end, False, False))
            elif typed[0].isupper() and typed[1:].islower():
                yield _new_token((word, start, end, True, False))
            else:
                capitals = sum(map(str.isupper, typed))
                all_capitals = capitals > 1 and not any(map(str.islower, typed))
                yield _new_token((word, start, end, capitals > 0, all_capitals))


def _signs_between(text: str) -> list[int]:
    """Return the places of the signs between letters that stand apart: `c o u p a b l e`, `c.o.u.p.a.b.l.e`.

    Two letters are a word only in a text in which more stand apart: `s a  f i l l e`.
    """
    runs: list[list[int]] = []  # of letters with the same sign between them
    run: list[int] = []
    for place in (match.start() for match in _SINGLE.finditer(text)):
        sign = text[place - 1 : place]
        joins = bool(run) and run[-1] == place - 2 and sign in _SIGNS
        if joins and (len(run) == 1 or text[place - 3 : place - 2] == sign):
            run.append(place)
            continue
        runs += [run] if len(run) > 1 else []
        # A letter between two signs may belong to either run.
        run = [place - 2, place] if joins else [place]
    runs += [run] if len(run) > 1 else []
    taken: set[int] = set()
    signs: list[int] = []
    # Spaces last: between `à` and a spelt word there is one, too.
    for run in sorted(runs, key=lambda run: (text[run[0] + 1 : run[0] + 2] == " ", -len(run))):
        letters = [place for place in run if place not in taken]
        if len(letters) > 1 and (len(letters) >= _SPELT or signs):
            taken.update(letters)
            signs += [place - 1 for place in letters[1:]]
    return signs


def _as_word(text: str) -> str:
    """Return a word with letters for the figures in it: `k4rim` is *karim*, but `18h30` and `1ere` stay."""
    if text.isalpha() or text.isdigit() or sum(map(str.isalpha, text)) < _LETTERS or _ORDINAL.fullmatch(text):
        return text
    read = text.translate(_FOR_LETTERS)
    return read if read.isalpha() else text


def with_letters(word: str) -> Iterator[str]:
    """Yield readings of a word with digits for letters: `c0upable` is *coupable*."""
    if not word.isalpha() and any(letter.isalpha() for letter in word):
        read = word.translate(_FOR_LETTERS)
        yield read
        if "1" in word:
            yield word.replace("1", "l").translate(_FOR_LETTERS)
