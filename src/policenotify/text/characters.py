"""The characters that may stand in a published text."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from policenotify.text.budget import unicode_pattern

# Invisible characters that break screen readers, searches or a text's direction: control characters, lone surrogates,
# bidirectional overrides and isolates, zero-width spaces and joiners, soft hyphens (Unicode Standard, section 5.21,
# "Default Ignorable Code Points"), and non-characters, for which X refuses a post (section 23.7). The first group
# carries meaning, and stays:
_INVISIBLE: Final = r"""(?x)
    (   \U0001F3F4[\U000E0020-\U000E007E]+\U000E007F                  # the flags of regions (UTS #51, Annex C)
    |   \p{Extended_Pictographic}[\uFE0E\uFE0F]?\p{Emoji_Modifier}?   # emoji, with their form and skin tone,
        (?:\u200D\p{Extended_Pictographic}\uFE0F?\p{Emoji_Modifier}?)*  # and joined ones: 👮‍♀️ (UTS #51, 2.3)
    |   [0-9\#*]\uFE0F\u20E3                                            # keycaps
    |   (?<=[\p{Arabic}\p{Syriac}\p{ccc=9}--\p{Default_Ignorable_Code_Point}])
        [\u200C\u200D](?=\p{L})                                       # spelling, not decoration (RFC 5892, A.1)
    )
    | [\p{Cc}\p{Cs}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}]++
    """

# None of these is removed, composed or joined with another. To find what is invisible loads a library, which most
# posts and pages do not need.
_VISIBLE: Final = re.compile(
    "[ -~\xa0-\xac\xae-\u02ff\u2010-\u2027\u202f-\u205e€\u2190-\u21ff\u2500-\u27bf"
    "\U0001f300-\U0001f3fa\U0001f400-\U0001f64f\U0001f680-\U0001f6ff\U0001f900-\U0001f9ff]*+"
)
_EMPTY_LINES: Final = re.compile(r"\n{3,}")


def clean(text: str) -> str:
    """Return the text composed (NFC), with single spaces and no invisible characters.

    Control characters, bidirectional overrides, zero-width characters and non-characters are removed, unless an emoji
    or a script needs them. Empty lines at the ends are removed, and at most one stays between paragraphs.
    """
    lines = [" ".join(visible(line).split()) for line in text.splitlines()]
    return _EMPTY_LINES.sub("\n\n", "\n".join(lines)).strip("\n")


def one_line(text: str) -> str:
    """Return the cleaned text on a single line."""
    return " ".join((text if _VISIBLE.fullmatch(text) else clean(text)).split())


def visible(text: str) -> str:
    """Return a line composed (NFC), without invisible characters."""
    if _VISIBLE.fullmatch(text):
        return text
    tabs = text.replace("\t", " ")
    return unicodedata.normalize("NFC", unicode_pattern(_INVISIBLE).sub(lambda match: match[1] or "", tabs))
