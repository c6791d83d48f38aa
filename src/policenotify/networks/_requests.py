"""Sessions of `requests` that send a post and a token to one server only.

Importing this module loads requests.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from http.cookiejar import DefaultCookiePolicy
from typing import Any, NamedTuple

import requests
import urllib3
from requests.adapters import HTTPAdapter

from policenotify.networks._bounds import MAX_ANSWER, PIECE, call_seconds
from policenotify.translation import AnyText
from policenotify.transport import error_for_exception

_NOT_OF_BODY = frozenset({"content-encoding", "content-length", "transfer-encoding"})  # headers of the body on its way


class BoundedAdapter(HTTPAdapter):
    """An adapter that reads an answer whole, within its size and time. Of a longer one the body is empty.

    The body of a redirect is not read, because redirects are not followed.

    Attributes:
        max_bytes: The longest body that is read.
    """

    def __init__(self) -> None:
        super().__init__()
        self.max_bytes = MAX_ANSWER

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:  # noqa: ANN401 - the parent's
        """Make a call, and read its answer."""
        request.headers["Accept-Encoding"] = "identity"
        sent = len(request.body) if isinstance(request.body, bytes | str) else 0
        seconds = call_seconds(kwargs.get("timeout"), sent)
        end = None if seconds is None else time.monotonic() + seconds
        response = super().send(request, *args, **{**kwargs, "stream": True})
        with response:
            body = b"" if response.is_redirect else self._body(response, end)
        whole = urllib3.HTTPResponse(
            io.BytesIO(body),
            headers={name: text for name, text in response.headers.items() if name.lower() not in _NOT_OF_BODY},
            status=response.status_code,
            reason=response.reason,
            preload_content=False,
        )
        return self.build_response(request, whole)

    def _body(self, response: requests.Response, end: float | None) -> bytes:
        body = bytearray()
        try:
            while piece := response.raw.read1(PIECE, decode_content=True):  # what is there, and does not wait for more
                body += piece
                if len(body) > self.max_bytes:
                    return b""
                if end is not None and time.monotonic() > end:
                    raise requests.ReadTimeout("the answer was not complete in time")
        except urllib3.exceptions.ReadTimeoutError as error:
            raise requests.ReadTimeout(error) from error
        except urllib3.exceptions.ProtocolError as error:
            raise requests.exceptions.ChunkedEncodingError(error) from error
        except urllib3.exceptions.HTTPError as error:
            raise requests.ConnectionError(error) from error
        return bytes(body)


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
        adapter: Checks the lease before calls that publish, and bounds their answers.
    """

    def __init__(self, rewrite: Callable[[str], str], timeout: float | tuple[float, float], *, plain: bool) -> None:
        super().__init__()
        self.answer: RawAnswer | None = None
        self.adapter = BoundedAdapter()
        self.mount("https://", self.adapter)
        self.mount("http://", self.adapter)
        self.auth = _keep_authorization  # else a ~/.netrc that names the host replaces the token
        # Plain http is for this machine alone: a proxy of the environment (HTTP_PROXY) would carry a token off it.
        self.trust_env = not plain
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # a server must not mark us
        self._rewrite = rewrite
        self._timeout = timeout

    def ask(self, call: Callable[[], object], *, where: AnyText, wrapped: bool = False) -> RawAnswer:
        """Make one call through a library, and return what came over the wire.

        Whatever the library makes of it does not count. Nor do its errors go along: they hold the request.

        Args:
            call: Makes one call through this session.
            where: The server's name in an officer's words.
            wrapped: The library's own error carries that of requests only as its context.

        Raises:
            Unavailable: The call never reached the server.
            Unconfirmed: No whole answer came.
        """
        self.answer = None
        failure: BaseException = RuntimeError("no call was made")
        try:
            call()
        except Exception as error:  # noqa: BLE001 - libraries let each other's errors through
            failure = (error.__context__ if wrapped else None) or error
        if self.answer is None:
            raise error_for_exception(failure, where=where)
        return self.answer

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:  # noqa: ANN401 - the parent's
        """Make a call. A redirect is not followed."""
        self.answer = None
        kwargs |= {"timeout": self._timeout, "allow_redirects": False}
        response = super().request(method, self._rewrite(str(url)), *args, **kwargs)
        headers = {name.lower(): value for name, value in response.headers.items()}
        self.answer = RawAnswer(response.status_code, headers, response.content)
        return response


def _keep_authorization(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
