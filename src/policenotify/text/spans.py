"""The web addresses, hashtags and allowed mentions of a text.

Addresses without `https://` and hashtags are those that X links
([`x_entities`][policenotify.text.x_entities.x_entities]), without typing errors such as `fermé.La`.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from policenotify.text.budget import grapheme_ends
from policenotify.text.characters import one_line
from policenotify.text.mastodon import mastodon_entities
from policenotify.text.patterns import lazy_pattern
from policenotify.text.x_entities import is_of_tag, without_overlaps, x_entities

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
_EXPLICIT: Final = lazy_pattern(  # an address with any top-level domain
    rf"""
      (?: (?<![A-Za-z0-9@＠$\#＃]) https?:// (?> [^\W_](?:[\w.-]*\w)? ) (?! @ | :[^\s/]*@ )
        | (?<![\w@＠$\#＃./-]) www\. (?:[^\W_][\w-]*+\.)++ [^\W_]{{2,}}+ (?![\w@-]) )
      (?: :[0-9]{{1,5}} )? (?: [/?] {_TAIL} )?
    """,
    re.VERBOSE | re.IGNORECASE,
)
_BEGINS: Final = lazy_pattern(r"://|www\.", re.IGNORECASE)
_PATH: Final = lazy_pattern(f"/{_TAIL}")
_LOOSE: Final = frozenset("!*';:,.$%[]–~@&?…’(")  # signs that do not end an address on X, or that end a sentence
_MAY_LINK: Final = lazy_pattern(r"#|＃|@|＠|\.\w|://")
_TWO: Final = 2  # labels of two words without the space between them, rarely more
_FORMS: Final = "\ufe0e\ufe0f"  # the text and emoji forms of ℹ️, which Unicode classifies as a letter
_NO_LETTER: Final = lazy_pattern(r"[\W\d_]*")


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
    explicit = _EXPLICIT.finditer(text) if _BEGINS.search(text) else ()
    spans = [_address(text, match.start(), match.end()) for match in explicit]
    for entity in x_entities(text):
        kind, start, end, value = entity
        if kind == "url" and "://" not in value and is_address(value):
            path = _PATH.match(text, start + len(value.partition("/")[0]))
            spans.append(_address(text, start, path.end() if path else end))
        elif kind == "hashtag" and len(value) <= MAX_TAG and not _NO_LETTER.fullmatch(value):
            spans.append(TextSpan("tag", start, end, value))
    if mentions:
        spans += [mention for mention in find_mentions(text) if is_allowed(mention.value, mentions)]
    return tuple(without_overlaps(spans))


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
    spans = [
        TextSpan("mention", entity.start, entity.end, entity.value)
        for entity in (*x_entities(text), *mastodon_entities(text))
        if entity.kind in {"mention", "list"}
    ]
    return tuple(without_overlaps(sorted(spans, key=lambda span: span.start - span.end)))


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
        mark = kind in {"Mn", "Mc"} and unicodedata.category(letters[-1:] or " ")[0] in "LM" and sign not in _FORMS
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
