"""What X accepts and refuses: signatures, tokens and posts.

The form of a call is X's OpenAPI document 2.167, `CreatePostsRequest` (docs.x.com, "Create Post"), whose objects allow
no other fields (`additionalProperties: false`). The length of a text is counted by X's published rules, apart from
`policenotify.text`. Who may reply is in docs.x.com, "Changelog", 23 February 2026, and in "Manage Posts", "Integrate".
No document states that an equal text is refused, or a reply to a deleted post. Users of other clients have reported
both, and the texts of all refusals.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, Final
from urllib.parse import urlencode

import regex

from policenotify.testing.servers.http import Answer, RecordedRequest


def signed_at(
    request: RecordedRequest, url: str, consumer: tuple[str, str], access: tuple[str, str]
) -> tuple[datetime, str] | None:
    """Return time and nonce of a request that is signed with these keys (OAuth 1.0a, RFC 5849), else `None`."""
    from oauthlib.oauth1.rfc5849 import signature, utils  # noqa: PLC0415 - only signed calls need it

    header = request.headers["Authorization"]
    fields = {name: utils.unescape(value) for name, value in utils.parse_authorization_header(header)}
    params = signature.collect_parameters(
        uri_query=urlencode(request.query, doseq=True),
        body=[],  # a JSON body is not signed (RFC 5849, section 3.4.1.3.1)
        headers={"Authorization": header},
        exclude_oauth_signature=True,
    )
    signed = SimpleNamespace(
        http_method=request.method,
        uri=f"{url}{request.path}",
        params=params,
        signature=fields.get("oauth_signature"),
    )
    known = (fields.get("oauth_consumer_key"), fields.get("oauth_token")) == (consumer[0], access[0])
    if not known or not signature.verify_hmac_sha1(signed, consumer[1], access[1]):
        return None
    return datetime.fromtimestamp(int(fields.get("oauth_timestamp", "0")), UTC), fields.get("oauth_nonce", "")


def oauth_error(error: str, description: str, status: int = 400) -> Answer:
    """Return a refusal of the endpoint for tokens."""
    return Answer.json({"error": error, "error_description": description}, status)


MEDIA: Final = "Your media IDs are invalid."
DUPLICATE: Final = "You are not allowed to create a Tweet with duplicate content."
MISSING: Final = "You attempted to reply to a Tweet that is deleted or not visible to you."

_PROBLEMS = "https://api.x.com/2/problems/"  # OpenAPI 2.167; `api.twitter.com` before
_KEYS = frozenset({"text", "media", "reply"})  # of `CreatePostsRequest`, those supported here
_WITHIN = {"media": frozenset({"media_ids"}), "reply": frozenset({"in_reply_to_tweet_id"})}  # nested
_IMAGES = 4  # `maxItems` of `media_ids`
_ID = re.compile("[0-9]{1,19}")  # `pattern` of `MediaId` and `PostId`
INVALID: Final = re.compile("[\ufffe\ufeff\uffff]")  # twitter-text 3.1.0, invalidChars


def problem(status: int, detail: str, *, title: str = "Forbidden", kind: str = "") -> Answer:
    """Return a refusal in X's form (RFC 7807)."""
    type_ = f"{_PROBLEMS}{kind}" if kind else "about:blank"
    return Answer.json({"title": title, "detail": detail, "type": type_, "status": status}, status)


def invalid(parameter: str, message: str) -> Answer:
    """Return the refusal of a call that violates X's OpenAPI document."""
    body = {
        "errors": [{"parameters": {parameter: []}, "message": message}],
        "title": "Invalid Request",
        "detail": "One or more parameters to your request was invalid.",
        "type": f"{_PROBLEMS}invalid-request",
    }
    return Answer.json(body, 400)


def refusal(reason: str) -> Answer:
    """Return the refusal of a post with a text of this module."""
    return invalid("media.media_ids", reason) if reason == MEDIA else problem(403, reason)


def schema_error(body: dict[str, Any]) -> Answer | None:
    """Return the refusal of an invalid `CreatePostsRequest`, or `None`."""
    unknown = sorted(body.keys() - _KEYS)
    unknown += [f"{name}.{key}" for name, known in _WITHIN.items() for key in sorted(body.get(name, {}).keys() - known)]
    if unknown:
        return invalid(unknown[0], f"$.{unknown[0]}: is not defined in the schema")
    ids = {"media.media_ids": body.get("media", {}).get("media_ids", [])}
    if "reply" in body:
        ids["reply.in_reply_to_tweet_id"] = [body["reply"].get("in_reply_to_tweet_id")]
    for name, numbers in ids.items():
        if not all(isinstance(number, str) and _ID.fullmatch(number) for number in numbers):
            return invalid(name, f"$.{name}: does not match the regex pattern ^[0-9]{{1,19}}$")
    if len(body.get("media", {}).get("media_ids", [])) > _IMAGES:
        return invalid("media.media_ids", f"$.media.media_ids: may only have {_IMAGES} items")
    if not body.get("text") and "media" not in body:
        return invalid("text", "$.text: is needed where there is no media")
    return None


UNAUTHORIZED: Final = problem(401, "Unauthorized", title="Unauthorized")
NOT_PERMITTED: Final = problem(403, "You are not permitted to perform this action.")


_ADDRESS: Final = regex.compile(
    r"(?<![\w@＠$#＃./-])(?:https?://)?(?:[\p{L}\d](?:[\p{L}\d-]*[\p{L}\d])?\.)+([a-z]{2,})(?![\w@+-])"
    r"(?::\d+)?(?:/(?:[\p{L}\d/_.()~-]*[\p{L}\d/_)])?)?(?:\?(?:[\w=&%.-]*[\w=&])?)?",
    regex.IGNORECASE,
)
_RESERVED: Final = frozenset({"example", "test", "invalid"})  # RFC 2606
_EMOJI: Final = regex.compile(
    r"[0-9#*]\uFE0F\u20E3|\p{RI}{2}"
    r"|\p{Extended_Pictographic}\uFE0F?\p{Emoji_Modifier}?(?:\u200D\p{Extended_Pictographic}\uFE0F?\p{Emoji_Modifier}?)*"
)
_LIGHT: Final = ((0, 4351), (8192, 8205), (8208, 8223), (8242, 8247))  # `ranges` of `config/v3.json`, of weight 100


def weighted_length(text: str) -> int:
    """Count a text as X does.

    The rules are those of `config/v3.json` of twitter-text 3.1.0 and of X's documentation, "Counting characters": a
    text is composed (NFC), an address counts 23, an emoji 2, a character of the light ranges 1 and any other 2. A word
    with a top-level domain is an address here, unless that is reserved. The tests compare this count with the official
    library.
    """
    text = unicodedata.normalize("NFC", text)
    addresses = [match for match in _ADDRESS.finditer(text) if match[1].lower() not in _RESERVED]
    for match in reversed(addresses):
        text = text[: match.start()] + text[match.end() :]
    emoji = _EMOJI.findall(text)
    rest = _EMOJI.sub("", text)
    light = sum(any(first <= ord(sign) <= last for first, last in _LIGHT) for sign in rest)
    return 23 * len(addresses) + 2 * len(emoji) + 2 * len(rest) - light
