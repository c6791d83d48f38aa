"""The ends and beginnings of sentences."""

from __future__ import annotations

import re
from typing import Final

from policenotify.text.characters import clean
from policenotify.text.spans import spans_of

_ENDS: Final = tuple(".!?…:")
_CLOSING: Final = "\"'»”)]"
_ADDRESS: Final = re.compile(r"\S*(?:://|\w[.@]\w)")
_FIRST_WORD: Final = re.compile(r"[\w-]+")


def sentence(text: str) -> str:
    """Return the text with a full stop, unless it has an end or ends with an address."""
    if not text or text.rstrip(_CLOSING).endswith(_ENDS):
        return text
    if "." in text[text.rfind(" ") :] and any(span.kind == "url" and span.end == len(text) for span in spans_of(text)):
        return text
    return f"{text.rstrip(' ,;')}."


def paragraph(text: str) -> str:
    """Return lines as running text, each of them a sentence."""
    return " ".join(sentence(line) for line in clean(text).splitlines() if line)


def open_ended(text: str) -> str:
    """Return the text without its full stop, so that more may follow."""
    return (text[:-1].rstrip() if text.endswith(".") and not text.endswith("..") else text) or text


def upper_first(text: str) -> str:
    """Return the text with a capital letter first. An address at the beginning stays as it is typed."""
    return text if _ADDRESS.match(text) else text[:1].upper() + text[1:]


def lower_first(text: str, names: str) -> str:
    """Return the text with a small letter first.

    A first word that is a name, an abbreviation or a road stays.

    Args:
        text: What follows a colon.
        names: The words of the place, among which a capital letter marks a name.
    """
    word = _FIRST_WORD.match(text)
    if word is None or word[0][1:] != word[0][1:].lower() or any(sign.isdigit() for sign in word[0]):
        return text
    if word[0] in _FIRST_WORD.findall(names):
        return text
    return text[:1].lower() + text[1:]
