"""Telephone numbers as people write them, in the one form that every gateway understands (E.164)."""

from __future__ import annotations

import re

_FRANCE = "33"
_BETWEEN = re.compile(r"[\s.\-/()\u2010-\u2015]+")
_TRUNK = re.compile(r"\(0\)")  # +33 (0)6 …, as on business cards
_SHORTEST, _LONGEST = 8, 15  # digits with the country's code: ITU-T E.164, section 6.2.1 gives the longest
# Mobile numbers overseas are dialled like mainland ones, but have countries of their own (ARCEP décision 2018-0881):
# Mayotte, Guadeloupe with Saint-Martin and Saint-Barthélemy, La Réunion, Guyane, Martinique.
_OVERSEAS = {
    "639": "262",
    "690": "590",
    "691": "590",
    "692": "262",
    "693": "262",
    "694": "594",
    "696": "596",
    "697": "596",
}


class BadNumber(ValueError):
    """No SMS can be sent there; the text says why, without the number."""


def e164(number: str, country_code: str) -> str:
    """Write a number as `+33612345678` (ITU-T E.164).

    Args:
        number: As people write it: `06 12 34 56 78`, `+33 (0)6.12.34.56.78`, `0033612345678`.
        country_code: Where numbers without one are: `33`.

    Raises:
        BadNumber: It cannot be right.
    """
    bare = _BETWEEN.sub("", _TRUNK.sub("", number))
    digits = bare.removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        raise BadNumber("This is not a telephone number.")
    if bare.startswith("+"):
        full = digits
    elif digits.startswith("00"):
        full = digits[2:]
    elif digits.startswith("0"):
        full = _national(digits[1:], country_code)
    elif country_code == _FRANCE and re.fullmatch(r"33[67]\d{8}", digits):
        full = digits
    else:
        raise BadNumber("This number has neither a country's code nor a 0 in front. Write it as +33639980001.")
    if full.startswith("0") or not _SHORTEST <= len(full) <= _LONGEST:
        raise BadNumber("This telephone number is too short, too long, or has no country's code.")
    if full.startswith(_FRANCE) and not re.fullmatch(r"33[67]\d{8}", full):
        raise BadNumber("This is not a French mobile number (06 or 07 and eight digits): it receives no SMS.")
    return f"+{full}"


def _national(digits: str, country_code: str) -> str:
    return (_OVERSEAS.get(digits[:3], country_code) if country_code == _FRANCE else country_code) + digits
