"""How X lets somebody in: signatures of OAuth 1.0a (RFC 5849), and tokens of OAuth 2 that replace one another."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Literal
from urllib.parse import urlencode

from policenotify.testing.servers.http import Answer, RecordedRequest

State = Literal["good", "used", "revoked"]

_ACCESS = timedelta(hours=2)  # docs.x.com, "OAuth 2.0 Authorization Code Flow with PKCE"
_SCOPES = "tweet.read tweet.write users.read media.write offline.access"


@dataclass(slots=True)
class _Token:
    kind: Literal["access", "refresh"]
    ends: datetime | None
    state: State = "good"


class Signatures:
    """Checks signatures, each of which is good once.

    Args:
        consumer: The app's key and secret.
        access: The account's token and secret.
        now: Time.

    Attributes:
        apart: How far from that a signature's time may be (RFC 5849, section 3.3: a server may refuse stale ones);
            `None`: any will do, for who signs reads the machine's clock, and the stand's may be of another day.
    """

    apart: timedelta | None = None

    def __init__(self, consumer: tuple[str, str], access: tuple[str, str], now: Callable[[], datetime]) -> None:
        self.consumer = consumer
        self.access = access
        self._now = now
        self._nonces: set[str] = set()

    def accepts(self, seen: RecordedRequest, url: str) -> bool:
        """Whether a request is signed for this address with our keys."""
        from oauthlib.oauth1.rfc5849 import signature, utils  # noqa: PLC0415 - only who signs needs it

        header = seen.headers["Authorization"]
        said = {name: utils.unescape(value) for name, value in utils.parse_authorization_header(header)}
        params = signature.collect_parameters(
            uri_query=urlencode(seen.query, doseq=True),
            body=[],  # a JSON body is not signed (RFC 5849, section 3.4.1.3.1)
            headers={"Authorization": header},
            exclude_oauth_signature=True,
        )
        request = SimpleNamespace(
            http_method=seen.method,
            uri=f"{url}{seen.path}",
            params=params,
            signature=said.get("oauth_signature"),
        )
        nonce = f"{said.get('oauth_timestamp')} {said.get('oauth_nonce')}"
        known = (said.get("oauth_consumer_key"), said.get("oauth_token")) == (self.consumer[0], self.access[0])
        right = signature.verify_hmac_sha1(request, self.consumer[1], self.access[1])
        at = datetime.fromtimestamp(int(said.get("oauth_timestamp", "0")), UTC)
        late = self.apart is not None and abs(self._now() - at) > self.apart
        if not known or not right or late or nonce in self._nonces:
            return False
        self._nonces.add(nonce)
        return True


class Tokens:
    """Gives out and checks tokens.

    Args:
        client: The app's id and secret; no secret: a public client.
        now: Time.

    Attributes:
        renewals: How often tokens were renewed.
    """

    def __init__(self, client: tuple[str, str], now: Callable[[], datetime]) -> None:
        self.client = client
        self.renewals = 0
        self._now = now
        self._tokens: dict[str, _Token] = {}
        self.first = self._new("refresh")

    @property
    def secrets(self) -> tuple[str, ...]:
        """All that were ever given out."""
        return tuple(self._tokens)

    def accepts(self, token: str) -> bool:
        """Whether it is an access token in force."""
        found = self._tokens.get(token)
        in_force = found is not None and found.kind == "access" and found.state == "good"
        return in_force and found is not None and found.ends is not None and self._now() < found.ends

    def renew(self, seen: RecordedRequest) -> Answer:
        """Answer `POST /2/oauth2/token`."""
        form = {name: values[0] for name, values in seen.form().items()}
        login = base64.b64encode(":".join(self.client).encode()).decode()
        if self.client[1] and seen.headers["Authorization"] != f"Basic {login}":
            return _no("unauthorized_client", "Missing valid authorization header", 401)
        if form.get("client_id") != self.client[0]:
            return _no("invalid_request", "Value passed for the client id was invalid.")
        found = self._tokens.get(form.get("refresh_token", ""))
        if (
            form.get("grant_type") != "refresh_token"
            or found is None
            or (found.kind, found.state) != ("refresh", "good")
        ):
            return invalid_token()
        found.state = "used"
        self.renewals += 1
        return Answer.json(
            {
                "token_type": "bearer",
                "expires_in": int(_ACCESS.total_seconds()),
                "access_token": self._new("access"),
                "scope": _SCOPES,
                "refresh_token": self._new("refresh"),
            }
        )

    def end(self, kind: Literal["access", "refresh"]) -> None:
        """Let every token of a kind end."""
        for token in self._tokens.values():
            if token.kind == kind:
                token.state = "revoked"

    def authorise(self) -> str:
        """A new first refresh token, as when a person authorises the app again."""
        return self._new("refresh")

    def _new(self, kind: Literal["access", "refresh"]) -> str:
        made = base64.b64encode(f"{kind}-token-of-the-stand-{len(self._tokens):04d}".encode()).decode().rstrip("=")
        self._tokens[made] = _Token(kind, self._now() + _ACCESS if kind == "access" else None)
        return made


def invalid_token() -> Answer:
    """What X says to a refresh token that is used up or revoked."""
    return _no("invalid_request", "Value passed for the token was invalid.")


def _no(error: str, description: str, status: int = 400) -> Answer:
    return Answer.json({"error": error, "error_description": description}, status)
