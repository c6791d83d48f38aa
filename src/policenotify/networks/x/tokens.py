"""X's OAuth 2 tokens: an access token of two hours, and a refresh token that is used up when it brings the next pair.

A lost pair is lost for good: only a person can authorise the app again. So the tokens live in the channel's
[`StateStore`][policenotify.channel.StateStore], only the holder of its lease renews them, and a new pair is stored
before it is used.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Protocol

from policenotify.channel import Clock, StateStore
from policenotify.errors import Blocked, ChannelError, JournalError, LostLease, Unavailable
from policenotify.networks.x.answer import Answer, judge, without_side_effects
from policenotify.networks.x.credentials import Credentials, fingerprint

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
