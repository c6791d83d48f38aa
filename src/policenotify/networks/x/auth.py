"""Credentials for X: keys of OAuth 1.0a, or tokens of OAuth 2.

Four keys sign each call, and never expire. An OAuth 2 access token lasts two hours. A refresh token brings the next
pair, and is used up by that. A lost pair is lost for good: only a person can authorise the app again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from policenotify.errors import SettingsError
from policenotify.networks._http import fingerprint
from policenotify.translation import Text

_SIGNING = ("consumer_key", "consumer_secret", "access_token", "access_token_secret")
_ROTATING = ("client_id", "refresh_token")
_EITHER = Text(
    "give either {signing} (OAuth 1.0a), or {rotating} (OAuth 2)",
    signing=", ".join(_SIGNING),
    rotating=", ".join(_ROTATING),
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
