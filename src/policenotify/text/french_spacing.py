"""The no-break spaces of French typography.

*Lexique des règles typographiques en usage à l'Imprimerie nationale* (2002), "Ponctuation" and "Nombres". It asks for a
thin space in some of these places. U+00A0 is used instead: U+202F weighs twice as much on X, and some telephones
show it as a box.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

NO_BREAK: Final = "\N{NO-BREAK SPACE}"

_UNIT: Final = (
    r"(?:[%‰€$£°]|(?:km/h|kWh|kW|MW|dB|min|[ckm]?m[²³]|[cdkm]?m|[cdkm]?[lL]|[km]?g|ha|[hst])(?![\w'’²³/]))"  # SI, and h
)
_SPACE: Final = re.compile(
    rf"""
    [ ] (?:
      (?= » | [:;] (?: [\s»] | \Z ) | [!?]++ (?! \w ) )         # « Attention ! », but no emoticon and no 18:30
    | (?<= «[ ] )
    | (?<= [0-9][ ] ) (?= {_UNIT} )
    | (?<= [0-9][ {NO_BREAK}]h[ ] ) (?= [0-9]{{2}} (?! [0-9] ) )   # 18 h 30
    | (?<= \b[nN]°[ ] ) (?= [0-9] )
    )
    """,
    re.VERBOSE,
)
_GROUPS: Final = re.compile(rf"[0-9][ {NO_BREAK}][0-9]")
_NUMBERS: Final = re.compile(rf"(?<![\w.,+])\+?[0-9]++(?:[ {NO_BREAK}][0-9]++)++")
_THOUSANDS: Final = re.compile(rf"(?!116.)[1-9][0-9]{{0,2}}(?:[ {NO_BREAK}][0-9]{{3}})+")


@lru_cache(maxsize=64)  # the networks of a message have the same parts
def set_no_break_spaces(text: str) -> str:
    """Replace the spaces of a French text that must not break with no-break spaces.

    These are the spaces before `: ; ! ?` and `»`, after `«`, between a number and its unit (`18 h 30`, `1,72 m`,
    `n° 12`) and inside a large number (`1 200`). A thin no-break space becomes an ordinary one. No space is added, and
    `18:30`, an emoticon or a telephone number (116 000 too) stays: telephones dial only numbers with plain spaces. The
    space after an address with a scheme stays, because Mastodon takes a no-break space as part of the query.
    """
    text = text.replace("\N{NARROW NO-BREAK SPACE}", NO_BREAK)
    if " " not in text:
        return text
    if _GROUPS.search(text):
        text = _NUMBERS.sub(_number, text)
    return _SPACE.sub(_unless_after_address if "://" in text else NO_BREAK, text)


def _unless_after_address(match: re.Match[str]) -> str:
    text, at = match.string, match.start()
    return " " if "://" in text[text.rfind(" ", 0, at) + 1 : at] else NO_BREAK


def _number(match: re.Match[str]) -> str:
    return match[0].replace(" ", NO_BREAK) if _THOUSANDS.fullmatch(match[0]) else match[0]
