"""A client of `httpx` whose calls are bounded in size and time.

Importing this module loads atproto.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ssl import SSLContext
from typing import Any, Final, cast

import httpcore
import httpx
from atproto import Client, Request

from policenotify.networks._bounds import MAX_ANSWER, PIECE, connect, time_left, whole_body

# Plain http is for this machine alone: a proxy of the environment (HTTP_PROXY) would carry a password off it.
_DIRECT: Final = {"http://": None}
_NOT_OF_BODY = frozenset({"content-encoding", "content-length", "transfer-encoding"})  # headers of the body on its way


def open_client() -> Client:
    """Return a client of the AT Protocol that is never logged in.

    A server's cookies are refused, because they would mark us.
    """
    request = Request(mounts=_DIRECT, cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])))
    client = cast("Any", request)._client  # noqa: SLF001 - atproto makes it, and hands no transport of proxies on
    client.headers["Accept-Encoding"] = "identity"
    client._transport = _Bounded(client._transport)  # noqa: SLF001 - see above
    client._mounts = {pattern: each and _Bounded(each) for pattern, each in client._mounts.items()}  # noqa: SLF001 - see above
    return Client(request=request)


class _Bounded(httpx.BaseTransport):
    """A transport that reads a whole answer, up to the limits of its call."""

    def __init__(self, transport: httpx.HTTPTransport) -> None:
        self._transport = transport
        pool = transport._pool  # noqa: SLF001 - httpx does not hand the backend of httpcore on
        pool._network_backend = _Backend(pool._network_backend)  # noqa: SLF001 - see above

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Make a call. Too long an answer has an empty body, and so has a redirect: it is not followed."""
        answer = self._transport.handle_request(request)
        try:
            pieces = () if answer.has_redirect_location else cast("Iterable[bytes]", answer.stream)
            body = whole_body(pieces, answer.headers.get("content-encoding", ""), MAX_ANSWER)
        finally:
            answer.close()
        headers = [(name, text) for name, text in answer.headers.items() if name not in _NOT_OF_BODY]
        return httpx.Response(answer.status_code, headers=headers, content=body)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()


@contextmanager
def _own_errors(kind: type[httpcore.TimeoutException] = httpcore.ReadTimeout) -> Iterator[None]:
    """Raise the error of httpcore past the deadline. Before a request is sent it is a `ConnectTimeout`."""
    try:
        yield
    except TimeoutError as error:
        raise kind(str(error)) from None
    except socket.gaierror as error:
        raise httpcore.ConnectError(error) from error  # as an argument, because httpcore's pool drops the cause


class _Backend(httpcore.NetworkBackend):
    """The network of httpcore, up to the deadline of a call."""

    def __init__(self, backend: httpcore.NetworkBackend) -> None:
        self._backend = backend

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, *args: Any, **kwargs: Any) -> _Stream:  # noqa: ANN401 - the parent's
        """See `httpcore.NetworkBackend`."""
        with _own_errors(httpcore.ConnectTimeout):

            def dial(each: str, left: float | None) -> httpcore.NetworkStream:
                return self._backend.connect_tcp(each, port, left, *args, **kwargs)

            return _Stream(connect(dial, host, port, time_left(timeout)))

    def sleep(self, seconds: float) -> None:
        """See `httpcore.NetworkBackend`."""
        self._backend.sleep(seconds)


class _Stream(httpcore.NetworkStream):
    """A connection of httpcore, up to the deadline of a call."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """See `httpcore.NetworkStream`."""
        with _own_errors():
            return self._stream.read(min(max_bytes, PIECE), time_left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """See `httpcore.NetworkStream`."""
        for at in range(0, len(buffer), PIECE):
            with _own_errors():
                self._stream.write(buffer[at : at + PIECE], time_left(timeout))

    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> _Stream:
        """See `httpcore.NetworkStream`."""
        with _own_errors(httpcore.ConnectTimeout):
            return _Stream(self._stream.start_tls(ssl_context, server_hostname, time_left(timeout)))

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - the parent's
        """See `httpcore.NetworkStream`."""
        return self._stream.get_extra_info(info)

    def close(self) -> None:
        """See `httpcore.NetworkStream`."""
        self._stream.close()
