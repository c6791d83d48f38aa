"""The ends and beginnings of sentences."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from policenotify.text.characters import clean
from policenotify.text.patterns import lazy_pattern
from policenotify.text.spans import spans_of

_ENDS: Final = tuple(".!?…:")
_CLOSING: Final = "\"'»”)]"
_ADDRESS: Final = lazy_pattern(r"\S*(?:://|\w[.@]\w)")
_FIRST_WORD: Final = lazy_pattern(r"[\w-]+")
_ARTICLES: Final = frozenset({"le", "la", "les", "l"})
_COMMON_ENDINGS: Final = ("tion", "tions", "sion", "sions", "ement", "ements")  # of French nouns, not of names
_NAME_AFTER: Final = lazy_pattern(r"['’ ][A-ZÀ-ÖØ-Þ][a-zà-öø-ÿ]")
_OWN_COLON: Final = lazy_pattern(r"[  ]?:[  ]")


def sentence(text: str) -> str:
    """Return the text with a full stop, unless it has an end or ends with an address."""
    if not text or text.rstrip(_CLOSING).endswith(_ENDS):
        return text
    if "." in text[text.rfind(" ") :] and any(span.kind == "url" and span.end == len(text) for span in spans_of(text)):
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


def lower_first(text: str, names: str, words: Collection[str]) -> str:
    """Return the text with a small letter first, as after a colon.

    Only a common word loses its capital letter, and a name keeps it. An article before a name keeps it: *Les Halles*.

    Args:
        text: What follows a colon.
        names: The words of the place, among which a capital letter marks a name.
        words: The words that may lose it, in small letters.
    """
    word = _FIRST_WORD.match(text)
    if word is None or word[0][1:] != word[0][1:].lower() or not words:
        return text
    first = word[0].lower()
    if first in _ARTICLES:
        is_name = _NAME_AFTER.match(text, word.end()) is not None
    else:
        is_name = word[0] in _FIRST_WORD.findall(names) or not (first in words or first.endswith(_COMMON_ENDINGS))
    return text if is_name else text[:1].lower() + text[1:]


def follow(text: str, continued: str, *, colon: str, dash: str) -> str:
    """Return a place and what is published of it, with one colon in the sentence.

    Args:
        text: The place.
        continued: The headline as it goes on after a colon.
        colon: Between them.
        dash: Between them if the headline holds a colon of its own. It then begins with a capital letter.
    """
    if _OWN_COLON.search(continued):
        return f"{text}{dash}{upper_first(continued)}"
    return f"{text}{colon}{continued}"


def without_colon(text: str) -> str:
    """Return a headline with commas for its colons, so that it may follow another one."""
    return _OWN_COLON.sub(", ", text)
