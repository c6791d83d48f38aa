"""Sessions of `requests` that send a post and a token to one server only.

Importing this module loads requests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import requests

from policenotify.translation import AnyText
from policenotify.transport import error_for_exception

_LONGEST: Final = 5_000_000  # bytes of an answer: a page of a timeline with all that a server adds to each post
_PIECE: Final = 16_384  # bytes read at once


class RawAnswer(NamedTuple):
    """An answer as it came: status, headers by names in lower case, and body, which is empty if it is too long."""

    status: int
    headers: dict[str, str]
    content: bytes


class PostSession(requests.Session):
    """A session that a client library calls through.

    Args:
        timeout: Seconds for a connection, and for each wait for the answer: one number for both, or two.
        plain: The server is reached by plain http, on this machine.
        rewrite: Turns the library's address of a call into the one to call.
        keep: Its connections stay open. A server may close a waiting one just as the next call goes out, and a post
            would be in doubt for nothing.

    Attributes:
        answer: The answer to the last call, or `None` if no whole one came. A library's exception may hide it.
    """

    def __init__(
        self,
        timeout: float | tuple[float, float],
        *,
        plain: bool,
        rewrite: Callable[[str], str] = str,
        keep: bool = False,
    ) -> None:
        super().__init__()
        self.answer: RawAnswer | None = None
        self.auth = lambda request: request  # else a ~/.netrc that names the host replaces the token
        # Plain http is for this machine alone: a proxy of the environment (HTTP_PROXY) would carry a token off it.
        self.trust_env = not plain
        self.headers["User-Agent"] = "policenotify"
        if not keep:
            self.headers["Connection"] = "close"  # RFC 9112, section 9.6
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
        """Make a call, and read its answer up to a size. A redirect is not followed."""
        self.answer = None
        kwargs |= {"timeout": self._timeout, "allow_redirects": False, "stream": True}
        body = bytearray()
        with super().request(method, self._rewrite(str(url)), *args, **kwargs) as response:
            for piece in response.iter_content(_PIECE):
                body += piece
                if len(body) > _LONGEST:
                    body.clear()
                    break
        response._content = bytes(body)  # noqa: SLF001 - no public name sets what was read
        headers = {name.lower(): value for name, value in response.headers.items()}
        self.answer = RawAnswer(response.status_code, headers, response.content)
        return response
