"""How a link reads in a Bluesky post, and where it goes: short to read, whole to follow.

The app replaces an address by its host and the beginning of its path (`toShortUrl`,
`src/lib/strings/url-helpers.ts` in <https://github.com/bluesky-social/social-app>), and only what is shown counts.
Other apps show the record's text as it is, so the record holds the short form; its facet holds the whole address.

An address is shortened only where its host then reads as a browser would read it, and cannot be taken for another:
a registered name in plain letters. One with a port, with letters beyond ASCII or their `xn--` form, and a bare number
stays as the desk wrote it. One with a user's name in it is not linked at all: `https://police.fr@evil.example`
leads to `evil.example`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Protocol, TypeVar

from policenotify.networks._loading import loading
from policenotify.text.budget import grapheme_ends, graphemes
from policenotify.text.spans import spans_of

PATH: Final = 15
"""The longest path that is shown whole, in characters, and
[`CUT`][policenotify.networks.bluesky.links.CUT] what is shown of a longer one: `toShortUrl`."""
CUT: Final = 13

_LABEL = r"(?!xn--)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# No port: the app reads `police.fr:8443/x` as a link of the scheme `police.fr`, and warns of it.
_PLAIN: Final = re.compile(
    rf"(?:https?://)?(?P<host>(?=[^/?#]{{1,253}}(?:[/?#]|\Z))(?:{_LABEL}\.)+[a-z]{{2,63}})"
    r"(?P<rest>[/?#][^\x00-\x20\x7f\ud800-\udfff]{0,60000})?",
    re.IGNORECASE,
)
_MAY_SHORTEN: Final = re.compile(rf"://|[/?#]\S{{{PATH}}}")
_TORN: Final = re.compile(r"%[0-9A-Fa-f]?\Z")  # RFC 3986, section 2.1: `%` and two digits are one character


class Marked(Protocol):
    """A part of a text that may be linked."""

    @property
    def kind(self) -> str:
        """What it is; a link is a `url`."""

    @property
    def start(self) -> int:
        """First character, in code points."""

    @property
    def end(self) -> int:
        """One past the last, in code points."""

    @property
    def value(self) -> str:
        """Where it leads."""


M = TypeVar("M", bound=Marked)


def shown(text: str) -> str:
    """The text with its addresses as readers are shown them."""
    return display(text, spans_of(text))[0] if _MAY_SHORTEN.search(text) else text


def savable(text: str) -> int:
    """How many characters the shown text may have less, at the very most; quickly told."""
    return sum(len(word) for word in text.split() if _MAY_SHORTEN.search(word))


def display(text: str, spans: Sequence[M]) -> tuple[str, list[tuple[M, int, int]]]:
    """Shorten the addresses of a text.

    Args:
        text: The text.
        spans: What may be linked in it. Those outside the text are left out; an address is shortened only where
            the text holds the address itself, and no other span overlaps it.

    Returns:
        The text to show, and each span with its first and last place there.
    """
    inside = sorted(
        (span for span in spans if 0 <= span.start < span.end <= len(text)), key=lambda span: (span.start, span.end)
    )
    pieces, placed = list[str](), list[tuple[M, int, int]]()
    done = reach = shift = 0
    for number, span in enumerate(inside):
        alone = reach <= span.start and all(span.end <= after.start for after in inside[number + 1 : number + 2])
        reach = max(reach, span.end)
        covered = text[span.start : span.end]
        short = _short(covered, span.value) if alone and span.kind == "url" else covered
        start = span.start - shift
        placed.append((span, start, start + len(short)))
        if short != covered:
            pieces += [text[done : span.start], short]
            done, shift = span.end, shift + len(covered) - len(short)
    return "".join([*pieces, text[done:]]), placed


def valid_uri(url: str) -> str | None:
    """The URL as the lexicon's format `uri` wants it: absolute and ASCII; `None` if that cannot be made of it.

    Hosts are written in IDNA 2008 (RFC 5891), all else that is not ASCII is percent-encoded (RFC 3987, section 3.1).
    An address with a user's name before its host is none: it is made to mislead.
    """
    with loading():
        import httpx  # noqa: PLC0415 - comes with the SDK, and is loaded with it

    try:
        parsed = httpx.URL(url)
        usable = parsed.scheme in {"http", "https"} and parsed.host and not parsed.userinfo
    except (httpx.InvalidURL, ValueError):  # ValueError: a host that no IDNA label may be, found when it is read
        return None
    return str(parsed) if usable else None


def _short(covered: str, value: str) -> str:
    """An address as the app shows it, or as it was written."""
    plain = _PLAIN.fullmatch(covered) if value in {covered, f"https://{covered}"} else None
    if plain is None:
        return covered
    host, rest = plain["host"], plain["rest"] or ""
    if covered == value:  # else a name in a sentence, as the desk writes it: `17Cyber.gouv.fr`
        host, rest = host.lower(), rest[1:] if rest[:2] in {"/", "/?", "/#"} else rest
    if graphemes(rest) > PATH:
        rest = _TORN.sub("", rest[: grapheme_ends(rest)[CUT - 1]]) + "…"
    return host + rest
