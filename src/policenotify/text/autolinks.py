"""Repair of unwanted links: a missing space, an `@` before a name.

X links bare domains, and `.la`, `.de`, `.au` are countries: `fermé.La circulation` would send readers of a police
account to an unrelated site. New top-level domains appear every year, so a space is inserted wherever a sentence
begins without one, link or not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from policenotify.text.spans import (
    TextSpan,
    address_prefixes,
    find_domains,
    find_mentions,
    is_allowed,
    is_top_level,
    spans_of,
)

_SENTENCE: Final = re.compile(r"\.(?=([^\W\d_]{2,}+)(?![\d_]))")
_CLOSING: Final = frozenset(')]»”"')
_SIGNS: Final = "@＠"
_WORD: Final = re.compile(r"[\w@＠:]+")
_MAIL: Final = re.compile(r"(?<![\w.+-])[\w.+-]++[@＠][\w.-]++")
_MAY_NEED: Final = re.compile(r"@|＠|\.[^ \n]")


def repair(text: str, mentions: frozenset[str] = frozenset()) -> str:
    """Insert missing spaces after full stops, and remove the `@` of unwanted mentions.

    A space is missing where X would link a bare domain that is not
    [an intended address][policenotify.text.spans.is_address], and where a small letter, a digit or a closing bracket, a
    full stop and a word with a capital letter touch (`17h.Le`). Mentions are those of
    [`find_mentions`][policenotify.text.spans.find_mentions], and the handles in *mentions* stay. Web and mail addresses
    stay too. A second repair changes nothing.
    """
    if not _MAY_NEED.search(text):
        return text
    while True:
        unwanted = [mention for mention in find_mentions(text) if not is_allowed(mention.value, mentions)]
        signs = set(_signs(text, unwanted))
        gaps = set[int]() if signs else _gaps(text, mentions)
        if not signs and not gaps:
            return text
        text = "".join(_pieces(text, signs, gaps))


def _pieces(text: str, signs: set[int], gaps: set[int]) -> Iterator[str]:
    """Yield the characters without the signs, and with a space in each gap and between two words."""
    for place, sign in enumerate(text):
        if place in gaps or (place in signs and place and text[place - 1].isalnum()):
            yield " "
        if place not in signs:
            yield sign


def _signs(text: str, unwanted: list[TextSpan]) -> Iterator[int]:
    """Yield the places of the signs before each name, `@@name`, and of those that follow in the same word."""
    done = 0
    for mention in unwanted:
        if mention.start < done:
            continue
        first = mention.start
        while first and text[first - 1] in _SIGNS:
            first -= 1
        yield from range(first, mention.start + 1)
        behind = _WORD.match(text, mention.end)
        done = behind.end() if behind else mention.end
        yield from (at for at in range(mention.end, done) if text[at] in _SIGNS)


def _gaps(text: str, mentions: frozenset[str]) -> set[int]:
    """Return the places after a full stop where a space is missing."""
    if "." not in text:
        return set()
    kept = [(span.start, span.end) for span in spans_of(text, mentions) if span.kind != "tag"]
    kept += [match.span() for match in _MAIL.finditer(text)]
    inside = {place for start, end in kept for place in range(start + 1, end)}
    return {*_ends_of_domains(text), *_starts_of_sentences(text)} - inside


def _ends_of_domains(text: str) -> Iterator[int]:
    """Yield where to split bare domains, so that only addresses are left."""
    for domain in find_domains(text):
        labels = domain[0].split(".")
        ends = [is_top_level(label) for label in labels]
        while len(labels) > 1 and not ends[len(labels) - 1]:
            labels.pop()
        path = domain[0].count(".") < len(labels) and text.startswith("/", domain.end())
        is_address = address_prefixes(labels, path=path)
        kept = max((number for number, each in enumerate(is_address) if each), default=0)
        place = domain.start() + len(labels[0]) + 1
        for number, label in enumerate(labels[1:], 1):
            if ends[number] and number > kept:
                yield place
            place += len(label) + 1


def _starts_of_sentences(text: str) -> Iterator[int]:
    for match in _SENTENCE.finditer(text, 1):
        before = text[match.start() - 1]
        if (before.islower() or before.isdigit() or before in _CLOSING) and match[1].istitle():
            yield match.end()
