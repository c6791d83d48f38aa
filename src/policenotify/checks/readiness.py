"""Checks that a text is finished."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from policenotify.checks.check import CheckContext, Hit, rule
from policenotify.checks.words import TextPart
from policenotify.text.patterns import lazy_pattern
from policenotify.text.spans import spans_of

_MARKS: Final = lazy_pattern(
    r"(?<!\w)(?:xx+[h:]x{0,2}|xx+|jj ?/ ?mm(?: ?/ ?aa(?:aa)?)?|h{1,2}hm{2}|hh ?: ?mm)(?!\w)|\?{4,}|(?<!\w)_{2,}"
    r"|(?<!\w)(?:a|de|rue|vers|du|au|avenue|le) \?+|\[[^\[\]]{0,30}\?\]"
    r"|\{{1,2} {0,2}[a-z_]\w{0,30} {0,2}\}{1,2}|<[a-z_][a-z_ ']{1,40}>|\[\[[^\[\]]{1,40}\]\]"
    r"|(?<![\w?!])\?\?\??(?= ?[a-z]{3})|\[ {0,3}_{0,3} {0,3}\]"
)
_MAY_MARK: Final = lazy_pattern(r"[?_{<\[]|xx|mm")  # what any of them has
# Not `L1bis`.
_WITH_FIGURES: Final = lazy_pattern(r"(?<![\w@#.])[^\W_]*[^\W\d_]\d{1,2}(?!(?:bis|ter|quater)(?!\w))[^\W\d_][^\W_]*")
_MAY_HAVE_FIGURES: Final = lazy_pattern(r"\d[^\W\d_]")  # what any such word has
_HIDDEN: Final = 2  # words with figures between their letters
_LETTERS: Final = 3  # of such a word
_CLOSED: Final = lazy_pattern(r"[^\[\]<>{}\n]{0,60}[\]>}]")
_SPELT: Final = 15  # letters that stand apart: more than one word of a heading


@rule("PN423", basis="A desk's own slip: posts with XXX or [LIEU] in them have gone out.")
def text_finished(context: CheckContext) -> Iterator[Hit]:
    """Refuse a text that still holds a placeholder, or that is spelt so that no check can read it."""
    for part in context.parts:
        yield from _unreadable(part)
        folded = part.folded
        for mark in _MARKS.finditer(folded.text) if _MAY_MARK.search(folded.text) else ():
            if mark[0] != "xx" or folded.typed(*mark.span()).isupper():
                yield Hit(part.field, folded.span(*mark.span()))
        for match in (*part.found.get("unfinished", ()), *part.found.get("test", ())):
            token = folded.tokens[match.first]
            form = any(one.end == match.end for one in part.found.get("unfinished_free", ()))
            if not form and (token.capitals or match not in part.found.get("test", ())):
                yield Hit(part.field, part.span(match))
        for match in part.found.get("fill_in", ()):
            start, end = folded.tokens[match.first].start, folded.tokens[match.end - 1].end
            closed = _CLOSED.match(folded.text, end)
            if closed and folded.text[start - 1 : start] in {"[", "<", "{"}:
                yield Hit(part.field, folded.span(start - 1, closed.end()))
        for match in part.found.get("placeholder", ()):
            start, end = folded.tokens[match.first].start, folded.tokens[match.end - 1].end
            around = folded.text[max(0, start - 1) : start] + folded.text[end : end + 1]
            if around in {"[]", "<>", "{}"} or (around == "()" and match.end > match.first + 1):
                yield Hit(part.field, folded.span(start - 1, end + 1))


def _unreadable(part: TextPart) -> Iterator[Hit]:
    """Yield words with figures between their letters, of which one may be a name, and long rows of letters apart."""
    text = part.folded.original
    words = []
    if _MAY_HAVE_FIGURES.search(text):
        words = [match for match in _WITH_FIGURES.finditer(text) if sum(map(str.isalpha, match[0])) >= _LETTERS]
    if len(words) >= _HIDDEN:
        apart = {place for span in spans_of(text) for place in range(span.start, span.end)}
        words = [match for match in words if match.start() not in apart]  # addresses and hashtags have such words
    for match in words if len(words) >= _HIDDEN else ():
        yield Hit(part.field, match.span(), None, "figures")
    if part.folded.is_aligned:
        return
    spelt = [token for token in part.folded.tokens if len(token.word) >= _LETTERS and part.folded.is_spelt(token)]
    if sum(len(token.word) for token in spelt) >= _SPELT:
        for token in spelt:
            yield Hit(part.field, part.folded.span(token.start, token.end), None, "spelt")
