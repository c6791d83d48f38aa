"""The two forms of credentials for X, and where they may be sent."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Self

from pydantic import SecretStr

from policenotify.errors import SettingsError

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
