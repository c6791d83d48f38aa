"""A mail's HTML in a frame of its own, where it can do nothing but be read."""

from __future__ import annotations

import math
import re
from html.parser import HTMLParser
from typing import Final

from policenotify.cli.report.values import Letter

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""What a mail may load: its own styles (*Content Security Policy Level 3*)."""

_WIDTHS: Final = (240, 360, 520, 670)
_HEAD: Final = (
    f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    '<meta name="referrer" content="no-referrer"><base target="_blank">'
    "<style>*{-webkit-print-color-adjust:exact;print-color-adjust:exact}</style>"
)
_INSIDE = 40  # pixels: padding and border of the page in the frame, on both sides
_LETTER = 9.0  # pixels: the average letter of a wide face at 16 pixels
_LINE = 24  # pixels: 16 at a line height of 1.5
_MARGIN = 18  # pixels around a block, on average
_BLOCKS = frozenset({"p", "h1", "h2", "h3", "tr", "li"})
_LARGER = {"h1": 1.4, "h2": 1.1}


def letter(html: str) -> Letter:
    """Make a mail's HTML, as it was worded or sent, a page for a frame."""
    head = re.search(r"<head\b[^>]*>", html, re.IGNORECASE)
    at = head.end() if head else 0
    heights = tuple(_height(html, width) for width in _WIDTHS)
    return Letter(document=f"{html[:at]}{_HEAD}{html[at:]}", heights=heights)


def _height(html: str, width: int) -> int:
    """About how high it is: nothing may run in the page that could measure it."""
    room = width - _INSIDE
    reader = _Blocks()
    reader.feed(html)
    reader.close()
    text = sum(math.ceil(max(len(line) * _LETTER * larger / room, 1)) * _LINE * larger for line, larger in reader.lines)
    return math.ceil(text + reader.blocks * _MARGIN + _INSIDE + _LINE)


class _Blocks(HTMLParser):
    """The lines of a page's body, each with how much larger than usual it is."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[str, float]] = []
        self.blocks = 0
        self._skip = False
        self._larger = 1.0
        self._open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self._skip = self._skip or tag in {"title", "style"}
        if tag in _BLOCKS:
            self.blocks += 1
            self._larger = _LARGER.get(tag, 1.0)
        if tag in _BLOCKS or tag == "br":
            self._open = False

    def handle_endtag(self, tag: str) -> None:
        if tag in {"title", "style"}:
            self._skip = False
        if tag in _BLOCKS:
            self._larger, self._open = 1.0, False

    def handle_data(self, data: str) -> None:
        if self._skip or not data.strip():
            return
        before = self.lines.pop()[0] if self._open else ""
        self.lines.append((before + " ".join(data.split()) + " ", self._larger))
        self._open = True
