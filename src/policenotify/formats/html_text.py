"""Write HTML: every text is escaped unless it is markup already."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from html import escape
from typing import Final

# Controls, halves of surrogate pairs and non-characters: HTML, section 13.2.3.5.
_NO_HTML: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef"
    + "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
    + "]"
)
_VOID: Final = frozenset({"img", "link", "meta"})
_ENDS_SCRIPT: Final = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


class Html(str):
    """A piece of markup, which is not escaped again."""

    __slots__ = ()


def tag(name: str, /, *content: str, **attributes: str) -> Html:
    """Return an element without its empty attributes.

    `class_` and `http_equiv` stand for names that Python cannot write.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"' for key, value in attributes.items() if value
    )
    return Html(f"<{name}{written}>" + ("" if name in _VOID else f"{join(*content)}</{name}>"))


def join(*content: str) -> Html:
    """Return texts and markup one after the other."""
    return Html("".join(piece if isinstance(piece, Html) else escape(piece) for piece in content))


def data_block(value: Mapping[str, object]) -> Html:
    """Return JSON-LD, which no text in it can end."""
    text = json.dumps(value, ensure_ascii=False).translate(_ENDS_SCRIPT)
    return Html(f'<script type="application/ld+json">{text}</script>')


def document(language: str, head: Html, body: Html) -> bytes:
    """Return a whole page, without the characters that HTML may not hold."""
    start = f'<!doctype html>\n<html lang="{escape(language)}">\n<head>\n<meta charset="utf-8">\n'
    viewport = '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    return _NO_HTML.sub("", f"{start}{viewport}{head}\n</head>\n<body>\n{body}\n</body>\n</html>\n").encode()
