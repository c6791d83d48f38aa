"""What may be repeated of a server's words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote, quote_plus

_MASK: Final = "…"
_MAX_WORDS: Final = 2_000  # characters: 300 at most are repeated of them, after the masks
_MAX_SHOWN: Final = 300  # characters; enough for a technician, and no page of a proxy
_SHORTEST: Final = 3  # characters of a value: shorter ones occur by chance
_IN_WORDS: Final = 8  # characters of a value that no word holds by chance
_UNSEEN: Final = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]+")
# An expression may look at each beginning of a word only once: else its time grows with the square of the text.
_ADDRESS: Final = r"(?<![^\s\"'()<>:;,@])[^\s\"'()<>:;,@]++@[^\s\"'()<>:;,]+"  # mail addresses and handles
_PRIVATE: Final = re.compile(rf"{_ADDRESS}|[\w%+/-]{{32,}}={{0,2}}")  # and tokens
# Also long words that contain a digit, as keys do, and telephone numbers.
_NUMBERS: Final = re.compile(rf"{_ADDRESS}|(?<![\w.-])(?=[\w.-]*\d)[\w.-]{{16,}}|\+?\d[\d .()-]{{4,}}\d[\w.-]*")


def beginning(text: str) -> str:
    """Return the beginning of a server's text, for masks.

    A word that would be cut is left out, because it may be a part of a secret.
    """
    if len(text) <= _MAX_WORDS:
        return text
    *words, _ = text[:_MAX_WORDS].rsplit(maxsplit=1) or [""]
    return "".join(words)


def redact(text: str, values: Iterable[str], *, numbers: bool = False) -> str:
    """Return a server's words on one line, without private values, addresses and tokens.

    Args:
        text: The server's words.
        values: Values to leave out, as they are and percent-encoded.
        numbers: Leave out telephone numbers and shorter keys as well.
    """
    text = beginning(text).encode("utf-8", "replace").decode()  # JSON may hold half a surrogate pair
    forms = {form for value in values for form in (value.strip(), quote(value, safe=""), quote_plus(value))}
    for form in sorted(forms, key=len, reverse=True):
        if len(form) >= _SHORTEST:
            bound = "" if len(form) >= _IN_WORDS else r"\b"
            text = re.sub(f"{bound}{re.escape(form)}{bound}", _MASK, text, flags=re.IGNORECASE)
    text = (_NUMBERS if numbers else _PRIVATE).sub(_MASK, text).replace(f"<{_MASK}>", _MASK)
    return _UNSEEN.sub(" ", text).strip()[:_MAX_SHOWN]


_MAX_ANSWER: Final = 160  # characters of a whole answer that are repeated
_MAX_PAGE: Final = 10_000  # characters of a page in which its words are looked for
_TAG: Final = re.compile(r"<[^<>]{0,200}+>")
_PAGE: Final = re.compile(r"<(style|script|head)\b.*?(</\1>|\Z)", re.DOTALL | re.IGNORECASE)


def words_of(body: bytes, private: Iterable[str]) -> str:
    """Return the words of an answer in one line, without private values.

    Args:
        body: The answer, or its beginning.
        private: Values of the call: user, password, number, key, text. Addresses, numbers and tokens are always masked.
    """
    text = body.decode("utf-8", "replace")
    try:
        text = ", ".join(leaves(json.loads(text)))
    except (ValueError, RecursionError):
        text = _TAG.sub(" ", _PAGE.sub(" ", text[:_MAX_PAGE]))
    return redact(text, private, numbers=True)[:_MAX_ANSWER].strip()


def leaves(value: object) -> Iterator[str]:
    """Yield the texts in a JSON value."""
    if isinstance(value, str) and value.strip():
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from leaves(item)
