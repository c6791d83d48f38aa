"""The two forms of credentials for X, and where they may be sent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Protocol, Self

from pydantic import SecretStr

from policenotify.channel import Clock, StateStore
from policenotify.errors import Blocked, ChannelError, JournalError, LostLease, SettingsError, Unavailable
from policenotify.networks.x.errors import Answer, judge, without_side_effects

_SIGNING = ("consumer_key", "consumer_secret", "access_token", "access_token_secret")
_ROTATING = ("client_id", "refresh_token")
_EITHER = f"give either {', '.join(_SIGNING)} (OAuth 1.0a), or {' and '.join(_ROTATING)} (OAuth 2)"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What lets us in: keys that sign, or a refresh token.

    Attributes:
        keys: Consumer key, its secret, access token, its secret; empty with OAuth 2.
        client_id: The app's client id; empty with OAuth 1.0a.
        refresh_token: The account's first refresh token; empty with OAuth 1.0a.
        client_secret: The app's secret; empty for an app that has none.
    """

    keys: tuple[SecretStr, ...]
    client_id: str
    refresh_token: SecretStr
    client_secret: SecretStr

    @classmethod
    def of(cls, *, client_secret: SecretStr | None, **given: SecretStr | None) -> Self:
        """Read the options.

        Raises:
            SettingsError: They are of both forms, of none, or not all there.
        """
        there = {name: secret for name, secret in given.items() if secret and secret.get_secret_value()}
        secret = client_secret or SecretStr("")
        signing, rotating = [[name for name in form if name in there] for form in (_SIGNING, _ROTATING)]
        if secret.get_secret_value():
            rotating.append("client_secret")
        if signing and rotating:
            raise SettingsError(f"{rotating[0]}: {_EITHER}, not both")
        if not signing and not rotating:
            raise SettingsError(f"{_SIGNING[0]}: {_EITHER}")
        if missing := [name for name in (_SIGNING if signing else _ROTATING) if name not in there]:
            raise SettingsError(f"{missing[0]}: is missing; {_EITHER}")
        keys = tuple(there[name] for name in signing)
        client_id = "" if keys else there["client_id"].get_secret_value()
        return cls(keys, client_id, there.get("refresh_token", SecretStr("")), secret)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What may be seen nowhere."""
        return tuple(one.get_secret_value() for one in (*self.keys, self.refresh_token, self.client_secret))


def fingerprint(credentials: Credentials) -> str:
    """Names the credentials without telling them: others have another one."""
    told = "\n".join((credentials.client_id, *credentials.secrets))
    return hashlib.sha256(told.encode()).hexdigest()


_NAME = "tokens"
_PATH = "/2/oauth2/token"
_APP = frozenset({"invalid_client", "unauthorized_client"})  # RFC 6749, section 5.2
_AGAIN = (
    "Authorise the app for the account again (docs: X, OAuth 2), put the new refresh token into the channel's "
    "settings, then: policenotify doctor"
)


@dataclass(frozen=True, slots=True)
class Tokens:
    """A pair of tokens, as it is kept.

    Attributes:
        account: The channel's account; a pair kept for another one is not ours.
        seed: Which refresh token of the settings the pair goes back to: a new one there starts anew.
        access: The token that calls carry; lives two hours.
        refresh: The token that brings the next pair, once.
    """

    account: str
    seed: str
    access: str = field(repr=False)
    refresh: str = field(repr=False)


class _Form(Protocol):
    def __call__(self, path: str, fields: dict[str, str], login: tuple[str, str] | None) -> Answer: ...


class TokenStore:
    """The tokens of one account, shared through the keep.

    Args:
        account: The channel's account.
        credentials: The app's client id, its secret if it has one, and the refresh token that a person got.
        form: Posts a form to X.
        clock: Time.
        keep: Where the tokens live.
        lease: Seconds that another process may take to renew them.
    """

    def __init__(
        self, *, account: str, credentials: Credentials, form: _Form, clock: Clock, keep: StateStore, lease: float
    ) -> None:
        self._account = account
        self._client_id = credentials.client_id
        self._client_secret = credentials.client_secret.get_secret_value()
        self._first = credentials.refresh_token.get_secret_value()
        self._seed = fingerprint(credentials)
        self._form = form
        self._clock = clock
        self._keep = keep
        self._lease = lease
        self._unsaved: Tokens | None = None

    def ask(self, call: Callable[[str], Answer]) -> Answer:
        """Make a call that needs a token; renew it, once, if X does not accept it.

        Args:
            call: The call, which is given the token. It is made again, unchanged, with the renewed one.

        Raises:
            ChannelError: As the call raises. `Blocked`: X does not accept the refresh token. `Unavailable`: it could
                not be asked, or the tokens not be stored.
        """
        try:
            tokens = self._load()[0] or self._renew(None)
            answer = call(tokens.access)
            if answer.status == 401 and answer.body is not None:  # noqa: PLR2004 - RFC 6750, section 3.1
                answer = call(self._renew(tokens).access)
        except LostLease:  # of the call itself
            raise
        except JournalError:
            raise Unavailable(
                "The tokens for X were not renewed: another process holds them for too long, or they cannot be stored.",
                remedy="It will be tried again.",
            ) from None
        return answer

    def _load(self) -> tuple[Tokens | None, int | None]:
        kept = self._keep.load(_NAME)
        if kept is None:
            return None, None
        try:
            tokens = Tokens(**json.loads(kept.value))
        except (ValueError, TypeError):  # kept by another version of us
            return None, kept.version
        ours = (tokens.account, tokens.seed) == (self._account, self._seed)
        return (tokens if ours else None), kept.version

    def _renew(self, stale: Tokens | None) -> Tokens:
        with self._keep.lease(_NAME, seconds=self._lease):
            kept, version = self._load()
            if kept is not None and kept != stale:  # somebody was faster
                return kept
            try:
                fresh = self._unsaved or self._refreshed(kept.refresh if kept else self._first)
            except Blocked:
                other = self._load()[0]  # our lease ran out, and somebody else has used the refresh token
                if other is None or other == kept:
                    raise
                return other
            self._unsaved = fresh  # should the keep fail now, the next call stores it: the old pair is used up
            stored = self._keep.compare_and_swap(_NAME, json.dumps(asdict(fresh)), version=version)
            self._unsaved = None
            return fresh if stored else self._load()[0] or fresh

    def _refreshed(self, refresh: str) -> Tokens:
        fields = {"grant_type": "refresh_token", "refresh_token": refresh, "client_id": self._client_id}
        login = (self._client_id, self._client_secret) if self._client_secret else None
        with without_side_effects("renewing the tokens"):
            answer = self._form(_PATH, fields, login)
            if not answer.ok:
                raise self._error(answer)
        body = answer.body or {}
        access, following = body.get("access_token"), body.get("refresh_token", refresh)
        if not (isinstance(access, str) and isinstance(following, str)):
            raise Unavailable(
                "X's answer to the renewal of its tokens cannot be read.", remedy="It will be tried again."
            )
        return Tokens(self._account, self._seed, access, following)

    def _error(self, answer: Answer) -> ChannelError:
        error = (answer.body or {}).get("error")
        if not isinstance(error, str) or answer.status not in {400, 401, 403}:
            return judge(answer, now=self._clock.now())
        if error in _APP:
            return Blocked(
                f"X does not know the app{answer.told}",
                code=answer.code,
                remedy="Check client_id and client_secret in the channel's settings, then: policenotify doctor",
            )
        return Blocked(
            f"X no longer accepts the refresh token: it was revoked, or its successor got lost{answer.told}",
            code=answer.code,
            remedy=_AGAIN,
        )
