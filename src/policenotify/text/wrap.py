"""Breaking a text into lines that are read as they are: the plain text of a mail.

Lines are broken hard. `format=flowed` (RFC 3676), which lets a reader's program join and break them anew, would be of
little use: the mail's HTML is what a telephone shows, Gmail and Outlook show flowed lines as they came, and the
programs that do join them break a telephone number or `18 h 30` wherever their window ends.

Widths are those of a terminal: wide characters and emoji take two columns, what combines none (*Unicode Standard Annex
#11*). That is no reason for one more library: the tables of Python's `unicodedata` and of `regex`, which is here
anyhow, know as much of French with an emoji here and there.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate, pairwise
from typing import Final, NamedTuple

from policenotify.text.budget import split_graphemes

COLUMNS: Final = 72
"""How wide lines of plain text are: below the 78 of RFC 5322, section 2.1.1, so that an answer can quote them twice."""

# Where no line begins: French sets a space before these signs, and a dash would read as an item of a list.
_NO_START: Final = re.compile(r"[]:;!?»%€°→>)]|(?:[–—]|--?)\Z")
_NO_END: Final = re.compile(r".*[«(\[]|n[°º]", re.IGNORECASE)
# A number stays with what it counts, the groups of a telephone number with one another: `1,72 m`, `01 23 45 67 89`.
_NUMBER: Final = re.compile(r"[^\w+]*\+?\(?\d(?:[\d.,/:()+-]*[\d)])?")
_GROUP: Final = re.compile(r"\(?\d")
_COUNTED: Final = re.compile(r"[^\W_]")
_LEADS: Final = re.compile(r"[«(]*(?:[hH]|km|PR|art\.|MM?\.|Mme|Mlle|Dr)")  # 18 h 30; M. Dupont
_ITEM: Final = re.compile(r" *(?:(?:[-*•–—·▪]|\(?\d{1,2}[.)]) +)?")
_PIECE: Final = re.compile(r"( *)([^ ]+)")

_NARROW: Final = re.compile(
    r"[\x20-\x7e\xa0-\xac\xae-\u02ff\u1e00-\u1eff\u2010-\u2027\u202f\u2032\u2033\u20ac\u2190-\u2193]*"
)
_COUNTS, _GROUPS = 1, 2  # a number and what it counts; two groups of a number
_TAB: Final = 8  # at most
_EMOJI: Final = "\ufe0f"  # asks for the wide form of the sign before it (UTS #51, section 1.4.3)


def wrap(text: str, width: int = COLUMNS) -> str:
    """Break the lines that are wider than *width*; the others stay as they are.

    A line breaks only at a plain space: never in a word or an address, nor at a space that typography made hard; and
    not before `: ; ! ? »`, after `«` or `n°`, in a telephone number, or between a number and what it counts. What is
    wider than a line even so stands on its own. An item of a list goes on under its first word.

    Args:
        text: Lines, ended by line feeds.
        width: In columns of a terminal.

    Returns:
        The same words; to wrap them again changes nothing.
    """
    return "\n".join(
        line if display_width(line) <= width else "\n".join(_broken(line, width)) for line in text.split("\n")
    )


def display_width(text: str) -> int:
    """How wide a text is in a terminal, where nothing in it breaks the line."""
    if _NARROW.fullmatch(text):
        return len(text)
    return sum(map(_columns_of, split_graphemes(text)))


def _columns_of(grapheme: str) -> int:
    """A grapheme is as wide as the widest sign in it; two letters of a flag, or an emoji's form, make two."""
    flag = len(grapheme) > 1 and "\U0001f1e6" <= grapheme[0] <= "\U0001f1ff"
    return 2 if flag or _EMOJI in grapheme[1:] else max(map(_columns_of_sign, grapheme))


def _columns_of_sign(sign: str) -> int:
    if sign == "\t":
        return _TAB
    if unicodedata.category(sign) in {"Mn", "Me", "Cf", "Cc"}:
        return 0
    return 2 if unicodedata.east_asian_width(sign) in {"W", "F"} else 1


def _broken(line: str, width: int) -> Iterator[str]:
    """The line in lines, none of them empty."""
    item = _ITEM.match(line)
    head = item[0] if item and display_width(item[0]) * 2 <= width else ""
    if not head and (lines := _plainly(line, width)):
        yield from lines
        return
    indent = " " * display_width(head)
    done, used = head, display_width(head)
    for gap, piece in _together(line[len(head) :].strip(" "), width - len(indent)):
        wide = display_width(piece)
        if done != head and used + len(gap) + wide > width:
            yield done
            done, used, gap = indent, len(indent), ""  # noqa: PLW2901 - a line begins without the gap
        done += gap + piece
        used += len(gap) + wide
    yield done


def _plainly(line: str, width: int) -> list[str]:
    """The same, looking only where a line ends; nothing where that is not enough: what stays together is too wide."""
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


def _together(text: str, width: int) -> Iterator[tuple[str, str]]:
    """What stays on one line, each piece with the space before it.

    What only its numbers join is parted again where it is wider than a line: first a number from what it counts, then
    the groups of a number.
    """
    chain: list[_Piece] = []
    for piece in _pieces(text):
        if not piece.joint:
            yield from _chained(chain, width, 1)
            chain = []
        chain.append(piece)
    yield from _chained(chain, width, 1)


def _chained(chain: list[_Piece], width: int, joint: int) -> Iterator[tuple[str, str]]:
    whole = "".join(piece.gap + piece.text for piece in chain).lstrip(" ")
    if len(chain) == 1 or (chain and display_width(whole) <= width):
        yield chain[0].gap, whole
    else:
        starts = [number for number, piece in enumerate(chain) if piece.joint <= joint or not number]
        for start, end in pairwise([*starts, len(chain)]):
            yield from _chained(chain[start:end], width, joint + 1)


class _Piece(NamedTuple):
    """Words that nothing parts, the space before them, and what joins them to those before: nothing, or a number."""

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
        return _GROUPS if _GROUP.match(after) else _COUNTS if _COUNTED.match(after) else 0
    return _COUNTS if _LEADS.fullmatch(before) else 0
