"""Making a text fit: what must be said stays whole, the rest gives way in a stated order."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from policenotify.text.budget import Budget, grapheme_ends
from policenotify.text.comparison import fold
from policenotify.text.spans import spans_of

Rule = Literal["required", "splittable", "shrinkable", "sentences", "droppable"]

_GIVE_WAY: Final = frozenset({"shrinkable", "sentences", "droppable"})

MAX_POSTS: Final = 9
"""A message that needs more posts than these is no message for a network of short posts."""

MIN_LENGTH: Final = 15
"""What is left of a shortened part is at least so long, in characters; less than that says nothing."""

# A cut never parts a number from what it counts, nor a telephone number: `1,72 m`, `9 juin`, `0 805 805 817`,
# `04-99-13-50-00`, `+33 (0)4 99 13 50 00`, `30 km/h`, `18 h 30`.
_NUMBER: Final = re.compile(
    r"(?:[nN]°\s?|\+)?\d+(?:(?:[.,:/+\s-]|\s?\(0\)\s?)\d+)*"
    r"(?:\s?°[CF]\b|\s?[%€°]|\s?[hm]\s?\d\d\b|\s?[^\W\d_]+\d*(?:/[^\W\d_]+)?)?"
)
_HARD_SPACE: Final = re.compile("[\xa0\u202f]")
_BEFORE_SIGN: Final = re.compile("[\xa0\u202f](?=[:;!?»])")
_NUMBERED: Final = " ({}/{})"
_LOOKED: Final = 24  # characters behind a sentence that tell whether the next one limits it
_STOP: Final = re.compile(rf"(?:(?<!\w)(?P<word>\w{{1,4}}))?(?P<sign>[.!?…])['\")»”]*(?=\s+(?P<next>.{{0,{_LOOKED}}}))")
_NUMBERS_A_LINE: Final = re.compile(r"(?:\A|[.!?…:])\s*\d{1,2}\.\Z")  # `1. Sortez. 2. Fermez la porte.`
_MARK: Final = 8  # characters at the end of which the number of a line stands
# What stands before a name or a number: `M. Dupont`, `av. Foch`, `env. 200 m`. None of it ends a sentence as a word.
_SHORT_FORMS: Final = frozenset(
    {"art", "av", "ave", "bd", "bld", "blvd", "ch", "dr", "env", "ex", "mlle", "mm", "mme", "mr", "mrs", "ms", "pl"}
    | {"pr", "rd", "rte", "st", "ste", "tel", "tél", "n", "cdt", "cne", "col", "gal", "lt", "dpt", "appt", "bât"}
)
# A sentence that begins so limits the one before it or denies it, which may not be read without it.
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
_LOOSE_END: Final = re.compile(r"[\s,;:.!?…(\[{«“–—-]+\Z")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a text.

    Attributes:
        text: What it says; an empty part is as if it were not there.
        rule: `required`: stays as it is. `splittable`: the same, but where all that is required is too long for one
            post it may go on in the next. `shrinkable`: may be cut short, then left out. `sentences`: the same, but
            never inside a sentence, which might then mean the opposite. `droppable`: stays whole or is left out.
        order: Which gives way first: the lowest. Of equal ones, the last in the text.
        name: What to call it when it gave way.
    """

    text: str
    rule: Rule = "required"
    order: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True)
class FitResult:
    """A text made to fit.

    Attributes:
        text: The parts that stayed, one space between them.
        omitted: What was shortened or left out, in plain words.
        used: How much it takes, in the network's count.
        limit: How much it may take. Where `used` is more than that, the required parts alone are too long.
    """

    text: str
    omitted: tuple[str, ...]
    used: int
    limit: int

    @property
    def fits(self) -> bool:
        """Whether it fits."""
        return self.used <= self.limit


def fit(parts: Sequence[Part], budget: Budget) -> FitResult:
    """Join the parts, letting give way what may, in order, until the text is within the budget.

    One part after another gives way, the lowest `order` first: a shrinkable one is cut at the last sentence or word
    end that fits, and left out if less than 15 characters would remain; a droppable one is left out. A cut is marked
    with `…` and never falls inside a grapheme, an address, a hashtag, a telephone number, between a number and its
    unit, or at another space at which no line breaks.
    """
    kept = list(parts)
    omitted: list[str] = []
    yielding = [index for index in reversed(range(len(kept))) if kept[index].rule in _GIVE_WAY and kept[index].text]
    whole = _joined(kept)
    used, limit = budget.usage(whole)
    if used <= limit:
        return FitResult(whole, (), used, limit)
    for index in sorted(yielding, key=lambda index: kept[index].order):
        part = kept[index]
        fits = _fitting(kept, index, budget)
        sentences = part.rule == "sentences"
        shorter = "" if part.rule == "droppable" else truncate(part.text, fits, sentences=sentences)
        kept[index] = replace(part, text=shorter)
        omitted.append(f"{part.name} {'shortened' if shorter else 'left out'}")
        if budget.fits(_joined(kept)):
            break
    text = _joined(kept)
    return FitResult(text, tuple(omitted), *budget.usage(text))


def split_thread(parts: Sequence[Part], budget: Budget, *, again: str = "") -> tuple[str, ...]:
    """Divide what is too long for one post among several, each of which says which of how many it is.

    The first one carries all that is required, and as many sentences of what may be split as fit; the others carry the
    rest, and all that would have given way. Only a sentence that is too long for a post of its own is parted. Nothing
    is left out: without the numbers and *again*, the posts say what the parts say, the required ones first.

    Args:
        parts: The pieces, in the order of reading.
        budget: Of each post.
        again: Begins every further post, too: `EXERCICE`.

    Returns:
        The posts; empty: even so it does not fit, or needs more than nine.
    """
    number = _NUMBERED.format(MAX_POSTS, MAX_POSTS)
    room = budget.reserve(number)
    required = [part for part in parts if part.rule not in _GIVE_WAY]
    place = next((index for index, part in enumerate(required) if part.rule == "splittable"), None)
    if place is None or not room.fits(_joined([part for part in required if part.rule == "required"])):
        return ()
    whole = required[place].text
    head = f"{again} " if again else ""
    here, opening = _fitting(required, place, room), first_sentence(whole)
    begun = _prefix(whole, here) if here(opening) or not room.fits(head + opening) else ""
    posts = [_joined([*required[:place], replace(required[place], text=begun), *required[place + 1 :]])]
    rest = _joined([Part(whole[len(begun) :].strip()), *(part for part in parts if part.rule in _GIVE_WAY)])
    while rest:
        said = rest if room.fits(head + rest) else _prefix(rest, lambda text: room.fits(head + text))
        if not said or len(posts) == MAX_POSTS:
            return ()
        posts.append(head + said)
        rest = rest[len(said) :].strip()
    return tuple(f"{post}{_NUMBERED.format(number, len(posts))}" for number, post in enumerate(posts, 1))


def _prefix(text: str, fits: Callable[[str], bool]) -> str:
    """The longest beginning that fits: whole sentences, else whole words, else whatever is not to be parted."""
    for cuts in _cuts(text):
        low, high = 0, len(cuts)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if fits(text[: cuts[middle]]) else (low, middle)
        if low:
            return text[: cuts[low - 1]]
    return ""


def first_sentence(text: str) -> str:
    """Return the first sentence of a text; the text itself if it is one sentence."""
    sentences, _, _ = _cuts(text)
    return text[: sentences[0]] if sentences else text


def truncate(text: str, fits: Callable[[str], bool], *, sentences: bool = False) -> str:
    """The longest beginning of a text for which *fits* holds, cut where a reader can bear it and marked with `…`.

    A sentence's end is preferred when it keeps at least half of what a word's end would keep.

    Args:
        text: What to cut.
        fits: Whether a shortened text is short enough; the shorter, the likelier.
        sentences: Cut at the end of a sentence only.

    Returns:
        The beginning, or nothing when less than 15 characters would be left.
    """
    stops, words, anywhere = _cuts(_BEFORE_SIGN.sub(" ", text))  # the mark takes the sign's place
    by_sentence = _last(stops, text, fits)
    if sentences:
        return by_sentence
    by_word = _last(words, text, fits)
    if by_sentence and len(by_sentence) * 2 >= len(by_word):
        return by_sentence
    return by_word or _last(anywhere, text, fits)


def _cuts(text: str) -> tuple[list[int], list[int], list[int]]:
    """Where the text may be cut: at the ends of sentences, of words, and between any two graphemes."""
    whole = [(found.start, found.end) for found in spans_of(text)]
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
    """Whether a sign ends a sentence that may be read without the next one.

    No full stop does after an initial or a short form, and no question mark. Nothing does before a small letter, a line
    of a list or words that limit or deny what was said: `Circulation interdite. Sauf riverains.`
    """
    short = (len(word) == 1 and word.isupper()) or word.casefold() in _SHORT_FORMS
    limited = f"{fold(following)} ".startswith(_LIMITS)
    goes_on = following[:1].islower() or following.startswith(_DASHES) or limited
    return not goes_on and sign != "?" and not (sign == "." and short)


def _last(cuts: list[int], text: str, fits: Callable[[str], bool]) -> str:
    low, high = 0, len(cuts)
    while low < high:
        middle = (low + high) // 2
        if fits(_marked(text[: cuts[middle]])):
            low = middle + 1
        else:
            high = middle
    shorter = _marked(text[: cuts[low - 1]]) if low else ""
    return shorter if len(shorter) >= MIN_LENGTH else ""


def _marked(text: str) -> str:
    return f"{_LOOSE_END.sub('', text)}…"


def _fitting(parts: list[Part], index: int, budget: Budget) -> Callable[[str], bool]:
    before, after = _joined(parts[:index]), _joined(parts[index + 1 :])
    return lambda shorter: budget.fits(" ".join(filter(None, (before, shorter, after))))


def _joined(parts: Sequence[Part]) -> str:
    return " ".join(part.text for part in parts if part.text)
