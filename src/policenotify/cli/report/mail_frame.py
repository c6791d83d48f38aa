"""The HTML of a mail in a sandboxed frame, where it can only be read."""

from __future__ import annotations

import math
import re
from html.parser import HTMLParser
from typing import Final

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""What a mail may load: only its own styles (*Content Security Policy Level 3*)."""

_WIDTHS: Final = (240, 360, 520, 670)
_HEAD: Final = (
    f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    '<meta name="referrer" content="no-referrer"><base target="_blank">'
    "<style>*{-webkit-print-color-adjust:exact;print-color-adjust:exact}</style>"
)
_INSIDE = 40  # pixels: padding and border of the page in the frame, on both sides
_LETTER = 9.0  # pixels: the average letter of a wide font at 16 pixels
_LINE = 24  # pixels: 16 at a line height of 1.5
_MARGIN = 18  # pixels around a block, on average
_BLOCKS = frozenset({"p", "h1", "h2", "h3", "tr", "li"})
_LARGER = {"h1": 1.4, "h2": 1.1}


class MailFrame:
    """The formatted version of a mail, for a frame."""

    def __init__(self, html: str) -> None:
        self._html = html

    @property
    def document(self) -> str:
        """The page for the frame."""
        head = re.search(r"<head\b[^>]*>", self._html, re.IGNORECASE)
        at = head.end() if head else 0
        return f"{self._html[:at]}{_HEAD}{self._html[at:]}"

    @property
    def heights(self) -> tuple[int, ...]:
        """Estimated heights in frames 240, 360, 520 and 670 pixels wide.

        No script may measure them.
        """
        blocks = _Blocks()
        blocks.feed(self._html)
        blocks.close()
        return tuple(blocks.height(width - _INSIDE) for width in _WIDTHS)


class _Blocks(HTMLParser):
    """The lines of a page's body, each with its factor of size."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[str, float]] = []
        self.blocks = 0
        self._skip = False
        self._larger = 1.0
        self._open = False

    def height(self, width: int) -> int:
        """Return the estimated height of the page in pixels."""
        rows = sum(math.ceil(max(len(line) * _LETTER * size / width, 1)) * _LINE * size for line, size in self.lines)
        return math.ceil(rows + self.blocks * _MARGIN + _INSIDE + _LINE)

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
