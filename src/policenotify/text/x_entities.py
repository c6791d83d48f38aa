"""The links of X in a text: addresses, hashtags, mentions, lists and cashtags.

As in twitter-text 3.1.0 (Apache-2.0, <https://github.com/twitter/twitter-text>, frozen since 2021), the base of X's own
counting. Bare domains are links, typing errors too: in `fermé.La`, `.la` is a country.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from functools import cache
from operator import itemgetter
from string import ascii_letters
from typing import Final, Literal, NamedTuple, TypeVar

from policenotify.text._data.tlds import KNOWN
from policenotify.text._data.x_letters import HOST, LATIN, PATH, TAG, TAG_LETTER
from policenotify.text.patterns import lazy_pattern
from policenotify.text.urls import (
    DIRECTIONS,
    INVALID,
    MAX_ADDRESS,
    MAX_LABEL,
    MAX_SHORT,
    SPACES,
    TopLevelDomains,
    UrlCandidate,
    UrlGrammar,
    chain_ends,
    query_length,
    run_length,
    top_level_domains,
    top_level_end,
)

_Span = TypeVar("_Span", bound=tuple[str, int, int, str])  # a kind, a start, an end and a value


class Entity(NamedTuple):
    """A part of a text that a network links, with places in code points.

    The value is the address as written, or the name without its sign. A list is `name/list`.
    """

    kind: Literal["url", "mention", "list", "hashtag", "cashtag"]
    start: int
    end: int
    value: str


class XLink(NamedTuple):
    """An address that X links, with places in UTF-16 units.

    If X finds only a part of the domain, the value is that part with the path.
    """

    start: int
    end: int
    value: str
    domain: str


_PUNCTUATION: Final = r"!'#%&()*+,\\\-./:;<=>?@\[\]^_{|}~$"
_QUERY: Final = r"a-zA-Z0-9!?*'@();:&=+$/%#\[\]\-_.,~|"
_QUERY_LOOSE: Final = "!?*'@();:+$%[].,~|"
_SHORT: Final = lazy_pattern(rf"[hH][tT][tT][pP][sS]?://[tT]\.[cC][oO]/([a-zA-Z0-9]+)(\?[{_QUERY}]*)?")
_ASTRAL: Final = lazy_pattern(r"[\U00010000-\U0010ffff]")
_BEFORE_NO_BARE_DOMAIN: Final = frozenset("-_./")
_SEPARATORS: Final = lazy_pattern("[\u3002\uff0e\uff61]")  # other dots of Punycode: RFC 3490, section 3.1
_MENTION: Final = lazy_pattern(
    r"(?:\A|[^a-zA-Z0-9_!#$%&*@＠]|(?:\A|[^a-zA-Z0-9_+~.-])[rR][tT]:?)"
    r"([@＠])([a-zA-Z0-9_]{1,20})(/[a-zA-Z][a-zA-Z0-9_-]{0,24})?"
)
_HOST: Final = lazy_pattern(rf"[{HOST}]*")
_PLAIN: Final = lazy_pattern(rf"[.{HOST}]*")
_TAG: Final = lazy_pattern(rf"[#＃](?![\ufe0f\u20e3])([{TAG}]+)")
_OF_TAG: Final = lazy_pattern(rf"[{TAG}]")
_BEFORE_NO_TAG: Final = lazy_pattern(r"[&\ud800-\udfff]")
_FORMS: Final = "\ufe0e\ufe0f"  # the text and emoji forms of a sign
_BEHIND_LATIN: Final = "\u0250"  # the first letter of phonetics: a hashtag may hold all letters before it
_TAG_LETTER: Final = lazy_pattern(rf"[{TAG_LETTER}]")
_TAG_ENDS_BADLY: Final = lazy_pattern(r"[#＃]|://")
_MENTION_ENDS_BADLY: Final = lazy_pattern(rf"[@＠{LATIN}]|://")
_CASHTAG: Final = lazy_pattern(
    rf"(?:\A|[{SPACES}])(\$)([a-zA-Z]{{1,6}}(?:[._][a-zA-Z]{{1,2}})?)"
    rf"(?=\Z|[\t-\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]|[{_PUNCTUATION}])"
)


@cache
def _grammar() -> UrlGrammar:
    return UrlGrammar(
        no_domain=rf"""!'#%&()*+,./:;<=>?@\[\]^{{|}}~$\\{SPACES}{INVALID}{DIRECTIONS}""",
        path=PATH,
        path_loose="!*';:,.$%[]\u2013~@|&",
        query=_QUERY,
        query_loose=_QUERY_LOOSE,
    )


def without_overlaps(spans: Iterable[_Span]) -> Iterator[_Span]:
    """Yield the spans that do not overlap an earlier one, in order."""
    end = 0
    for span in sorted(spans, key=itemgetter(1)):
        if span[1] >= end:
            yield span
            end = span[2]


def x_entities(text: str, *, tlds: frozenset[str] = KNOWN) -> tuple[Entity, ...]:
    """Find the links of X in a text that is not normalised, in order, not overlapping.

    *tlds* are the top-level domains that make a word with a dot an address, in small letters and not in Punycode: by
    default all of IANA's list. With those of twitter-text 3.1.0 (`policenotify.text._data.tlds.FROZEN`) the result is
    that of its JavaScript.
    """
    whole = join_surrogates(text)
    named = [*_mentions(whole), *_hashtags(whole), *_cashtags(whole)]
    if len(whole) == len(text) and ("." not in whole or not _grammar().dot.search(whole)):  # most posts have no address
        return tuple(without_overlaps(named))
    units = to_utf16(whole)
    if len(units) > len(whole):
        named = _moved(named, [pair.start() for pair in _ASTRAL.finditer(whole)], 1)
    urls = (Entity("url", link.start, link.end, link.value) for link in find_links(units, tlds))
    entities = list(without_overlaps([*urls, *named]))
    if len(units) > len(text):
        entities = _moved(entities, [pair.start() + count for count, pair in enumerate(_ASTRAL.finditer(text))], -1)
    return tuple(entities)


def _moved(entities: list[Entity], pairs: list[int], step: Literal[1, -1]) -> list[Entity]:
    """Move each entity by one step for each surrogate pair before it."""
    return [
        Entity(
            kind, start + step * bisect_left(pairs, start), end + step * bisect_left(pairs, end), join_surrogates(value)
        )
        for kind, start, end, value in entities
    ]


def _mentions(text: str) -> Iterator[Entity]:
    if "@" in text or "＠" in text:
        for match in _MENTION.finditer(text):
            if not _MENTION_ENDS_BADLY.match(text, match.end()):
                kind: Literal["list", "mention"] = "list" if match[3] else "mention"
                yield Entity(kind, match.start(1), match.end(), match[2] + (match[3] or ""))


def _hashtags(text: str) -> Iterator[Entity]:
    if "#" not in text and "＃" not in text:
        return
    done = 0
    for match in _TAG.finditer(text):
        start, end = match.span()
        # Most begin with such a letter, and to compile all letters of the world takes long.
        has_letter = match[1][0] in ascii_letters or _TAG_LETTER.search(match[1])
        if has_letter and (start == 0 or (start > done and _may_stand_before_tag(text[start - 1]))):
            done = end
            if not _TAG_ENDS_BADLY.match(text, end):
                yield Entity("hashtag", start, end, match[1])


def is_of_tag(sign: str) -> bool:
    """Return True if a sign may stand in a hashtag."""
    if sign < _BEHIND_LATIN:  # as nearly all: the expression is needed, and compiled, for the others only
        return sign.isalpha() or sign.isdecimal() or sign in "_·"
    return _OF_TAG.match(sign) is not None


def _may_stand_before_tag(sign: str) -> bool:
    return sign in _FORMS or not (_BEFORE_NO_TAG.match(sign) or is_of_tag(sign))


def _cashtags(text: str) -> Iterator[Entity]:
    if "$" in text:
        for match in _CASHTAG.finditer(text):
            yield Entity("cashtag", match.start(1), match.end(), match[2])


def find_links(units: str, tlds: frozenset[str]) -> Iterator[XLink]:
    """Find the addresses that X links in the UTF-16 units of a text."""
    grammar = _grammar()
    if not grammar.dot.search(units):
        return
    known = top_level_domains(tlds)
    for candidate in grammar.find(units, known):
        start = candidate.start
        url, domain = units[start : candidate.end], units[candidate.domain : candidate.path]
        # The scheme counts twice, and also if it is missing, as in twitter-text's `isValidUrl`.
        scheme = candidate.domain - start or len("https://")
        if not _is_valid(domain, known) or scheme + len(url) > MAX_ADDRESS:
            continue
        if candidate.domain == start:
            if candidate.before in _BEFORE_NO_BARE_DOMAIN:
                continue
            if _PLAIN.fullmatch(domain):
                whole = url if candidate.has_path else domain
                yield XLink(start, start + len(whole), whole, domain)
            else:
                yield from _bare(candidate, url, domain, known)
        else:
            short = _SHORT.match(url)
            if short:
                url = url[: short.end(1) + query_length(short[2] or "", _QUERY_LOOSE)]
            if not short or len(short[1]) <= MAX_SHORT:
                yield XLink(start, start + len(url), url, domain)


def _bare(candidate: UrlCandidate, url: str, domain: str, known: TopLevelDomains) -> Iterator[XLink]:
    """Yield the Latin parts of a domain without a scheme, the last with the path."""
    hosts = _hosts(domain, known)
    for index, (start, end) in enumerate(hosts, 1):
        rest = url[len(domain) :] if index == len(hosts) and candidate.has_path else ""
        last = candidate.end if rest else candidate.start + end
        yield XLink(candidate.start + start, last, domain[start:end] + rest, domain)


def _hosts(domain: str, known: TopLevelDomains) -> list[tuple[int, int]]:
    """Return the parts of a domain in Latin letters that are domains themselves."""
    if _PLAIN.fullmatch(domain):
        return [(0, len(domain))]
    dots = [place for place, sign in enumerate(domain) if sign == "."]
    ends = [top_level_end(domain, dot + 1, known, _grammar().coded) for dot in dots]
    hosts: list[tuple[int, int]] = []
    done = 0
    for index, (dot, last) in enumerate(zip(dots, chain_ends(domain, dots, ends, _HOST), strict=True)):
        end = ends[index if last is None else last]
        floor = max(done, dots[index - 1] + 1 if index else 0)
        signs = run_length(_HOST, domain[floor:dot][::-1], 0, max(dot - floor, 0))
        if end and signs:
            # twitter-text searches for the part's text, and may find it earlier, inside another word.
            part = domain[dot - signs : end]
            start = domain.index(part, hosts[-1][1] if hosts else 0)
            hosts.append((start, start + len(part)))
            done = end
    return hosts


def _is_valid(domain: str, known: TopLevelDomains) -> bool:
    """Return True if a domain is valid by twitter-text's `idna.toAscii`."""
    if domain.startswith("xn--") and not _hosts(domain, known):
        return False
    if len(domain) <= MAX_LABEL and domain.isascii() and domain.isprintable():
        return True
    return all(1 <= _encoded_length(label) <= MAX_LABEL for label in domain.split("."))


def _encoded_length(label: str) -> int:
    """Return the length of a label in Punycode, or its own if it is far too long."""
    if (label.isascii() and label.isprintable()) or len(label) > 2 * MAX_LABEL:
        return len(label)
    parts = _SEPARATORS.split(join_surrogates(label))
    coded = [part if part.isascii() and part.isprintable() else f"xn--{_punycode(part)}" for part in parts]
    return len(".".join(coded))


def _punycode(part: str) -> str:
    return part.encode("punycode").decode("ascii")


def to_utf16(text: str) -> str:
    """Return the text in UTF-16 units, surrogate pairs split."""
    return _ASTRAL.sub(_pair, text)


def _pair(match: re.Match[str]) -> str:
    high, low = divmod(ord(match[0]) - 0x10000, 0x400)
    return chr(0xD800 + high) + chr(0xDC00 + low)


def join_surrogates(text: str) -> str:
    """Return the text with the halves of each surrogate pair joined."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return text
