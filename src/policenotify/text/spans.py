"""The web addresses, hashtags and allowed mentions of a text.

Addresses without `https://` are words with a top-level domain, without typing errors such as `fermé.La`. Hashtags are
those that X, Mastodon and Bluesky link.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import takewhile
from operator import attrgetter
from typing import Final, Literal, NamedTuple
from urllib.parse import urlsplit

from policenotify.text._data.tlds import KNOWN
from policenotify.text.budget import grapheme_ends
from policenotify.text.characters import one_line

MAX_TAG: Final = 64
"""The longest hashtag, in characters: Bluesky's lexicon `app.bsky.richtext.facet#tag` (`maxGraphemes`: 64)."""

ALWAYS: Final = frozenset({"fr", "com", "org"})
"""Top-level domains that are not words: what ends in one is an address, in capital letters too."""

WRITTEN_SMALL: Final = ALWAYS.union(
    *({"net", "eu"}, {"gp", "mq", "gf", "re", "yt", "pm", "bl", "mf", "tf", "wf", "pf", "nc"}),
    *({"be", "ch", "lu", "mc"}, {"bzh", "corsica", "alsace"}),
)
"""Top-level domains of France and its neighbours: what ends in one is an address in small letters."""

_TAIL: Final = r"""[^\s<>"«»“”{}|\\^`]*"""
_EXPLICIT: Final = re.compile(  # an address with any top-level domain
    rf"""
      (?: (?<![A-Za-z0-9@＠$\#＃]) https?:// (?> [^\W_](?:[\w.-]*\w)? ) (?! @ | :[^\s/]*@ )
        | (?<![\w@＠$\#＃./-]) www\. (?:[^\W_][\w-]*+\.)++ [^\W_]{{2,}}+ (?![\w@-]) )
      (?: :[0-9]{{1,5}} )? (?: [/?] {_TAIL} )?
    """,
    re.VERBOSE | re.IGNORECASE,
)
_BEGINS: Final = re.compile(r"://|www\.", re.IGNORECASE)
_PATH: Final = re.compile(f"/{_TAIL}")
_LOOSE: Final = frozenset("!*';:,.$%[]–~@&?…’(")  # signs that do not end an address on X, or that end a sentence
_DOMAIN: Final = re.compile(r"(?<![\w@＠$#＃./-])[^\W_][\w-]*+(?:\.[^\W_][\w-]*+)++(?![@＠])")
_TAG_SIGN: Final = re.compile(r"(?<![\w&·])[#＃]")
_TAG_ENDS_BADLY: Final = re.compile(r"[#＃]|://")
# Those of X and those of Mastodon: the longest handle that either mentions. X takes `RT@name` for one, too.
_MENTION: Final = re.compile(
    r"(?:(?<![A-Za-z0-9_+~.-])[rR][tT]:?|(?<![A-Za-z0-9_@＠])|(?<=[A-Za-z0-9_][@＠]))[@＠]++(?<=([@＠]))"
    r"((?a:\w+(?:[.-]+\w+)*)(?:@\w+(?:[.-]+\w+)*|/[A-Za-z][A-Za-z0-9_-]{0,24})?)"
)
_MAY_LINK: Final = re.compile(r"#|＃|@|＠|\.\w|://")
_TWO: Final = 2  # labels of two words without the space between them, rarely more
# Signs that Unicode counts among letters and marks: the text and emoji forms, and the frame of a keycap.
_NO_TAG_SIGNS: Final = "\ufe0e\ufe0f\u20e3"
_NO_LETTER: Final = re.compile(r"[\W\d_]*")


class TextSpan(NamedTuple):
    """A part of a text that may be linked, with places in code points.

    The value is the whole address, the tag without `#`, or the handle without `@`.
    """

    kind: Literal["url", "tag", "mention"]
    start: int
    end: int
    value: str


def spans_of(text: str, mentions: frozenset[str] = frozenset()) -> tuple[TextSpan, ...]:
    """Find web addresses, hashtags and allowed mentions, in order, not overlapping.

    An address begins with `http://`, `https://` or `www.`, or is a bare domain that is
    [an intended address][policenotify.text.spans.is_address]. Punctuation after it is not part of it. A hashtag is one
    that X links, of up to 64 characters, with a letter in it: `#1️⃣` is not a hashtag. Only the handles in *mentions*
    may be mentioned: a wrong mention alerts an unrelated person.
    """
    if not _MAY_LINK.search(text):
        return ()
    spans = [*_addresses(text), *_hashtags(text)]
    if mentions:
        spans += [mention for mention in find_mentions(text) if is_allowed(mention.value, mentions)]
    return tuple(_without_overlaps(spans))


def _without_overlaps(spans: Iterable[TextSpan]) -> Iterator[TextSpan]:
    """Yield the spans that do not overlap an earlier one, in order."""
    end = 0
    for span in sorted(spans, key=attrgetter("start")):
        if span.start >= end:
            yield span
            end = span.end


def _addresses(text: str) -> Iterator[TextSpan]:
    if _BEGINS.search(text):
        for match in _EXPLICIT.finditer(text):
            yield _address(text, match.start(), match.end())
    for domain in find_domains(text) if "." in text else ():
        labels = domain[0].split(".")
        if is_top_level(labels[-1]) and address_prefixes(labels, path=text.startswith("/", domain.end()))[-1]:
            path = _PATH.match(text, domain.end())
            yield _address(text, domain.start(), path.end() if path else domain.end())


def find_domains(text: str) -> Iterator[re.Match[str]]:
    """Find the words with dots in them, which may hold a domain, intended or not."""
    return _DOMAIN.finditer(text)


def is_top_level(label: str) -> bool:
    """Return True if a domain may end with or in a label: X reads `fr_x` as the end of a domain, too."""
    label = label.partition("_")[0].lower()
    return label in KNOWN or label.startswith("xn--")


def _hashtags(text: str) -> Iterator[TextSpan]:
    for sign in _TAG_SIGN.finditer(text):
        start = sign.end()
        name = "".join(takewhile(is_of_tag, text[start : start + MAX_TAG + 1]))
        end = start + len(name)
        if len(name) <= MAX_TAG and not _NO_LETTER.fullmatch(name) and not _TAG_ENDS_BADLY.match(text, end):
            yield TextSpan("tag", sign.start(), end, name)


def is_of_tag(sign: str) -> bool:
    """Return True if a sign may stand in a hashtag."""
    kind = unicodedata.category(sign)
    return (kind[0] in "LM" or kind == "Nd" or sign in "_·") and sign not in _NO_TAG_SIGNS


def is_address(bare: str) -> bool:
    """Return True if a bare domain is an address, not a full stop without a space.

    That is so if it begins with `www.`, or if its top-level domain is `.fr`, `.com` or `.org`. In small letters it is
    also so for the top-level domains of [`WRITTEN_SMALL`][policenotify.text.spans.WRITTEN_SMALL], before a path, and
    with three labels of two characters or more. So `17Cyber.gouv.fr`, `M6.fr` and `t.me/police34` are addresses, and
    `fermé.La`, `M.Dupont` and `av.de` are not.
    """
    host, _, path = bare.partition("/")
    labels = host.split(".")
    return address_prefixes(labels, path=bool(path))[-1]


def address_prefixes(labels: list[str], *, path: bool = False) -> list[bool]:
    """Return for each beginning of a domain, label by label, if it is an address."""
    www = labels[0].lower() == "www"
    results = [False]
    plain = len(labels[0]) > 1
    for number, label in enumerate(labels[1:], 2):
        small = label == label.lower()
        plain = plain and small and len(label) > 1
        known = label.lower() in ALWAYS or (small and label in WRITTEN_SMALL)
        before_path = small and path and number == len(labels)
        results.append(www or known or before_path or (plain and number > _TWO))
    return results


def find_mentions(text: str) -> tuple[TextSpan, ...]:
    """Return the mentions on X and Mastodon, each with its longest possible handle.

    So `@prefet34.bsky.social` is one account, although X would mention `@prefet34`.
    """
    if "@" not in text and "＠" not in text:
        return ()
    addresses = list(_addresses(text)) if "/" in text else []
    return tuple(
        TextSpan("mention", each.start(1), each.end(), each[2])
        for each in _MENTION.finditer(text)
        if not any(address.start < each.start(1) < address.end for address in addresses)
    )


def is_allowed(handle: str, mentions: frozenset[str]) -> bool:
    """Return True if an account may be mentioned, whatever the case of its letters."""
    return handle.casefold() in {name.lstrip("@").casefold() for name in mentions}


@lru_cache(maxsize=512)  # the same places and categories return in each message
def hashtag(text: str) -> str:
    """Return a text as a hashtag, with a capital for each word, for screen readers.

    `Saint-Étienne` becomes `SaintÉtienne`, `appel à témoins` becomes `AppelÀTémoins`. X, Mastodon and Bluesky link all
    of it. It has no `#` and at most 64 characters, and is empty if the text has no letter.
    """
    words = _tag_letters(one_line(text).replace("_", " ")).split()
    name = _tag_letters(unicodedata.normalize("NFC", "".join(word[:1].upper() + word[1:] for word in words))).replace(
        " ", ""
    )
    if len(name) > MAX_TAG:
        name = name[: max((end for end in grapheme_ends(name[: MAX_TAG + 1]) if end <= MAX_TAG), default=0)]
    return "" if _NO_LETTER.fullmatch(name) else name


def is_linkable_tag(text: str, start: int, end: int) -> bool:
    """Return True if a hashtag in place of this word would be linked as a whole."""
    # Not in an address, and not beside another hashtag or an underscore.
    before, after = text[start - 1 : start] if start else "", text[end : end + 1]
    return not (before and (before in "&@＠/." or is_of_tag(before))) and not (
        after and (after in "#＃@＠" or is_of_tag(after) or text.startswith("://", end))
    )


def _tag_letters(text: str) -> str:
    """Return letters, their marks and digits, and a space for any other sign."""
    letters = ""
    for sign in text:
        kind = unicodedata.category(sign)
        mark = kind in {"Mn", "Mc"} and unicodedata.category(letters[-1:] or " ")[0] in "LM"
        letters += sign if (mark or kind[0] == "L" or kind == "Nd") and is_of_tag(sign) else " "
    return letters


def _address(text: str, start: int, end: int) -> TextSpan:
    shown = text[start:end]
    unopened = shown.count(")") - shown.count("(")
    while shown[end - start - 1] in _LOOSE or (shown[end - start - 1] == ")" and unopened > 0):
        unopened += {")": -1, "(": 1}.get(shown[end - start - 1], 0)
        end -= 1
    shown = text[start:end]
    return TextSpan("url", start, end, shown if "://" in shown[:8] else f"https://{shown}")


def host_of(link: str) -> str:
    """Return the host of an address in small letters, or an empty text if it cannot be read."""
    try:
        host = urlsplit(link if "://" in link else f"https://{link}").hostname or ""
    except ValueError:
        return ""
    return host.removesuffix(".")
