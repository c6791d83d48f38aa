"""Credentials for X: keys of OAuth 1.0a, or tokens of OAuth 2.

Four keys sign each call, and never expire. An OAuth 2 access token lasts two hours. A refresh token brings the next
pair, and is used up by that. A lost pair is lost for good: only a person can authorise the app again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import ClassVar, Self

from policenotify.channel import Clock, StateStore
from policenotify.errors import Blocked, ChannelError, SettingsError, Unavailable
from policenotify.networks._http import RotatingSecret, StoredSecret, fingerprint
from policenotify.networks.x.rules import XAnswer, judge, without_side_effects
from policenotify.translation import AnyText, Text

_SIGNING = ("consumer_key", "consumer_secret", "access_token", "access_token_secret")
_ROTATING = ("client_id", "refresh_token")
_EITHER = Text(
    "give either {signing} (OAuth 1.0a), or {rotating} (OAuth 2)",
    signing=", ".join(_SIGNING),
    rotating=", ".join(_ROTATING),
)
_APP_ERRORS = frozenset({"invalid_client", "unauthorized_client"})  # RFC 6749, section 5.2
_AUTHORISE = Text(
    "Authorise the app for the account again (docs: X, OAuth 2), put the new refresh token into the "
    "channel's settings, then: policenotify doctor"
)


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """The credentials of one of the two forms.

    Attributes:
        keys: Consumer key, its secret, access token, its secret. Empty with OAuth 2.
        client_id: The app's client id. Empty with OAuth 1.0a.
        refresh_token: The account's first refresh token. Empty with OAuth 1.0a.
        client_secret: The app's secret. Empty for an app without one.
    """

    keys: tuple[str, ...]
    client_id: str
    refresh_token: str
    client_secret: str

    @classmethod
    def of(cls, options: object) -> Self:
        """Read the options of a channel, of which either form must be complete."""
        given: dict[str, str] = {}
        for name in (*_SIGNING, *_ROTATING, "client_secret"):
            if value := getattr(options, name):  # the client id is public, and a text
                given[name] = value if isinstance(value, str) else value.get_secret_value()
        signing = [name for name in _SIGNING if name in given]
        rotating = [name for name in (*_ROTATING, "client_secret") if name in given]
        if signing and rotating:
            raise SettingsError(Text("{rotating}: {either}, not both", rotating=rotating[0], either=_EITHER))
        if missing := [name for name in (_ROTATING if rotating else _SIGNING) if name not in given]:
            raise SettingsError(Text("{missing}: is missing; {either}", missing=missing[0], either=_EITHER))
        rest = (given.get(name, "") for name in (*_ROTATING, "client_secret"))
        return cls(tuple(given[name] for name in signing), *rest)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that must appear nowhere."""
        return (*self.keys, self.refresh_token, self.client_secret)

    @property
    def fingerprint(self) -> str:
        """A digest that stands for the credentials."""
        return fingerprint(self.client_id, *self.secrets)


@dataclass(frozen=True, slots=True)
class TokenPair(StoredSecret):
    """A pair of OAuth 2 tokens, as it is stored.

    Attributes:
        access: The token of each call.
        refresh: The token that brings the next pair, once.
    """

    access: str = field(repr=False)
    refresh: str = field(repr=False)


class TokenStore(RotatingSecret[TokenPair, XAnswer]):
    """The OAuth 2 tokens of one account.

    Their owner includes a fingerprint of the credentials: a new refresh token in the settings begins a new chain of
    pairs. *post* posts a form to X's address of tokens, with the app's login if it has a secret.
    """

    name: ClassVar[str] = "tokens"
    label: ClassVar[AnyText] = Text("The token pair for X")

    def __init__(
        self,
        *,
        owner: str,
        credentials: Credentials,
        post: Callable[[dict[str, str], tuple[str, str] | None], XAnswer],
        clock: Clock,
        store: StateStore,
        lease: float,
    ) -> None:
        super().__init__(TokenPair, owner=owner, store=store, lease=lease)
        self._credentials = credentials
        self._post = post
        self._clock = clock

    def _is_expired(self, answer: XAnswer) -> bool:
        return answer.status == HTTPStatus.UNAUTHORIZED and answer.from_network  # RFC 6750, section 3.1

    def _renewed(self, known: TokenPair | None) -> TokenPair:
        """Get the next pair (RFC 6749, section 6)."""
        app, secret = self._credentials.client_id, self._credentials.client_secret
        refresh = known.refresh if known else self._credentials.refresh_token
        form = {"grant_type": "refresh_token", "refresh_token": refresh, "client_id": app}
        with without_side_effects(Text("renewing the tokens")):
            answer = self._post(form, (app, secret) if secret else None)
            if not answer.ok:
                raise self._error(answer)
        access, following = answer.object.get("access_token"), answer.object.get("refresh_token", refresh)
        if not (isinstance(access, str) and isinstance(following, str)):
            raise Unavailable(
                Text("X's answer to the renewal of its tokens cannot be read."), remedy=Text("It will be tried again.")
            )
        return TokenPair(self._owner, access, following)

    def _error(self, answer: XAnswer) -> ChannelError:
        error = answer.object.get("error")
        if not isinstance(error, str) or answer.status not in {400, 401, 403}:
            return judge(answer, now=self._clock.now())
        if error in _APP_ERRORS:
            return Blocked(
                Text("X does not know the app{quoted}", quoted=answer.quoted),
                code=answer.code,
                remedy=Text("Check client_id and client_secret in the channel's settings, then: policenotify doctor"),
            )
        return Blocked(
            Text(
                "X no longer accepts the refresh token: it was revoked, or its successor got lost{quoted}",
                quoted=answer.quoted,
            ),
            code=answer.code,
            remedy=_AUTHORISE,
        )
