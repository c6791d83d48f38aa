"""Sessions of `requests` that send a post and a token to one server only.

Importing this module loads requests.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from contextvars import ContextVar
from functools import partial
from http.client import HTTPResponse
from http.cookiejar import DefaultCookiePolicy
from types import SimpleNamespace
from typing import Any, NamedTuple

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.poolmanager import PoolManager
from urllib3.util.connection import create_connection

from policenotify.networks._bounds import (
    MAX_ANSWER,
    PIECE,
    TimedReader,
    call_seconds,
    connect,
    deadline,
    rebound,
    time_left,
    whole_body,
)
from policenotify.transport import before_publishing

_NOT_OF_BODY = frozenset({"content-encoding", "content-length", "transfer-encoding"})  # headers of the body on its way
# Servers close idle connections after 2 (gunicorn), 5 (Apache, Node) or 75 seconds (nginx), by their defaults.
_MAX_IDLE = 1.0
_METHODS = frozenset({"delete", "get", "head", "options", "patch", "post", "put", "request"})


class _TimedResponse(HTTPResponse):
    """An answer that is read up to the deadline of its call."""

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the parent's
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = TimedReader.file(sock)


def _create_connection(address: tuple[str, int], timeout: float | None, **options: Any) -> Any:  # noqa: ANN401 - urllib3's
    host, port = address
    return connect(lambda each, left: create_connection((each, port), left, **options), host, port, timeout)


_OWN_CONNECTION = {
    "_new_conn": rebound(HTTPConnection._new_conn, connection=SimpleNamespace(create_connection=_create_connection))  # noqa: SLF001 - urllib3 has no option for it
}


class LeaseAdapter(HTTPAdapter):
    """An adapter that bounds each call, and checks the delivery's lease right before it writes.

    An answer is read here, whole, within its size and time. A longer one has an empty body. The body of a redirect is
    not read, because redirects are not followed.

    Attributes:
        max_bytes: The longest body that is read.
    """

    def __init__(self) -> None:
        self._publishes = False
        self.max_bytes = MAX_ANSWER
        super().__init__()

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:  # noqa: ANN401 - the parent's
        """Make a call. The time to connect, to send and to answer is bounded as a whole."""
        request.headers["Accept-Encoding"] = "identity"
        sent = len(request.body) if isinstance(request.body, bytes | str) else 0
        with deadline(call_seconds(kwargs.get("timeout"), sent)):
            return super().send(request, *args, **kwargs)

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:  # noqa: ANN401 - the parent's
        """Read the body, and return an answer that holds it."""
        encoding = resp.headers.pop("Content-Encoding", "")  # else urllib3 decodes it, at any size
        answer = super().build_response(req, resp)
        body = b"" if answer.is_redirect else whole_body(answer.iter_content(PIECE), encoding, self.max_bytes)
        resp.close()
        whole = urllib3.HTTPResponse(
            io.BytesIO(body),
            headers={name: text for name, text in resp.headers.items() if name.lower() not in _NOT_OF_BODY},
            status=resp.status,
            reason=resp.reason,
            preload_content=False,
        )
        return super().build_response(req, whole)

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """Check the lease before each request that is made within."""
        self._publishes = True
        try:
            yield
        finally:
            self._publishes = False

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the parent's
        """Make the pools of direct connections."""
        super().init_poolmanager(*args, **kwargs)
        self._check(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> PoolManager:  # noqa: ANN401 - the parent's
        """Return the pools of connections through a proxy."""
        known = set(self.proxy_manager.values())
        manager: PoolManager = super().proxy_manager_for(*args, **kwargs)
        if manager not in known:
            self._check(manager)
        return manager

    def _check(self, manager: PoolManager) -> None:
        adapter = self

        class Check:
            """A mixin for each class of urllib3's connections."""

            response_class = _TimedResponse
            unchecked = False

            def connect(self: Any) -> None:
                self.timeout = time_left(self.timeout)
                super().connect()  # type: ignore[misc]  # of the connection that it is mixed into

            def send(self: Any, data: Any) -> None:  # noqa: ANN401 - the parent's
                if self.unchecked:
                    self.unchecked = False
                    before_publishing()  # as late as possible: a process may be halted between the two
                if not isinstance(data, bytes):
                    super().send(data)  # type: ignore[misc]  # see above
                    return
                for at in range(0, len(data), PIECE):
                    if self.sock is not None:
                        self.sock.settimeout(time_left(self.timeout))
                    super().send(data[at : at + PIECE])  # type: ignore[misc]  # see above

            def request(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the parent's
                if adapter._publishes and self.sock is None:
                    self.connect()  # which takes long: the check comes after it
                self.unchecked = adapter._publishes
                super().request(*args, **kwargs)  # type: ignore[misc]  # of the connection that it is mixed into

        def checked(pool: Any) -> Any:  # noqa: ANN401 - urllib3 types its pools by their instances
            direct = pool.ConnectionCls._new_conn is HTTPConnection._new_conn  # noqa: SLF001 - not by SOCKS
            own = _OWN_CONNECTION if direct else {}
            connection = type(pool.ConnectionCls.__name__, (Check, pool.ConnectionCls), own)
            return type(pool.__name__, (pool,), {"ConnectionCls": connection})

        manager.pool_classes_by_scheme = {
            scheme: checked(pool) for scheme, pool in manager.pool_classes_by_scheme.items()
        }


class RawAnswer(NamedTuple):
    """An answer as it came: status, headers by names in lower case, and body."""

    status: int
    headers: dict[str, str]
    content: bytes


class PostSession(requests.Session):
    """A session that a client library calls through.

    Args:
        rewrite: Turns the library's address of a call into the one to call.
        timeout: Seconds for a connection and for the whole answer: one number for both, or two.
        plain: The server is reached by plain http, on this machine.

    Attributes:
        answer: The answer to the last call, or `None` if no whole one came. A library's exception may hide it.
        lease: Checks the lease before calls that publish.
    """

    def __init__(self, rewrite: Callable[[str], str], timeout: float | tuple[float, float], *, plain: bool) -> None:
        super().__init__()
        self.answer: RawAnswer | None = None
        self.lease = LeaseAdapter()
        self.mount("https://", self.lease)
        self.mount("http://", self.lease)
        self.auth = _keep_authorization  # else a ~/.netrc that names the host replaces the token
        # Plain http is for this machine alone: a proxy of the environment (HTTP_PROXY) would carry a token off it.
        self.trust_env = not plain
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # a server must not mark us
        self._rewrite = rewrite
        self._timeout = timeout

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:  # noqa: ANN401 - the parent's
        """Make a call. A redirect is not followed."""
        self.answer = None
        kwargs |= {"timeout": self._timeout, "allow_redirects": False}
        response = super().request(method, self._rewrite(str(url)), *args, **kwargs)
        headers = {name.lower(): value for name, value in response.headers.items()}
        self.answer = RawAnswer(response.status_code, headers, response.content)
        return response


_through: ContextVar[requests.Session | None] = ContextVar("policenotify_session", default=None)
_heard: ContextVar[dict[str, str] | None] = ContextVar("policenotify_headers", default=None)


class BoundedRequests:
    """The module `requests` for code that calls its functions, with each call bounded."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - anything of requests
        """Return what requests has under a name. Its functions for methods of HTTP make bounded calls."""
        return partial(_call, name) if name in _METHODS else getattr(requests, name)


def _call(method: str, *args: Any, **kwargs: Any) -> requests.Response:  # noqa: ANN401 - as requests
    headers = _heard.get()
    if headers is not None:
        headers.clear()
    kept = _through.get()
    with _bounded_session() if kept is None else nullcontext(kept) as session:
        response: requests.Response = getattr(session, method)(*args, **kwargs)
    if headers is not None:
        headers.update({name.lower(): value for name, value in response.headers.items()})
    return response


def _bounded_session() -> requests.Session:
    session, adapter = requests.Session(), LeaseAdapter()
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # a server must not mark us
    return session


@contextmanager
def last_headers() -> Iterator[dict[str, str]]:
    """Collect the headers of the last answer to `BoundedRequests`, by names in lower case."""
    headers: dict[str, str] = {}
    before = _heard.set(headers)
    try:
        yield headers
    finally:
        _heard.reset(before)


class KeptSessions:
    """Sessions whose connections stay open from one call of `BoundedRequests` to the next.

    One thread at a time uses a session. A connection that was idle for long may be closed by the server just when the
    next request is written, which would leave that request in doubt. So it is not used again.

    Args:
        monotonic: The time in seconds, as `Clock.monotonic`.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._idle: deque[tuple[float, requests.Session]] = deque()

    @contextmanager
    def use(self) -> Iterator[None]:
        """Make this thread's calls of `BoundedRequests` through one of the sessions."""
        session = self._take()
        before = _through.set(session)
        try:
            yield
        finally:
            _through.reset(before)
            self._idle.append((self._monotonic(), session))

    def close(self) -> None:
        """Close all that are idle. They open again with the next call."""
        while self._idle:
            with suppress(IndexError):  # another thread has it
                self._idle.pop()[1].close()

    def _take(self) -> requests.Session:
        try:
            since, session = self._idle.pop()
        except IndexError:
            return _bounded_session()
        if self._monotonic() - since > _MAX_IDLE:
            session.close()  # its pools stay, without connections
        return session


def _keep_authorization(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
