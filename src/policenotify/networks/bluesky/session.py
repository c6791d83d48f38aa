"""Bluesky's sessions, which are renewed only when the server asks for it.

Logins are rationed: 30 in 5 minutes and 300 a day for one account (docs.bsky.app, *Rate limits*). So a lost session
must not start a race of logins. An attempt refreshes once and logs in once, never in a loop.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from urllib.parse import urlsplit

from pydantic import SecretStr

from policenotify.channel import StateStore
from policenotify.errors import Blocked, ChannelError, JournalError, Unavailable
from policenotify.networks import load
from policenotify.networks._http import HttpAnswer, fingerprint
from policenotify.networks.bluesky.api import RULES, Xrpc, without_side_effects
from policenotify.translation import Text
from policenotify.transport import is_secure_url

_NAME = "session"  # in the store
_EXPIRED = frozenset({"ExpiredToken", "InvalidToken"})  # com.atproto.server.refreshSession; a bad JWT is a 400
_REMEDY = Text(
    "Check that the handle in the channel's settings is still the account's own. If it is, make a new "
    "app password on the Bluesky website (Settings, Privacy and security, App passwords), put it into "
    "the settings, then: policenotify doctor"
)


@dataclass(frozen=True, slots=True)
class BlueskySession:
    """A session, as it is stored.

    Attributes:
        owner: The channel's account and a fingerprint of its password. The session of another owner is replaced.
        did: The account's unchanging id.
        host: The server that holds the account (its PDS).
        access: The token of each call. It lives about two hours.
        refresh: The token that renews both, once. It lives about 90 days.
    """

    owner: str
    did: str
    host: str
    access: str = field(repr=False)
    refresh: str = field(repr=False)


class SessionStore:
    """The session of one account, shared by all processes of the installation.

    A refresh uses the stored session up. So only the holder of the lease renews it, and the new session is stored
    before it is used.

    Args:
        service: The server of the login.
        lease: Seconds that another process may take to renew the session.
    """

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
        self._owner = f"{account} {fingerprint(password.get_secret_value())}"  # a new password is tried
        self._handle = handle
        self._password = password
        self._service = service
        self._xrpc = xrpc
        self._store = store
        self._lease = lease
        self._unsaved: BlueskySession | None = None

    def current(self) -> BlueskySession:
        """Return the stored session, or a new one.

        Raises:
            Blocked: Bluesky does not accept the credentials.
            Unavailable: Bluesky could not be asked, or the session not be stored.
        """
        try:
            session, _ = self._load()
        except JournalError:
            raise _not_renewed() from None
        return session or self._renew(None)

    def ask(self, call: Callable[[BlueskySession], HttpAnswer]) -> HttpAnswer:
        """Make a call with the session. If it has expired, renew it and repeat, once.

        Raises:
            ChannelError: See `current`, and the call itself.
            Unavailable: The server does not accept a new session either.
        """
        session = self.current()
        answer = call(session)
        if answer.error in _EXPIRED:
            answer = call(self._renew(session))
        if answer.error in _EXPIRED:
            raise Unavailable(Text("Bluesky does not accept the session that it has just given us."), code=answer.error)
        return answer

    def _load(self) -> tuple[BlueskySession | None, int | None]:
        stored = self._store.load(_NAME)
        if stored is None:
            return None, None
        try:
            session = BlueskySession(**json.loads(stored.value))
        except (ValueError, TypeError):  # stored by another release
            return None, stored.version
        return (session if session.owner == self._owner else None), stored.version

    def _renew(self, stale: BlueskySession | None) -> BlueskySession:
        try:
            with self._store.lease(_NAME, seconds=self._lease):
                stored, version = self._load()
                if stored is not None and stored != stale:  # another process renewed it first
                    return stored
                return self._replace(stored, version)
        except JournalError:
            raise _not_renewed() from None

    def _replace(self, stored: BlueskySession | None, version: int | None) -> BlueskySession:
        fresh = self._unsaved or self._renewed(stored)
        self._unsaved = fresh  # if the store fails now, the next call stores it: the old session is used up
        saved = self._store.compare_and_swap(_NAME, json.dumps(asdict(fresh)), version=version)
        self._unsaved = None
        return fresh if saved else self._load()[0] or fresh

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


def _not_renewed() -> Unavailable:
    return Unavailable(
        Text(
            "The Bluesky session was not renewed: another process holds it for too long, or it cannot be stored. "
            "Nothing was posted."
        ),
        remedy=Text("It will be tried again."),
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
