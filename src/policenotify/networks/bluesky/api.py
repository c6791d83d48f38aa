"""Bluesky's calls (XRPC), through the `atproto` library but without its surprises.

The library is used as a transport that is never logged in. It would renew a session by the machine's own clock, keep a
dead one for ever, and drop a `null` from what it sends. Every call here carries its own token and follows no redirect:
a post and a token go to one server only.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from pydantic import SecretStr

from policenotify import transport
from policenotify.channel import Clock
from policenotify.errors import Blocked, ChannelError, Unavailable, Unconfirmed
from policenotify.networks import load, require
from policenotify.networks._http import ANY_HTTP, AnswerRule, HttpAnswer, judge
from policenotify.networks._redact import redact
from policenotify.translation import AnyText, Text
from policenotify.transport import error_for_exception

if TYPE_CHECKING:
    from atproto import Client

WHERE: Final = "Bluesky"
without_side_effects: Callable[[AnyText], AbstractContextManager[None]] = partial(transport.without_side_effects, WHERE)

_ASK = Text("Log in on the Bluesky website to see why, settle it with Bluesky, then: policenotify doctor")

# com.atproto.server.createSession, com.atproto.sync.getRepoStatus: why an account does not write
RULES: Final = (
    AnswerRule(
        Blocked,
        Text("Bluesky has taken this account down; nothing can be posted from it."),
        _ASK,
        phrases=("accounttakedown", "repotakendown"),
    ),
    AnswerRule(
        Blocked,
        Text("Bluesky has suspended this account; nothing can be posted from it."),
        _ASK,
        phrases=("accountsuspended", "reposuspended"),
    ),
    AnswerRule(
        Blocked,
        Text("Bluesky says that this account is deactivated; nothing can be posted from it."),
        _ASK,
        phrases=("accountdeactivated", "repodeactivated"),
    ),
)


class Xrpc:
    """Calls servers of the AT Protocol (atproto.com/specs/xrpc).

    A call raises `Unavailable` if it never reached the server, and `Unconfirmed` if no readable answer came.

    Args:
        timeout: Seconds to wait for a connection, and again for the answer.
        password: A value that must not appear in a server's words, besides the token of the call.

    Raises:
        MissingExtra: atproto is not installed.
    """

    def __init__(self, timeout: float, password: SecretStr, clock: Clock) -> None:
        require("bluesky", "atproto")
        self.clock = clock
        self._timeout = timeout
        self._password = password
        self._client: Client | None = None

    def get(self, host: str, name: str, params: dict[str, str], *, token: str = "") -> HttpAnswer:
        """Query *host*, such as `https://bsky.social`, by the method *name* (NSID)."""
        encoded = load("atproto_client.models.dot_dict").DotDict(params) if params else None
        return self._call("invoke_query", host, name, token, params=encoded)

    def post(
        self, host: str, name: str, content: bytes = b"", *, media_type: str = "application/json", token: str = ""
    ) -> HttpAnswer:
        """Call the procedure *name* (NSID) of *host*, with *content* as it is."""
        body: dict[str, Any] = {"content": content, "input_encoding": media_type} if content else {}
        return self._call("invoke_procedure", host, name, token, **body)

    def error(self, answer: HttpAnswer) -> ChannelError:
        """Return what an answer other than a success means for every call."""
        return judge(answer, (*RULES, *ANY_HTTP), now=self.clock.now(), where=WHERE)

    def close(self) -> None:
        """Close the connections. A later call opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            client.request.close()

    def _call(self, invoke: str, host: str, name: str, token: str, **options: Any) -> HttpAnswer:  # noqa: ANN401 - handed on
        try:
            client = self._opened()
        except Exception as error:  # noqa: BLE001 - httpx reads proxies and authorities here, and fails in any way
            raise Unavailable(
                Text("Bluesky cannot be called from this machine."),
                code=type(error).__name__,
                remedy=Text(
                    "It will be tried again. Check what SSL_CERT_FILE names, and the proxy's settings of "
                    "this machine (HTTPS_PROXY, ALL_PROXY, NO_PROXY)."
                ),
            ) from None
        client.update_base_url(host)
        try:
            response = getattr(client, invoke)(
                name,
                headers={"Authorization": f"Bearer {token}"} if token else {},
                timeout=self._timeout,
                follow_redirects=False,
                **options,
            )
        except Exception as error:  # noqa: BLE001 - the SDK lets the errors of others through
            response = getattr(error, "response", None)
            if response is None:  # the error's own text and links may hold a token: `from None`, and its name only
                raise _without_answer(error) from None
        return _read(response, (token, self._password.get_secret_value()))

    def _opened(self) -> Client:
        if self._client is None:
            atproto = load("atproto")  # 0.6 s and 65 MiB
            # Plain http is for this machine alone: a proxy of the environment (HTTP_PROXY) would carry a password off
            # it.
            self._client = atproto.Client(request=atproto.Request(mounts={"http://": None}))
        return self._client


def _without_answer(error: Exception) -> ChannelError:
    if isinstance(error, ValueError) or type(error).__name__ == "ModelError":
        return Unconfirmed(Text("Bluesky's answer cannot be read."), code=type(error).__name__)
    return error_for_exception(error, where=WHERE)


def _read(response: Any, secrets: tuple[str, ...]) -> HttpAnswer:  # noqa: ANN401 - the SDK is not typed
    content, status, headers = response.content, response.status_code, response.headers
    if response.success:  # of the successes, XRPC knows only 200: another one comes from something in its place
        return HttpAnswer(status, headers, content if status == HTTPStatus.OK and isinstance(content, dict) else None)
    error, message = (getattr(content, name, None) for name in ("error", "message"))
    if not isinstance(error, str):
        return HttpAnswer(status, headers)
    name = redact(error, secrets)
    return HttpAnswer(
        status,
        headers,
        from_network=bool(name),
        error=name,
        message=redact(message, secrets) if isinstance(message, str) else "",
        phrases=name.lower(),
    )
