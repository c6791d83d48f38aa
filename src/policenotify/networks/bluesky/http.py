"""A client of `httpx` whose answers are bounded in size and time.

Importing this module loads atproto.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final

import httpx
from atproto import Client, Request

from policenotify.networks._bounds import MAX_ANSWER

# Plain http is for this machine alone: a proxy of the environment (HTTP_PROXY) would carry a password off it.
_DIRECT: Final = {"http://": None}


def open_client(seconds: float) -> Client:
    """Return a client of the AT Protocol that is never logged in.

    A server's cookies are refused, because they would mark us.

    Args:
        seconds: The longest time of an answer.
    """

    def bound(response: httpx.Response) -> None:
        response.headers.pop("content-encoding", None)  # none was asked for; a bomb is not unpacked
        if isinstance(response.stream, httpx.SyncByteStream):
            response.stream = _BoundedStream(response.stream, time.monotonic() + seconds)

    request = Request(
        mounts=_DIRECT,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        headers={"Accept-Encoding": "identity"},
        event_hooks={"response": [bound]},
    )
    return Client(request=request)


class _BoundedStream(httpx.SyncByteStream):
    """The body of an answer, as it comes, within its size and until a time."""

    def __init__(self, stream: httpx.SyncByteStream, end: float) -> None:
        self._stream = stream
        self._end = end

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for piece in self._stream:
            size += len(piece)
            if size > MAX_ANSWER:
                raise httpx.ReadError("the answer is too long")
            if time.monotonic() > self._end:
                raise httpx.ReadTimeout("the answer was not complete in time")
            yield piece

    def close(self) -> None:
        """Close the connection, or give it back."""
        self._stream.close()
