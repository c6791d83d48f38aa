"""Fake servers on the loopback, and the images that their readers see."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class VisibleImage:
    """An image as readers get it.

    Attributes:
        alt: The alternative text. Empty if the post has none.
        data: The bytes.
        media_type: Such as `image/jpeg`. Empty if the network does not publish it.
        width: In pixels, if the post declares it.
        height: In pixels, if the post declares it.
    """

    alt: str
    data: bytes = field(repr=False)
    media_type: str = ""
    width: int | None = None
    height: int | None = None


def bound_socket(port: int) -> socket.socket:
    """Return a TCP socket bound to 127.0.0.1; port 0 is a free one. Raises `OSError` if the port is in use."""
    # With the protocol named, or asyncio leaves Nagle's algorithm on: every greeting would wait for 40 ms.
    bound = socket.socket(proto=socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", port))
    except BaseException:
        bound.close()
        raise
    return bound
