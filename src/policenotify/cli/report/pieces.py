"""Texts for the page: cut where a network links them, and freed of what moves a cursor."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from policenotify.channel import Picture, Span
from policenotify.cli.context import plain
from policenotify.cli.report.values import Image, LinkCard, Piece

_SMALL_WORDS = frozenset({"de", "du", "des", "la", "le", "les", "l", "d", "et", "of", "the", "and"})


def pieces(text: str, spans: Iterable[Span]) -> tuple[Piece, ...]:
    """The text, cut at its spans; a span that is not in the text, or lies over an earlier one, is passed over."""
    return tuple(piece for piece in _cut(text, spans) if piece.text)


def _cut(text: str, spans: Iterable[Span]) -> Iterator[Piece]:
    done = 0
    for span in sorted(spans, key=lambda span: span.start):
        if done <= span.start < span.end <= len(text):
            yield Piece(text=plain(text[done : span.start]))
            href = web(span.value) if span.kind == "url" else ""
            yield Piece(text=plain(text[span.start : span.end]), linked=True, href=href)
            done = span.end
    yield Piece(text=plain(text[done:]))


def web(address: str) -> str:
    """The address, if it leads into the web; else nothing: whatever it is, nobody shall click it."""
    return address if re.match(r"https?://[^\s/]", address, re.IGNORECASE) and address.isprintable() else ""


def link_card(address: str, title: str = "", about: str = "") -> LinkCard:
    """The card of a link."""
    href = web(address)
    return LinkCard(href=href, host=_host(href) or plain(address), title=plain(title), about=plain(about))


def _host(href: str) -> str:
    try:
        return (urlsplit(href).hostname or "").removeprefix("www.")
    except ValueError:  # half an IPv6 address
        return ""


def image(picture: Picture) -> Image:
    """The picture, in the page itself."""
    src = f"data:{picture.media_type};base64,{base64.b64encode(picture.data).decode()}" if picture.data else ""
    return Image(src=src, alt=plain(picture.alt), width=picture.width, height=picture.height)


def initials(name: str) -> str:
    """One or two letters for a name: `PN` for the Police nationale de l'Hérault."""
    words = [word for word in re.split(r"[\W_]+", name) if word]
    telling = [word for word in words if word.casefold() not in _SMALL_WORDS] or words
    return "".join(word[0].upper() for word in telling[:2]) or "?"
