"""Checks that a text is finished."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from policenotify.checks.check import CheckContext, Hit, rule

# As typed: capitals and brackets tell a mark from a word.
_MARKS: Final = re.compile(
    r"(?<!\w)X{2,}(?:[hH:]X{0,2})?(?!\w)|(?<!\w)x{3,}(?!\w)|\?{4,}|_{4,}"
    r"|\{{1,2} {0,2}[A-Za-z_]\w{0,30} {0,2}\}{1,2}|<[a-z_]{2,30}>|\[ {0,3}_{0,3} {0,3}\]"
)


@rule("PN423", basis="A desk's own slip: posts with XXX or [LIEU] in them have gone out.")
def text_finished(context: CheckContext) -> Iterator[Hit]:
    """Refuse a text that still holds a placeholder."""
    for part in context.parts:
        folded = part.folded
        for mark in _MARKS.finditer(folded.original):
            yield Hit(part.field, mark.span())
        for match in (*part.found.get("unfinished", ()), *part.found.get("test", ())):
            token = folded.tokens[match.first]
            if token.capitals or match not in part.found.get("test", ()):
                yield Hit(part.field, part.span(match))
        for match in part.found.get("placeholder", ()):
            start, end = folded.tokens[match.first].start, folded.tokens[match.end - 1].end
            if folded.text[start - 1 : start] == "[" and folded.text[end : end + 1] == "]":
                yield Hit(part.field, folded.span(start - 1, end + 1))
