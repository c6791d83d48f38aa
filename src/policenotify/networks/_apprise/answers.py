"""Answers of services, and what each means for a post: rules as data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from policenotify.errors import Blocked, ChannelError, Refused, Unavailable, Unconfirmed
from policenotify.networks._bounds import ADDRESS, redact
from policenotify.transport import error_for_exception, error_for_status, quoted, retry_at

DOCTOR: Final = "then: policenotify doctor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one call of a service brought. It may hold secrets.

    Attributes:
        accepted: The service reports success.
        called: The service was called.
        status: The HTTP status, if one is known.
        headers: Names in lower case. Only of a call that the URL spells.
        body: The answer's beginning, if it is known.
        error: The exception that ended the call.
        lines: What apprise's plugin logs about a failure.
        private: Values of the call that its words must not show. `None`: the words are not shown at all.
    """

    accepted: bool
    called: bool = True
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    error: OSError | None = field(default=None, repr=False)
    lines: Sequence[str] = field(default=(), repr=False)
    private: Sequence[str] | None = field(default=None, repr=False)

    @property
    def words(self) -> str:
        """The service's own words, if they may be shown. May be empty."""
        return "" if self.private is None else words_of(self.body, self.private)


@dataclass(frozen=True, slots=True)
class Rule:
    """A reason for which a service refuses a call, and what it means.

    Attributes:
        error: The error that the channel raises.
        reason: What happened. `{where}` is the service, `{words}` the end of the sentence with its words.
        remedy: What to do now.
        statuses: HTTP statuses. Empty: any.
        phrases: Expressions, in any case of letters. One must occur in the words; its group is the code. Empty: any.
        options: Further arguments of the error.
    """

    error: type[ChannelError]
    reason: str
    remedy: str = ""
    statuses: frozenset[int] = frozenset()
    phrases: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    def code(self, status: int | None, words: str) -> str | None:
        """Return the code of an answer to which the rule applies, or `None`."""
        if self.statuses and status not in self.statuses:
            return None
        for phrase in self.phrases:
            if match := re.search(phrase, words, re.IGNORECASE):
                return (match[1] or "") if match.re.groups else str(status or "")
        return None if self.phrases else str(status or "")


_CLIENT: Final = frozenset(range(400, 500))  # RFC 9110, section 15.5; after a 5xx the post may be out
_PAUSE: Final = timedelta(seconds=5)  # after a throughput limit, which counts by the second
_WAIT: Final = "{where} asks us to wait{words}"
_SLOWER: Final = "It will be tried again. Give the channel the service's own limit as its `rate`."
_UNPAID: Final = "{where} is out of credit{words}"
_BUY: Final = f"Buy credit, {DOCTOR}"

RULES: Final = (
    Rule(
        Blocked,
        "{where} is not at the address in the channel's url, or does not know the target in it{words}",
        f"Check the url, {DOCTOR}",
        frozenset({404, 405, 410}),  # RFC 9110, sections 15.5.5, 15.5.6, 15.5.11
    ),
    Rule(Unavailable, _WAIT, _SLOWER, frozenset({429}), options={"whole_channel": True}),  # RFC 6585, section 4
    Rule(
        Unavailable,
        _WAIT,
        _SLOWER,
        _CLIENT,
        (
            r"throughput|throttl|rate.?limit|slow down|too fast",
            r"too many (?:\w+ )?(?:requests|messages|calls|connections|submissions)",
        ),
        {"whole_channel": True, "pause": _PAUSE},
    ),
    Rule(Blocked, _UNPAID, _BUY, frozenset({402})),  # RFC 9110, section 15.5.3
    Rule(
        Blocked,
        _UNPAID,
        _BUY,
        _CLIENT,
        (r"\b(?:credits?|charged?|charging|balance|quota|funds|prepaid|payment)\b",),
    ),
    Rule(
        Blocked,
        "{where} does not let us send{words}",
        f"Check what the account may send, its password or token, and the sender, {DOCTOR}",
        frozenset({403}),
        (r"\A(?!.*(?:authent|authori|password|credential|log.?in|\b(?:token|key)\b)).*\w",),
    ),
    Rule(Refused, "{where} refused the message{words}", statuses=_CLIENT - {401, 403, 407, 408, 425}),
)
"""The rules of every service. An answer to which none applies is judged by its status."""


def judge(answer: Answer, rules: Sequence[Rule] = RULES, *, where: str, now: datetime) -> ChannelError:
    """Return what an answer other than a success means for the post.

    Args:
        answer: The answer.
        rules: The first that applies decides.
        where: The service's name in error texts.
        now: The time.
    """
    if answer.error is not None:
        return error_for_exception(answer.error, where=where)
    if answer.status is None:
        if not answer.called:
            return Blocked(
                f"apprise did not call {where}: something is missing in the channel's url. Nothing was sent.",
                remedy=f"Check it against https://appriseit.com/services/, {DOCTOR}",
            )
        return Unconfirmed(f"The answer of {where} does not show whether the post is published.")
    words = answer.words
    for rule in rules:
        if (code := rule.code(answer.status, words)) is not None:
            options = dict(rule.options)
            if rule.error is Unavailable:
                pause = options.pop("pause", None)
                options["retry_at"] = retry_at(answer.headers, now=now) or (now + pause if pause else None)
            reason = rule.reason.format(where=where, words=quoted(words))
            return rule.error(reason, remedy=rule.remedy, code=code, **options)
    error = error_for_status(answer.status, answer.headers, now=now, where=where, detail=words)
    wait = {name: value for name, value in answer.headers.items() if name in {"retry-after", "date"}}
    if answer.status == _OVERLOADED and (at := retry_at(wait, now=now)) is not None:
        return Unconfirmed(error.reason, remedy=error.remedy, code=error.code, retry_at=at)
    return error


_OVERLOADED: Final = 503  # RFC 9110, section 15.6.4
_MAX_SHOWN: Final = 160  # characters
_MAX_PAGE: Final = 10_000  # characters of a page in which its words are looked for
_TAG: Final = re.compile(r"<[^<>]{0,200}+>")
_PAGE: Final = re.compile(r"<(style|script|head)\b.*?(</\1>|\Z)", re.DOTALL | re.IGNORECASE)
# Addresses, long words that contain a digit, as keys and tokens do, and telephone numbers.
_PRIVATE: Final = re.compile(rf"{ADDRESS}|(?<![\w.-])(?=[\w.-]*\d)[\w.-]{{16,}}|\+?\d[\d .()-]{{4,}}\d[\w.-]*")


def words_of(body: bytes, private: Iterable[str]) -> str:
    """Return the words of an answer in one line, without private values.

    Args:
        body: The answer, or its beginning.
        private: Values of the call: user, password, number, key, text. Addresses, numbers and tokens are always masked.
    """
    text = body.decode("utf-8", "replace")
    try:
        text = ", ".join(_leaves(json.loads(text)))
    except (ValueError, RecursionError):
        text = _TAG.sub(" ", _PAGE.sub(" ", text[:_MAX_PAGE]))
    return redact(text, private, _PRIVATE)[:_MAX_SHOWN].strip()


def _leaves(value: object) -> Iterator[str]:
    """Yield the texts in a JSON value."""
    if isinstance(value, str) and value.strip():
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _leaves(item)
