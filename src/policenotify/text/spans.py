"""What in a text may be linked: web addresses and hashtags.

Mentions are not looked for: an `@name` that somebody typed stays plain text, since only a network can tell whose it
is, and an alert that rings a stranger's bell is worse than one that does not link.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import takewhile
from typing import Final, Literal, NamedTuple

MAX_TAG: Final = 64
"""The longest hashtag, in characters: Bluesky's lexicon `app.bsky.richtext.facet#tag` (`maxGraphemes`: 64)."""

# A bare domain is taken for an address only where it can hardly be anything else: `fermé.La` is a missing space.
_URL: Final = re.compile(
    r"""
    \bhttps?://\w[^\s<>"«»“”]*
    | (?<![\w@./-])
      (?: www\.(?:[A-Za-z0-9-]+\.)+[a-z]{2,}
        | (?:[A-Za-z0-9][A-Za-z0-9-]+\.)+(?:gouv\.fr|fr|com|org|net|eu) )
      (?![\w@-]|\.\w)
      (?: /[^\s<>"«»“”]* )?
    """,
    re.VERBOSE,
)
_AFTER_URL: Final = ".,;:!?…'’*_"
_TAG: Final = re.compile(r"""(?<![^\s(\[{«"“'’‘])[#＃]""")
_FORMS: Final = "\ufe0e\ufe0f"  # text or emoji: of the sign before, not of a word


class Found(NamedTuple):
    """A part of a text that may be linked.

    Attributes:
        kind: What it is.
        start: First character, in code points.
        end: One past the last, in code points.
        value: The whole address, or the tag without `#`.
    """

    kind: Literal["url", "tag"]
    start: int
    end: int
    value: str


def spans_of(text: str) -> tuple[Found, ...]:
    """Find the web addresses and hashtags of a text, in order, not overlapping.

    An address is one that begins with `http://`, `https://` or `www.`, or a bare domain of `.fr`, `.com`, `.org`,
    `.net` or `.eu`; punctuation after it is not part of it. A hashtag stands at the beginning or after a space, an
    opening bracket, a quotation mark or an apostrophe (`l'#Hérault`), and holds at least one letter.
    """
    urls = [_address(match.start(), match[0]) for match in _URL.finditer(text)]
    taken = {place for url in urls for place in range(url.start, url.end)}
    tags = [_tag(text, match.start()) for match in _TAG.finditer(text) if match.start() not in taken]
    return tuple(sorted([*urls, *filter(None, tags)], key=lambda found: found.start))


def _tag(text: str, start: int) -> Found | None:
    name = "".join(takewhile(_of_tag, text[start + 1 : start + MAX_TAG + 2]))
    if len(name) > MAX_TAG or not any(sign.isalpha() for sign in name):
        return None
    return Found("tag", start, start + 1 + len(name), name)


def _of_tag(sign: str) -> bool:
    """Whether a character may stand in a hashtag: letters with their marks, digits, and what joins words."""
    return sign.isalnum() or (unicodedata.category(sign) in {"Mn", "Mc", "Pc"} and sign not in _FORMS)


def _address(start: int, seen: str) -> Found:
    shown = seen.rstrip(_AFTER_URL)
    while shown.endswith((")", "]")) and shown.count(shown[-1]) > shown.count("(" if shown[-1] == ")" else "["):
        shown = shown[:-1].rstrip(_AFTER_URL)
    value = shown if shown.startswith("http") else f"https://{shown}"
    return Found("url", start, start + len(shown), value)


def hashtag(text: str) -> str:
    """The text as a hashtag's name, each word with a capital so that screen readers tell them apart.

    `Saint-Étienne` becomes `SaintÉtienne`, `appel à témoins` becomes `AppelÀTémoins`.

    Returns:
        The name without `#`, at most 64 characters; empty when there is no letter in it.
    """
    words = "".join(sign if _of_tag(sign) else " " for sign in text.replace("_", " ")).split()
    name = "".join(word[:1].upper() + word[1:] for word in words)[:MAX_TAG]
    return name if any(sign.isalpha() for sign in name) else ""
