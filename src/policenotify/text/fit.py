"""Fit a text into a budget: required parts stay whole, the others give way."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from policenotify.text.budget import Budget, grapheme_ends
from policenotify.text.comparison import fold
from policenotify.text.links import find_links
from policenotify.translation import AnyText, Text

Rule = Literal["required", "splittable", "sentences", "droppable"]

_GIVE_WAY: Final = frozenset({"sentences", "droppable"})

MAX_POSTS: Final = 9
"""The longest thread. A longer text does not suit a network of short posts."""

MIN_LENGTH: Final = 15
"""The shortest text of a shortened part, in characters. Less has no meaning."""

# A cut never splits a number from its unit, nor a telephone number: `1,72 m`, `9 juin`, `0 805 805 817`,
# `04-99-13-50-00`, `+33 (0)4 99 13 50 00`, `30 km/h`, `18 h 30`.
_NUMBER: Final = re.compile(
    r"(?:[nN]°\s?|\+)?\d+(?:(?:[.,:/+\s-]|\s?\(0\)\s?)\d+)*"
    r"(?:\s?°[CF]\b|\s?[%€°]|\s?[hm]\s?\d\d\b|\s?[^\W\d_]+\d*(?:/[^\W\d_]+)?)?"
)
_HARD_SPACE: Final = re.compile("[\xa0\u202f]")
_NUMBERED: Final = " ({}/{})"
_AHEAD: Final = 24  # characters after a sentence that decide if the next one limits it
_STOP: Final = re.compile(rf"(?:(?<!\w)(?P<word>\w{{1,4}}))?(?P<sign>[.!?…])['\")»”]*(?=\s+(?P<next>.{{0,{_AHEAD}}}))")
_NUMBERS_A_LINE: Final = re.compile(r"(?:\A|[.!?…:])\s*\d{1,2}\.\Z")  # `1. Sortez. 2. Fermez la porte.`
_MARK: Final = 8  # characters that hold the number of a line and the stop before it
# Abbreviations before a name or a number, none of which ends a sentence: `M. Dupont`, `av. Foch`, `env. 200 m`.
_SHORT_FORMS: Final = frozenset(
    {"art", "av", "ave", "bd", "bld", "blvd", "ch", "dr", "env", "ex", "mlle", "mm", "mme", "mr", "mrs", "ms", "pl"}
    | {"pr", "rd", "rte", "st", "ste", "tel", "tél", "n", "cdt", "cne", "col", "gal", "lt", "dpt", "appt", "bât"}
)
# A sentence that begins with one of these limits or denies the one before it, which must not stand without it.
_LIMITS: Final = tuple(
    f"{words} "
    for words in (
        *("sauf", "excepte", "hormis", "hors", "a l exception", "mais", "toutefois", "cependant", "neanmoins"),
        *("pourtant", "en revanche", "par contre", "seuls", "seules", "seul", "seule", "seulement", "uniquement"),
        *("a condition", "sinon", "non", "pas", "ni", "faux", "c est faux", "ce n est pas", "il n en est rien"),
        *("aucun", "aucune", "except", "but", "however", "unless", "only", "not", "no", "false", "this is false"),
        *("that is false", "otherwise", "provided"),
    )
)
_DASHES: Final = tuple("-–—•*")  # begin a line of a list


class Part(NamedTuple):
    """A piece of a text.

    Attributes:
        text: The words. An empty part is ignored.
        rule: `required`: stays as it is. `splittable`: the same, but may continue in the next post if all required
            parts are too long for one. `sentences`: may be cut short between sentences, then left out. `droppable`:
            stays whole or is left out.
        order: The lowest gives way first. Of equal ones, the last in the text.
        name: Its name in `FitResult.omitted`.
        line: Parts of the same line stand beside each other, and others below each other.
    """

    text: str
    rule: Rule = "required"
    order: int = 0
    name: AnyText = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class FitResult:
    """A fitted text, the parts shortened or left out, and its length and limit.

    If the length exceeds the limit, the required parts alone are too long.
    """

    text: str
    omitted: tuple[AnyText, ...]
    used: int
    limit: int

    @property
    def fits(self) -> bool:
        """True if the text is within the budget."""
        return self.used <= self.limit


def fit(parts: Sequence[Part], budget: Budget) -> FitResult:
    """Join the parts to lines, and shorten them in order until the text is within the budget.

    One part after another gives way, the lowest `order` first. One of `sentences` ends after the last sentence that
    fits, and is left out if less than 15 characters would remain. A droppable one is left out.
    """
    text = _joined(parts)
    used, limit = budget.usage(text)
    if used <= limit:
        return FitResult(text, (), used, limit)
    kept = list(parts)
    omitted: list[AnyText] = []
    yielding = [index for index in reversed(range(len(kept))) if kept[index].rule in _GIVE_WAY and kept[index].text]
    for index in sorted(yielding, key=lambda index: kept[index].order):
        part = kept[index]
        fits = _fitting(kept, index, budget)
        shorter = "" if part.rule == "droppable" else shorten(part.text, fits)
        kept[index] = part._replace(text=shorter)
        name = Text.word(str(part.name))
        omitted.append(Text("{name} shortened", name=name) if shorter else Text("{name} left out", name=name))
        text = _joined(kept)
        used, limit = budget.usage(text)
        if used <= limit:
            break
    return FitResult(text, tuple(omitted), used, limit)


def split_thread(parts: Sequence[Part], budget: Budget, *, again: str = "") -> tuple[str, ...]:
    """Split a text that is too long for one post into several, numbered `(1/3)`.

    The first post holds all required parts, and as many sentences of the splittable ones as fit, in their order. If
    there is no space for the first of these sentences, the required parts after it go to the next post. The others hold
    the rest, and all parts that would have given way. A sentence is split only if it is too long for a post of its own.
    Nothing is left out. Every further post begins with *again*: `EXERCICE`. The result is empty if a required part does
    not fit, or more than nine posts are needed.
    """
    left = budget.reserve(_NUMBERED.format(MAX_POSTS, MAX_POSTS))
    first = [part._replace(text="") if part.rule == "splittable" else part for part in parts]
    first = [part for part in first if part.rule not in _GIVE_WAY]
    whole = [part for part in parts if part.rule not in _GIVE_WAY]
    places = [index for index, part in enumerate(whole) if part.rule == "splittable"]
    if not places or not left.fits(_joined(first)):
        return ()
    head = f"{again} " if again else ""
    more: list[Part] = []
    place, opening = places[0], first_sentence(whole[places[0]].text)
    alone = [*first[: place + 1], *(part._replace(text="") for part in first[place + 1 :])]
    after = []
    if not _fitting(first, place, left)(opening) and _fitting(alone, place, left)(opening):
        after, first = first[place + 1 :], alone
    for place in places:
        text, fits = whole[place].text, _fitting(first, place, left)
        opening = first_sentence(text)
        begin = text if text and not more and fits(text) else ""
        if not begin and not more and (fits(opening) or not left.fits(head + opening)):
            begin = _prefix(text, fits)
        first[place] = whole[place]._replace(text=begin)
        if begin != text:
            more.append(whole[place]._replace(text=text[len(begin) :].strip()))
    posts = [_joined(first)]
    rest = _joined([*more, *after, *(part for part in parts if part.rule in _GIVE_WAY)])
    while rest:
        text = rest if left.fits(head + rest) else _prefix(rest, lambda text: left.fits(head + text))
        if not text or len(posts) == MAX_POSTS:
            return ()
        posts.append(head + text)
        rest = rest[len(text) :].strip()
    return tuple(f"{post}{_NUMBERED.format(number, len(posts))}" for number, post in enumerate(posts, 1))


def _prefix(text: str, fits: Callable[[str], bool]) -> str:
    """Return the longest beginning that fits, cut at a sentence, a word or anywhere."""
    for cuts in _cuts(text):
        if count := bisect_left(cuts, 1, key=lambda cut: int(not fits(text[:cut]))):
            return text[: cuts[count - 1]]
    return ""


def first_sentence(text: str) -> str:
    """Return the first sentence of a text."""
    sentences, _, _ = _cuts(text)
    return text[: sentences[0]] if sentences else text


def shorten(text: str, fits: Callable[[str], bool]) -> str:
    """Return the sentences at the beginning of a text for which *fits* holds.

    The result is empty if less than 15 characters would be left. If *fits* holds for a text, it must hold for shorter
    ones.
    """
    stops, _, _ = _cuts(text)
    count = bisect_left(stops, 1, key=lambda stop: int(not fits(text[:stop])))
    shorter = text[: stops[count - 1]] if count else ""
    return shorter if len(shorter) >= MIN_LENGTH else ""


def _cuts(text: str) -> tuple[list[int], list[int], list[int]]:
    """Return where the text may be cut: after sentences, words and graphemes."""
    whole = [(span.start, span.end) for span in find_links(text)]
    whole += [match.span() for match in _NUMBER.finditer(text)]
    whole += [(match.start() - 1, match.end() + 1) for match in _HARD_SPACE.finditer(text)]
    inside = {place for start, end in whole for place in range(start + 1, end)}
    anywhere = [end for end in grapheme_ends(text) if end not in inside and end < len(text)]
    words = [end for end in anywhere if text[end].isspace()]
    ends = {
        match.end()
        for match in _STOP.finditer(text)
        if _ends_sentence(match["word"] or "", match["sign"], match["next"])
        and not _NUMBERS_A_LINE.search(text[max(0, match.end() - _MARK) : match.end()])
    }
    return [end for end in words if end in ends], words, anywhere


def _ends_sentence(word: str, sign: str, following: str) -> bool:
    """Return True if a sign ends a sentence that may stand without the next one.

    A question mark does not, nor a full stop after an initial or an abbreviation. No sign does before a small letter, a
    line of a list, or words that limit or deny the sentence: `Circulation interdite. Sauf riverains.`
    """
    short = (len(word) == 1 and word.isupper()) or word.casefold() in _SHORT_FORMS
    limited = f"{fold(following)} ".startswith(_LIMITS)
    goes_on = following[:1].islower() or following.startswith(_DASHES) or limited
    return not goes_on and sign != "?" and not (sign == "." and short)


def _fitting(parts: Sequence[Part], index: int, budget: Budget) -> Callable[[str], bool]:
    """Return if a text fits in place of a part."""
    part, before, after = parts[index], parts[:index], parts[index + 1 :]
    return lambda shorter: budget.fits(_joined([*before, part._replace(text=shorter), *after]))


def _joined(parts: Iterable[Part]) -> str:
    joined, line = "", 0
    for part in parts:
        if part.text:
            joined += f"{' ' if part.line == line else chr(10)}{part.text}" if joined else part.text
            line = part.line
    return joined
