"""X's answers, and what an answer other than a success means for a post.

X publishes no list of error codes for its API v2. Bodies are problems (RFC 7807), older ones have `errors` with
numbers, and many reasons share one status. So a reason is recognised by the words, the `type` and the old numbers,
wherever they stand. The phrases below are X's own, as seen in its answers. Any other answer is judged by its status.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from policenotify import transport
from policenotify.errors import Blocked, ChannelError, Refused, Unavailable, Unconfirmed
from policenotify.networks._http import ANY_HTTP, AnswerRule, HttpAnswer, parse_json
from policenotify.networks._http import judge as judge_rules
from policenotify.networks._redact import beginning, redact
from policenotify.translation import AnyText, Text

WHERE: Final = "X"
without_side_effects: Callable[[AnyText], AbstractContextManager[None]] = partial(transport.without_side_effects, WHERE)

_DOCTOR = Text("then: policenotify doctor")
_NO_RESET = timedelta(seconds=900)  # docs.x.com, "Rate limits": windows of 15 minutes; the headers may be missing
_LIMITS = ("x-rate-limit", "x-app-limit-24hour", "x-user-limit-24hour")  # docs.x.com, "Rate limits"
_ID = re.compile(r"[0-9]{1,19}")  # OpenAPI: PostId
_EPOCH = datetime(2010, 11, 4, 1, 42, 54, 657000, tzinfo=UTC)  # of X's ids ("snowflakes"): 1288834974657 ms
_ERROR_NAME = re.compile(r"[\w -]{1,40}")

# A phrase such as `(187)` is a code of API v1.1, which still occur.
DUPLICATE = AnswerRule(
    Refused,
    Text("X refuses the post: this account has posted the same text lately."),
    Text(
        "Nothing was published. It will be posted once more, with its reference and the hour. If X refuses "
        "that, too: change the wording, and publish it again with another key."
    ),
    phrases=("duplicate content", "(187)"),
    fallback="distinct",
)
GONE = AnswerRule(
    Refused,
    Text("The post is not on X."),
    phrases=("resource-not-found", "no status found with that id", "(144)"),
)
MISSING_PARENT = AnswerRule(
    Refused,
    Text("X does not find the post that this one answers."),
    Text("It will be posted once more, to stand alone."),
    phrases=("deleted or not visible to you", "(385)"),
    fallback="standalone",
)
CREDITS = AnswerRule(
    Blocked,
    Text("The credits or the quota for X's interface are used up; nothing more can be posted."),
    Text("Buy credits on developer.x.com (best with an automatic top-up), {doctor}", doctor=_DOCTOR),
    phrases=("creditsdepleted", "credits depleted", "usage-capped", "usage cap"),
)
PERMISSIONS = AnswerRule(
    Blocked,
    Text("X does not allow its app to do this."),
    Text(
        'On developer.x.com put the app into a project and set its permissions to "Read and write", then '
        "make new tokens (old ones keep the old permissions), put them into the settings, {doctor}",
        doctor=_DOCTOR,
    ),
    phrases=(
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
        "(261)",
        "(453)",
    ),
)
CLOCK = AnswerRule(
    Blocked,
    Text("This machine's clock is wrong: X does not accept what is signed with it."),
    Text("Set the clock (NTP), {doctor}", doctor=_DOCTOR),
    phrases=("timestamp out of bounds", "(135)"),
)
RULES = (
    DUPLICATE,
    MISSING_PARENT,
    AnswerRule(
        Refused,
        Text("X does not let this account answer there, not even its own post."),
        Text(
            'It will be posted once more, to stand alone. If that happens again: link_mode = "standalone" in '
            "the settings."
        ),
        phrases=(
            "reply to this conversation is not allowed",
            "not allowed to reply",
            "restricted who can reply",
            "(433)",
        ),
        fallback="standalone",
    ),
    AnswerRule(
        Refused,
        Text("X no longer has the post's pictures, or does not accept them."),
        Text("They will be uploaded again."),
        phrases=(
            "media ids are invalid",
            "invalid media id",
            "media id was not found",
            "validation of media ids",
            "(324)",
            "(325)",
        ),
        fallback="prepare",
    ),
    AnswerRule(
        Blocked,
        Text("X has locked or suspended this account or its app; nothing can be posted from it."),
        Text("Log in on x.com and developer.x.com to see why, settle it with X, {doctor}", doctor=_DOCTOR),
        phrases=("suspended", "temporarily locked", "account is locked", "(64)", "(326)", "(416)"),
    ),
    PERMISSIONS,
    AnswerRule(
        Unavailable,
        Text("This account or its app has posted too much today, as X counts."),
        Text("It will be tried again."),
        phrases=("daily status update limit", "usage cap exceeded: daily", "(185)"),
        whole_channel=True,
        wait=_NO_RESET,
    ),
    CREDITS,
    AnswerRule(
        Unavailable,
        Text("X takes this post for an automated one and does not let it through now."),
        Text("It will be tried again. If that goes on, log in on x.com and confirm that the account is yours."),
        phrases=("might be automated", "(226)"),
        wait=_NO_RESET,
    ),
    CLOCK,
    AnswerRule(
        Refused,
        Text("The text is too long for this account. Nothing was posted."),
        Text("Shorten the text, and set the channel's `limit` to what the account may post (280 without Premium)."),
        phrases=("needs to be a bit shorter", "text is too long", "(186)"),
    ),
    AnswerRule(
        Refused,
        Text("X does not permit this post, and gives no reason."),
        Text(
            "Shorten the text (280 without Premium), leave out mentions, or post without pictures. If X "
            'refuses every post, check on developer.x.com that the app has "Read and write", {doctor}',
            doctor=_DOCTOR,
        ),
        phrases=("not permitted to perform this action",),
    ),
    AnswerRule(Unavailable, Text("X asks us to wait{words}"), statuses={429}, whole_channel=True),
    replace(CREDITS, statuses={402}, phrases=()),
    AnswerRule(
        Blocked,
        Text("X does not accept our credentials{words}"),
        Text(
            "Make new keys and tokens on developer.x.com, put them into the channel's settings, {doctor}",
            doctor=_DOCTOR,
        ),
        {401},
        own=True,
    ),
    AnswerRule(
        Refused, Text("X refused the post{words}"), Text("Change what X names, publish again."), {403}, own=True
    ),
)


def is_id(value: object) -> bool:
    """Return True for the id of a post, a picture or an account."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def posted_at(post_id: str) -> datetime:
    """Return the time of a post, with which its id begins (docs.x.com, *X IDs*)."""
    return _EPOCH + timedelta(milliseconds=int(post_id) >> 22)


class XAnswer(HttpAnswer):
    """X's answer to one call."""

    __slots__ = ()

    @property
    def ok(self) -> bool:
        """True if it is a success, be it without a body."""
        return self.in_class(2)

    def gives(self, rule: AnswerRule) -> bool:
        """Return True if it refuses for the reason of this rule."""
        return self.in_class(4) and rule.fits(self)

    @property
    def data(self) -> Mapping[str, Any]:
        """The `data` of a success, or an empty object."""
        data = self.object.get("data")
        return data if self.ok and isinstance(data, dict) else {}

    def retry_at(self, now: datetime) -> datetime | None:
        """Return when the last of the exhausted limits is lifted, if the answer names it."""
        headers = self.headers
        resets = [headers.get(f"{limit}-reset") for limit in _LIMITS if headers.get(f"{limit}-remaining") == "0"]
        dated = {"date": headers["date"]} if "date" in headers else {}
        limits: list[Mapping[str, str]] = [{"x-rate-limit-reset": reset} | dated for reset in resets if reset]
        if after := headers.get("retry-after"):
            limits.append({"retry-after": after} | dated)
        ends = [at for each in limits or [headers] if (at := transport.retry_at(each, now=now)) is not None]
        return max(ends, default=None)


def read(status: int, headers: Mapping[str, str], content: bytes, secrets: Sequence[str]) -> XAnswer:
    """Read an answer. Headers have names in lower case."""
    body = parse_json(content)
    if not isinstance(body, dict):
        return XAnswer(status, headers, body)
    listed = body.get("errors")
    errors = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    messages = [*_texts(errors, "message", "detail")]
    messages += _texts([body], "detail", "message", "error_description", "title")
    names = [str(kind).rpartition("/problems/")[2] for kind in _texts([body, *errors], "type") if "/problems/" in kind]
    codes = [str(code) for each in (body, *errors) if isinstance(code := each.get("code"), int)]
    names += codes + _texts([body], "error", "title")
    name = redact(names[0], secrets) if names else ""
    phrases = messages + names + _texts([body, *errors], "reason", "title", "error_description", "detail")
    return XAnswer(
        status,
        headers,
        body,
        from_network=True,
        error=name if _ERROR_NAME.fullmatch(name) else "",
        message=redact(messages[0], secrets) if messages else "",
        phrases=" ".join([*phrases, *(f"({code})" for code in codes)]).lower(),
    )


def judge(answer: XAnswer, *, now: datetime, all_posts: bool = False) -> ChannelError:
    """Return what an answer other than a success means for every call.

    With *all_posts* a rate limit on this call holds for all posts, not only for this kind of call.
    """
    if answer.body is not None and not answer.from_network and not answer.in_class(3):
        return Unconfirmed(Text("X's answer cannot be read."), code=answer.code)
    rules = (*RULES, *ANY_HTTP) if answer.in_class(4) else ANY_HTTP
    return judge_rules(answer, rules, now=now, where=WHERE, whole_channel=all_posts)


def _texts(objects: Iterable[Mapping[str, Any]], *names: str) -> list[str]:
    texts = (each.get(name) for each in objects for name in names)
    return [beginning(text) for text in texts if isinstance(text, str) and text]
