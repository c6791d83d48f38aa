"""The measures of a text and the budget of a post."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from policenotify.translation import AnyText

if TYPE_CHECKING:
    import regex

_FORM: Final = "\ufe0f"  # the emoji form of the sign before it: the only joining sign of most posts
_SIGNS: Final = (  # each is a grapheme beside any neighbour: Grapheme_Cluster_Break=Other, or a line feed
    "[\n -~\xa0-\xac\xae-\u02ff\u0370-\u037f\u0391-\u03ff\u1e00-\u1eff\u2010-\u2027\u202f-\u205e\u20a0-\u20bf"
    "\u2190-\u27bf\U0001f300-\U0001f3fa\U0001f400-\U0001f6ff\U0001f900-\U0001f9ff]"
)
_ALONE: Final = re.compile(rf"{_SIGNS}*+(?:(?<=[^\n]){_FORM}{_SIGNS}*+)*+")


def graphemes(text: str) -> int:
    """Count the extended grapheme clusters: what a reader sees as characters.

    As in *Unicode Standard Annex #29*, section 3.1.1. Bluesky counts in them (`maxGraphemes` of the lexicon
    `app.bsky.feed.post`).
    """
    if _ALONE.fullmatch(text):
        return len(text) - text.count(_FORM)
    return len(unicode_pattern(r"\X").findall(text))


def grapheme_ends(text: str) -> list[int]:
    """Return the end of each grapheme, in code points of the text."""
    return [grapheme.end() for grapheme in unicode_pattern(r"\X").finditer(text)]


@cache
def unicode_pattern(expression: str) -> regex.Pattern[str]:
    """Compile an expression of `regex`, which only texts that need it import."""
    import regex  # noqa: PLC0415 - see the docstring

    return regex.compile(expression, regex.VERSION1)


def utf8_bytes(text: str) -> int:
    """Count the bytes of the text in UTF-8, a lone surrogate as three."""
    return len(text.encode("utf-8", "surrogatepass"))


@dataclass(frozen=True, slots=True)
class Budget:
    """The length that a post may have.

    Attributes:
        limit: The largest result of `measure`.
        measure: Counts a text as the network does.
        max_bytes: A second limit of the network, in UTF-8 bytes.
        transliterate: Writes a whole text in the network's alphabet, such as GSM 03.38.
        find_losses: Returns what `transliterate` would omit from a text, or change in its meaning.
        describe: Returns details of a finished text beside its count: `GSM-7, 2 segments`.
        price: Returns how many messages are paid for a finished text.
        displayed: Returns a finished text as readers see it: Bluesky shortens addresses.
    """

    limit: int
    measure: Callable[[str], int] = len
    max_bytes: int | None = None
    transliterate: Callable[[str], str] | None = None
    find_losses: Callable[[str], tuple[str, ...]] | None = None
    describe: Callable[[str], AnyText] | None = None
    price: Callable[[str], int] | None = None
    displayed: Callable[[str], str] | None = None

    def fits(self, text: str) -> bool:
        """Return True if the text is within the budget."""
        return self.measure(text) <= self.limit and (self.max_bytes is None or utf8_bytes(text) <= self.max_bytes)

    def reserve(self, text: str) -> Budget:
        """Return the budget that is left for a text before this one."""
        max_bytes = self.max_bytes and self.max_bytes - utf8_bytes(text)
        return Budget(self.limit, lambda before: self.measure(before + text), max_bytes)

    def usage(self, text: str) -> tuple[int, int]:
        """Return the length of the text and its limit, in bytes if only those exceed it."""
        used = self.measure(text)
        if self.max_bytes is not None and used <= self.limit and utf8_bytes(text) > self.max_bytes:
            return utf8_bytes(text), self.max_bytes
        return used, self.limit
