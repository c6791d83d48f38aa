"""What X refuses, in its own words as far as they were ever seen; other refusals say only "not permitted".

The form of a call is X's OpenAPI document 2.167, `CreatePostsRequest` (docs.x.com, "Create Post"), whose objects take
no other fields (`additionalProperties: false`). How long a text is, is its weighted length (twitter-text 3.1.0, config
v3). Whom an app may answer is in docs.x.com, "Changelog", 23 February 2026, and in "Manage Posts", "Integrate". That
the same text is refused, and an answer to a post that is gone, is in no document of today: users of other clients have
shown it, and the words of all refusals.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any, Final

from policenotify.testing.servers.http import Answer

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
