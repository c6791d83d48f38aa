"""Bounds of a server's answer: its size, the time of the whole call, and what may be repeated of its words.

A timeout of a socket starts again with every byte, so a server that sends one byte a second never reaches it. Here the
end of the call counts, too.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextvars import ContextVar
from types import FunctionType
from typing import Any, Final, TypeVar, cast

MAX_ANSWER: Final = 1_000_000  # bytes: the longest answers that networks give are of some 100 kB
MAX_TIMELINE: Final = 5_000_000  # bytes: 40 posts with all that a server adds to each
PIECE: Final = 16_384  # bytes read, decoded or written at once: a record of TLS (RFC 8446, section 5.1)
_UPLOAD: Final = 65_536  # bytes a second: the slowest line on which pictures are still uploaded
_MAX_WORDS: Final = 2_000  # characters: 300 at most are repeated of them, after the masks

# An expression may look at each beginning of a word only once: else its time grows with the square of the text.
ADDRESS: Final = r"(?<![^\s\"'()<>:;,@])[^\s\"'()<>:;,@]++@[^\s\"'()<>:;,]+"
"""An expression for mail addresses and handles."""

ConnectionT = TypeVar("ConnectionT")
_end: ContextVar[float | None] = ContextVar("policenotify_end", default=None)


def call_seconds(timeout: float | tuple[float | None, float | None] | None, sent: int = 0) -> float | None:
    """Return the longest time of a call: to connect, to send so many bytes, and to answer.

    Args:
        timeout: Seconds for a connection and for the answer: one number for both, or two.
        sent: Bytes of the request.
    """
    connect, answer = timeout if isinstance(timeout, tuple) else (timeout, timeout)
    return None if connect is None or answer is None else connect + answer + sent / _UPLOAD


class deadline:  # noqa: N801 - used like a function; a generator takes three times as long
    """End what is sent and received within after so many seconds, or at the end of an outer deadline."""

    __slots__ = ("_before", "_seconds")

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        outer = _end.get()
        end = outer if self._seconds is None else time.monotonic() + self._seconds
        self._before = _end.set(end if outer is None or end is None else min(outer, end))

    def __exit__(self, *_: object) -> None:
        _end.reset(self._before)


def time_left(seconds: float | None) -> float | None:
    """Return the seconds that the next piece may take: *seconds*, or less before the deadline.

    Raises:
        TimeoutError: The deadline is over.
    """
    end = _end.get()
    if end is None:
        return seconds
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError("the answer was not complete in time")
    return left if seconds is None else min(seconds, left)


def connect(
    dial: Callable[[str, float | None], ConnectionT], host: str, port: int, seconds: float | None
) -> ConnectionT:
    """Connect to the first address of a host that answers. All of its addresses together have so many seconds.

    The libraries give as many to each, and a name may have hundreds of addresses. The settings of this machine's
    resolver (resolv.conf) limit how long the name itself is looked up.

    Args:
        dial: Connects to an address, given as numbers, within so many seconds.
        host: A name or an address.
        port: The port.
        seconds: The whole time.
    """
    problem: Exception = OSError("the name has no address")
    with deadline(seconds):
        try:
            found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        except UnicodeError:  # a label is empty or too long
            raise socket.gaierror(socket.EAI_NONAME, "not a name") from None
        for *_, place in found:
            try:
                return dial(str(place[0]), time_left(seconds))
            except Exception as error:  # noqa: BLE001 - of the library that connects
                problem = error
    raise problem


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
