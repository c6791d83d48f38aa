"""How X lets somebody in: signatures of OAuth 1.0a (RFC 5849), and tokens of OAuth 2 that replace one another."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, Final, Literal
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


class OAuth2Tokens:
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


MEDIA: Final = "Your media IDs are invalid."
DUPLICATE: Final = "You are not allowed to create a Tweet with duplicate content."
MISSING: Final = "You attempted to reply to a Tweet that is deleted or not visible to you."
NO_ANSWER: Final = (
    "Reply to this conversation is not allowed because you have not been mentioned or otherwise engaged by the author "
    "of the post you are replying to."
)

_PROBLEMS = "https://api.x.com/2/problems/"  # OpenAPI 2.167; `api.twitter.com` before
_KEYS = frozenset({"text", "media", "reply"})  # of `CreatePostsRequest`, those that the stand can honour
_WITHIN = {"media": frozenset({"media_ids"}), "reply": frozenset({"in_reply_to_tweet_id"})}  # the same
_IMAGES = 4  # `maxItems` of `media_ids`
_ID = re.compile("[0-9]{1,19}")  # `pattern` of `MediaId` and `PostId`
_NOT_TAKEN = re.compile("[\ufffe\ufeff\uffff]")  # twitter-text 3.1.0, invalidChars


def problem(status: int, detail: str, *, title: str = "Forbidden", kind: str = "") -> Answer:
    """A refusal in X's form (RFC 7807)."""
    type_ = f"{_PROBLEMS}{kind}" if kind else "about:blank"
    return Answer.json({"title": title, "detail": detail, "type": type_, "status": status}, status)


def invalid(parameter: str, message: str) -> Answer:
    """A refusal of a call that is not as X's OpenAPI document wants it."""
    body = {
        "errors": [{"parameters": {parameter: []}, "message": message}],
        "title": "Invalid Request",
        "detail": "One or more parameters to your request was invalid.",
        "type": f"{_PROBLEMS}invalid-request",
    }
    return Answer.json(body, 400)


def refusal(why: str) -> Answer:
    """A refusal of a post in the words of this module."""
    return invalid("media.media_ids", why) if why == MEDIA else problem(403, why)


def unfit(asked: dict[str, Any]) -> Answer | None:
    """Why a call is no `CreatePostsRequest`, or `None`."""
    unknown = sorted(asked.keys() - _KEYS)
    unknown += [
        f"{name}.{key}" for name, known in _WITHIN.items() for key in sorted(asked.get(name, {}).keys() - known)
    ]
    if unknown:
        return invalid(unknown[0], f"$.{unknown[0]}: is not defined in the schema")
    ids = {"media.media_ids": asked.get("media", {}).get("media_ids", [])}
    if "reply" in asked:
        ids["reply.in_reply_to_tweet_id"] = [asked["reply"].get("in_reply_to_tweet_id")]
    for name, numbers in ids.items():
        if not all(isinstance(number, str) and _ID.fullmatch(number) for number in numbers):
            return invalid(name, f"$.{name}: does not match the regex pattern ^[0-9]{{1,19}}$")
    if len(asked.get("media", {}).get("media_ids", [])) > _IMAGES:
        return invalid("media.media_ids", f"$.media.media_ids: may only have {_IMAGES} items")
    if not asked.get("text") and "media" not in asked:
        return invalid("text", "$.text: is needed where there is no media")
    return None


def not_taken(text: str) -> bool:
    """Whether it holds a character that makes a post invalid."""
    return _NOT_TAKEN.search(text) is not None


def as_code(answer: Answer) -> Answer:
    """The same refusal in the other form of OpenAPI 2.167: `Error`, with a number and words."""
    if answer.status < 400:  # noqa: PLR2004 - RFC 9110, section 15.5
        return answer
    said = json.loads(answer.body)
    words = [each["message"] for each in said.get("errors", ())]
    return replace(
        answer, body=json.dumps({"code": answer.status, "message": "; ".join(words) or said["detail"]}).encode()
    )


NO_CREDITS: Final = problem(
    402,
    "Your enrolled account does not have any credits to fulfill this request.",
    title="CreditsDepleted",
    kind="credits",
)
NOT_PERMITTED: Final = problem(403, "You are not permitted to perform this action.")
CLOSED: Final = {
    "suspended": problem(403, "The user used for authentication is suspended", kind="user-suspended"),
    "locked": problem(403, "To protect our users from spam, this account is temporarily locked."),
    "read-only": problem(
        403,
        "Your client app is not configured with the appropriate oauth1 app permissions for this endpoint.",
        kind="oauth1-permissions",
    ),
}
