"""Gateways whose answers decide about single numbers, as the plugins of apprise 2.3.0 log them: rules as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from policenotify.errors import ChannelError, Refused, Unconfirmed
from policenotify.networks._apprise.answers import Answer, Rule

_REFUSED: Final = "The SMS gateway refused the message for this person."
_SILENT: Final = "The answer of the SMS gateway does not show whether it took the message for this person."

BATCHED: Final = frozenset({"cm"})
"""Gateways that take many numbers in one call, and whose answer apprise reads for each of them.

CM.com lists each number with a `messageErrorCode` (docs of the Business Messaging API 1.0, "Responses & Errors").
"""

_RULES: Final[Mapping[str, tuple[Rule, ...]]] = {
    "cm": (
        Rule(Unconfirmed, _SILENT, phrases=(r"did not accept \d+: no reason was given()",)),
        Rule(Refused, _REFUSED, phrases=(r"did not accept \d+: ()",)),
    ),
    # The plugin complains of a status 200 only if a refusal is in it. It logs at most 2000 bytes.
    # infobip.com/docs/essentials/response-status-and-error-codes
    "infobip": (Rule(Refused, _REFUSED, statuses=frozenset({200}), phrases=(r'"name": ?"([A-Z_]{3,60})"', "")),),
    "serwersms": (Rule(Refused, _REFUSED, phrases=(r"API error (\d{1,6}) - ",)),),
    "sfr": (Rule(Refused, _REFUSED, phrases=(r"server_error=(?!UNKNOWN)([\w-]{1,40}),",)),),
}


def errors_of(answer: Answer, scheme: str, numbers: Sequence[str]) -> list[ChannelError | None]:
    """Return the error of each number, or `None` if it is accepted. Empty: the answer is about the whole call.

    Args:
        answer: The answer to one call.
        scheme: The gateway's scheme.
        numbers: The numbers of the call, in E.164.
    """
    rules = _RULES.get(scheme, ())
    body = answer.body.decode("utf-8", "replace")
    if len(numbers) == 1:
        errors = [_error(rules, answer.status, "\n".join((*answer.lines, body)))]
    else:
        lines = ([line for line in answer.lines if number.lstrip("+") in line] for number in numbers)
        errors = [_error(rules, answer.status, "\n".join(each)) for each in lines]
    return errors if any(errors) else []


def _error(rules: Sequence[Rule], status: int | None, words: str) -> ChannelError | None:
    for rule in rules:
        if (code := rule.code(status, words)) is not None:
            return rule.error(rule.reason, code=code)
    return None
