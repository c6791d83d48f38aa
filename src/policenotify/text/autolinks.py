"""Setting right what a network would link although nobody meant it: a missing space, a stranger's name.

X links bare domains, and `.la`, `.de`, `.au` are countries: `fermé.La circulation` would send readers of a police
account to somebody else's site. Which words are top-level domains changes every year; so a space is put wherever a
sentence begins without one, link or not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from policenotify.text._data.tlds import KNOWN
from policenotify.text.spans import address_prefixes, find_mentions, is_allowed
from policenotify.text.x_entities import x_entities

_TOKEN: Final = re.compile(r"\S+")
_NEXT: Final = re.compile(r"\.(?=([^\W\d_]{2,}+)(?![\d_]))")
_MAY_NEED: Final = re.compile(r"@|＠|\.[^ \n]")
_SIGNS: Final = "@＠"
_NO_SENTENCE: Final = frozenset(f"{_SIGNS}/")  # in an address, of mail or of the web
_CLOSING: Final = frozenset(')]»”"')


class Fix(NamedTuple):
    """A part of a text that was set right.

    Attributes:
        kind: `space`: one was missing after a full stop. `mention`: an account would have been mentioned.
        start: First character, in code points of the text as it was.
        end: One past the last.
        original: How it was written.
        replacement: How it reads now.
    """

    kind: Literal["space", "mention"]
    start: int
    end: int
    original: str
    replacement: str


class Repair(NamedTuple):
    """A text that links and calls nobody unmeant.

    Attributes:
        text: The text.
        fixes: What was set right, in order.
    """

    text: str
    fixes: tuple[Fix, ...]


class _Slip(NamedTuple):
    """What is to be set right: from where to where, and what stands there instead, as places and texts."""

    kind: Literal["space", "mention"]
    start: int
    end: int
    edits: tuple[tuple[int, int, str], ...]


@lru_cache(maxsize=64)  # the words of one message are set for every network
def repair(text: str, mentions: frozenset[str] = frozenset()) -> Repair:
    """Set a text right: a space after each full stop that lacks one, no `@` before a stranger's name.

    A space is missing where X would link a bare domain that is
    [no address][policenotify.text.spans.is_address], and where a small letter, a digit or a closing bracket, a full
    stop and a word with a capital letter touch (`17h.Le`). Whom X or Mastodon would mention, as
    [`find_mentions`][policenotify.text.spans.find_mentions] finds, is named without `@`. Addresses stay, mail as
    well; nothing else is changed, and repairing twice changes nothing.

    Args:
        text: The text.
        mentions: Handles that may be mentioned, without `@`.
    """
    if not _MAY_NEED.search(text):
        return Repair(text, ())
    was, back = text, list(range(len(text) + 1))  # where each character was in the text as it came
    mended: list[Fix] = []
    while slips := list(_strangers(text, mentions)) or list(_glued(text)):
        mended += [
            Fix(slip.kind, start, end, was[start:end], _edited(text, slip.edits, slip.start, slip.end))
            for slip in slips
            for start, end in [(back[slip.start], back[slip.end])]
        ]
        edits = [edit for slip in slips for edit in slip.edits]
        back = _moved(back, edits)
        text = _edited(text, edits, 0, len(text))
    return Repair(text, tuple(sorted(mended, key=lambda one: one.start)))


def _edited(text: str, edits: Iterable[tuple[int, int, str]], start: int, end: int) -> str:
    pieces: list[str] = []
    for at, until, instead in edits:
        pieces += [text[start:at], instead]
        start = until
    return "".join([*pieces, text[start:end]])


def _moved(back: list[int], edits: Iterable[tuple[int, int, str]]) -> list[int]:
    moved: list[int] = []
    done = 0
    for at, until, instead in edits:
        moved += [*back[done:at], *(back[at] for _ in instead)]
        done = until
    return moved + back[done:]


def _strangers(text: str, mentions: frozenset[str]) -> Iterator[_Slip]:
    """Whom nobody allowed to be mentioned; with a sign go those before it in the same word: `@@name`."""
    done = 0
    for one in find_mentions(text):
        if not is_allowed(one.value, mentions):
            first = one.start
            while first > done and (text[first - 1].isalnum() or text[first - 1] in f"{_SIGNS}_:"):
                first -= 1
            signs = [at for at in range(first, one.start + 1) if text[at] in _SIGNS]
            edits = tuple((at, at + 1, " " if at and text[at - 1].isalnum() else "") for at in signs)
            yield _Slip("mention", signs[0], one.end, edits)
        done = one.end


def _glued(text: str) -> Iterator[_Slip]:
    """Where a space is missing after a full stop."""
    if "." not in text:
        return
    dots = [found for token in _TOKEN.finditer(text) if "." in token[0] for found in _begun(token)]
    slips: list[_Slip] = []
    taken: set[int] = set()
    for one in x_entities(text):
        if one.kind == "url" and "://" not in one.value:
            gaps = tuple((one.start + gap, one.start + gap, " ") for gap in _gaps(one.value))
            taken.update(range(one.start, one.end + 1))
            if gaps:
                slips.append(_Slip("space", one.start, one.end, gaps))
    slips += [dot for dot in dots if dot.start not in taken]
    yield from sorted(slips)


def _gaps(bare: str) -> list[int]:
    """Where a bare domain is to be parted, so that no link is left in it but an address at its beginning."""
    host, _, path = bare.partition("/")
    labels = host.split(".")
    means = address_prefixes(labels, path=bool(path))
    if means[-1]:
        return []
    first = next(number for number, label in enumerate(labels) if label.lower() in KNOWN or number == len(labels) - 1)
    gaps: list[int] = []
    gap = len(host)
    for number in range(len(labels) - 1, max(first, 1) - 1, -1):
        gap -= len(labels[number]) + 1
        gaps.append(gap + 1)
        if means[number - 1]:
            break
    return gaps[::-1]


def _begun(token: re.Match[str]) -> Iterator[_Slip]:
    """Where a sentence begins inside a word."""
    if not _NO_SENTENCE.isdisjoint(token[0]):
        return
    text, done = token.string, token.start()
    for found in _NEXT.finditer(text, done + 1, token.end()):
        before = text[found.start() - 1]
        if (before.islower() or before.isdigit() or before in _CLOSING) and found[1].istitle():
            start = found.start() - 1
            while start > done and text[start - 1].isalnum():
                start -= 1
            done = found.end(1)
            yield _Slip("space", start, done, ((found.end(), found.end(), " "),))
