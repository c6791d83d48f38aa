"""Line breaks for the plain text of a mail.

Lines have hard breaks. `format=flowed` (RFC 3676), which lets a mail program break lines again, is not used: telephones
show the HTML, Gmail and Outlook do not join flowed lines, and the programs that do break a telephone number or
`18 h 30` at the edge of their window.
"""

from __future__ import annotations

import re
import textwrap
from functools import lru_cache
from typing import Final

COLUMNS: Final = 72
"""The width of a line: below the 78 of RFC 5322, section 2.1.1, so that replies can quote it twice."""

_IN_NUMBER: Final = re.compile(r"(?<=[\d)]) (?=[\d(])")  # telephones dial numbers with plain spaces only
_KEPT: Final = "\0"  # stands for such a space
_ITEM: Final = re.compile(r" *(?:(?:[-*•–—·▪]|\(?\d{1,2}[.)]) +)?")


@lru_cache(maxsize=32)  # most blocks are the same in the reply and in the standalone mail
def wrap(text: str, width: int = COLUMNS) -> str:
    """Break the lines that are wider than *width*. A second call changes nothing.

    A line breaks only at a plain space: never inside a word, an address or a telephone number, nor at a no-break space,
    which the typesetting puts before `: ; ! ? »` and between a number and its unit. A piece wider than a line has a
    line of its own. An item of a list continues under its first word.
    """
    return "\n".join(line if len(line) <= width else _broken(line, width) for line in text.split("\n"))


def _broken(line: str, width: int) -> str:
    item = _ITEM.match(line)
    head = item[0] if item and 2 * len(item[0]) <= width else ""
    words = _IN_NUMBER.sub(_KEPT, line[len(head) :].strip(" "))
    pieces = textwrap.wrap(words, width - len(head), break_long_words=False, break_on_hyphens=False)
    return head + f"\n{' ' * len(head)}".join(pieces).replace(_KEPT, " ")
