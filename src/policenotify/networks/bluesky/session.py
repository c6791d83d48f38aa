"""Bluesky's sessions, which are renewed only when the server asks for it.

Logins are rationed: 30 in 5 minutes and 300 a day for one account (docs.bsky.app, *Rate limits*). So a lost session
must not start a race of logins. An attempt refreshes once and logs in once, never in a loop.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import SecretStr

from policenotify.channel import StateStore
from policenotify.errors import Blocked, ChannelError, Unavailable
from policenotify.networks import load
from policenotify.networks._http import HttpAnswer, RotatingSecret, StoredSecret, fingerprint
from policenotify.networks.bluesky.api import RULES, Xrpc, without_side_effects
from policenotify.translation import AnyText, Text
from policenotify.transport import is_secure_url

_EXPIRED = frozenset({"ExpiredToken", "InvalidToken"})  # com.atproto.server.refreshSession; a bad JWT is a 400
_REMEDY = Text(
    "Check that the handle in the channel's settings is still the account's own. If it is, make a new "
    "app password on the Bluesky website (Settings, Privacy and security, App passwords), put it into "
    "the settings, then: policenotify doctor"
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


class SessionStore(RotatingSecret[BlueskySession, HttpAnswer]):
    """The session of one account. *service* is the server of the login."""

    name: ClassVar[str] = "session"
    label: ClassVar[AnyText] = Text("The Bluesky session")

    def __init__(
        self,
        *,
        handle: str,
        password: SecretStr,
        service: str,
        account: str,
        xrpc: Xrpc,
        store: StateStore,
        lease: float,
    ) -> None:
        owner = f"{account} {fingerprint(password.get_secret_value())}"  # a new password is tried, not the old session
        super().__init__(BlueskySession, owner=owner, store=store, lease=lease)
        self._handle = handle
        self._password = password
        self._service = service
        self._xrpc = xrpc

    def _is_expired(self, answer: HttpAnswer) -> bool:
        return answer.error in _EXPIRED

    def ask(self, call: Callable[[BlueskySession], HttpAnswer]) -> HttpAnswer:
        """Make a call with the session. See `RotatingSecret.ask`.

        Raises:
            Unavailable: The server does not accept a new session either.
        """
        answer = super().ask(call)
        if self._is_expired(answer):
            raise Unavailable(Text("Bluesky does not accept the session that it has just given us."), code=answer.error)
        return answer

    def _renewed(self, known: BlueskySession | None) -> BlueskySession:
        """Refresh the session, or log in, each once."""
        return (known and self._refreshed(known)) or self._logged_in(known)

    def _refreshed(self, session: BlueskySession) -> BlueskySession | None:
        with without_side_effects(Text("renewing the session")):
            answer = self._xrpc.post(session.host, "com.atproto.server.refreshSession", token=session.refresh)
            if answer.ok:
                return self._session(answer)
            if answer.refused and not _is_closed(answer):
                return None  # the refresh token is dead, or the account has moved: only a login helps
            raise self._xrpc.error(answer)

    def _logged_in(self, known: BlueskySession | None) -> BlueskySession:
        """Log in by the account's id if it is known: its handle may have changed."""
        login = {"identifier": known.did if known else self._handle, "password": self._password.get_secret_value()}
        with without_side_effects(Text("logging in")):
            content = json.dumps(login).encode()
            answer = self._xrpc.post(self._service, "com.atproto.server.createSession", content)
            if answer.ok:
                return self._session(answer)
            raise self._login_error(answer)

    def _login_error(self, answer: HttpAnswer) -> ChannelError:
        if answer.refused and not _is_closed(answer):
            return Blocked(
                Text(
                    "Bluesky does not let {handle} in{quoted} Nothing can be posted.",
                    handle=self._handle,
                    quoted=answer.quoted,
                ),
                code=answer.code,
                remedy=_REMEDY,
            )
        return self._xrpc.error(answer)

    def _session(self, answer: HttpAnswer) -> BlueskySession:
        did, access, refresh = (answer.object.get(name) for name in ("did", "accessJwt", "refreshJwt"))
        if not (isinstance(did, str) and isinstance(access, str) and isinstance(refresh, str)):
            raise Unavailable(
                Text("Bluesky's answer to the login cannot be read."), remedy=Text("It will be tried again.")
            )
        host = account_host(self._service, answer.object.get("didDoc"))
        return BlueskySession(self._owner, did, host, access, refresh)


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
