"""Bounds of a server's answer: its size, the time of the whole call, and what may be repeated of its words.

A timeout of a socket starts again with every byte, so a server that sends one byte a second never reaches it. Here the
end of the call counts, too.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any, Final, cast

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


def rebound(function: Callable[..., object], **names: object) -> Any:  # noqa: ANN401 - the same function
    """Return a function of a library that finds other things under these global names.

    Nothing of the library is replaced: the host may use it, too.
    """
    original = cast("FunctionType", function)
    copy = FunctionType(
        original.__code__,
        {**original.__globals__, **names},
        original.__name__,
        original.__defaults__,
        original.__closure__,
    )
    copy.__kwdefaults__ = original.__kwdefaults__
    return copy


def beginning(text: str) -> str:
    """Return the beginning of a server's text, for masks.

    A word that would be cut is left out, because it may be a part of a secret.
    """
    if len(text) <= _MAX_WORDS:
        return text
    *words, _ = text[:_MAX_WORDS].rsplit(maxsplit=1) or [""]
    return "".join(words)
