"""The length of a post as X counts it, by X's published rules and apart from `policenotify.text`.

The rules are those of `config/v3.json` of twitter-text 3.1.0 and of X's documentation, "Counting characters": a text is
composed (NFC), an address counts 23, an emoji 2, a character of the light ranges 1 and any other 2. A word with a
top-level domain is an address here, unless that is reserved; the tests compare this count with the official library.
"""

from __future__ import annotations

import unicodedata
from typing import Final

import regex

_ADDRESS: Final = regex.compile(
    r"(?<![\w@＠$#＃./-])(?:https?://)?(?:[\p{L}\d](?:[\p{L}\d-]*[\p{L}\d])?\.)+([a-z]{2,})(?![\w@+-])"
    r"(?::\d+)?(?:/(?:[\p{L}\d/_.()~-]*[\p{L}\d/_)])?)?(?:\?(?:[\w=&%.-]*[\w=&])?)?",
    regex.IGNORECASE,
)
_RESERVED: Final = frozenset({"example", "test", "invalid"})  # RFC 2606
_EMOJI: Final = regex.compile(
    r"[0-9#*]\uFE0F\u20E3|\p{RI}{2}"
    r"|\p{Extended_Pictographic}\uFE0F?\p{Emoji_Modifier}?(?:\u200D\p{Extended_Pictographic}\uFE0F?\p{Emoji_Modifier}?)*"
)
_LIGHT: Final = ((0, 4351), (8192, 8205), (8208, 8223), (8242, 8247))  # `ranges` of `config/v3.json`, of weight 100


def weighted_length(text: str) -> int:
    """Count a text as X does."""
    text = unicodedata.normalize("NFC", text)
    addresses = [match for match in _ADDRESS.finditer(text) if match[1].lower() not in _RESERVED]
    for match in reversed(addresses):
        text = text[: match.start()] + text[match.end() :]
    emoji = _EMOJI.findall(text)
    rest = _EMOJI.sub("", text)
    light = sum(any(first <= ord(sign) <= last for first, last in _LIGHT) for sign in rest)
    return 23 * len(addresses) + 2 * len(emoji) + 2 * len(rest) - light
