"""Length and links of a status on Mastodon.

Written from a description of the server's behaviour (`StatusLengthValidator`, the same in 4.4 to 4.7), and checked
against counts of servers. Mastodon uses twitter-text for addresses, with its own character classes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from itertools import takewhile
from typing import Final

from policenotify.text._data.tlds import FROZEN
from policenotify.text._data.x_letters import LATIN, PATH
from policenotify.text.budget import graphemes, split_graphemes, unicode_pattern
from policenotify.text.patterns import lazy_pattern
from policenotify.text.urls import (
    DIRECTIONS,
    INVALID,
    MAX_ADDRESS,
    MAX_LABEL,
    MAX_SHORT,
    SPACES,
    UrlGrammar,
    top_level_domains,
)
from policenotify.text.x_entities import Entity, without_overlaps

ADDRESS_LENGTH: Final = 23
"""The default length of an address: `characters_reserved_per_url` of `GET /api/v2/instance`."""

MAX_DOMAIN: Final = 253
"""The longest domain in a mention: RFC 1035, section 2.3.4, without the last dot."""

_WHITE: Final = r"\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"  # Unicode's White_Space
_BLANK: Final = lazy_pattern(rf"[{_WHITE}]*")
_STRIPPED: Final = "\0\t\n\v\f\r "  # Ruby's String#strip
# The characters of an IRI beyond ASCII (RFC 3987, section 2.2, ucschar and iprivate), spaces such as U+00A0 included.
_IRI: Final = (
    r"\xa0-\ud7ff\ue000-\ufdcf\ufdf0-\uffef\U00010000-\U0001fffd\U00020000-\U0002fffd\U00030000-\U0003fffd"
    r"\U00040000-\U0004fffd\U00050000-\U0005fffd\U00060000-\U0006fffd\U00070000-\U0007fffd\U00080000-\U0008fffd"
    r"\U00090000-\U0009fffd\U000a0000-\U000afffd\U000b0000-\U000bfffd\U000c0000-\U000cfffd\U000d0000-\U000dfffd"
    r"\U000e1000-\U000efffd\U000f0000-\U000ffffd\U00100000-\U0010fffd"
)
_CYRILLIC: Final = r"\u0500-\u052f\u1c80-\u1c88\u1d2b\u1d78\u2de0-\u2dff\ua640-\ua69f\ufe2e\ufe2f"  # beyond X's
_DASHES: Final = r"\u058a\u05be\u1400\u1806\u2010-\u2015\u2e17\u2e1a\u2e3a\u2e3b\u2e40\u2e5d\u301c\u3030\u30a0\ufe31"
_SHORT: Final = lazy_pattern(r"https?://t\.co/([a-z0-9]+)", re.IGNORECASE | re.ASCII)
_DOTS: Final = lazy_pattern("[.\u3002\uff0e\uff61]")  # RFC 3490, section 3.1
_MENTION: Final = r"(?<![=/{word}])@([a-zA-Z0-9_]+(?:[.-]+[a-zA-Z0-9_]+)*)(?:@([{word}]+(?:[.-]+[{word}]+)*))?"
_ASCII_MENTION: Final = lazy_pattern(_MENTION.format(word="A-Za-z0-9_"))
_UNICODE_MENTION: Final = _MENTION.format(word=r"\p{L}\p{M}\p{Nd}\p{Pc}")
_MENTION_ENDS_BADLY: Final = lazy_pattern(rf"[@＠{LATIN}]|://")
_TAG: Final = lazy_pattern(rf"(?<![^{_WHITE}])#")
_JOINING_WORDS: Final = "·・\u200c"  # inside a hashtag, besides `_` and the like
# The scripts that join consonants: the blocks from Devanagari on, and the later ones beyond.
_MAY_JOIN: Final = lazy_pattern("[\u0900-\u1cff\ua800-\uabff\U00010a00-\U00011fff\U00016100-\U00016dff]")
# A sign inside a grapheme that begins one by all rules but GB9c.
_JOINED: Final = r"(?<=[\p{Any}--\p{GCB=Prepend}])[\p{GCB=Other}--\p{Extended_Pictographic}]"
_SCHEME: Final = lazy_pattern(r"(?<=.)https?\Z")


@cache
def _grammar() -> UrlGrammar:
    return UrlGrammar(
        no_domain=rf"""!"#$%&'()*+,./:;<=>?@\[\]^`{{|}}~\x00-\x1f\x7f{SPACES}{INVALID}{DIRECTIONS}""",
        path=rf"^<>()?{_WHITE}",
        path_loose="!*\"'「」;:=,.$%[]~&|@",
        bracket_end=rf"{PATH}{_CYRILLIC}{_DASHES}",
        query=rf"a-zA-Z0-9!?*'();:&=+$/%#\[\]\-_.,~|@^{_IRI}",
        query_loose="!?*'();:+$%[].,~|@^",
        schemes="https?|dat|dweb|ipfs|ipns|ssb|gopher|gemini",
        punycode="0-9a-zA-Z",
    )


def mastodon_length(text: str, spoiler: str = "", *, url: int = ADDRESS_LENGTH, code_points: bool = False) -> int:
    """Count the graphemes of a status as Mastodon does.

    An address with a scheme and a top-level domain of twitter-text 3.1.0 has the fixed length *url*. A mention counts
    without its domain. Bare domains, and everything in the spoiler, count as they are. Spaces and line breaks around
    the texts do not count. If the text is blank, the spoiler becomes the text.

    Args:
        text: The text of the status.
        spoiler: The content warning before it.
        url: The length of an address: `configuration.statuses.characters_reserved_per_url` of the server.
        code_points: Count every code point of both texts, addresses and mentions too, as GoToSocial does. For an
            unknown server software take the larger count.
    """
    if code_points:
        return len(text) + len(spoiler)
    if _BLANK.fullmatch(text):
        text, spoiler = spoiler, ""
    text, spoiler = text.strip(_STRIPPED), spoiler.strip(_STRIPPED)
    parts = [spoiler]
    done = 0
    for entity in without_overlaps([*_addresses(text), *_mentions(text)]):
        short = "x" * url if entity.kind == "url" else "@" + entity.value.partition("@")[0]
        parts += [text[done : entity.start], short]
        done = entity.end
    return _characters("".join([*parts, text[done:]]))


def _characters(text: str) -> int:
    """Count characters as a server does, or more.

    Since Unicode 15.1, consonants joined by a virama are one grapheme (UAX #29, rule GB9c). An older Ruby, such as 3.3,
    counts each of them. The larger count is safe, because a text that proves too long is refused.
    """
    if not _MAY_JOIN.search(text):
        return graphemes(text)
    clusters = split_graphemes(text)
    return len(clusters) + sum(
        len(unicode_pattern(_JOINED).findall(cluster)) for cluster in clusters if len(cluster) > 1
    )


def mastodon_entities(text: str) -> tuple[Entity, ...]:
    """Find the addresses, mentions and hashtags that Mastodon links, in order.

    A hashtag stands at the beginning or after a space (since 4.6), holds a letter or a sign that joins words, and ends
    before an apostrophe or a hyphen: `#l'Évacuation` is `#l`, and `(#A12)` is not a hashtag. The value of a mention is
    `name@domain` or `name`.
    """
    return tuple(without_overlaps([*_addresses(text), *_hashtags(text), *_mentions(text)]))


def _addresses(text: str) -> Iterator[Entity]:
    if "://" not in text:
        return
    for candidate in _grammar().find(text, top_level_domains(FROZEN)):
        if candidate.domain == candidate.start:
            continue
        url, domain = text[candidate.start : candidate.end], text[candidate.domain : candidate.path]
        short = _SHORT.match(url)
        if short and len(short[1]) > MAX_SHORT:
            continue
        url = short[0] if short else url
        encoded = _encoded_length(domain)
        if encoded and len(url) + max(encoded - len(domain), 0) <= MAX_ADDRESS:
            yield Entity("url", candidate.start, candidate.start + len(url), url)


def _encoded_length(domain: str) -> int:
    """Return the length of a domain in IDNA 2003 (RFC 3490), or 0 if it is invalid."""
    labels = _DOTS.split(domain)
    if domain.isascii():
        return len(domain) if all(1 <= len(label) <= MAX_LABEL for label in labels) else 0
    from encodings.idna import ToASCII  # noqa: PLC0415 - for addresses that are not ASCII
    from stringprep import in_table_a1  # noqa: PLC0415 - as above

    if any(in_table_a1(sign) for sign in domain) or any(len(label) > MAX_LABEL for label in labels):
        return 0
    try:
        return len(b".".join(map(ToASCII, labels)))
    except UnicodeError:
        return 0


def _mentions(text: str) -> Iterator[Entity]:
    if "@" not in text:
        return
    pattern = _ASCII_MENTION if text.isascii() else unicode_pattern(_UNICODE_MENTION)
    for match in pattern.finditer(text):
        if len(match[2] or "") <= MAX_DOMAIN and not _MENTION_ENDS_BADLY.match(text, match.end()):
            yield Entity("mention", match.start(), match.end(), match[0][1:])


def _hashtags(text: str) -> Iterator[Entity]:
    for match in _TAG.finditer(text):
        start = match.end()
        name = "".join(takewhile(_of_tag, (text[place] for place in range(start, len(text))))).rstrip(_JOINING_WORDS)
        if not name or name[0] in _JOINING_WORDS:
            continue
        if not any(map(_is_letter, name)) and not any(sign == "_" or sign in _JOINING_WORDS for sign in name[1:-1]):
            continue
        if text.startswith("://", start + len(name)):
            name = _SCHEME.sub("", name)
        yield Entity("hashtag", match.start(), start + len(name), name)


def _of_tag(sign: str) -> bool:
    return sign in _JOINING_WORDS or _is_letter(sign) or unicodedata.category(sign) in {"Nd", "Pc"}


def _is_letter(sign: str) -> bool:
    return unicodedata.category(sign)[0] in "LM"
