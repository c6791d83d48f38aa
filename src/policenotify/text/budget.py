"""How networks count a text, and how much of it they take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def graphemes(text: str) -> int:
    """Count what a reader sees as characters: extended grapheme clusters.

    As *Unicode Standard Annex #29*, section 3.1.1; Bluesky (`maxGraphemes` of the lexicon
    `app.bsky.feed.post`) counts so.
    """
    if text.isascii():
        return len(text) - text.count("\r\n")
    import regex  # noqa: PLC0415 - only texts that are not ASCII pay for it

    return len(regex.findall(r"\X", text))


def grapheme_ends(text: str) -> list[int]:
    """Where each grapheme ends, in code points of the text."""
    import regex  # noqa: PLC0415 - as above

    return [match.end() for match in regex.finditer(r"\X", text)]


def utf8_bytes(text: str) -> int:
    """Count the bytes of the text in UTF-8; a lone surrogate counts as its three bytes."""
    return len(text.encode("utf-8", "surrogatepass"))


@dataclass(frozen=True, slots=True)
class Budget:
    """How much text a post may carry.

    Attributes:
        limit: The most that `measure` may count.
        measure: How the network counts.
        max_bytes: A second limit, in UTF-8 bytes, where the network has one.
        spell: Writes a text in the network's alphabet, as GSM 03.38 wants it; it is applied before fitting.
        loses: What `spell` would leave out of a text, or change in its meaning.
        describe: Says of a finished text what the count alone does not: `GSM-7, 2 segments`.
    """

    limit: int
    measure: Callable[[str], int] = len
    max_bytes: int | None = None
    spell: Callable[[str], str] | None = None
    loses: Callable[[str], tuple[str, ...]] | None = None
    describe: Callable[[str], str] | None = None

    def fits(self, text: str) -> bool:
        """Whether the text is within the budget."""
        return self.measure(text) <= self.limit and (self.max_bytes is None or utf8_bytes(text) <= self.max_bytes)

    def use(self, text: str) -> tuple[int, int]:
        """How much the text takes, and of how much, in the count that it exceeds (else in the network's first one)."""
        if self.max_bytes is not None and self.measure(text) <= self.limit and not self.fits(text):
            return utf8_bytes(text), self.max_bytes
        return self.measure(text), self.limit
