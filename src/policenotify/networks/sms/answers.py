"""Answers of gateways that decide about single numbers, as the plugins of apprise 2.3.0 log them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from policenotify.errors import ChannelError, Refused, Unconfirmed

if TYPE_CHECKING:
    from policenotify.networks._apprise.client import CapturedLog

_NAME = re.compile(r"[A-Z_]{3,60}")  # infobip.com/docs/essentials/response-status-and-error-codes
_SFR = re.compile(r"server_error=(?!UNKNOWN)([\w-]{1,40}),")
_CM = re.compile(r"CM\.com did not accept \+?(\d+): (?!no reason was given)")
_CM_SILENT = re.compile(r"CM\.com did not accept \+?(\d+): no reason was given")
_SERWERSMS = re.compile(r"API error (\d{1,6}) - ")

BATCHED: Final = frozenset({"cm"})
"""Gateways that take many numbers in one call, and whose answer apprise reads for each of them.

CM.com lists each number with a `messageErrorCode` (docs of the Business Messaging API 1.0, "Responses & Errors").
"""

_JSON_ONLY = frozenset({"cm", "infobip"})  # whose plugins take a web page with status 200, as of a proxy, for a success


class Answers:
    """The answer to one call about some numbers.

    Args:
        scheme: The gateway's scheme.
        numbers: In E.164.
    """

    def __init__(self, scheme: str, numbers: Sequence[str]) -> None:
        self._scheme = scheme
        self._numbers = numbers
        self._single: dict[str, ChannelError] = {}

    def read(self, log: CapturedLog) -> ChannelError | None:
        """Return the error that the HTTP status alone does not show, or `None`."""
        if self._scheme in _JSON_ONLY and not log.messages and "json" not in log.headers.get("content-type", ""):
            return _silent()
        if self._scheme in BATCHED and len(self._numbers) > 1:
            self._single = _each(log)
            return next(iter(self._single.values()), None)
        reader = _READERS.get(self._scheme)
        return reader(log) if reader else None

    def of_each(self, error: ChannelError | None) -> list[ChannelError | None]:
        """Return the error of each number, or `None` if it is accepted, from the one of the call."""
        if not self._single:
            return [error] * len(self._numbers)
        return [self._single.get(number.lstrip("+")) for number in self._numbers]


def _refused(code: str = "") -> Refused:
    return Refused("The SMS gateway refused the message for this person.", code=code)


def _silent() -> Unconfirmed:
    return Unconfirmed("The answer of the SMS gateway does not show whether it took the message for this person.")


def _each(log: CapturedLog) -> dict[str, ChannelError]:
    """Return the errors of a CM.com call, by number in digits."""
    refused = {match[1]: _refused() for match in map(_CM.search, log.messages) if match}
    silent = {match[1] for match in map(_CM_SILENT.search, log.messages) if match}
    return refused | {number: _silent() for number in silent}


def _log_reader(pattern: re.Pattern[str], *, has_code: bool = True) -> Callable[[CapturedLog], Refused | None]:
    """Return a reader of refusals in the log; the pattern's group is the code."""

    def read(log: CapturedLog) -> Refused | None:
        match = next(filter(None, map(pattern.search, log.messages)), None)
        return _refused(match[1] if has_code else "") if match else None

    return read


def _infobip(log: CapturedLog) -> Refused | None:
    if log.status != 200:  # noqa: PLR2004 - the plugin complains of a 200 only if a refusal is in it
        return None
    try:
        name = str(json.loads(log.body)["messages"][0]["status"]["name"])
    except (ValueError, LookupError, TypeError):  # apprise quotes at most 2000 bytes
        name = ""
    return _refused(name if _NAME.fullmatch(name) else "")


_READERS: Final[Mapping[str, Callable[[CapturedLog], ChannelError | None]]] = {
    "cm": _log_reader(_CM, has_code=False),
    "infobip": _infobip,
    "serwersms": _log_reader(_SERWERSMS),
    "sfr": _log_reader(_SFR),
}
