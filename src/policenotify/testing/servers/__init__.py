"""Fake servers on the loopback, and the images that their readers see."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from threading import RLock
from typing import Any, Protocol, Self, TypeVar


class _Reply(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def parent(self) -> str | None: ...


_ReplyT = TypeVar("_ReplyT", bound=_Reply)


def thread_of(posts: Iterable[_ReplyT], first: str | None = None) -> tuple[_ReplyT, ...]:
    """Return the posts under *first*, or under any first post: a reply whose parent is missing is shown nowhere."""
    left, shown = list(posts), set[str]()
    begin = {post.id for post in left if (post.parent is None if first is None else post.id == first)}
    while begin - shown:
        shown |= begin
        begin = {post.id for post in left if post.parent in shown}
    return tuple(post for post in left if post.id in shown)


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


class LoopbackServer:
    """A server on 127.0.0.1, in daemon threads, as a context manager.

    Attributes:
        latency: Seconds from a call's arrival to its answer.
        drops_posts: Accept posts as usual, and show none of them, as a spam filter does.
    """

    host = "127.0.0.1"
    latency: float = 0.0
    drops_posts: bool = False

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._lock = RLock()
        self._broken: list[BaseException] = []
        self._port = 0
        self._started = False
        self._server: Any = None
        self._reserved: socket.socket | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self.close()
        if self._broken and error is None:
            raise self._broken[0]

    @property
    def port(self) -> int:
        """The port; 0 before the start."""
        return self._port

    def start(self, port: int = 0) -> Self:
        """Start listening. `with` does it. `close()` must follow.

        Args:
            port: The port. 0: the one before, or a free one.

        Raises:
            OSError: The port is in use.
        """
        self._started = True
        if self._server is None and self._reserved is None:
            self._listen_at(_bound_socket(port or self._port))
        return self

    def close(self) -> None:
        """Stop, and close every connection. May be called twice."""
        with self._lock:
            self._started = False
            server, self._server = self._server, None
            reserved, self._reserved = self._reserved, None
        if server is not None:
            self._stop(server)
        if reserved is not None:
            reserved.close()

    def refuse_connections(self) -> None:
        """Refuse every connection until `recover()`."""
        server, self._server = self._server, None
        if server is None:
            return
        self._stop(server)
        reserved = _bound_socket(self._port)  # bound, not listening: the port stays reserved
        with self._lock:
            if self._started:
                self._reserved = reserved
                return
        reserved.close()  # called by a route: the client may have closed the server already

    def recover(self) -> None:
        """End every failure, and accept connections again at the same port."""
        reserved, self._reserved = self._reserved, None
        if reserved is not None:
            self._listen_at(reserved)

    def _listen_at(self, bound: socket.socket) -> None:
        self._port = bound.getsockname()[1]
        self._server = self._listen(bound)

    def _listen(self, bound: socket.socket) -> Any:  # noqa: ANN401 - what `_stop` gets
        raise NotImplementedError

    def _stop(self, server: Any) -> None:  # noqa: ANN401 - what `_listen` returned
        raise NotImplementedError


def _bound_socket(port: int) -> socket.socket:
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
