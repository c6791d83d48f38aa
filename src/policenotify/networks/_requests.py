"""Sessions of `requests` that send a post and a token to one server only.

Importing this module loads requests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import requests
from requests.adapters import HTTPAdapter
from urllib3.poolmanager import PoolManager

from policenotify.transport import before_publishing


class LeaseAdapter(HTTPAdapter):
    """An adapter that checks the delivery's lease right before it writes."""

    def __init__(self) -> None:
        self._publishes = False
        super().__init__()

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

            def request(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the parent's
                if adapter._publishes:
                    if self.sock is None:
                        self.connect()  # which takes long: the check comes after it
                    before_publishing()
                super().request(*args, **kwargs)  # type: ignore[misc]  # of the connection that it is mixed into

        def checked(pool: Any) -> Any:  # noqa: ANN401 - urllib3 types its pools by their instances
            connection = type(pool.ConnectionCls.__name__, (Check, pool.ConnectionCls), {})
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
        timeout: Seconds for each piece of an answer, or for a connection and for each piece.
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
        self.hooks["response"].append(self._note_redirect)
        self._rewrite = rewrite
        self._timeout = timeout

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:  # noqa: ANN401 - the parent's
        """Make a call. A redirect is not followed."""
        self.answer = None
        kwargs |= {"timeout": self._timeout, "allow_redirects": False}
        response = super().request(method, self._rewrite(str(url)), *args, **kwargs)
        self.answer = _raw(response, response.content)
        return response

    def _note_redirect(self, response: requests.Response, *_: object, **__: object) -> None:
        if response.is_redirect:  # known before its body, which may be cut
            self.answer = _raw(response, b"")


def _raw(response: requests.Response, content: bytes) -> RawAnswer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return RawAnswer(response.status_code, headers, content)


def _keep_authorization(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
