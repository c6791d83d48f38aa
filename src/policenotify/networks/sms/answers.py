"""Gateways whose answers decide about single numbers, as the plugins of apprise 2.3.0 log them: rules as data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from policenotify.errors import ChannelError, Refused, Unconfirmed
from policenotify.networks._apprise.answers import ServiceAnswer
from policenotify.networks._http import AnswerRule
from policenotify.translation import Text

_REFUSED: Final = Text("The SMS gateway refused the message for this person.")
_SILENT: Final = Text("The answer of the SMS gateway does not show whether it took the message for this person.")

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


def judge_person(answer: ServiceAnswer, scheme: str, *, now: datetime) -> ChannelError | None:
    """Return what a gateway's answer means for the person, or `None`: it is accepted, or about the whole call."""
    seen = answer.http
    rule = next((each for each in _RULES.get(scheme, ()) if each.fits(seen)), None)
    return rule.judgement(seen, now=now) if rule else None
