"""What in a text may be linked: web addresses and hashtags, and mentions of those whom a channel may mention.

Addresses without `https://` and hashtags are those that X links
([`x_entities`][policenotify.text.x_entities.x_entities]), but for typing errors: `fermé.La` lacks a space.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from policenotify.text._data.x_letters import TAG
from policenotify.text.budget import grapheme_ends
from policenotify.text.characters import one_line
from policenotify.text.mastodon import mastodon_entities
from policenotify.text.x_entities import Entity, x_entities

MAX_TAG: Final = 64
"""The longest hashtag, in characters: Bluesky's lexicon `app.bsky.richtext.facet#tag` (`maxGraphemes`: 64)."""

ALWAYS: Final = frozenset({"fr", "com", "org"})
"""Top-level domains that are no words: what ends in one is an address, in capital letters, too."""

WRITTEN_SMALL: Final = ALWAYS.union(
    *({"net", "eu"}, {"gp", "mq", "gf", "re", "yt", "pm", "bl", "mf", "tf", "wf", "pf", "nc"}),
    *({"be", "ch", "lu", "mc"}, {"bzh", "corsica", "alsace"}),
)
"""Those of French public bodies and of their neighbours, which are addresses when written in small letters."""

_TAIL: Final = r"""[^\s<>"«»“”{}|\\^`]*"""
_WRITTEN: Final = re.compile(  # whatever the top-level domain
    rf"""
      (?: (?<![A-Za-z0-9@＠$\#＃]) https?:// (?> [^\W_](?:[\w.-]*\w)? ) (?! @ | :[^\s/]*@ )
        | (?<![\w@＠$\#＃./-]) www\. (?:[^\W_][\w-]*+\.)++ [^\W_]{{2,}}+ (?![\w@-]) )
      (?: :[0-9]{{1,5}} )? (?: [/?] {_TAIL} )?
    """,
    re.VERBOSE | re.IGNORECASE,
)
_BEGINS: Final = re.compile(r"://|www\.", re.IGNORECASE)
_PATH: Final = re.compile(f"/{_TAIL}")
_LOOSE: Final = frozenset("!*';:,.$%[]–~@&?…’(")  # what ends no address on X, and what ends a sentence
_MAY_LINK: Final = re.compile(r"#|＃|@|＠|\.\w|://")
_OF_TAG: Final = re.compile(rf"[{TAG}]")
_TWO: Final = 2  # parts have two words of which the space between them is missing, or rarely more
_FORMS: Final = "\ufe0e\ufe0f"  # text or emoji: of ℹ️, which Unicode takes for a letter
_NO_LETTER: Final = re.compile(r"[\W\d_]*")


class TextSpan(NamedTuple):
    """A part of a text that may be linked.

    Attributes:
        kind: What it is.
        start: First character, in code points.
        end: One past the last, in code points.
        value: The whole address, the tag without `#`, or the handle without `@`.
    """

    kind: Literal["url", "tag", "mention"]
    start: int
    end: int
    value: str


def spans_of(text: str, mentions: frozenset[str] = frozenset()) -> tuple[TextSpan, ...]:
    """Find the web addresses, hashtags and allowed mentions of a text, in order, not overlapping.

    An address is one that begins with `http://`, `https://` or `www.`, or a bare domain that
    [means to be one][policenotify.text.spans.is_address]; punctuation after it is not part of it. A hashtag is what X
    takes for one, up to 64 characters, if there is a letter in it: `#1️⃣` is none.

    Args:
        text: The text.
        mentions: Handles that may be mentioned, without `@`; others stay plain text, since an alert that rings a
            stranger's bell is worse than one that does not link.
    """
    if not _MAY_LINK.search(text):
        return ()
    written = _WRITTEN.finditer(text) if _BEGINS.search(text) else ()
    found = [_address(text, match.start(), match.end()) for match in written]
    for one in x_entities(text):
        if one.kind == "url" and "://" not in one.value and is_address(one.value):
            path = _PATH.match(text, one.start + len(one.value.partition("/")[0]))
            found.append(_address(text, one.start, path.end() if path else one.end))
        elif one.kind == "hashtag" and len(one.value) <= MAX_TAG and not _NO_LETTER.fullmatch(one.value):
            found.append(TextSpan("tag", one.start, one.end, one.value))
    if mentions:
        found += [one for one in find_mentions(text) if is_allowed(one.value, mentions)]
    return tuple(_first(found))


def is_address(bare: str) -> bool:
    """Whether a bare domain, perhaps with a path, means to be an address: else a space is missing after a full stop.

    It does when it begins with `www.`; when its top-level domain is `.fr`, `.com` or `.org`; and, written in small
    letters, when it is one of the [usual ones here][policenotify.text.spans.WRITTEN_SMALL], when a path follows, or
    when it has three parts of two characters or more. So `17Cyber.gouv.fr`, `M6.fr` and `t.me/police34` do;
    `fermé.La`, `M.Dupont` and `av.de` do not.
    """
    host, _, path = bare.partition("/")
    labels = host.split(".")
    return address_prefixes(labels, path=bool(path))[-1]


def address_prefixes(labels: list[str], *, path: bool = False) -> list[bool]:
    """For each beginning of a domain, whether it means to be an address.

    Args:
        labels: The domain, without its dots.
        path: A path follows the whole.
    """
    www = labels[0].lower() == "www"
    means = [False]
    usual = len(labels[0]) > 1
    for number, label in enumerate(labels[1:], 2):
        small = label == label.lower()
        usual = usual and small and len(label) > 1
        known = label.lower() in ALWAYS or (small and label in WRITTEN_SMALL)
        followed = small and path and number == len(labels)
        means.append(www or known or followed or (usual and number > _TWO))
    return means


def find_mentions(text: str) -> tuple[TextSpan, ...]:
    """Whom X or Mastodon would mention, each by the longest handle that may be meant.

    So `@prefet34.bsky.social` is one account, although X would mention `@prefet34`.
    """
    if "@" not in text and "＠" not in text:
        return ()
    both: list[Entity] = [*x_entities(text), *mastodon_entities(text)]
    by_length = sorted((one for one in both if one.kind in {"mention", "list"}), key=lambda one: one.start - one.end)
    return tuple(_first([TextSpan("mention", one.start, one.end, one.value) for one in by_length]))


def is_allowed(handle: str, mentions: frozenset[str]) -> bool:
    """Whether an account may be mentioned; case does not matter."""
    return handle.casefold() in {name.lstrip("@").casefold() for name in mentions}


@lru_cache(maxsize=512)  # the same places and categories again and again
def hashtag(text: str) -> str:
    """The text as a hashtag's name, each word with a capital so that screen readers tell them apart.

    `Saint-Étienne` becomes `SaintÉtienne`, `appel à témoins` becomes `AppelÀTémoins`. X, Mastodon and Bluesky link
    the whole of it.

    Returns:
        The name without `#`, at most 64 characters; empty when there is no letter in it.
    """
    words = _kept(one_line(text).replace("_", " ")).split()
    name = _kept(unicodedata.normalize("NFC", "".join(word[:1].upper() + word[1:] for word in words))).replace(" ", "")
    if len(name) > MAX_TAG:
        name = name[: max((end for end in grapheme_ends(name[: MAX_TAG + 1]) if end <= MAX_TAG), default=0)]
    return "" if _NO_LETTER.fullmatch(name) else name


def is_linkable_tag(text: str, start: int, end: int) -> bool:
    """Whether a hashtag would be linked, and end, where a word stands: not so in a mail address, or beside a `_`."""
    before, after = text[start - 1 : start] if start else "", text[end : end + 1]
    return not (before and (before in "&@＠/." or _OF_TAG.match(before))) and not (
        after and (after in "#＃@＠" or _OF_TAG.match(after) or text.startswith("://", end))
    )


def _kept(text: str) -> str:
    """Letters with their marks, and digits; a space for all else."""
    kept = ""
    for sign in text:
        kind = unicodedata.category(sign)
        mark = kind in {"Mn", "Mc"} and unicodedata.category(kept[-1:] or " ")[0] in "LM" and sign not in _FORMS
        kept += sign if (mark or kind[0] == "L" or kind == "Nd") and _OF_TAG.match(sign) else " "
    return kept


def _first(found: list[TextSpan]) -> Iterator[TextSpan]:
    """Those that do not overlap an earlier one; of several that begin alike, the first given."""
    done = 0
    for one in sorted(found, key=lambda one: one.start):
        if one.start >= done:
            yield one
            done = one.end


def _address(text: str, start: int, end: int) -> TextSpan:
    shown = text[start:end]
    unopened = shown.count(")") - shown.count("(")
    while shown[end - start - 1] in _LOOSE or (shown[end - start - 1] == ")" and unopened > 0):
        unopened += {")": -1, "(": 1}.get(shown[end - start - 1], 0)
        end -= 1
    shown = text[start:end]
    return TextSpan("url", start, end, shown if "://" in shown[:8] else f"https://{shown}")
