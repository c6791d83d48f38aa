"""Repair of unwanted links: a missing space, an `@` before a name.

X links bare domains, and `.la`, `.de`, `.au` are countries: `fermé.La circulation` would send readers of a police
account to an unrelated site. New top-level domains appear every year, so a space is inserted wherever a sentence
begins without one, link or not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from policenotify.text._data.tlds import KNOWN
from policenotify.text.patterns import lazy_pattern
from policenotify.text.spans import address_prefixes, find_mentions, is_allowed
from policenotify.text.x_entities import x_entities

_TOKEN: Final = lazy_pattern(r"\S+")
_NEXT: Final = lazy_pattern(r"\.(?=([^\W\d_]{2,}+)(?![\d_]))")
_MAY_NEED: Final = lazy_pattern(r"@|＠|\.[^ \n]")
_SIGNS: Final = "@＠"
_NO_SENTENCE: Final = frozenset(f"{_SIGNS}/")  # in a mail or web address
_CLOSING: Final = frozenset(')]»”"')


class Fix(NamedTuple):
    """One repaired part: a missing `space` after a full stop, or a `mention`.

    Places are in code points of the original text.
    """

    kind: Literal["space", "mention"]
    start: int
    end: int
    original: str
    replacement: str


class Repair(NamedTuple):
    """A text without unwanted links and mentions, and its fixes in order."""

    text: str
    fixes: tuple[Fix, ...]


class _Flaw(NamedTuple):
    """A part to repair, and its edits: each a start, an end and the new text."""

    kind: Literal["space", "mention"]
    start: int
    end: int
    edits: tuple[tuple[int, int, str], ...]


@lru_cache(maxsize=64)  # each network repairs the words of one message
def repair(text: str, mentions: frozenset[str] = frozenset()) -> Repair:
    """Insert missing spaces after full stops, and remove the `@` of unwanted mentions.

    A space is missing where X would link a bare domain that is not
    [an intended address][policenotify.text.spans.is_address], and where a small letter, a digit or a closing bracket, a
    full stop and a word with a capital letter touch (`17h.Le`). Mentions are those of
    [`find_mentions`][policenotify.text.spans.find_mentions], and the handles in *mentions* stay. Web and mail addresses
    stay too. A second repair changes nothing.
    """
    if not _MAY_NEED.search(text):
        return Repair(text, ())
    original, origins = text, list(range(len(text) + 1))  # the place of each character in the original text
    fixes: list[Fix] = []
    while flaws := list(_unwanted_mentions(text, mentions)) or list(_missing_spaces(text)):
        fixes += [
            Fix(flaw.kind, start, end, original[start:end], _edited(text, flaw.edits, flaw.start, flaw.end))
            for flaw in flaws
            for start, end in [(origins[flaw.start], origins[flaw.end])]
        ]
        edits = [edit for flaw in flaws for edit in flaw.edits]
        origins = _moved(origins, edits)
        text = _edited(text, edits, 0, len(text))
    return Repair(text, tuple(sorted(fixes, key=lambda fix: fix.start)))


def _edited(text: str, edits: Iterable[tuple[int, int, str]], start: int, end: int) -> str:
    pieces: list[str] = []
    for at, until, new in edits:
        pieces += [text[start:at], new]
        start = until
    return "".join([*pieces, text[start:end]])


def _moved(origins: list[int], edits: Iterable[tuple[int, int, str]]) -> list[int]:
    moved: list[int] = []
    done = 0
    for at, until, new in edits:
        moved += [*origins[done:at], *(origins[at] for _ in new)]
        done = until
    return moved + origins[done:]


def _unwanted_mentions(text: str, mentions: frozenset[str]) -> Iterator[_Flaw]:
    """Yield the mentions that are not allowed, with all signs of the word: `@@name`."""
    done = 0
    for mention in find_mentions(text):
        if not is_allowed(mention.value, mentions):
            first = mention.start
            while first > done and (text[first - 1].isalnum() or text[first - 1] in f"{_SIGNS}_:"):
                first -= 1
            signs = [at for at in range(first, mention.start + 1) if text[at] in _SIGNS]
            edits = tuple((at, at + 1, " " if at and text[at - 1].isalnum() else "") for at in signs)
            yield _Flaw("mention", signs[0], mention.end, edits)
        done = mention.end


def _missing_spaces(text: str) -> Iterator[_Flaw]:
    """Yield the places without a space after a full stop."""
    if "." not in text:
        return
    flaws: list[_Flaw] = []
    linked: set[int] = set()
    inside: set[int] = set()
    for entity in x_entities(text):
        if entity.kind == "url" and "://" not in entity.value:
            linked.update(range(entity.start, entity.end + 1))
            inside.update(range(entity.start + 1, entity.end))
            if gaps := _gaps(entity.value):
                edits = tuple((entity.start + gap, entity.start + gap, " ") for gap in gaps)
                flaws.append(_Flaw("space", entity.start, entity.end, edits))
    starts = (start for token in _TOKEN.finditer(text) if "." in token[0] for start in _sentence_starts(token))
    # The word may begin before the domain, since X's domains lack some letters and digits: `¹fermé.La`.
    flaws += [start for start in starts if start.start not in linked and start.edits[0][0] not in inside]
    yield from sorted(flaws)


def _gaps(bare: str) -> list[int]:
    """Return where to split a bare domain, so that only an address is left."""
    host, _, path = bare.partition("/")
    labels = host.split(".")
    is_address = address_prefixes(labels, path=bool(path))
    if is_address[-1]:
        return []
    first = next(number for number, label in enumerate(labels) if label.lower() in KNOWN or number == len(labels) - 1)
    gaps: list[int] = []
    gap = len(host)
    for number in range(len(labels) - 1, max(first, 1) - 1, -1):
        gap -= len(labels[number]) + 1
        gaps.append(gap + 1)
        if is_address[number - 1]:
            break
    return gaps[::-1]


def _sentence_starts(token: re.Match[str]) -> Iterator[_Flaw]:
    """Yield the starts of sentences inside a word."""
    if not _NO_SENTENCE.isdisjoint(token[0]):
        return
    text, done = token.string, token.start()
    for match in _NEXT.finditer(text, done + 1, token.end()):
        before = text[match.start() - 1]
        if (before.islower() or before.isdigit() or before in _CLOSING) and match[1].istitle():
            start = match.start() - 1
            while start > done and text[start - 1].isalnum():
                start -= 1
            done = match.end(1)
            yield _Flaw("space", start, done, ((match.end(), match.end(), " "),))
