"""Numbers and replies of SMS gateways.

The reply formats are those of apprise 2.3.0, whose plugins only log them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from policenotify.errors import Refused

if TYPE_CHECKING:
    from policenotify.networks._apprise.client import CapturedLog, ReplyReader

_FRANCE = "33"
_OVERSEAS = ("GP", "RE", "YT", "GF", "MQ")  # dialled like mainland numbers, but with country codes of their own
_SEPARATORS = re.compile(r"\(0\)|[\s.\-/()\u2010-\u2015]+")  # +33 (0)6 …, as on business cards
_FRENCH_MOBILE = re.compile(r"33[67]\d{8}")

_NAME = re.compile(r"[A-Z_]{3,60}")  # infobip.com/docs/essentials/response-status-and-error-codes
_SFR = re.compile(r"server_error=(?!UNKNOWN)([\w-]{1,40}),")
_CM = re.compile(r"CM\.com did not accept \S+: (?!no reason was given)()")
_SERWERSMS = re.compile(r"API error (\d{1,6}) - ")


class BadNumber(ValueError):
    """A number that cannot get SMS. The text gives the reason without the number."""


def e164(number: str, country_code: str) -> str:
    """Return a number as `+33612345678` (ITU-T E.164).

    Args:
        number: As people write it: `06 12 34 56 78`, `+33 (0)6.12.34.56.78`, `0033612345678`.
        country_code: The country of numbers without a country code: `33`.

    Raises:
        BadNumber: It cannot be a number that gets SMS.
    """
    import phonenumbers  # noqa: PLC0415 - only this extra needs it

    text = re.sub(r"^00", "+", _SEPARATORS.sub("", number))
    if not re.fullmatch(r"\+?[0-9]+", text):
        raise BadNumber("This is not a telephone number.")
    if country_code == _FRANCE and _FRENCH_MOBILE.fullmatch(text):
        text = f"+{text}"
    if not text.startswith(("+", "0")):
        raise BadNumber("This number has neither a country's code nor a 0 in front. Write it as +33639980001.")
    regions = (phonenumbers.region_code_for_country_code(int(country_code)), *_OVERSEAS)
    try:
        parsed = [phonenumbers.parse(text, region) for region in (regions if country_code == _FRANCE else regions[:1])]
    except phonenumbers.NumberParseException:
        parsed = []
    best = next(filter(phonenumbers.is_valid_number, parsed), parsed[0] if parsed else None)
    if best and best.country_code == int(_FRANCE) and not _FRENCH_MOBILE.fullmatch(f"33{best.national_number}"):
        raise BadNumber("This is not a French mobile number (06 or 07 and eight digits): it receives no SMS.")
    if not best or not phonenumbers.is_possible_number(best):
        raise BadNumber("This telephone number is too short, too long, or has no country's code.")
    return str(phonenumbers.format_number(best, phonenumbers.PhoneNumberFormat.E164))


def _refused(code: str = "") -> Refused:
    return Refused("The SMS gateway refused the message for this person.", code=code)


def _log_reader(pattern: re.Pattern[str]) -> ReplyReader:
    """Return a reader of refusals in the log; the pattern's group is the code."""

    def read(log: CapturedLog) -> Refused | None:
        match = next(filter(None, map(pattern.search, log.messages)), None)
        return _refused(match[1]) if match else None

    return read


def _infobip(log: CapturedLog) -> Refused | None:
    if log.status != 200:  # noqa: PLR2004 - the plugin complains of a 200 only if a refusal is in it
        return None
    try:
        name = str(json.loads(log.body)["messages"][0]["status"]["name"])
    except (ValueError, LookupError, TypeError):  # apprise quotes at most 2000 bytes
        name = ""
    return _refused(name if _NAME.fullmatch(name) else "")


READERS: Final[Mapping[str, ReplyReader]] = {
    "cm": _log_reader(_CM),
    "infobip": _infobip,
    "serwersms": _log_reader(_SERWERSMS),
    "sfr": _log_reader(_SFR),
}
"""Readers of refusals that come with HTTP 200, by scheme."""
