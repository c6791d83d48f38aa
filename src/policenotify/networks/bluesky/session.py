"""Bluesky's sessions: logged in once, kept for all processes, renewed only when the server asks for it.

Logins are rationed (30 in 5 minutes and 300 a day for one account: docs.bsky.app, *Rate limits*), and a lost session
must not start a race of logins. So the session lives in the channel's
[`StateStore`][policenotify.channel.StateStore], only the holder of its lease renews it, and an attempt refreshes
once and logs in once, never in a loop.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from urllib.parse import urlsplit

from pydantic import SecretStr

from policenotify.channel import Clock, StateStore
from policenotify.errors import Blocked, ChannelError, JournalError, Unavailable
from policenotify.networks import import_lock
from policenotify.networks.bluesky.client import CLOSED, Answer, Xrpc, judge, without_side_effects
from policenotify.transport import is_secure_url, quoted

_NAME = "session"
_NO_SUCH_LOGIN = "AuthenticationRequired"  # com.atproto.server.createSession: this name and password do not go together
_STALE = frozenset({"ExpiredToken", "InvalidToken"})  # com.atproto.server.refreshSession; a bad JWT is a 400, not a 401
_REMEDY = (
    "Check that the handle in the channel's settings is still the account's own. If it is, make a new app password on "
    "the Bluesky website (Settings, Privacy and security, App passwords), put it into the settings, "
    "then: policenotify doctor"
)
_log = logging.getLogger("policenotify")


@dataclass(frozen=True, slots=True)
class Session:
    """A login, as it is kept.

    Attributes:
        account: The channel's account; a session kept for another one is not ours.
        did: The account's unchanging id.
        host: The server that holds the account (its PDS).
        access: The token that calls carry; lives about two hours.
        refresh: The token that renews both, once; lives about 90 days.
    """

    account: str
    did: str
    host: str
    access: str = field(repr=False)
    refresh: str = field(repr=False)


class Sessions:
    """The session of one account, shared through the keep."""

    def __init__(
        self,
        *,
        handle: str,
        password: SecretStr,
        service: str,
        account: str,
        xrpc: Xrpc,
        clock: Clock,
        keep: StateStore,
        lease: float,
    ) -> None:  # fmt: skip
        self._handle = handle
        self._password = password
        self._service = service
        self._account = account
        self._xrpc = xrpc
        self._clock = clock
        self._keep = keep
        self._lease = lease

    def current(self) -> Session:
        """The session that is kept, or a new one.

        Raises:
            Blocked: Bluesky does not accept the password, or has closed the account.
            Unavailable: It could not be asked.
        """
        return self._load()[0] or self._renew(None)

    def ask(self, call: Callable[[Session], Answer]) -> Answer:
        """Make a call that needs the login; renew the session, once, if the server says that it has expired.

        Args:
            call: The call. It is made again, unchanged, with the renewed session.

        Raises:
            ChannelError: As the call raises, and as `current` does.
        """
        session = self.current()
        answer = call(session)
        if answer.error in _STALE:
            answer = call(self._renew(session))
            if answer.error in _STALE:
                raise Unavailable("Bluesky does not accept the session that it has just given us.", code=answer.error)
        return answer

    def _load(self) -> tuple[Session | None, int | None]:
        kept = self._keep.load(_NAME)
        if kept is None:
            return None, None
        try:
            session = Session(**json.loads(kept.value))
        except (ValueError, TypeError):  # kept by another version of us
            return None, kept.version
        return (session if session.account == self._account else None), kept.version

    def _renew(self, stale: Session | None) -> Session:
        try:
            with self._keep.lease(_NAME, seconds=self._lease):
                kept, version = self._load()
                if kept is not None and kept != stale:  # somebody was faster
                    return kept
                fresh = (kept and self._refreshed(kept)) or self._logged_in(kept)
                if not self._keep.compare_and_swap(_NAME, json.dumps(asdict(fresh)), version=version):
                    return self._load()[0] or fresh  # our lease ran out, and somebody else renewed it
                return fresh
        except JournalError:
            raise Unavailable(
                "The Bluesky session was not renewed: another process holds it for too long, or it cannot be stored.",
                remedy="It will be tried again.",
            ) from None

    def _refreshed(self, session: Session) -> Session | None:
        with without_side_effects("renewing the session"):
            answer = self._xrpc.post(session.host, "com.atproto.server.refreshSession", token=session.refresh)
            if answer.ok:
                return self._session(answer)
            if answer.refused and answer.error not in CLOSED:
                return None  # the refresh token is dead, or the account has moved: only a login helps
            raise judge(answer, now=self._clock.now())

    def _logged_in(self, known: Session | None) -> Session:
        """Log in by the account's unchanging id where it is known, since its handle may be another one by now."""
        with without_side_effects("logging in"):
            answer = self._login(known.did if known else self._handle)
            if known and answer.error == _NO_SUCH_LOGIN:  # the handle may have moved to another account
                answer = self._login(self._handle)
            if answer.ok:
                return self._session(answer)
            raise self._login_error(answer)

    def _login(self, identifier: str) -> Answer:
        password = self._password.get_secret_value()
        content = json.dumps({"identifier": identifier, "password": password}).encode()
        return self._xrpc.post(self._service, "com.atproto.server.createSession", content)

    def _login_error(self, answer: Answer) -> ChannelError:
        code = f"{answer.status} {answer.error}"
        if answer.error == "AuthFactorTokenRequired":
            return Blocked(
                f"Bluesky wants a code from a mail to log {self._handle} in: the password is the account's main one.",
                code=code,
                remedy=_REMEDY,
            )
        if answer.refused and answer.error not in CLOSED:
            return Blocked(
                f"Bluesky does not let {self._handle} in{quoted(answer.said)} Nothing can be posted.",
                code=code,
                remedy=_REMEDY,
            )
        return judge(answer, now=self._clock.now())

    def _session(self, answer: Answer) -> Session:
        body = answer.body or {}
        did, access, refresh = (body.get(name) for name in ("did", "accessJwt", "refreshJwt"))
        if not (isinstance(did, str) and isinstance(access, str) and isinstance(refresh, str)):
            raise Unavailable("Bluesky's answer to the login cannot be read.", remedy="It will be tried again.")
        if note := renamed(self._handle, body.get("handle")):
            _log.warning("Channel of %s: %s", self._account, note)
        return Session(self._account, did, _host(self._service, body.get("didDoc")), access, refresh)


def renamed(handle: str, now: object) -> str:
    """Return what a person should know when the account has another handle now; empty when it has not."""
    if not isinstance(now, str) or not now.isprintable() or now.casefold() == handle.casefold():
        return ""
    return (
        f"The account of {handle} is called {now} now. Its posts go out all the same. When no incident is open on this "
        "channel, put the new handle into its settings: under another handle it continues no thread."
    )


def _host(service: str, document: object) -> str:
    """The server that holds the account: bsky.social only lets in, and names it in the account's DID document.

    A server that is not reached by https is taken only if it is the loopback that we were told to call; else calls
    stay with the service.
    """
    with import_lock():
        from atproto import DidDocument  # noqa: PLC0415 - the SDK is loaded when first used

    try:
        endpoint = DidDocument(**document).get_pds_endpoint() if isinstance(document, dict) else None
    except (ValueError, TypeError):
        return service
    if endpoint is None or not is_secure_url(endpoint):
        return service
    elsewhere = urlsplit(endpoint).scheme == "http" and urlsplit(endpoint).hostname != urlsplit(service).hostname
    return service if elsewhere else endpoint.rstrip("/")
