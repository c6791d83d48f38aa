"""The alphabet and segments of SMS, and the transliteration of French.

3GPP TS 23.038 (GSM 03.38), section 6.2.1: 128 characters of 7 bits, and ten more that take two units, after an escape.
With one other character, the whole text is sent in UCS-2 (in fact UTF-16), and less than half as much fits. TS 23.040,
section 9.2.3.24.1: a segment has 140 bytes, of which 6 are a header if there are several.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

ALPHABET: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""The characters that take one unit: TS 23.038, section 6.2.1, without the escape."""

EXTENSION: Final = "\f^{}\\[~]|€"
"""The characters that take two units: TS 23.038, section 6.2.1.1."""

SINGLE: Final = {"GSM-7": 160, "UCS-2": 70}
"""The units of a single segment: 140 bytes."""

SEVERAL: Final = {"GSM-7": 153, "UCS-2": 67}
"""The units of each of several segments: 134 bytes."""


@dataclass(frozen=True, slots=True)
class SmsText:
    """A text as it is sent by SMS.

    Attributes:
        encoding: `GSM-7` if the alphabet of SMS holds all its characters, else `UCS-2`.
        units: Its length, in characters of 7 or of 16 bits.
        segments: The number of messages that are sent and paid, 0 for an empty text.
        parts: The text of each segment. A character of two units, such as an emoji, is never split, so that a segment
            may be one unit short.
    """

    encoding: Literal["GSM-7", "UCS-2"]
    units: int
    segments: int
    parts: tuple[str, ...]


_ALL_GSM: Final = re.compile(f"[{re.escape(ALPHABET + EXTENSION)}]*")
_KNOWN: Final = frozenset(ALPHABET + EXTENSION)
_COUNTS: Final[Mapping[str, Callable[[str], int]]] = {
    "GSM-7": lambda text: len(text) + sum(map(text.count, EXTENSION)),
    "UCS-2": lambda text: len(text.encode("utf-16-le", "surrogatepass")) // 2,
}


def sms(text: str) -> SmsText:
    """Return the encoding and the segments of a text."""
    encoding: Literal["GSM-7", "UCS-2"] = "GSM-7" if _ALL_GSM.fullmatch(text) else "UCS-2"
    count = _COUNTS[encoding]
    units = count(text)
    parts = (text,) if 0 < units <= SINGLE[encoding] else tuple(_parts(text, count, SEVERAL[encoding]))
    return SmsText(encoding, units, len(parts), parts)


def _parts(text: str, count: Callable[[str], int], limit: int) -> Iterator[str]:
    while part := text[:limit]:
        while (above := count(part) - limit) > 0:
            part = part[: -((above + 1) // 2)]  # a sign has two units at most
        yield part
        text = text[len(part) :]


# The signs of French typography and police messages. For all others, Unicode's compatibility decomposition decides:
# ê is e, À is A, … is ..., ½ is 1⁄2, ² is 2, № is No.
_WRITTEN: Final = {
    **dict.fromkeys("’‘‚‛′´`‹›", "'"), **dict.fromkeys("“”„‟″«»", '"'), **dict.fromkeys("‐‑‒–—―−•", "-"),
    **dict.fromkeys("\u2028\u2029\x85\v", "\n"), **dict.fromkeys("÷⁄", "/"), "\t": " ", "·": ".", "‰": "o/oo",
    "×": "x", "±": "+/-", "≤": "<=", "≥": ">=", "→": "->", "←": "<-", "©": "(c)", "®": "(R)", "™": "(TM)",
    "œ": "oe", "Œ": "OE", "µ": "u", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th",
    "ı": "i",
}  # fmt: skip
_SPACE: Final = "[ \u00a0\u2000-\u200a\u202f\u205f\u3000]"
_SMALL_ONLY: Final = "ÀÈÌÒÙ"  # the alphabet has these as small letters only


def _small_mark(match: re.Match[str]) -> str:
    return match[0].capitalize() if any(sign in match[0] for sign in _SMALL_ONLY) else match[0]


_REWORDED: Final[tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...]] = (
    (re.compile(r"(?<=[–-] )[A-ZÀ-ÞŒ' ]++(?=\])"), _small_mark),  # `[Incendie – MISE À JOUR]`
    (re.compile(r"Œ(?=[^\W\d_A-ZÀ-ÞŒ])"), "Oe"),
    # The marks that replace quotation marks have no space inside.
    (re.compile(rf"(?<=[«‹]){_SPACE}++|(?<!{_SPACE}){_SPACE}++(?=[»›])"), ""),
    (re.compile(r"(?<=\b[nN])°"), "o"),
    (re.compile(rf"{_SPACE}?°(?=[CF]\b)"), " "),
    (re.compile(rf"(?<=\d){_SPACE}?°{_SPACE}?(?=\w)"), " deg "),
    (re.compile(rf"(?<=\d){_SPACE}?°"), " deg"),
    (re.compile(r"(?<=\d)(?=[¼½¾⅐-⅞])"), " "),
)
_MAY_BE_REWORDED: Final = re.compile(f"[{_SMALL_ONLY}Œ«‹»›°¼½¾⅐-⅞]")
_POWER: Final = re.compile("(?<=[0-9])[⁰¹²³⁴-⁹₀-₉]+")
_FOREIGN: Final = re.compile(rf"[^\W{re.escape(ALPHABET)}]")  # letters and digits outside the alphabet
_INVISIBLE: Final = frozenset({"Mn", "Mc", "Me", "Cf", "Cc"})  # accents outside the alphabet, joiners, controls
_LOST: Final = "\0"
_EMOJI_FORM: Final = "\ufe0f"
_EMOJI: Final = re.compile(rf"[^\0-\x7f{''.join(_WRITTEN)}]{_EMOJI_FORM}")  # also ℹ️, a letter for Unicode
_LOST_RUN: Final = re.compile(rf"{_LOST}[{_LOST}_]*")  # with the invisible signs in it
_AROUND_LOST: Final = re.compile(rf"(?<! ) *+{_LOST}[ {_LOST}]*")


class _Table(dict[int, str]):
    """The form of each code point in the alphabet, made at its first use: empty if invisible."""

    def __missing__(self, code: int) -> str:
        sign, plain = chr(code), ""
        for part in [sign] if sign in _WRITTEN or sign in _KNOWN else unicodedata.normalize("NFKD", sign):
            written = _WRITTEN.get(part, part)
            if not _ALL_GSM.fullmatch(written):
                invisible = "" if unicodedata.category(part) in _INVISIBLE else _LOST
                written = " " if part.isspace() else invisible
            plain += written
        self[code] = plain = _LOST if _LOST in plain else plain
        return plain


_FORMS: Final = _Table({ord(_LOST): _LOST})


def to_gsm(text: str) -> str:
    """Write a text in the alphabet of SMS, in forms that a French reader knows.

    Letters keep the accents of the alphabet (é è à ù É ä ö ü ñ) and lose the others. Quotation marks and dashes become
    plain ones, `œ` becomes `oe`, `n°` `no`, `20 °C` `20 C`. A sign without a form in the alphabet is removed, with one
    of the spaces around it. A stage in capitals that would lose its accent is written small: `[Feu - Mise à jour]`.
    """
    if _ALL_GSM.fullmatch(text):
        return text
    written = _marked(_reworded(text)).translate(_FORMS)
    return _AROUND_LOST.sub(_gap, written) if _LOST in written else written


def find_losses(text: str) -> tuple[str, ...]:
    """Return what [`to_gsm`][policenotify.text.to_gsm] removes or changes in its meaning, each once.

    These are emoji, words of other scripts, and powers: 10² is not 102, but m2 still means m². If there are any, UCS-2
    may be worth its price.
    """
    if _ALL_GSM.fullmatch(text):
        return ()
    text = _reworded(text)
    lost = _POWER.findall(text)
    forms = [_FORMS[ord(sign)] for sign in _marked(text)]
    places = "".join(form if form == _LOST else " " if form else "_" for form in forms)
    lost += [text[run.start() : run.end()] for run in _LOST_RUN.finditer(places)]
    return tuple(dict.fromkeys("\ufffd" if "\ud800" <= each <= "\udfff" else each for each in lost))


def _reworded(text: str) -> str:
    """Return the text composed, with other words for signs that go with the signs beside them."""
    text = unicodedata.normalize("NFC", text).replace(_LOST, "")
    for pattern, replacement in _REWORDED if _MAY_BE_REWORDED.search(text) else ():
        text = pattern.sub(replacement, text)
    return text


def _marked(text: str) -> str:
    """Return the text with marks in place of emoji that Unicode counts as letters: ℹ️."""
    return _EMOJI.sub(2 * _LOST, text) if _EMOJI_FORM in text else text


def accented(text: str, segments: int) -> str:
    """Return the text with its accents if so many segments hold it, else in the alphabet of SMS.

    A text that keeps its letters in the alphabet is always written in it, because dashes, quotation marks and emoji are
    not worth half of each segment. A text that would lose words or numbers there never is.
    """
    text = unicodedata.normalize("NFC", text)
    if not _FOREIGN.search(text):
        return to_gsm(text)
    if any(any(map(str.isalnum, lost)) for lost in find_losses(text) if _EMOJI_FORM not in lost):
        return text
    letters = any(map(str.isalpha, _FOREIGN.findall(text)))
    return text if letters and sms(text).segments <= segments else to_gsm(text)


def _gap(match: re.Match[str]) -> str:
    """Return the space that replaces removed signs and the spaces around them."""
    text, start, end = match.string, match.start(), match.end()
    outer = start == 0 or end == len(text) or text[start - 1] == "\n" or text[end] in "\n.,)"
    return "" if outer or " " not in match[0] else " "
