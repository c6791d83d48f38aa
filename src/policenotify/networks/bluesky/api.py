"""Bluesky's calls (XRPC), through the `atproto` library but without its surprises, and the session of one account.

The library is used as a transport that is never logged in. It would renew a session by the machine's own clock, keep a
dead one for ever, and drop a `null` from what it sends. Every call here carries its own token and follows no redirect:
a post and a token go to one server only.

A session is renewed only when the server asks for it. Logins are rationed: 30 in 5 minutes and 300 a day for one
account (docs.bsky.app, *Rate limits*). So a lost session must not start a race of logins. An attempt refreshes once and
logs in once, never in a loop.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import urlsplit

from pydantic import JsonValue, SecretStr

from policenotify import transport
from policenotify.channel import Services
from policenotify.errors import Blocked, ChannelError, Unavailable, Unconfirmed
from policenotify.networks import load, require
from policenotify.networks._http import (
    ANY_HTTP,
    AnswerRule,
    HttpAnswer,
    RotatingSecret,
    StoredSecret,
    fingerprint,
    judge,
)
from policenotify.networks._redact import redact
from policenotify.translation import AnyText, Text
from policenotify.transport import error_for_exception, is_secure_url

if TYPE_CHECKING:
    from atproto import Client

WHERE: Final = "Bluesky"
without_side_effects: Callable[[AnyText], AbstractContextManager[None]] = partial(transport.without_side_effects, WHERE)

_EXPIRED = frozenset({"ExpiredToken", "InvalidToken"})  # com.atproto.server.refreshSession; a bad JWT is a 400
_ASK = Text("Log in on the Bluesky website to see why, settle it with Bluesky, then: policenotify doctor")
_REMEDY = Text(
    "Check that the handle in the channel's settings is still the account's own. If it is, make a new "
    "app password on the Bluesky website (Settings, Privacy and security, App passwords), put it into "
    "the settings, then: policenotify doctor"
)

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


@dataclass(frozen=True, slots=True)
class BlueskySession(StoredSecret):
    """A session, as it is stored.

    Attributes:
        did: The account's unchanging id.
        host: The server that holds the account (its PDS).
        access: The token of each call. It lives about two hours.
        refresh: The token that renews both, once. It lives about 90 days.
    """

    did: str
    host: str
    access: str = field(repr=False)
    refresh: str = field(repr=False)


class Xrpc(RotatingSecret[BlueskySession, HttpAnswer]):
    """Servers of the AT Protocol (atproto.com/specs/xrpc), called with the session of one account.

    A call raises `Unavailable` if it never reached the server, and `Unconfirmed` if no readable answer came.

    Raises:
        MissingExtra: atproto is not installed.
    """

    name: ClassVar[str] = "session"
    label: ClassVar[AnyText] = Text("The Bluesky session")

    def __init__(
        self, account: str, *, handle: str, password: SecretStr, service: str, timeout: float, services: Services
    ) -> None:
        require("bluesky", "atproto")
        owner = f"{account} {fingerprint(password.get_secret_value())}"  # a new password is tried, not the old session
        # Another process may wait for a refresh and a login, each to connect and to answer.
        super().__init__(BlueskySession, owner=owner, store=services.store, lease=4 * timeout)
        self._clock = services.clock
        self._handle = handle
        self._password = password
        self._service = service
        self._timeout = timeout
        self._client: Client | None = None

    def read(self, name: str, params: dict[str, str]) -> HttpAnswer:
        """Query the account's server by the method *name* (NSID), without a token."""
        return self._get(self.current().host, name, params)

    def whoami(self) -> HttpAnswer:
        """Ask whose the session is."""
        return self.ask_with(
            lambda session: self._get(session.host, "com.atproto.server.getSession", {}, session.access)
        )

    def post(
        self, name: str, content: bytes, *, media_type: str = "application/json", did: JsonValue = None
    ) -> HttpAnswer:
        """Call the procedure *name* (NSID) of the account's server, with *content* as it is.

        Raises:
            Blocked: With *did*: the handle has become another account than this one.
        """

        def call(session: BlueskySession) -> HttpAnswer:
            if did is not None:
                self.check_account(session, did)
            return self._post(session.host, name, content, media_type=media_type, token=session.access)

        return self.ask_with(call)

    def check_account(self, session: BlueskySession, did: JsonValue) -> None:
        """Verify that a session is of the account for which a post was prepared."""
        if session.did != did:
            raise Blocked(
                Text("The handle {handle} is another account than when the post was prepared.", handle=self._handle),
                remedy=Text("Check whose handle it is, and the channel's settings, then: policenotify doctor"),
            )

    def ask_with(self, call: Callable[[BlueskySession], HttpAnswer]) -> HttpAnswer:
        """Make a call with the session. See `RotatingSecret.ask_with`.

        Raises:
            Unavailable: The server does not accept a new session either.
        """
        answer = super().ask_with(call)
        if self._is_expired(answer):
            raise Unavailable(Text("Bluesky does not accept the session that it has just given us."), code=answer.error)
        return answer

    def error(self, answer: HttpAnswer) -> ChannelError:
        """Return what an answer other than a success means for every call."""
        return judge(answer, (*RULES, *ANY_HTTP), now=self._clock.now(), where=WHERE)

    def close(self) -> None:
        """Close the connections. A later call opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            client.request.close()

    def _is_expired(self, answer: HttpAnswer) -> bool:
        return answer.error in _EXPIRED

    def _renewed(self, known: BlueskySession | None) -> BlueskySession:
        """Refresh the session, or log in, each once."""
        return (known and self._refreshed(known)) or self._logged_in(known)

    def _refreshed(self, session: BlueskySession) -> BlueskySession | None:
        with without_side_effects(Text("renewing the session")):
            answer = self._post(session.host, "com.atproto.server.refreshSession", token=session.refresh)
            if answer.ok:
                return self._session(answer)
            if answer.refused and not _is_closed(answer):
                return None  # the refresh token is dead, or the account has moved: only a login helps
            raise self.error(answer)

    def _logged_in(self, known: BlueskySession | None) -> BlueskySession:
        """Log in by the account's id if it is known: its handle may have changed."""
        login = {"identifier": known.did if known else self._handle, "password": self._password.get_secret_value()}
        with without_side_effects(Text("logging in")):
            content = json.dumps(login).encode()
            answer = self._post(self._service, "com.atproto.server.createSession", content)
            if answer.ok:
                return self._session(answer)
            if not answer.refused or _is_closed(answer):
                raise self.error(answer)
        raise Blocked(
            Text(
                "Bluesky does not let {handle} in{quoted} Nothing can be posted.",
                handle=self._handle,
                quoted=answer.quoted,
            ),
            code=answer.code,
            remedy=_REMEDY,
        )

    def _session(self, answer: HttpAnswer) -> BlueskySession:
        did, access, refresh = (answer.object.get(name) for name in ("did", "accessJwt", "refreshJwt"))
        if not (isinstance(did, str) and isinstance(access, str) and isinstance(refresh, str)):
            raise Unavailable(
                Text("Bluesky's answer to the login cannot be read."), remedy=Text("It will be tried again.")
            )
        host = account_host(self._service, answer.object.get("didDoc"))
        return BlueskySession(self._owner, did, host, access, refresh)

    def _get(self, host: str, name: str, params: dict[str, str], token: str = "") -> HttpAnswer:
        encoded = load("atproto_client.models.dot_dict").DotDict(params) if params else None
        return self._call("invoke_query", host, name, token, params=encoded)

    def _post(
        self, host: str, name: str, content: bytes = b"", *, media_type: str = "application/json", token: str = ""
    ) -> HttpAnswer:
        body: dict[str, Any] = {"content": content, "input_encoding": media_type} if content else {}
        return self._call("invoke_procedure", host, name, token, **body)

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


def _is_closed(answer: HttpAnswer) -> bool:
    return any(rule.fits(answer) for rule in RULES)


def account_host(service: str, document: object) -> str:
    """Return the server that holds the account.

    bsky.social only logs in, and names that server in the account's DID document. A server without https is accepted
    only on the loopback that the settings name. Otherwise calls stay with the service.
    """
    try:
        described = load("atproto").DidDocument(**document) if isinstance(document, dict) else None
        endpoint = described and described.get_pds_endpoint()
    except (ValueError, TypeError):
        return service
    if endpoint is None or not is_secure_url(endpoint):
        return service
    elsewhere = urlsplit(endpoint).scheme == "http" and urlsplit(endpoint).hostname != urlsplit(service).hostname
    return service if elsewhere else endpoint.rstrip("/")
