"""Answers of services, and what each means for a post: rules as data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from policenotify.errors import Blocked, ChannelError, Refused, Unavailable, Unconfirmed
from policenotify.networks._http import AnswerRule, HttpAnswer
from policenotify.networks._http import judge as judge_rules
from policenotify.networks._redact import words_of
from policenotify.translation import AnyText, Text
from policenotify.transport import error_for_exception

DOCTOR: Final = Text("then: policenotify doctor")
_CODE: Final = re.compile(r"(?:server_error=|API error |\"name\": ?\")(?!UNKNOWN)([\w-]{1,60})(?:, | - |\")")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAnswer:
    """What one call of a service brought.

    Attributes:
        accepted: The service reports success.
        called: The service was called.
        error: The exception that ended the call. It may hold secrets.
        http: The answer as rules read it. Its status is 0 if it is not known. Only its phrases may hold secrets.
    """

    accepted: bool
    called: bool
    error: OSError | None = field(repr=False)
    http: HttpAnswer


def read_answer(status: int, body: bytes, lines: Sequence[str], private: Sequence[str] | None) -> HttpAnswer:
    """Return an answer as rules read it. Only its phrases, which are never shown, may hold secrets.

    Args:
        status: The HTTP status, or 0 if it is not known.
        body: The answer's beginning, if it is known.
        lines: What apprise's plugin logs about a failure.
        private: Values of the call that its words must not show. `None`: the words are not shown at all.
    """
    words = "" if private is None else words_of(body, private)
    code = _CODE.search("\n".join((*lines, body.decode("utf-8", "replace"))))
    phrases = "\n".join((words, *lines)).lower()
    return HttpAnswer(status, from_network=bool(words), error=code[1] if code else "", message=words, phrases=phrases)


_CLIENT: Final = frozenset(range(400, 500))  # RFC 9110, section 15.5; after a 5xx the post may be out
_WAIT: Final = Text("{where} asks us to wait{words}")
_SLOWER: Final = Text("It will be tried again. Give the channel the service's own limit as its `rate`.")
_UNPAID: Final = Text("{where} is out of credit{words}")
_BUY: Final = Text("Buy credit, {doctor}", doctor=DOCTOR)

RULES: Final = (
    AnswerRule(
        Blocked,
        Text("{where} is not at the address in the channel's url, or does not know the target in it{words}"),
        Text("Check the url, {doctor}", doctor=DOCTOR),
        {404, 405, 410},  # RFC 9110, sections 15.5.5, 15.5.6, 15.5.11
    ),
    AnswerRule(Unavailable, _WAIT, _SLOWER, {429}, whole_channel=True),  # RFC 6585, section 4
    AnswerRule(
        Unavailable,
        _WAIT,
        _SLOWER,
        _CLIENT,
        (
            "throughput", "throttl", "rate limit", "rate-limit", "slow down", "too fast", "too many requests",
            "too many messages", "too many calls", "too many connections", "too many submissions",
        ),
        whole_channel=True,
        wait=timedelta(seconds=5),  # a throughput limit counts by the second
    ),
    AnswerRule(Blocked, _UNPAID, _BUY, {402}),  # RFC 9110, section 15.5.3
    AnswerRule(
        Blocked,
        _UNPAID,
        _BUY,
        _CLIENT,
        ("credit", "charge", "charging", "balance", "quota", "funds", "prepaid", "payment"),
    ),
    AnswerRule(
        Blocked,
        Text("{where} does not accept our credentials{words}"),
        Text("Check the account and its password or token, then: policenotify doctor"),
        {403},
        ("authent", "authori", "password", "credential", "login", "log in", "token", "key"),
    ),
    AnswerRule(
        Blocked,
        Text("{where} does not let us send{words}"),
        Text("Check what the account may send, its password or token, and the sender, {doctor}", doctor=DOCTOR),
        {403},
        own=True,
    ),
    AnswerRule(Refused, Text("{where} refused the message{words}"), statuses=_CLIENT - {401, 403, 407, 408, 425}),
    AnswerRule(
        Unconfirmed,
        Text("{where} answered in a way that leaves open whether the post is out{words}"),
        statuses={503},
    ),
)  # fmt: skip
"""The rules of every service. An answer to which none applies is judged by its status."""


def judge(answer: ServiceAnswer, *, where: AnyText, now: datetime) -> ChannelError:
    """Return what an answer other than a success means for the post."""
    if answer.error is not None:
        return error_for_exception(answer.error, where=where)
    if not answer.called:
        return Blocked(
            Text(
                "{where} was not called: apprise misses something in the channel's url. Nothing was sent.",
                where=where,
            ),
            remedy=Text("Check it against https://appriseit.com/services/, {doctor}", doctor=DOCTOR),
        )
    if not answer.http.status:
        return Unconfirmed(
            Text("{where} gave an answer that does not show whether the post is published.", where=where)
        )
    return judge_rules(answer.http, RULES, now=now, where=where)
