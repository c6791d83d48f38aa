"""X's answers, and what an answer other than a success means for a post.

X publishes no list of error codes for its API v2. Bodies are problems (RFC 7807), older ones have `errors` with
numbers, and many reasons share one status. So a reason is recognised by the words, the `type` and the old numbers,
wherever they stand. The phrases below are X's own, as seen in its answers. Any other answer is judged by its status.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from policenotify import transport
from policenotify.errors import Blocked, ChannelError, Refused, Unavailable, Unconfirmed
from policenotify.networks._bounds import ADDRESS, beginning
from policenotify.networks._http import HttpAnswer, judge_common, parse_json, redact
from policenotify.transport import retry_at

ON_X: Final = "then: policenotify doctor"


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason for which X refuses a call, and what it means.

    Attributes:
        kind: The error that the channel raises.
        reason: What happened.
        remedy: What to do now.
        phrases: Words of an answer, in lower case. Any of them shows the reason.
        numbers: Codes of API v1.1, which still occur. Any of them shows the reason.
        options: Further arguments of the error.
    """

    kind: type[Refused | Blocked | Unavailable]
    reason: str
    remedy: str
    phrases: tuple[str, ...]
    numbers: frozenset[int] = frozenset()
    options: Mapping[str, Any] = field(default_factory=dict)


DUPLICATE = Reason(
    Refused,
    "X refuses the post: this account has posted the same text lately.",
    "Nothing was published. It will be posted once more, with its reference and the hour. If X refuses that, too: "
    "change the wording, and publish it again with another key.",
    ("duplicate content",),
    frozenset({187}),
    {"fallback": "distinct"},
)
GONE = Reason(
    Refused,
    "The post is not on X.",
    "",
    ("resource-not-found", "no status found with that id"),
    frozenset({144}),
)
MISSING_PARENT = Reason(
    Refused,
    "X does not find the post that this one answers.",
    "It will be posted once more, to stand alone.",
    ("deleted or not visible to you",),
    frozenset({385}),
    {"fallback": "standalone"},
)
CREDITS = Reason(
    Blocked,
    "The credits for X's interface are used up; nothing more can be posted.",
    f"Buy credits on developer.x.com (best with an automatic top-up), {ON_X}",
    ("creditsdepleted", "credits depleted"),
)
PERMISSIONS = Reason(
    Blocked,
    "X does not allow its app to do this.",
    'On developer.x.com put the app into a project and set its permissions to "Read and write", then make new '
    f"tokens (old ones keep the old permissions), put them into the settings, {ON_X}",
    (
        "oauth1-permissions",
        "oauth2-permissions",
        "app permissions",
        "read-only application",
        "client-forbidden",
        "client-not-enrolled",
        "unsupported-authentication",
        "unsupported authentication",
        "required scope",
        "subset of x api",
        "subset of twitter api",
    ),
    frozenset({261, 453}),
)
CLOCK = Reason(
    Blocked,
    "This machine's clock is wrong: X does not accept what is signed with it.",
    f"Set the clock (NTP), {ON_X}",
    ("timestamp out of bounds",),
    frozenset({135}),
)
REASONS = (
    DUPLICATE,
    CREDITS,
    MISSING_PARENT,
    Reason(
        Refused,
        "X does not let this account answer there, not even its own post.",
        'It will be posted once more, to stand alone. If that happens again: link_mode = "standalone" in the settings.',
        ("reply to this conversation is not allowed", "not allowed to reply", "restricted who can reply"),
        frozenset({433}),
        {"fallback": "standalone"},
    ),
    Reason(
        Refused,
        "X no longer has the post's pictures, or does not accept them.",
        "They will be uploaded again.",
        ("media ids are invalid", "invalid media id", "media id was not found", "validation of media ids"),
        frozenset({324, 325}),
        {"fallback": "prepare"},
    ),
    Reason(
        Blocked,
        "X has suspended this account or its app; nothing can be posted from it.",
        f"Log in on x.com and developer.x.com to see why, settle it with X, {ON_X}",
        ("suspended",),
        frozenset({64, 416}),
    ),
    Reason(
        Blocked,
        "X has locked this account; nothing can be posted from it.",
        f"Log in on x.com, unlock the account, {ON_X}",
        ("temporarily locked", "account is locked"),
        frozenset({326}),
    ),
    PERMISSIONS,
    Reason(
        Unavailable,
        "This account or its app has posted too much today, as X counts.",
        "It will be tried again.",
        ("daily status update limit", "usage cap exceeded: daily"),
        frozenset({185}),
        {"whole_channel": True},
    ),
    Reason(
        Blocked,
        "The app's quota of posts on X is used up.",
        f"Raise the quota or buy credits on developer.x.com, {ON_X}",
        ("usage-capped", "usage cap"),
    ),
    Reason(
        Unavailable,
        "X takes this post for an automated one and does not let it through now.",
        "It will be tried again. If that goes on, log in on x.com and confirm that the account is yours.",
        ("might be automated",),
        frozenset({226}),
    ),
    CLOCK,
    Reason(
        Refused,
        "The text is too long for this account. Nothing was posted.",
        "Shorten the text, and set the channel's `limit` to what the account may post (280 without Premium).",
        ("needs to be a bit shorter", "text is too long"),
        frozenset({186}),
    ),
    Reason(
        Refused,
        "X does not permit this post, and gives no reason.",
        "Shorten the text (280 without Premium), leave out mentions, or post without pictures. If X refuses every "
        f'post, check on developer.x.com that the app has "Read and write", {ON_X}',
        ("not permitted to perform this action",),
    ),
)  # fmt: skip


WHERE: Final = "X"
without_side_effects: Callable[[str], AbstractContextManager[None]] = partial(transport.without_side_effects, WHERE)

_NO_RESET = timedelta(seconds=900)  # docs.x.com, "Rate limits": windows of 15 minutes; the headers may be missing
_CLOCK_APART = timedelta(minutes=2)  # no clock that is set is so far from X's; X does not document its own limit
_LIMITS = ("x-rate-limit", "x-app-limit-24hour", "x-user-limit-24hour")  # docs.x.com, "Rate limits"
_PRIVATE = re.compile(rf"[\w%+/-]{{32,}}={{0,2}}|{ADDRESS}")  # tokens and keys; mail addresses
_ERROR_NAME = re.compile(r"[\w -]{1,40}")


@dataclass(frozen=True, slots=True)
class XAnswer(HttpAnswer):
    """X's answer to one call.

    Attributes:
        phrases: All words of a problem, in lower case, by which its reason is recognised.
        numbers: The codes of API v1.1 in it.
        signed: The call was signed with the keys, at a time of this machine's clock.
    """

    phrases: str = field(default="", repr=False)
    numbers: frozenset[int] = frozenset()
    signed: bool = False

    @property
    def ok(self) -> bool:
        """True if it is a success, be it without a body."""
        return self.in_class(2)

    @property
    def data(self) -> Mapping[str, Any]:
        """The `data` of a success, or an empty object."""
        data = self.object.get("data")
        return data if self.ok and isinstance(data, dict) else {}

    def gives(self, reason: Reason) -> bool:
        """Return True if it refuses for this reason."""
        matches = self.numbers & reason.numbers or any(each in self.phrases for each in reason.phrases)
        return self.in_class(4) and bool(matches)


def read(status: int, headers: Mapping[str, str], content: bytes, secrets: tuple[str, ...]) -> XAnswer:
    """Read an answer. Headers have names in lower case."""
    body = parse_json(content)
    if not isinstance(body, dict):
        return XAnswer(status, headers, body)
    listed = body.get("errors")
    errors = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    messages = [*_texts(errors, "message", "detail")]
    messages += _texts([body], "detail", "message", "error_description", "title")
    names = [str(kind).rpartition("/problems/")[2] for kind in _texts([body, *errors], "type") if "/problems/" in kind]
    numbers = frozenset(code for each in (body, *errors) if isinstance(code := each.get("code"), int))
    codes = [str(code) for each in (body, *errors) if isinstance(code := each.get("code"), int)]
    names += codes + _texts([body], "error", "title")
    name = redact(names[0], secrets, _PRIVATE) if names else ""
    phrases = messages + names + _texts([body, *errors], "reason", "title", "error_description", "detail")
    return XAnswer(
        status,
        headers,
        body,
        from_network=True,
        error=name if _ERROR_NAME.fullmatch(name) else "",
        message=redact(messages[0], secrets, _PRIVATE) if messages else "",
        phrases=" ".join(phrases).lower(),
        numbers=numbers,
    )


def judge(answer: XAnswer, *, now: datetime, all_posts: bool = False) -> ChannelError:
    """Return what an answer other than a success means for every call.

    Args:
        answer: X's answer.
        now: The time.
        all_posts: A rate limit on this call holds for all posts, not only for this kind of call.
    """
    if answer.body is not None and not answer.from_network and not answer.in_class(3):
        return Unconfirmed("X's answer cannot be read.", code=answer.code)
    if answer.in_class(4):
        if reason := next((each for each in REASONS if answer.gives(each)), None):
            return _error(reason, answer, now)
        if error := _by_status(answer, now, all_posts=all_posts):
            return error
    return judge_common(answer, now=now, where=WHERE, setting="service")


def _error(reason: Reason, answer: XAnswer, now: datetime) -> ChannelError:
    options = dict(reason.options)
    if reason.kind is Unavailable:  # one of X's own limits
        options["retry_at"] = _limits_end(answer.headers, now) or now + _NO_RESET
    return reason.kind(reason.reason, remedy=reason.remedy, code=answer.code, **options)


def _by_status(answer: XAnswer, now: datetime, *, all_posts: bool) -> ChannelError | None:
    wrong_clock = answer.signed and abs(answer.clock_skew(now)) > _CLOCK_APART
    match answer.status:
        case HTTPStatus.TOO_MANY_REQUESTS:
            at = _limits_end(answer.headers, now)
            return Unavailable(
                f"X asks us to wait{answer.quoted}", retry_at=at, whole_channel=all_posts, code=answer.code
            )
        case HTTPStatus.PAYMENT_REQUIRED:  # always X's own: a proxy does not send it
            return _error(CREDITS, answer, now)
        case HTTPStatus.UNAUTHORIZED if wrong_clock:  # X need not name the reason
            return _error(CLOCK, answer, now)
        case HTTPStatus.UNAUTHORIZED if answer.from_network:
            return Blocked(
                f"X does not accept our credentials{answer.quoted}",
                code=answer.code,
                remedy=f"Make new keys and tokens on developer.x.com, put them into the channel's settings, {ON_X}",
            )
        case HTTPStatus.FORBIDDEN if answer.from_network:  # a known lack of rights is one of the reasons
            remedy = "Change what X names, publish again."
            return Refused(f"X refused the post{answer.quoted}", code=answer.code, remedy=remedy)
        case _:
            return None


def _limits_end(headers: Mapping[str, str], now: datetime) -> datetime | None:
    """Return when the last of the exhausted limits is lifted, if the answer names it."""
    resets = [headers.get(f"{limit}-reset") for limit in _LIMITS if headers.get(f"{limit}-remaining") == "0"]
    dated = {"date": headers["date"]} if "date" in headers else {}
    limits: list[Mapping[str, str]] = [{"x-rate-limit-reset": reset} | dated for reset in resets if reset]
    if after := headers.get("retry-after"):
        limits.append({"retry-after": after} | dated)
    ends = [at for each in limits or [headers] if (at := retry_at(each, now=now)) is not None]
    return max(ends, default=None)


def _texts(objects: Iterable[Mapping[str, Any]], *names: str) -> list[str]:
    texts = (each.get(name) for each in objects for name in names)
    return [beginning(text) for text in texts if isinstance(text, str) and text]
