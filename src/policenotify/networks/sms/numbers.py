"""Telephone numbers as people write them, and those that must get no SMS."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING

from policenotify.translation import Text

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

FRANCE = "33"
# Mobile numbers of overseas departments (ARCEP), dialled like mainland numbers, but with other country codes.
_OVERSEAS = {
    "639": "YT", "690": "GP", "691": "GP", "692": "RE", "693": "RE", "694": "GF", "696": "MQ", "697": "MQ",
}  # fmt: skip
# Country codes of the overseas departments and territories (ITU-T E.164, list of assigned codes).
OVERSEAS_CODES = ("262", "508", "590", "594", "596", "681", "687", "689")
_SEPARATORS = re.compile(r"\(0\)|[\s.\-/()\u2010-\u2015]")  # +33 (0)6 …, as on business cards
_FRENCH_MOBILE = re.compile(r"33[67]\d{8}")


class BadNumber(ValueError):
    """A number that cannot get SMS. The text gives the reason without the number."""


def e164(number: str, country_code: str, countries: Collection[str] = ()) -> str:
    """Return a number as `+33612345678` (ITU-T E.164).

    Args:
        number: As people write it: `06 12 34 56 78`, `+33 (0)6.12.34.56.78`, `0033612345678`.
        country_code: The country of numbers without a country code: `33`.
        countries: The country codes that are allowed. Empty: all.

    Raises:
        BadNumber: It cannot be a number that gets SMS.
    """
    text = re.sub(r"^00", "+", _SEPARATORS.sub("", number))
    if not re.fullmatch(r"\+?[0-9]+", text):
        raise BadNumber(Text("This is not a telephone number."))
    if country_code == FRANCE and _FRENCH_MOBILE.fullmatch(text):
        text = f"+{text}"
    if country_code == FRANCE and text[0] == "0" and text[1:4] not in _OVERSEAS:
        text = f"+{FRANCE}{text[1:]}"
    if _FRENCH_MOBILE.fullmatch(text[1:]) and text[0] == "+" and (not countries or FRANCE in countries):
        return text  # as nearly all: nothing is left to find out

    import phonenumbers  # noqa: PLC0415 - only this extra needs it

    if not text.startswith(("+", "0")):
        raise BadNumber(Text("This number has neither a country's code nor a 0 in front. Write it as +33639980001."))
    region = phonenumbers.region_code_for_country_code(int(country_code))
    if country_code == FRANCE and text.startswith("0"):
        region = _OVERSEAS.get(text[1:4], region)
    try:
        parsed = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        parsed = None
    if parsed and parsed.country_code == int(FRANCE) and not _FRENCH_MOBILE.fullmatch(f"33{parsed.national_number}"):
        raise BadNumber(Text("This is not a French mobile number (06 or 07 and eight digits): it receives no SMS."))
    if not parsed or not phonenumbers.is_possible_number(parsed):
        raise BadNumber(Text("This telephone number is too short, too long, or has no country's code."))
    _refuse_expensive(parsed, countries)
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))


def _refuse_expensive(parsed: PhoneNumber, countries: Collection[str]) -> None:
    """Refuse numbers that cost the sender, and earn their owner, far more than an SMS."""
    import phonenumbers  # noqa: PLC0415 - only this extra needs it

    code = parsed.country_code
    if code != int(FRANCE):  # whose numbers are mobile ones here
        kind = phonenumbers.number_type(parsed)
        if kind in {phonenumbers.PhoneNumberType.PREMIUM_RATE, phonenumbers.PhoneNumberType.SHARED_COST}:
            raise BadNumber(Text("This is a premium-rate number: nothing is sent to it."))
    if code is None or phonenumbers.region_code_for_country_code(code) == phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY:
        raise BadNumber(Text("This is a satellite or international number: nothing is sent to it."))
    if countries and str(code) not in countries:
        raise BadNumber(
            Text(
                "The country code {code} is not in the channel's `countries`. Add it there if this person is "
                "to get SMS.",
                code=code,
            )
        )
