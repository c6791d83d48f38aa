"""The ends and beginnings of sentences."""

from __future__ import annotations

import re
from typing import Final

from policenotify.text.characters import clean
from policenotify.text.links import find_links

_ENDS: Final = tuple(".!?…:")
_CLOSING: Final = "\"'»”)]"
_ADDRESS: Final = re.compile(r"\S*(?:://|\w[.@]\w)")


def sentence(text: str) -> str:
    """Return the text with a full stop, unless it has an end or ends with an address."""
    if not text or text.rstrip(_CLOSING).endswith(_ENDS):
        return text
    if "." in text[text.rfind(" ") :] and any(
        span.kind == "url" and span.end == len(text) for span in find_links(text)
    ):
        return text
    return f"{text.rstrip(' ,;')}."


def sentences(lines: str) -> str:
    """Return the same lines, each of them a sentence."""
    return "\n".join(map(sentence, filter(None, clean(lines).splitlines())))


def paragraph(lines: str) -> str:
    """Return lines as running text, each of them a sentence.

    After an address, which takes no full stop, the next sentence begins a line.
    """
    text = ""
    for line in filter(None, clean(lines).splitlines()):
        gap = " " if text.rstrip(_CLOSING).endswith(_ENDS) else "\n"
        text += f"{gap if text else ''}{sentence(line)}"
    return text


def open_ended(text: str) -> str:
    """Return the text without its full stop, so that more may follow."""
    return (text[:-1].rstrip() if text.endswith(".") and not text.endswith("..") else text) or text


def upper_first(text: str) -> str:
    """Return the text with a capital letter first. An address at the beginning stays as it is typed."""
    return text if _ADDRESS.match(text) else text[:1].upper() + text[1:]
