"""Gateways whose answers decide about single numbers, as the plugins of apprise 2.3.0 log them: rules as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from policenotify.errors import ChannelError, Refused, Unconfirmed
from policenotify.networks._apprise.answers import ServiceAnswer
from policenotify.networks._rules import AnswerRule, judge
from policenotify.translation import Text

_REFUSED: Final = Text("The SMS gateway refused the message for this person.")
_SILENT: Final = Text("The answer of the SMS gateway does not show whether it took the message for this person.")

BATCHED: Final = frozenset({"cm"})
"""Gateways that take many numbers in one call, and whose answer apprise reads for each of them.

CM.com lists each number with a `messageErrorCode` (docs of the Business Messaging API 1.0, "Responses & Errors").
"""

_RULES: Final[Mapping[str, tuple[AnswerRule, ...]]] = {
    "cm": (
        AnswerRule(Unconfirmed, _SILENT, phrases=(": no reason was given",)),
        AnswerRule(Refused, _REFUSED, phrases=("cm.com did not accept ",)),
    ),
    # The plugin complains of a status 200 only if a refusal is in it.
    # infobip.com/docs/essentials/response-status-and-error-codes
    "infobip": (AnswerRule(Refused, _REFUSED, statuses={200}),),
    "serwersms": (AnswerRule(Refused, _REFUSED, phrases=("api error ",)),),
    "sfr": (
        AnswerRule(Unconfirmed, _SILENT, phrases=("server_error=unknown",)),
        AnswerRule(Refused, _REFUSED, phrases=("server_error=",)),
    ),
}


def errors_of(
    answer: ServiceAnswer, scheme: str, numbers: Sequence[str], *, now: datetime
) -> list[ChannelError | None]:
    """Return the error of each number, or `None` if it is accepted. Empty: the answer is about the whole call.

    Args:
        answer: The answer to one call.
        scheme: The gateway's scheme.
        numbers: The numbers of the call, in E.164.
        now: The time.
    """
    single = [answer]
    if len(numbers) > 1:
        lines = ([line for line in answer.lines if number.lstrip("+") in line] for number in numbers)
        single = [replace(answer, lines=each) for each in lines]
    errors = [judge(each, _RULES.get(scheme, ()), now=now) for each in single]
    return errors if any(errors) else []
