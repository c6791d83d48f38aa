"""Line breaks for the plain text of a mail.

Lines have hard breaks. `format=flowed` (RFC 3676), which lets a mail program break lines again, is not used: telephones
show the HTML, Gmail and Outlook do not join flowed lines, and the programs that do break a telephone number or
`18 h 30` at the edge of their window.

Widths are those of a terminal: wide characters and emoji take two columns, combining characters none (*Unicode Standard
Annex #11*), by the tables of `unicodedata` and `regex`.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate, pairwise
from typing import Final, NamedTuple

from policenotify.text.budget import split_graphemes
from policenotify.text.patterns import lazy_pattern

COLUMNS: Final = 72
"""The width of a line: below the 78 of RFC 5322, section 2.1.1, so that replies can quote it twice."""

# No line begins with these signs: French has a space before them, and a dash would begin an item of a list.
_NO_START: Final = lazy_pattern(r"[]:;!?»%€°→>)]|(?:[–—]|--?)\Z")
_NO_END: Final = lazy_pattern(r".*[«(\[]|n[°º]", re.IGNORECASE)
# A number stays with its unit, and a telephone number on one line: `1,72 m`, `01 23 45 67 89`.
_NUMBER: Final = lazy_pattern(r"[^\w+]*\+?\(?\d(?:[\d.,/:()+-]*[\d)])?")
_GROUP: Final = lazy_pattern(r"\(?\d")
_COUNTED: Final = lazy_pattern(r"[^\W_]")
_LEADS: Final = lazy_pattern(r"[«(]*(?:[hH]|km|PR|art\.|MM?\.|Mme|Mlle|Dr)")  # 18 h 30; M. Dupont
_ITEM: Final = lazy_pattern(r" *(?:(?:[-*•–—·▪]|\(?\d{1,2}[.)]) +)?")
_PIECE: Final = lazy_pattern(r"( *)([^ ]+)")

_NARROW: Final = lazy_pattern(
    r"[\x20-\x7e\xa0-\xac\xae-\u02ff\u1e00-\u1eff\u2010-\u2027\u202f\u2032\u2033\u20ac\u2190-\u2193]*"
)
_UNIT_JOINT, _GROUP_JOINT = 1, 2  # between a number and its unit, and between two groups of a number
_TAB: Final = 8  # the widest tab
_EMOJI: Final = "\ufe0f"  # the wide form of the sign before it (UTS #51, section 1.4.3)


def wrap(text: str, width: int = COLUMNS) -> str:
    """Break the lines that are wider than *width*. A second call changes nothing.

    A line breaks only at a plain space, never inside a word or an address, and not before `: ; ! ? »`, after `«` or
    `n°`, in a telephone number, or between a number and its unit. A piece wider than a line has a line of its own. An
    item of a list continues under its first word.
    """
    return "\n".join(
        line if display_width(line) <= width else "\n".join(_broken(line, width)) for line in text.split("\n")
    )


def display_width(text: str) -> int:
    """Return the width of a text without line breaks in a terminal."""
    if _NARROW.fullmatch(text):
        return len(text)
    return sum(map(_columns_of, split_graphemes(text)))


def _columns_of(grapheme: str) -> int:
    """Return the width of a grapheme: its widest sign, or two for a flag or emoji."""
    flag = len(grapheme) > 1 and "\U0001f1e6" <= grapheme[0] <= "\U0001f1ff"
    return 2 if flag or _EMOJI in grapheme[1:] else max(map(_columns_of_sign, grapheme))


def _columns_of_sign(sign: str) -> int:
    if sign == "\t":
        return _TAB
    if unicodedata.category(sign) in {"Mn", "Me", "Cf", "Cc"}:
        return 0
    return 2 if unicodedata.east_asian_width(sign) in {"W", "F"} else 1


def _broken(line: str, width: int) -> Iterator[str]:
    """Yield the lines into which a line is broken, none of them empty."""
    item = _ITEM.match(line)
    head = item[0] if item and display_width(item[0]) * 2 <= width else ""
    if not head and (lines := _plainly(line, width)):
        yield from lines
        return
    indent = " " * display_width(head)
    done, used = head, display_width(head)
    for gap, piece in _unbroken(line[len(head) :].strip(" "), width - len(indent)):
        added = display_width(piece)
        if done != head and used + len(gap) + added > width:
            yield done
            done, used, gap = indent, len(indent), ""  # noqa: PLW2901 - a line begins without the gap
        done += gap + piece
        used += len(gap) + added
    yield done


def _plainly(line: str, width: int) -> list[str]:
    """Break a line of narrow signs, unless a piece is wider than a line."""
    words = line.split(" ")
    if "" in words or not _NARROW.fullmatch(line):
        return []
    starts = list(accumulate((len(word) + 1 for word in words), initial=0))
    lines: list[str] = []
    first = 0
    while len(line) - starts[first] > width:
        last = bisect_right(starts, starts[first] + width + 1) - 1
        while last > first and (_glued(words[last - 1], words[last]) or _joint(words[last - 1], words[last])):
            last -= 1
        if last == first:
            return []
        lines.append(" ".join(words[first:last]))
        first = last
    return [*lines, " ".join(words[first:])]


def _glued(before: str, after: str) -> bool:
    return bool(_NO_START.match(after) or _NO_END.fullmatch(before))


def _unbroken(text: str, width: int) -> Iterator[tuple[str, str]]:
    """Yield each piece that stays on one line, and the space before it.

    A chain around numbers that is wider than a line is split: first between a number and its unit, then between the
    groups of a number.
    """
    chain: list[_Piece] = []
    for piece in _pieces(text):
        if not piece.joint:
            yield from _split(chain, width, 1)
            chain = []
        chain.append(piece)
    yield from _split(chain, width, 1)


def _split(chain: list[_Piece], width: int, joint: int) -> Iterator[tuple[str, str]]:
    whole = "".join(piece.gap + piece.text for piece in chain).lstrip(" ")
    if len(chain) == 1 or (chain and display_width(whole) <= width):
        yield chain[0].gap, whole
    else:
        starts = [number for number, piece in enumerate(chain) if piece.joint <= joint or not number]
        for start, end in pairwise([*starts, len(chain)]):
            yield from _split(chain[start:end], width, joint + 1)


class _Piece(NamedTuple):
    """Unbroken words, the space before them, and their joint with the words before."""

    gap: str
    text: str
    joint: int


def _pieces(text: str) -> Iterator[_Piece]:
    gap, last, words, joint = "", "", list[str](), 0
    for space, word in _PIECE.findall(text):
        if words and _glued(last, word):
            words += [space, word]
        else:
            if words:
                yield _Piece(gap, "".join(words), joint)
            joint = _joint(last, word) if words else 0
            gap, words = space, [word]
        last = word
    if words:
        yield _Piece(gap, "".join(words), joint)


def _joint(before: str, after: str) -> int:
    if _NUMBER.fullmatch(before):
        return _GROUP_JOINT if _GROUP.match(after) else _UNIT_JOINT if _COUNTED.match(after) else 0
    return _UNIT_JOINT if _LEADS.fullmatch(before) else 0
