"""The weighted length of a text on X: twitter-text 3.1.0, configuration 3.

A character counts 2, but most of punctuation and of the Latin, Greek, Cyrillic, Hebrew, Arabic, Thai … scripts count 1.
An emoji of 2018 or before counts 2, however many characters it has. A newer one counts as its characters. An address
counts 23, and so does a typing error such as `fermé.La`. The text is composed (NFC) first. Sources: `config/v3.json`,
`parseTweet` and twemoji-parser 11.0.2 of <https://github.com/twitter/twitter-text>, and X's documentation, "Counting
characters".
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

from policenotify.text._data.emoji import EMOJI
from policenotify.text._data.tlds import FROZEN, KNOWN
from policenotify.text.patterns import lazy_pattern
from policenotify.text.urls import INVALID, MAX_LABEL
from policenotify.text.x_entities import find_links, join_surrogates, to_utf16

X_LIMIT: Final = 280
"""The limit of a post: `maxWeightedTweetLength` of `config/v3.json`."""

ADDRESS_WEIGHT: Final = 23
"""The weight of an address: `transformedURLLength` of `config/v3.json`."""

_HEAVY: Final = lazy_pattern(
    r"[^\u0000-\u10ff\u2000-\u200d\u2010-\u201f\u2032-\u2037]"
)  # the ranges of `config/v3.json`
_INVALID: Final = lazy_pattern(f"[{INVALID}]")

# The addresses of most posts: alone between spaces, without a sign that ends an address.
_USUAL: Final = frozenset({"fr", "com", "org", "eu", "net"})
_PLAIN: Final = lazy_pattern(
    rf"(?<![^ \n])https?://(?=[a-z0-9.-]{{1,{MAX_LABEL}}}+(?:/|(?![^ \n])))(?:[a-z0-9]++[.-])++(?<=\.)"
    rf"(?:{'|'.join(sorted(_USUAL))})(?:/[A-Za-z0-9/_-]{{0,2000}}+)?(?![^ \n])"
)
_MAY_LINK: Final = lazy_pattern(r"\.[^ \n]")

# Only an emoji of several characters must be found: one of a single character counts 2 anyway. Each holds a joiner, a
# form, a keycap, a skin tone or a letter of a flag, and all but the keycaps consist of the characters of `_RUN`.
_JOIN: Final = "[\u200d\u20e3\ufe0f\U0001f1e6-\U0001f1ff\U0001f3fb-\U0001f3ff\U000e0067]"
_JOINS: Final = lazy_pattern(_JOIN)
# It begins with one of these characters, and its second character is such a sign. The form and a skin tone alone count,
# too: they are in the last alternatives of `EMOJI`, and the first to try, since none of the others begins with them.
_FIRST: Final = r"[#*0-9©®\u203c-\u3299\ue50a\U0001f004-\U0001f9ff]"
_EMOJI: Final = lazy_pattern(rf"[\ufe0f\U0001f3fb-\U0001f3ff]|(?={_FIRST}{_JOIN})(?:{EMOJI})")
_RUN: Final = lazy_pattern("[©®\u200d\u203c-\U0010ffff]{2,}")
_KEYCAP: Final = lazy_pattern("[#*0-9]\ufe0f?\u20e3")
_SHORT_RUN: Final = 16  # code points: longer runs are not cached
_ONE_HEAVY: Final = "\u2e80"


def x_weight(text: str, *, tlds: frozenset[str] = KNOWN) -> int:
    """Count a text as X does. A post may weigh 280.

    *tlds* are the top-level domains that make a word with a dot an address, in small letters and not in Punycode. With
    those of twitter-text 3.1.0 (`policenotify.text._data.tlds.FROZEN`, of 2021) the count is that of its JavaScript. By
    default also later ones. X may or may not know a later one, so an address under it has the larger weight of both,
    and no post proves too long.
    """
    normal = text if text.isascii() else unicodedata.normalize("NFC", join_surrogates(text))
    if "." not in normal:
        return _signs(normal)
    if tlds >= _USUAL:
        short, plain = _PLAIN.subn("x", normal)
        if not _MAY_LINK.search(short):
            return _signs(short) + plain * (ADDRESS_WEIGHT - 1)
    newer = _newer(tlds)
    if newer is None or not newer.search(normal):
        return _weight(normal, tlds, None)
    return max(_weight(normal, tlds, newer), _weight(normal, FROZEN, None))


def x_valid(text: str, *, limit: int = X_LIMIT, tlds: frozenset[str] = KNOWN) -> bool:
    """Return True if X accepts a text: not empty, not too long, valid characters.

    Accounts with a subscription have a larger limit.
    """
    return not _INVALID.search(text) and 0 < x_weight(text, tlds=tlds) <= limit


@lru_cache(maxsize=8)
def _newer(tlds: frozenset[str]) -> re.Pattern[str] | None:
    """Return a pattern for at least the dots before newer top-level domains."""
    names = "|".join(map(re.escape, sorted(tlds - FROZEN)))
    return re.compile(rf"\.(?:{names})", re.IGNORECASE) if names else None


def _weight(text: str, tlds: frozenset[str], newer: re.Pattern[str] | None) -> int:
    units = to_utf16(text)
    rest: list[str] = []
    weight = done = 0
    for link in find_links(units, tlds):
        rest.append(units[done : link.start])
        done = link.start + len(link.value)
        weight += ADDRESS_WEIGHT
        if newer and newer.search(link.domain):
            weight += max(0, _weight(join_surrogates(link.value), FROZEN, None) - ADDRESS_WEIGHT)
    if not done:
        return _signs(text)
    rest.append(units[done:])
    # For each address, a sign that counts 1 and joins no emoji stands between the parts.
    return weight - len(rest) + 1 + _signs(join_surrogates("x".join(rest)))


def _signs(text: str) -> int:
    """Return the weight of a text without addresses."""
    if text.isascii():
        return len(text)
    if _JOINS.search(text):
        if "\u20e3" in text:
            text = _KEYCAP.sub(_ONE_HEAVY, text)
        text = _RUN.sub(_shrunk, text)
    return len(text) + len(_HEAVY.findall(text))


def _shrunk(run: re.Match[str]) -> str:
    return _known(run[0]) if len(run[0]) <= _SHORT_RUN else _EMOJI.sub(_ONE_HEAVY, run[0])


@lru_cache(maxsize=512)
def _known(run: str) -> str:
    """Replace each emoji of a short run with one heavy sign."""
    return _EMOJI.sub(_ONE_HEAVY, run)
