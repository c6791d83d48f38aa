"""What leads to a person without the name: age, occupation, home, school."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from policenotify.checks.names import CLOSING
from policenotify.checks.words import Match, TextPart
from policenotify.model.message import Category

BUILT_IN: Final = frozenset(Category)
"""The categories shipped. A category of the desk is none of them."""

PREVENTION: Final = frozenset(
    {Category.SCAM_CYBER, Category.BURGLARY_PREVENTION, Category.ROAD_SAFETY, Category.RECRUITMENT}
)
"""Categories that speak to everyone, about no one person."""

JUDICIAL: Final = frozenset(
    {Category.ARREST, Category.WITNESS_APPEAL, Category.MISSING_PERSON, Category.POLICE_OPERATION}
    | {Category.ARMED_THREAT, Category.BOMB_DISPOSAL, Category.CHILD_ABDUCTION_RELAY}
)
"""Categories in which nothing may lead to a home."""

SEARCHES: Final = frozenset({Category.MISSING_PERSON, Category.CHILD_ABDUCTION_RELAY})
ADULT: Final = 18
"""The age at which a person is not a minor any more."""

_PLACES: Final = ("location.street", "location.district", "location.road", "location.between", "location.line")
_NUMBERS: Final = {
    "un": 1, "deux": 2, "trois": 3, "quatre": 4, "cinq": 5, "six": 6, "sept": 7, "huit": 8, "neuf": 9, "dix": 10,
    "onze": 11, "douze": 12, "treize": 13, "quatorze": 14, "quinze": 15, "seize": 16,
}  # fmt: skip
# What an age stands after where it is not a person's.
_NO_AGE: Final = frozenset(
    {"depuis", "pendant", "de", "des", "moins", "plus", "jusqu", "pour", "dans", "les", "apres", "avant", "entre"}
    | {"partir", "et", "dans", "tous", "ces", "deux", "sous"}
)
_LONGEST_AGE: Final = 3  # figures
_QUARTERS: Final = frozenset({"cite", "quartier", "residence", "lotissement"})
_GRADES: Final = frozenset({"primary", "high", "secondary", "middle", "nursery", "elementary", "boarding"})
_LINKS: Final = frozenset({"de", "du", "des", "d", "a", "au", "aux", "chez", "dans", "en"})
_BETWEEN: Final = frozenset(
    {"la", "le", "les", "l", "cette", "cet", "ce", "notre", "meme", "petit", "petite", "un", "une"}
)
_KINDS: Final = frozenset(
    {"liberal", "liberale", "municipal", "municipale", "retraite", "retraitee", "scolaire", "ambulant", "itinerant"}
    | {"independant", "independante", "remplacant", "remplacante", "benevole", "bio", "local", "locale", "historique"}
    | {"de", "pharmacie", "general", "generale", "adjoint", "adjointe", "technique", "principal", "principale", "bien"}
    | {"connu", "connue", "rural", "rurale", "agricole", "viticole", "volontaire", "depuis", "toujours"}
) - {"de", "depuis", "toujours", "pharmacie"}
_ONLY: Final = frozenset({"le", "la", "l", "les", "notre", "cette", "ce", "cet", "du", "au", "son", "sa"})
_WAS: Final = frozenset({"est", "etait", "sont", "etaient", "fut", "comme", "bien", "d"})
_BEFORE: Final = frozenset(
    {"jeune", "ancien", "ancienne", "petit", "petite", "seul", "seule", "celebre", "unique", "nouveau"}
)
_SMALL: Final = frozenset({"village", "bourg", "hameau", "ile"})
_OF_STREETS: Final = frozenset(
    {"carrefour", "arret", "station", "rue", "avenue", "place", "point", "giratoire", "parking", "boulevard", "chemin"}
)
_UNITS: Final = frozenset({"ans", "an", "mois", "years", "year"})  # of ages
_NEAR: Final = 4  # words behind an occupation in which its place stands


def in_text(part: TextPart) -> bool:
    """Return True unless a field holds a place, whose names are those of streets."""
    return not part.field.startswith(_PLACES)


def ages(part: TextPart, below: int = 200) -> list[Match]:
    """Return the ages of persons in a text: `14 ans`, `âgée de six ans`."""
    if part.vocabulary.isdisjoint(_UNITS | {"aged"}):
        return []
    return [Match(at - 1, at + 1) for at in range(1, len(part.folded.tokens)) if _is_age(part, at, below)]


def _is_age(part: TextPart, at: int, below: int) -> bool:
    """Return True if a token is the unit of an age."""
    tokens = part.folded.tokens
    unit, number = tokens[at].word, tokens[at - 1].word
    if number == "aged" and unit.isdigit() and len(unit) <= _LONGEST_AGE:  # English
        return int(unit) < below
    if unit not in _UNITS:
        return False
    age = int(number) if number.isdigit() and len(number) <= _LONGEST_AGE else _NUMBERS.get(number, below)
    before, earlier = (tokens[at - back].word if at >= back else "" for back in (2, 3))
    stated = before == "de" and part.words.holds("aged", earlier)
    if before == "a":  # `a 15 ans` has an age; `à 15 ans` and `il y a 15 ans` have none
        other = earlier == "y" or "à" in part.folded.typed(tokens[at - 2].start, tokens[at - 2].end)
    else:
        other = before in _NO_AGE or unit == "mois"
    return age < below and (stated or not other)


def stops(part: TextPart, at: int) -> bool:
    """Return True if a sign separates a token from the one before."""
    tokens = part.folded.tokens
    return bool(set(part.folded.text[tokens[at - 1].end : tokens[at].start]) & set(".,;:!?()"))


def named_places(part: TextPart, *, quarters: bool) -> Iterator[Match]:
    """Yield schools and quarters with their names: `collège Les Aiguerelles`, `cité Gély`."""
    tokens = part.folded.tokens
    for at, token in enumerate(tokens):
        if at > 1 and token.word == "school" and tokens[at - 1].word in _GRADES and tokens[at - 2].capital:
            yield Match(at - 2, at + 1)  # `Jules-Verne primary school`
        if not (part.words.holds("school", token.word) or (quarters and token.word in _QUARTERS)):
            continue
        if at > 1 and tokens[at - 1].word in {"du", "de", "l"} and tokens[at - 2].word in _OF_STREETS | {"de"}:
            before = {token.word for token in tokens[at - 3 : at - 1]}
            if before & _OF_STREETS:  # `carrefour du lycée Guesde`
                continue
        end = at + 1
        while end < min(len(tokens), at + 4) and (
            tokens[end].word in {"de", "du", "des", "la", "le", "les", "l", "d"}
            or (part.words.holds("unnamed", tokens[end].word) and end + 1 < len(tokens) and not stops(part, end))
        ):
            end += 1
        named = end
        while end < min(len(tokens), named + 4) and tokens[end].capital and not stops(part, end):
            end += 1
        if end == named:
            end = _end_in_small_letters(part, at, named)
        if end > named:
            yield Match(at, end)


def _end_in_small_letters(part: TextPart, at: int, named: int) -> int:
    """Return one past the name of a school or quarter without capitals: `lycée mermoz`, `collège les aiguerelles`."""
    tokens = part.folded.tokens
    if named == len(tokens) or stops(part, named):
        return named
    if namesake := part.within("namesake", range(named, named + 1)):
        return namesake[0].end
    if not part.in_small_letters:
        return named
    token = tokens[named]
    typed = part.folded.typed(token.start, token.end).casefold()
    plain = typed.endswith(("é", "ée", "és", "ées")) or bool(part.within("unnamed", range(named, named + 1)))
    direct = named == at + 1 or (named == at + 2 and tokens[at + 1].word == "les")
    return named + (direct and token.word.isalpha() and len(token.word) > 2 and token.word not in CLOSING and not plain)  # noqa: PLR2004 - an article


def holders(part: TextPart, *lists: str) -> Iterator[Match]:
    """Yield who holds a function or an occupation in one place: `la trésorière du club`, `le facteur de Mèze`.

    Args:
        part: The text.
        lists: The lists of functions or occupations.
    """
    seen: set[int] = set()
    for kind in lists:
        for match in part.found.get(kind, ()):
            end = _end_of_function(part, match) if kind == "function" else 0
            end = end or _end_of_occupation(part, match)
            if end and match.first not in seen and not part.within("not_held", range(match.first, end)):
                seen.add(match.first)
                yield Match(match.first, end)


def _end_of_function(part: TextPart, match: Match) -> int:
    body = part.within("body", range(match.end, match.end + _NEAR))
    free = not part.within("not_held", range(match.first, match.end + _NEAR))
    return body[0].end if body and free else 0


def _end_of_occupation(part: TextPart, match: Match) -> int:
    """Return one past the place in which one person only has an occupation, 0 if there is none."""
    tokens = part.folded.tokens
    one = _is_one(part, match.first)
    end = match.end
    if one and part.within("body", range(match.first + 1, match.end)):  # `le patron du bar`
        return match.end
    while end < len(tokens) and tokens[end].word in _KINDS and not stops(part, end):
        end += 1
    linked = tokens[end - 1].word in _LINKS
    if not linked and (end >= len(tokens) or tokens[end].word not in _LINKS or stops(part, end)):
        return 0
    end += not linked
    while end < len(tokens) and tokens[end].word in _BETWEEN and not stops(part, end):
        end += 1
    if end >= len(tokens) or stops(part, end):
        return 0
    plain = part.words.holds("no_surname", tokens[end].word) and tokens[end].word not in {"saint", "sainte"}
    named = tokens[end].capital and not (part.in_capitals or plain)
    if not one:  # `une ancienne institutrice du village`
        return end + 1 if tokens[end].word in _SMALL else 0
    place = part.within("body", range(end, end + 1)) or part.within("corner", range(end, end + 1))
    return place[0].end if place else end + named if named else 0


def _is_one(part: TextPart, at: int) -> bool:
    """Return True if an occupation has a definite article, or is stated of a person: `, instituteur aux Matelles`."""
    tokens = part.folded.tokens
    while at and tokens[at - 1].word in _BEFORE:
        at -= 1
    if not at or stops(part, at):
        return True
    before = tokens[at - 1].word
    if before in {"un", "une"}:
        return at > 1 and tokens[at - 2].word in _WAS
    return before in _ONLY or before in _WAS
