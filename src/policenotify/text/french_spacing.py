"""Where a line must not break: the spaces of French, as no-break spaces.

*Lexique des règles typographiques en usage à l'Imprimerie nationale* (2002), "Ponctuation" and "Nombres". It asks for a
thin space in some of these places; that is U+202F, which weighs twice as much as U+00A0 on X, and which some
telephones show as a box.
"""

from __future__ import annotations

import re
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


def set_no_break_spaces(text: str) -> str:
    """A French text with no-break spaces where it has a space that no line may break at.

    That is before `: ; ! ?` and `»`, after `«`, between a number and its unit (`18 h 30`, `1,72 m`, `n° 12`) and inside
    a large number (`1 200`). A thin no-break space becomes an ordinary one. No space is put where there was none, and
    nothing else is changed: not `18:30`, an emoticon, or a telephone number, which is dialled by a touch only with the
    spaces that telephones know (the European ones, 116 000 and the like, among them). After an address with a scheme
    the space stays, since Mastodon takes a no-break one for a part of its query.
    """
    text = text.replace("\N{NARROW NO-BREAK SPACE}", NO_BREAK)
    if " " not in text:
        return text
    if _GROUPS.search(text):
        text = _NUMBERS.sub(_number, text)
    return _SPACE.sub(_unless_after_address if "://" in text else NO_BREAK, text)


def _unless_after_address(found: re.Match[str]) -> str:
    text, at = found.string, found.start()
    return " " if "://" in text[text.rfind(" ", 0, at) + 1 : at] else NO_BREAK


def _number(found: re.Match[str]) -> str:
    return found[0].replace(" ", NO_BREAK) if _THOUSANDS.fullmatch(found[0]) else found[0]
