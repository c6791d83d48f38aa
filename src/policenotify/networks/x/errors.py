"""Why X says no, and what each reason means for a post.

The words are X's own, as seen in its answers; it has no list of them. What is not here is judged by its status.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from policenotify import transport
from policenotify.errors import Blocked, ChannelError, Refused, Unavailable, Unconfirmed
from policenotify.transport import error_for_status, quoted, retry_at

ON_X: Final = "then: policenotify doctor"


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason that X gives, and what it means.

    Attributes:
        kind: What the channel raises.
        reason: What happened.
        remedy: What to do now.
        words: Any of these in an answer tells it, in small letters.
        codes: Any of these numbers does; they are of API v1.1, and still come.
        more: Further arguments of the error.
    """

    kind: type[Refused | Blocked | Unavailable]
    reason: str
    remedy: str
    words: tuple[str, ...]
    codes: frozenset[int] = frozenset()
    more: Mapping[str, Any] = field(default_factory=dict)


DUPLICATE = Reason(
    Refused,
    "X refuses the post: this account has said the very same lately.",
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
    "X says that its app may not do this.",
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
        "They will be uploaded anew.",
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
        "X says that this account or its app has posted too much today.",
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
        "X does not permit this post, and does not say why.",
        "Shorten the text (280 without Premium), leave out mentions, or post without pictures. If X refuses every "
        f'post, check on developer.x.com that the app has "Read and write", {ON_X}',
        ("not permitted to perform this action",),
    ),
)  # fmt: skip


WHERE = "X"
without_side_effects = partial(transport.without_side_effects, WHERE)

_NO_RESET = timedelta(seconds=900)  # docs.x.com, "Rate limits": windows of 15 minutes; the headers may be missing
_APART = timedelta(minutes=2)  # no clock that is set is so far from X's; how far one may be, X does not say
_LIMITS = ("x-rate-limit", "x-app-limit-24hour", "x-user-limit-24hour")  # ibid.
_PRIVATE = re.compile(r"[\w%+/-]{32,}={0,2}|[^\s@\"(<]+@[^\s@\")>]+\.\w+")  # tokens and keys; mail addresses
_NAME = re.compile(r"[\w -]{1,40}")
_LONGEST_WORDS = 300


@dataclass(frozen=True, slots=True)
class Answer:
    """What X answered.

    Attributes:
        status: The HTTP status.
        headers: Names in lower case.
        body: The JSON object; `None` when there was none.
        strange: The body is JSON, but no object: nobody can say what was done.
        name: X's own name for a problem, such as `oauth1-permissions`, `CreditsDepleted` or `187`; may be empty.
        said: X's own words, on one line, free of secrets.
        words: All that the body says of a problem, in small letters, to tell reasons by.
        codes: The numbers of the old errors in it.
        signed: The call was signed with the keys, at a time of this machine's clock.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Mapping[str, Any] | None = field(default=None, repr=False)
    strange: bool = False
    name: str = ""
    said: str = ""
    words: str = field(default="", repr=False)
    codes: frozenset[int] = frozenset()
    signed: bool = False

    @property
    def data(self) -> Mapping[str, Any]:
        """What a success brought; empty when it brought nothing that can be read."""
        data = (self.body or {}).get("data")
        return data if self.ok and isinstance(data, dict) else {}

    @property
    def ok(self) -> bool:
        """Whether it is a success."""
        return 200 <= self.status < 300  # noqa: PLR2004 - RFC 9110, section 15.3

    @property
    def code(self) -> str:
        """For the technician."""
        return f"{self.status} {self.name}".strip()

    @property
    def told(self) -> str:
        """X's words, to follow a statement: `: Too Many Requests`; a full stop when it gave none."""
        return quoted(self.said)

    def ahead(self, now: datetime) -> timedelta:
        """By how much X's clock is ahead of ours, as far as the answer tells."""
        return transport.clock_skew(self.headers, now=now)

    def gives(self, reason: Reason) -> bool:
        """Whether it gives this reason for a refusal."""
        refuses = 400 <= self.status < 500  # noqa: PLR2004 - RFC 9110, section 15.5
        return refuses and (bool(self.codes & reason.codes) or any(each in self.words for each in reason.words))


def read(status: int, headers: Mapping[str, str], content: bytes, secrets: tuple[str, ...]) -> Answer:
    """Read an answer.

    Args:
        status: The HTTP status.
        headers: The answer's headers.
        content: Its body.
        secrets: What must not come back in X's words.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return Answer(status, lower)
    if not isinstance(body, dict):
        return Answer(status, lower, strange=True)
    listed = body.get("errors")
    errors = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    said = [*_texts(errors, "message", "detail"), *_texts([body], "detail", "message", "error_description", "title")]
    names = [str(kind).rpartition("/problems/")[2] for kind in _texts([body, *errors], "type") if "/problems/" in kind]
    codes = [each.get("code") for each in (body, *errors)]
    names += [str(code) for code in codes if isinstance(code, int)] + _texts([body], "error", "title")
    name = _clean(names[0], secrets) if names else ""
    words = said + names + _texts([body, *errors], "reason", "title", "error_description", "detail")
    return Answer(
        status,
        lower,
        body,
        name=name if _NAME.fullmatch(name) else "",
        said=_clean(said[0], secrets) if said else "",
        words=" ".join(words).lower(),
        codes=frozenset(code for code in codes if isinstance(code, int)),
    )


def judge(answer: Answer, *, now: datetime, all_posts: bool = False) -> ChannelError:
    """Say what an answer that is not a success means, as far as it is the same for every call.

    Args:
        answer: What X answered.
        now: The time.
        all_posts: A limit on this call is one on all posts; else only on this kind of call.
    """
    code, status = answer.code, answer.status
    if 300 <= status < 400:  # noqa: PLR2004 - RFC 9110, section 15.4
        return Unconfirmed(
            "The server sent us to another address, and we do not follow with a post.",
            code=code,
            remedy="Check the channel's `service` in the settings, and whether a proxy wants a login.",
        )
    if answer.strange:
        return Unconfirmed("X's answer cannot be read.", code=code)
    if not 400 <= status < 500:  # noqa: PLR2004 - RFC 9110, section 15.5
        return error_for_status(status, answer.headers, now=now, where=WHERE, code=answer.name, said=answer.said)
    if known := next((each for each in REASONS if answer.gives(each)), None):
        return _as(known, answer, now)
    return _by_status(answer, now, all_posts=all_posts)


def _as(known: Reason, answer: Answer, now: datetime) -> ChannelError:
    more: dict[str, Any] = {}
    if known.kind is Unavailable:  # one of X's own limits
        more["retry_at"] = _later(answer.headers, now) or now + _NO_RESET
    return known.kind(known.reason, remedy=known.remedy, code=answer.code, **known.more, **more)


def _by_status(answer: Answer, now: datetime, *, all_posts: bool) -> ChannelError:
    status, code, of_x = answer.status, answer.code, answer.body is not None
    error: ChannelError = Unavailable(
        "Something that is not X answered in its place and did not let us through.",
        code=code,
        remedy="It will be tried again. Check the channel's `service` in the settings, and the proxy.",
    )
    if status == 429:  # noqa: PLR2004 - RFC 6585, section 4
        at = _later(answer.headers, now)
        error = Unavailable(f"X asks us to wait{answer.told}", retry_at=at, whole_channel=all_posts, code=code)
    elif status == 402:  # noqa: PLR2004 - RFC 9110, section 15.5.3; whoever says so: a proxy does not
        error = _as(CREDITS, answer, now)
    elif status == 401 and answer.signed and abs(answer.ahead(now)) > _APART:  # noqa: PLR2004 - the same; X need not say why
        error = _as(CLOCK, answer, now)
    elif status == 401 and of_x:  # noqa: PLR2004 - RFC 9110, section 15.5.2
        error = Blocked(
            f"X does not accept our credentials{answer.told}",
            code=code,
            remedy=f"Make new keys and tokens on developer.x.com, put them into the channel's settings, {ON_X}",
        )
    elif status == 403 and of_x:  # noqa: PLR2004 - RFC 9110, section 15.5.4; a known lack of rights was told before
        error = Refused(f"X refused the post{answer.told}", code=code, remedy="Change what X names, publish again.")
    elif status == 413 or (of_x and status != 404):  # noqa: PLR2004 - a proxy says 413 as well; X knows our calls
        error = error_for_status(status, answer.headers, now=now, where=WHERE, code=answer.name, said=answer.said)
    return error


def _later(headers: Mapping[str, str], now: datetime) -> datetime | None:
    """Return when the last of the limits that are used up is lifted, if the answer says so."""
    used_up = [headers.get(f"{limit}-reset") for limit in _LIMITS if headers.get(f"{limit}-remaining") == "0"]
    dated = {"date": headers["date"]} if "date" in headers else {}
    told: list[Mapping[str, str]] = [{"x-rate-limit-reset": reset} | dated for reset in used_up if reset]
    if after := headers.get("retry-after"):
        told.append({"retry-after": after} | dated)
    ends = [at for each in told or [headers] if (at := retry_at(each, now=now)) is not None]
    return max(ends, default=None)


def _texts(objects: Iterable[Mapping[str, Any]], *names: str) -> list[str]:
    return [text for one in objects for name in names if isinstance(text := one.get(name), str) and text]


def _clean(words: str, secrets: tuple[str, ...]) -> str:
    for secret in filter(None, secrets):
        words = words.replace(secret, "…")
    words = words.encode("utf-8", "replace").decode()  # half a surrogate pair in JSON: no journal takes it
    return " ".join(_PRIVATE.sub("…", words).split())[:_LONGEST_WORDS]
