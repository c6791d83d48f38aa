"""What X links in a text: addresses, hashtags, mentions, lists and cashtags.

As twitter-text 3.1.0 has it (Apache-2.0, <https://github.com/twitter/twitter-text>, frozen since 2021), on which X's
own counting rests. Bare domains are links there, typing errors too: `fermé.La` is one, since `.la` is a country.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from functools import cache
from typing import Final, Literal, NamedTuple

from policenotify.text._data.tlds import KNOWN
from policenotify.text._data.x_letters import HOST, LATIN, PATH, TAG, TAG_LETTER
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
    run_length,
    top_level_domains,
    top_level_end,
)


class Entity(NamedTuple):
    """A part of a text that X links.

    Attributes:
        kind: What it is.
        start: First character, in code points.
        end: One past the last, in code points.
        value: The address as it stands there; else the name without its sign, a list as `name/list`.
    """

    kind: Literal["url", "mention", "list", "hashtag", "cashtag"]
    start: int
    end: int
    value: str


class XLink(NamedTuple):
    """An address that X links; places in UTF-16.

    Attributes:
        start: Its first character.
        end: One past its last character.
        value: The address; where X finds only a part of the domain, that part with the path.
        domain: The domain with its top-level domain.
    """

    start: int
    end: int
    value: str
    domain: str


_PUNCTUATION: Final = r"!'#%&()*+,\\\-./:;<=>?@\[\]^_{|}~$"
_QUERY: Final = r"a-zA-Z0-9!?*'@();:&=+$/%#\[\]\-_.,~|"
_QUERY_LOOSE: Final = "!?*'@();:+$%[].,~|"
_SHORT: Final = re.compile(rf"[hH][tT][tT][pP][sS]?://[tT]\.[cC][oO]/([a-zA-Z0-9]+)(\?[{_QUERY}]*)?")
_ASTRAL: Final = re.compile(r"[\U00010000-\U0010ffff]")
_BEFORE_NO_BARE_DOMAIN: Final = frozenset("-_./")
_SEPARATORS: Final = re.compile("[\u3002\uff0e\uff61]")  # what Punycode takes for dots: RFC 3490, section 3.1
_MENTION: Final = re.compile(
    r"(?:\A|[^a-zA-Z0-9_!#$%&*@＠]|(?:\A|[^a-zA-Z0-9_+~.-])[rR][tT]:?)"
    r"([@＠])([a-zA-Z0-9_]{1,20})(/[a-zA-Z][a-zA-Z0-9_-]{0,24})?"
)
_TAG_ENDS_BADLY: Final = re.compile(r"[#＃]|://")
_MENTION_ENDS_BADLY: Final = re.compile(rf"[@＠{LATIN}]|://")
_CASHTAG: Final = re.compile(
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


@cache
def _host() -> re.Pattern[str]:
    return re.compile(rf"[{HOST}]*")


@cache
def _plain() -> re.Pattern[str]:
    return re.compile(rf"[.{HOST}]*")


@cache
def _tag() -> re.Pattern[str]:
    return re.compile(rf"[#＃](?![\ufe0f\u20e3])([{TAG}]+)")


@cache
def _before_tag() -> re.Pattern[str]:
    return re.compile(rf"[\ufe0e\ufe0f]|[^{TAG}&\ud800-\udfff]")


@cache
def _tag_letter() -> re.Pattern[str]:
    return re.compile(rf"[{TAG_LETTER}]")


def x_entities(text: str, *, tlds: frozenset[str] = KNOWN) -> tuple[Entity, ...]:
    """Find what X links in a text, in order, not overlapping.

    Args:
        text: The text as it is, not normalised.
        tlds: The top-level domains that make an address of a word with a dot in it, in small letters and not in
            Punycode: by default all that IANA lists; with those of twitter-text 3.1.0
            (`policenotify.text._data.tlds.FROZEN`) the result is that of its JavaScript.
    """
    whole = join_surrogates(text)
    units = to_utf16(whole)
    found = [Entity("url", link.start, link.end, link.value) for link in find_links(units, tlds)]
    named = [*_mentions(whole), *_hashtags(whole), *_cashtags(whole)]
    if len(units) > len(whole):
        pairs = [pair.start() for pair in _ASTRAL.finditer(whole)]
        named = [
            _moved(one, one.start + bisect_left(pairs, one.start), one.end + bisect_left(pairs, one.end))
            for one in named
        ]
    kept: list[Entity] = []
    for one in sorted([*found, *named], key=lambda one: one.start):
        if not kept or kept[-1].end <= one.start:
            kept.append(one)
    if len(units) > len(text):
        pairs = [pair.start() + before for before, pair in enumerate(_ASTRAL.finditer(text))]
        kept = [
            _moved(one, one.start - bisect_left(pairs, one.start), one.end - bisect_left(pairs, one.end))
            for one in kept
        ]
    return tuple(kept)


def _moved(one: Entity, start: int, end: int) -> Entity:
    return Entity(one.kind, start, end, join_surrogates(one.value))


def _mentions(text: str) -> Iterator[Entity]:
    if "@" in text or "＠" in text:
        for found in _MENTION.finditer(text):
            if not _MENTION_ENDS_BADLY.match(text, found.end()):
                kind: Literal["list", "mention"] = "list" if found[3] else "mention"
                yield Entity(kind, found.start(1), found.end(), found[2] + (found[3] or ""))


def _hashtags(text: str) -> Iterator[Entity]:
    done = 0
    for found in _tag().finditer(text):
        start, end = found.span()
        apart = start == 0 or (start > done and _before_tag().match(text, start - 1))
        if apart and _tag_letter().search(found[1]):
            done = end
            if not _TAG_ENDS_BADLY.match(text, end):
                yield Entity("hashtag", start, end, found[1])


def _cashtags(text: str) -> Iterator[Entity]:
    if "$" in text:
        for found in _CASHTAG.finditer(text):
            yield Entity("cashtag", found.start(1), found.end(), found[2])


def find_links(units: str, tlds: frozenset[str]) -> Iterator[XLink]:
    """Find the addresses that X links.

    Args:
        units: The text in UTF-16, as [`to_utf16`][policenotify.text.x_entities.to_utf16] gives it.
        tlds: The top-level domains.
    """
    grammar = _grammar()
    if not grammar.dot.search(units):
        return
    known = top_level_domains(tlds)
    for found in grammar.find(units, known):
        url, domain = units[found.start : found.end], units[found.domain : found.path]
        # The scheme counts twice, or as if it were there, as in twitter-text's `isValidUrl`.
        scheme = found.domain - found.start or len("https://")
        if not _valid(domain, known) or scheme + len(url) > MAX_ADDRESS:
            continue
        if found.domain == found.start:
            if found.before in _BEFORE_NO_BARE_DOMAIN:
                continue
            if _plain().fullmatch(domain):
                whole = url if found.has_path else domain
                yield XLink(found.start, found.start + len(whole), whole, domain)
            else:
                yield from _bare(found, url, domain, known)
        else:
            short = _SHORT.match(url)
            if short:
                url = url[: short.end(1) + _kept(short[2] or "")]
            if not short or len(short[1]) <= MAX_SHORT:
                yield XLink(found.start, found.start + len(url), url, domain)


def _bare(found: UrlCandidate, url: str, domain: str, known: TopLevelDomains) -> Iterator[XLink]:
    """The links in an address without a scheme: the parts of its domain that are Latin; to the last goes the path."""
    hosts = _hosts(domain, known)
    for index, (start, end) in enumerate(hosts, 1):
        rest = url[len(domain) :] if index == len(hosts) and found.has_path else ""
        last = found.end if rest else found.start + end
        yield XLink(found.start + start, last, domain[start:end] + rest, domain)


def _hosts(domain: str, known: TopLevelDomains) -> list[tuple[int, int]]:
    """Where a domain has parts in Latin letters that are domains themselves."""
    host = _host()
    if _plain().fullmatch(domain):
        return [(0, len(domain))]
    dots = [place for place, sign in enumerate(domain) if sign == "."]
    ends = [top_level_end(domain, dot + 1, known, _grammar().coded) for dot in dots]
    hosts: list[tuple[int, int]] = []
    done = 0
    for index, (dot, last) in enumerate(zip(dots, chain_ends(domain, dots, ends, host), strict=True)):
        end = ends[index if last is None else last]
        floor = max(done, dots[index - 1] + 1 if index else 0)
        signs = run_length(host, domain[floor:dot][::-1], 0, max(dot - floor, 0))
        if end and signs:
            # twitter-text looks for the part's text again, and may find it earlier, inside another word.
            part = domain[dot - signs : end]
            start = domain.index(part, hosts[-1][1] if hosts else 0)
            hosts.append((start, start + len(part)))
            done = end
    return hosts


def _kept(query: str) -> int:
    """How long a query is without what cannot end it; nothing is left of one that says nothing."""
    kept = len(query[1:].rstrip(_QUERY_LOOSE))
    return kept + 1 if kept else 0


def _valid(domain: str, known: TopLevelDomains) -> bool:
    """Whether a domain can exist, as twitter-text's `idna.toAscii` sees it."""
    if domain.startswith("xn--") and not _hosts(domain, known):
        return False
    if len(domain) <= MAX_LABEL and domain.isascii() and domain.isprintable():
        return True
    return all(1 <= _encoded(label) <= MAX_LABEL for label in domain.split("."))


def _encoded(label: str) -> int:
    """How long a label is in Punycode; of one that is far too long, its length as it is."""
    if (label.isascii() and label.isprintable()) or len(label) > 2 * MAX_LABEL:
        return len(label)
    parts = _SEPARATORS.split(join_surrogates(label))
    coded = [part if part.isascii() and part.isprintable() else f"xn--{_punycode(part)}" for part in parts]
    return len(".".join(coded))


def _punycode(part: str) -> str:
    return part.encode("punycode").decode("ascii")


def to_utf16(text: str) -> str:
    """The text in UTF-16: a character beyond U+FFFF as the two halves of its surrogate pair."""
    return _ASTRAL.sub(_pair, text)


def _pair(found: re.Match[str]) -> str:
    high, low = divmod(ord(found[0]) - 0x10000, 0x400)
    return chr(0xD800 + high) + chr(0xDC00 + low)


def join_surrogates(text: str) -> str:
    """The text with the halves of surrogate pairs joined, wherever both are there."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return text
