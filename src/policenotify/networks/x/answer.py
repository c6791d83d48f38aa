"""What X answers, and what an answer that is no success means for a post.

X has no list of error codes for its API v2: bodies are problems (RFC 7807), old ones `errors` with numbers, and many
reasons share one status. So reasons are told by the words, the `type` and the old numbers, wherever they stand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from policenotify import transport
from policenotify.errors import Blocked, ChannelError, Refused, Unavailable, Unconfirmed
from policenotify.networks.x.errors import CLOCK, CREDITS, ON_X, REASONS, Reason
from policenotify.transport import error_for_status, quoted, retry_at

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
        return error_for_status(status, answer.headers, now=now, where=WHERE, code=answer.name, detail=answer.said)
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
        error = error_for_status(status, answer.headers, now=now, where=WHERE, code=answer.name, detail=answer.said)
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
