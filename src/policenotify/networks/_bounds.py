"""Bounds of a server's answer: its size, the time of the whole call, and what may be repeated of its words.

A timeout of a socket starts again with every byte, so a server that sends one byte a second never reaches it. Here the
end of the call counts, too.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote, quote_plus

MAX_ANSWER: Final = 1_000_000  # bytes: the longest answers that networks give are of some 100 kB
MAX_TIMELINE: Final = 5_000_000  # bytes: 40 posts with all that a server adds to each
PIECE: Final = 16_384  # bytes read or decoded at once: a record of TLS (RFC 8446, section 5.1)
_UPLOAD: Final = 65_536  # bytes a second: the slowest line on which pictures are still uploaded
_MAX_WORDS: Final = 2_000  # characters: 300 at most are repeated of them, after the masks

# An expression may look at each beginning of a word only once: else its time grows with the square of the text.
ADDRESS: Final = r"(?<![^\s\"'()<>:;,@])[^\s\"'()<>:;,@]++@[^\s\"'()<>:;,]+"
"""An expression for mail addresses and handles."""


def call_seconds(timeout: float | tuple[float | None, float | None] | None, sent: int = 0) -> float | None:
    """Return the longest time of a call: to connect, to send so many bytes, and to answer.

    Args:
        timeout: Seconds for a connection and for the answer: one number for both, or two.
        sent: Bytes of the request.
    """
    connect, answer = timeout if isinstance(timeout, tuple) else (timeout, timeout)
    return None if connect is None or answer is None else connect + answer + sent / _UPLOAD


def beginning(text: str) -> str:
    """Return the beginning of a server's text, for masks.

    A word that would be cut is left out, because it may be a part of a secret.
    """
    if len(text) <= _MAX_WORDS:
        return text
    *words, _ = text[:_MAX_WORDS].rsplit(maxsplit=1) or [""]
    return "".join(words)


_MASK: Final = "…"
_MAX_SHOWN: Final = 300  # characters; enough for a technician, and no page of a proxy
_SHORTEST: Final = 3  # characters of a value: shorter ones occur by chance
_IN_WORDS: Final = 8  # characters of a value that no word holds by chance
_PIECE: Final = 4  # characters of a value that show it, and twice as many of it in base64 or hexadecimal
_WORD: Final = re.compile(r"[^\s<>:;,()\[\]\"']+")
_UNSEEN: Final = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]+")


def redact(text: str, values: Iterable[str], pattern: re.Pattern[str], *, pieces: Iterable[str] = ()) -> str:
    """Return a server's words on one line, without private values.

    Args:
        text: The server's words.
        values: Values to leave out, as they are and percent-encoded.
        pattern: Matches what may be a secret or personal: tokens, numbers, mail addresses.
        pieces: Values of which a word may hold no piece either, be it in base64 or hexadecimal.
    """
    text = beginning(text).encode("utf-8", "replace").decode()  # JSON may hold half a surrogate pair
    forms = {form for value in values for form in (value.strip(), quote(value, safe=""), quote_plus(value))}
    for form in sorted(forms, key=len, reverse=True):
        if len(form) >= _SHORTEST:
            bound = "" if len(form) >= _IN_WORDS else r"\b"
            text = re.sub(f"{bound}{re.escape(form)}{bound}", _MASK, text, flags=re.IGNORECASE)
    text = pattern.sub(_MASK, text)
    if shown := {piece for value in pieces for piece in _pieces(value)}:
        text = _WORD.sub(lambda word: word[0] if shown.isdisjoint(_cuts(word[0])) else _MASK, text)
    return _UNSEEN.sub(" ", text).strip()[:_MAX_SHOWN]


def _pieces(value: str) -> Iterator[str]:
    """Yield pieces that show a value, and pieces of its form in base64 and hexadecimal."""
    content = value.encode()
    # The letters of base64 depend on what stands before: none, one or two more bytes.
    coded = (b64encode(bytes(before) + content).decode()[2 * before : -4] for before in range(3))
    yield from _cuts(value, _PIECE)
    for form in (content.hex(), *coded):
        yield from _cuts(form, 2 * _PIECE)


def _cuts(text: str, *sizes: int) -> Iterator[str]:
    lower = text.lower()
    for size in sizes or (_PIECE, 2 * _PIECE):
        yield from (lower[at : at + size] for at in range(len(lower) - size + 1))
