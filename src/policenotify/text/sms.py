"""The alphabet of SMS, how a text is cut into segments, and how French is written in that alphabet.

3GPP TS 23.038 (GSM 03.38), section 6.2.1: 128 characters of 7 bits, and ten more that take two, after an escape.
One character outside of it, and the whole text is sent in UCS-2 (in fact UTF-16), of which less than half as much fits.
TS 23.040, section 9.2.3.24.1: a segment has 140 bytes; each of several gives 6 of them to say which it is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final, Literal

from policenotify.text.budget import split_graphemes

ALPHABET: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""The characters that take one unit: TS 23.038, section 6.2.1, without the escape."""

EXTENSION: Final = "\f^{}\\[~]|€"
"""The characters that take two units: TS 23.038, section 6.2.1.1."""

SINGLE: Final = {"GSM-7": 160, "UCS-2": 70}
"""How many units fit into a text of one segment: 140 bytes of 8 bits."""

SEVERAL: Final = {"GSM-7": 153, "UCS-2": 67}
"""How many units fit into each of several segments: 134 bytes."""


@dataclass(frozen=True, slots=True)
class SmsText:
    """A text as it is sent.

    Attributes:
        encoding: `GSM-7` if the alphabet of SMS holds all its characters, else `UCS-2`.
        units: How much of the segments it takes, in characters of 7 or of 16 bits.
        segments: How many messages are sent, and paid: 0 for an empty text.
        parts: What each of them holds. A character of two units, an emoji beyond U+FFFF for one, is in one segment
            whole, so that a segment may be one unit short.
    """

    encoding: Literal["GSM-7", "UCS-2"]
    units: int
    segments: int
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GsmText:
    """A text written in the alphabet of SMS.

    Attributes:
        text: The text.
        lost: What it does not say any more, or says otherwise, as it was written, each once: emoji, words of other
            scripts, powers. Where anything is lost, UCS-2 may be worth its price.
    """

    text: str
    lost: tuple[str, ...]


_ALL_GSM: Final = re.compile(f"[{re.escape(ALPHABET + EXTENSION)}]*")
_DOUBLE: Final = {
    "GSM-7": re.compile(f"[{re.escape(EXTENSION)}]"),
    "UCS-2": re.compile("[\ud800-\udbff][\udc00-\udfff]|[\U00010000-\U0010ffff]"),
}
_KNOWN: Final = frozenset(ALPHABET + EXTENSION)


def sms(text: str) -> SmsText:
    """Say how a text is sent by SMS: in which encoding, in how many segments, and what each of them holds.

    Args:
        text: The text as it is; [`to_gsm`][policenotify.text.to_gsm] may make it shorter.
    """
    encoding: Literal["GSM-7", "UCS-2"] = "GSM-7" if _ALL_GSM.fullmatch(text) else "UCS-2"
    doubles = [(found.start(), found.end()) for found in _DOUBLE[encoding].finditer(text)]
    # An extended character, and one beyond U+FFFF, is one code point of two units; two halves of a pair are two of two.
    units = len(text) + sum(2 - (end - start) for start, end in doubles)
    parts = (text,) if 0 < units <= SINGLE[encoding] else tuple(_parts(text, doubles, SEVERAL[encoding]))
    return SmsText(encoding, units, len(parts), parts)


def _parts(text: str, doubles: list[tuple[int, int]], room: int) -> Iterator[str]:
    start = escapes = 0  # of the segment: where it begins, how many units it has more than code points
    for begin, end in [*doubles, (len(text), len(text))]:
        while begin - start + escapes > room:
            cut = start + room - escapes
            yield text[start:cut]
            start, escapes = cut, 0
        if begin < len(text) and begin - start + escapes + 2 > room:
            yield text[start:begin]
            start, escapes = begin, 0
        escapes += 2 - (end - begin)
    if text:
        yield text[start:]


# What French typography and police messages need. What is not here, Unicode's compatibility decomposition takes apart:
# ê is e, À is A, … is ..., ½ is 1⁄2, ² is 2, № is No.
_WRITTEN: Final = {
    **dict.fromkeys("’‘‚‛′´`‹›", "'"),
    **dict.fromkeys("“”„‟″«»", '"'),
    **dict.fromkeys("‐‑‒–—―−•", "-"),
    **dict.fromkeys("\u2028\u2029\x85\v", "\n"),
    "\t": " ",
    "œ": "oe",
    "Œ": "OE",
    "×": "x",
    "÷": "/",
    "⁄": "/",
    "±": "+/-",
    "≤": "<=",
    "≥": ">=",
    "→": "->",
    "←": "<-",
    "©": "(c)",
    "®": "(R)",
    "™": "(TM)",
    "·": ".",
    "‰": "o/oo",
    "µ": "u",
    "ł": "l",
    "Ł": "L",
    "đ": "d",
    "Đ": "D",
    "ð": "d",
    "Ð": "D",
    "þ": "th",
    "Þ": "Th",
    "ı": "i",
}
_SPACE: Final = "[ \u00a0\u2000-\u200a\u202f\u205f\u3000]"
_REWORDED: Final = (  # where a text has one of these signs, what is read otherwise, and how
    # The marks that take the place of quotation marks have no space inside.
    ("«‹»›", re.compile(rf"(?<=[«‹]){_SPACE}++|(?<!{_SPACE}){_SPACE}++(?=[»›])"), ""),
    ("°", re.compile(r"(?<=\b[nN])°"), "o"),
    ("°", re.compile(rf"{_SPACE}?°(?=[CF]\b)"), " "),
    ("°", re.compile(rf"(?<=\d){_SPACE}?°{_SPACE}?(?=\w)"), " deg "),
    ("°", re.compile(rf"(?<=\d){_SPACE}?°"), " deg"),
    ("¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞", re.compile(r"(?<=\d)(?=[¼½¾⅐-⅞])"), " "),
)
_POWER: Final = re.compile("(?<=[0-9])[⁰¹²³⁴-⁹₀-₉]+")
_MAY_READ_OTHERWISE: Final = re.compile("[«‹»›°¼½¾⅐-⅞⁰¹²³⁴-⁹₀-₉]")
_UNSEEN: Final = frozenset({"Mn", "Mc", "Me", "Cf", "Cc"})  # accents that the alphabet lacks, joiners, controls
_LOST: Final = "\0"
_AROUND_LOST: Final = re.compile(rf"(?<! ) *+{_LOST}[ {_LOST}]*")


def to_gsm(text: str) -> GsmText:
    """Write a text in the alphabet of SMS, as a French reader would.

    Letters keep those accents that the alphabet has (é è à ù É ä ö ü ñ) and lose the others, quotation marks and
    dashes become plain ones, `œ` becomes `oe`, `n°` `no`, `20 °C` `20 C`. Nothing is lost by that. What cannot be
    written is left out, with one of the spaces around it, and reported. A text in the alphabet stays as it is.

    Args:
        text: The text.
    """
    if _ALL_GSM.fullmatch(text):
        return GsmText(text, ())
    text = unicodedata.normalize("NFC", text).replace(_LOST, "")
    lost: dict[str, None] = {}
    if _MAY_READ_OTHERWISE.search(text):
        lost = dict.fromkeys(_POWER.findall(text))  # 10² is not 102; in m² nobody minds
        for signs, pattern, instead in _REWORDED:
            if any(map(text.__contains__, signs)):
                text = pattern.sub(instead, text)
    written: list[str] = []
    foreign = ""
    for piece, plain in _pieces(text):
        if foreign and (plain is not None or not piece[0].isalpha()):
            lost[foreign] = None
            foreign = ""
        if plain is None and piece[0].isalpha():
            foreign += piece
        elif plain is None:
            lost["\ufffd" if "\ud800" <= piece <= "\udfff" else piece] = None
        written.append(_LOST if plain is None else plain)
    if foreign:
        lost[foreign] = None
    text = "".join(written)
    return GsmText(_AROUND_LOST.sub(_gap, text) if _LOST in text else text, tuple(lost))


def _pieces(text: str) -> Iterator[tuple[str, str | None]]:
    """The text in pieces, and how each is written: runs of what is easily written, graphemes of what is not."""
    easy, hard = _easy(), _hard()
    done = 0
    for found in hard.finditer(text):
        start = found.start()
        if start > done and ord(text[start - 1]) in easy:
            start -= 1  # the sign before it, which it may change
        if start > done:
            yield text[done:start], text[done:start].translate(easy)
        done = found.end()
        for piece in split_graphemes(text[start:done]):
            yield piece, _plain(piece)
    if done < len(text):
        yield text[done:], text[done:].translate(easy)


@cache
def _easy() -> dict[int, str]:
    """Latin letters and typographic signs, each a grapheme by itself, as they are written."""
    signs = {chr(sign) for sign in range(0xA0, 0x250)} | {sign for sign in _WRITTEN if sign.isprintable()}
    written = ((sign, _plain(sign)) for sign in signs - _KNOWN)
    return {ord(sign): plain for sign, plain in written if plain is not None}


@cache
def _hard() -> re.Pattern[str]:
    """All that is neither that nor in the alphabet."""
    return re.compile(f"[^{re.escape(''.join(map(chr, _easy())) + ALPHABET + EXTENSION)}]+")


@lru_cache(maxsize=512)
def _plain(piece: str) -> str | None:
    """What a reader sees as one character, written in the alphabet: nothing if it is unseen; None if it is lost."""
    if "\ufe0f" in piece[1:] and piece[0] not in _WRITTEN:
        return None  # an emoji, although Unicode takes ℹ️ for a letter
    plain = ""
    for sign in piece:
        for part in [sign] if sign in _WRITTEN or sign in _KNOWN else unicodedata.normalize("NFKD", sign):
            written = _WRITTEN.get(part, part)
            if _ALL_GSM.fullmatch(written):
                plain += written
            elif part.isspace():
                plain += " "
            elif unicodedata.category(part) not in _UNSEEN:
                return None
    return plain


def _gap(found: re.Match[str]) -> str:
    """What stays of the spaces around what was left out."""
    text, start, end = found.string, found.start(), found.end()
    outer = start == 0 or end == len(text) or text[start - 1] == "\n" or text[end] in "\n.,)"
    return "" if outer or " " not in found[0] else " "
