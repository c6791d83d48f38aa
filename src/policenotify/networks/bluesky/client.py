"""Bluesky's calls (XRPC), through the `atproto` library but without its surprises.

The library is used as a transport that is never logged in: it would renew a session by the machine's own clock, keep
a dead one for ever, and drop a `null` from what it sends. Every call here carries its own token, follows no redirect
(a post and a token go to nobody else), and ends in an [`Answer`][policenotify.networks.bluesky.client.Answer] or in
one of the four errors of a channel.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from pydantic import SecretStr

from policenotify import transport
from policenotify.errors import Blocked, ChannelError, JournalError, MissingExtra, Unavailable, Unconfirmed
from policenotify.networks import import_lock
from policenotify.transport import before_publishing, error_for_exception, error_for_status

if TYPE_CHECKING:
    from atproto import Client

WHERE = "Bluesky"
without_side_effects = partial(transport.without_side_effects, WHERE)

# com.atproto.server.createSession, com.atproto.sync.getRepoStatus: why an account does not write
CLOSED = {
    "AccountTakedown": "has taken this account down",
    "AccountSuspended": "has suspended this account",
    "AccountDeactivated": "says that this account is deactivated",
    "RepoTakendown": "has taken this account down",
    "RepoSuspended": "has suspended this account",
    "RepoDeactivated": "says that this account is deactivated",
}
# tokens (RFC 7519: a JSON object in base64url begins so), and mail addresses
_PRIVATE = re.compile(r"eyJ[\w-]*(\.[\w-]*)*|[^\s@\"(<]+@[^\s@\")>]+")
_LONGEST_WORDS = 300
_VISIBLE = frozenset({"com.atproto.repo.putRecord", "com.atproto.repo.deleteRecord"})  # what readers see changes
# Plain http is for this machine alone: a proxy of the environment (HTTP_PROXY) would carry a password off it.
_DIRECT: Final = {"http://": None}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered.

    Attributes:
        status: The HTTP status.
        headers: Names in lower case.
        body: The JSON object of a success; `None` when there was none.
        error: The name of the error, such as `InvalidSwap`; empty when the answer is no XRPC error.
        said: The server's own words, on one line, free of secrets.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: Mapping[str, Any] | None = field(default=None, repr=False)
    error: str = ""
    said: str = ""

    @property
    def ok(self) -> bool:
        """Whether it is a success that can be read."""
        return self.status == 200 and self.body is not None  # noqa: PLR2004 - the only success XRPC knows

    @property
    def refused(self) -> bool:
        """Whether the server itself says no, for a reason of its own other than a rate limit."""
        return 400 <= self.status < 500 and self.status != 429 and bool(self.error)  # noqa: PLR2004 - RFC 9110, 15.5


class Xrpc:
    """Calls servers of the AT Protocol (atproto.com/specs/xrpc).

    Args:
        timeout: Seconds to wait for a connection, and again for each piece of the answer.
        password: What must never come back in a server's words, besides the token of the call.

    Raises:
        MissingExtra: atproto is not installed.
    """

    def __init__(self, timeout: float, password: SecretStr) -> None:
        if find_spec("atproto") is None:
            raise MissingExtra("The network 'bluesky'", "bluesky")
        self._timeout = timeout
        self._password = password
        self._client: Client | None = None

    def get(self, host: str, name: str, params: dict[str, str], *, token: str = "") -> Answer:
        """Ask without changing anything.

        Args:
            host: The server, such as `https://bsky.social`.
            name: The method's name (NSID).
            params: Its parameters.
            token: Goes into `Authorization`.

        Raises:
            Unavailable: The call never reached the server.
            Unconfirmed: No answer came, or it cannot be read.
        """
        with import_lock():
            from atproto_client.models.dot_dict import DotDict  # noqa: PLC0415 - the SDK is loaded when first used

        return self._call("invoke_query", host, name, token, params=DotDict(params) if params else None)

    def post(
        self, host: str, name: str, content: bytes = b"", *, media_type: str = "application/json", token: str = ""
    ) -> Answer:
        """Call a procedure.

        Args:
            host: The server.
            name: The method's name (NSID).
            content: The body, sent as it is.
            media_type: The body's type.
            token: Goes into `Authorization`.

        Raises:
            Unavailable: The call never reached the server.
            Unconfirmed: No answer came, or it cannot be read.
            JournalError: The call would publish, and the lease is over. It was not made.
        """
        body: dict[str, Any] = {"content": content, "input_encoding": media_type} if content else {}
        if name in _VISIBLE:
            body["extensions"] = {"trace": _check_lease}
        return self._call("invoke_procedure", host, name, token, **body)

    def close(self) -> None:
        """Let go of connections; a later call opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            client.request.close()

    def _call(self, invoke: str, host: str, name: str, token: str, **what: Any) -> Answer:  # noqa: ANN401 - handed on
        client = self._opened()
        client.update_base_url(host)
        try:
            got = getattr(client, invoke)(
                name,
                headers={"Authorization": f"Bearer {token}"} if token else {},
                timeout=self._timeout,
                follow_redirects=False,
                **what,
            )
        except JournalError:  # the lease is over
            raise
        except Exception as error:  # noqa: BLE001 - the SDK lets its libraries' errors through
            got = getattr(error, "response", None)
            if got is None:  # the error's own text and links may hold a token: `from None`, and its name only
                raise _without_answer(error) from None
        return _answer(got, (token, self._password.get_secret_value()))

    def _opened(self) -> Client:
        if self._client is None:
            with import_lock():
                from atproto import Client, Request  # noqa: PLC0415 - 0.6 s and 65 MiB, paid when first used

            try:
                self._client = Client(request=Request(mounts=_DIRECT))
            except Exception as error:  # noqa: BLE001 - httpx reads proxies and authorities here, and fails in any way
                failed = type(error).__name__
            else:
                return self._client
            # outside of `except`: the error may hold the proxy's password
            raise Unavailable(
                "Bluesky cannot be called from this machine.",
                code=failed,
                remedy="It will be tried again. Check what SSL_CERT_FILE names, and the proxy's settings of this "
                "machine (HTTPS_PROXY, ALL_PROXY, NO_PROXY).",
            )
        return self._client


def _check_lease(event: str, info: Mapping[str, Any]) -> None:
    """Check the lease when the connection is open and the request is about to be written (httpcore's `trace`)."""
    if event.endswith(".send_request_headers.started") and info["request"].method == b"POST":  # not a proxy's CONNECT
        before_publishing()


def judge(answer: Answer, *, now: datetime) -> ChannelError:
    """Say what an answer that is not a success means, as far as it is the same for every call."""
    code = f"{answer.status} {answer.error}".strip()
    if closed := CLOSED.get(answer.error):
        return Blocked(
            f"Bluesky {closed}; nothing can be posted from it.",
            code=code,
            remedy="Log in on the Bluesky website to see why, settle it with Bluesky, then: policenotify doctor",
        )
    if 300 <= answer.status < 400:  # noqa: PLR2004 - RFC 9110, section 15.4
        return Unconfirmed(
            "The server sent us to another address, and we do not follow with a post.",
            code=code,
            remedy="Check the channel's `service` in the settings, and whether a proxy wants a login.",
        )
    nobody = not answer.error and 400 <= answer.status < 500 and answer.status not in {413, 429}  # noqa: PLR2004 - RFC 9110, 15.5
    if nobody or answer.status == 404:  # noqa: PLR2004 - a server of the AT Protocol knows our methods
        return Unavailable(
            "Something that is not Bluesky answered in its place and did not let us through.",
            code=code,
            remedy="It will be tried again. Check the channel's `service` in the settings, and the proxy.",
        )
    return error_for_status(answer.status, answer.headers, now=now, where=WHERE, code=answer.error, said=answer.said)


def _without_answer(error: Exception) -> ChannelError:
    if isinstance(error, ValueError) or type(error).__name__ == "ModelError":
        return Unconfirmed("Bluesky's answer cannot be read.", code=type(error).__name__)
    return error_for_exception(error, where=WHERE)


def _answer(got: Any, secrets: tuple[str, ...]) -> Answer:  # noqa: ANN401 - the SDK is not typed
    content = got.content
    if got.success:
        return Answer(got.status_code, got.headers, content if isinstance(content, dict) else None)
    error, message = (getattr(content, name, None) for name in ("error", "message"))
    if not isinstance(error, str):
        return Answer(got.status_code, got.headers)
    said = message if isinstance(message, str) else ""
    return Answer(got.status_code, got.headers, error=_clean(error, secrets), said=_clean(said, secrets))


def _clean(words: str, secrets: tuple[str, ...]) -> str:
    for secret in filter(None, secrets):
        words = words.replace(secret, "…")
    return " ".join(_PRIVATE.sub("…", words).split())[:_LONGEST_WORDS]
