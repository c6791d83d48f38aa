"""Characters as a person reads them: look-alikes, accents and invisible marks folded away."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Final

# Letters that look like Latin ones: Unicode Technical Standard #39, confusables; the rest of Greek and Cyrillic stays.
_LOOK_ALIKES: Final = {
    **dict(zip("авекмнорстухіјѕԁԛԝһӏѵ", "abekmhopctyxijsdqwhlv", strict=True)),
    **dict(zip("αβεηικνορτυχγω", "aben" + "ikvoptuxyw", strict=True)),
    **dict(zip("ɑɡıɩʟɪɴʀʙʜøđłħŧƒɓɗɨʉᴀᴄᴅᴇᴊᴋᴍᴏᴘᴛᴜᴠᴡᴢ", "agiilinrbhodlhtfbdiuacdejkmoptuvwz", strict=True)),
    "œ": "oe",
    "æ": "ae",
    "ꞌ": "'",
    "’": "'",
    "‘": "'",
    "ʼ": "'",
    "´": "'",
    "`": "'",
    "′": "'",
    "\u2044": "/",
    **dict.fromkeys("‐‑‒–—―−﹣－", "-"),
    **dict.fromkeys("…⋯", "."),
    **{chr(first + place): chr(ord("a") + place) for first in (0x1F150, 0x1F170, 0x1F1E6) for place in range(26)},
}
_INVISIBLE: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")  # marks and fillers that show nothing
_SPACE_LIKE: Final = "\u2800"  # the empty Braille cell


@lru_cache(maxsize=4096)
def fold_character(character: str) -> str:
    """Return what a character is read as: plain small letters, one space, or nothing."""
    if character.isspace() or character == _SPACE_LIKE:
        return " "
    kind = unicodedata.category(character)
    if kind in {"Cf", "Mn", "Me", "Cc"} or character in _INVISIBLE:
        return ""
    plain = unicodedata.normalize("NFKD", _LOOK_ALIKES.get(character, character)).casefold()
    letters = (_LOOK_ALIKES.get(letter, letter) for letter in plain if not unicodedata.combining(letter))
    return " ".join("".join(letters).split()) or ("" if plain else " ")
