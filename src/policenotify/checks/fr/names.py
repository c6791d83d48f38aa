"""Names of persons in a text: by first name, by title, by initial, by the word for a name before it."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Final

from policenotify.checks.text import TextPart
from policenotify.checks.words import Match

YEAR: Final = 2021
"""The last year of birth in the file of first names."""

_TITLES: Final = frozenset({"m", "mr", "mme", "mlle", "monsieur", "madame", "mademoiselle", "mrs", "ms", "miss"})
_RELATED: Final = frozenset({"famille", "family", "epoux", "freres", "soeurs", "veuve", "veuf", "couple", "clan"})
_LITTLE: Final = frozenset({"petit", "petite", "bebe", "oncle", "tante", "papi", "mamie"})
_BEFORE: Final = _TITLES | _RELATED | _LITTLE
_PARTICLES: Final = frozenset({"de", "d", "le", "la", "van", "von", "el", "al", "ben", "bin", "da", "di", "dos"})
_OF_PLACES: Final = _PARTICLES | {"du", "des", "les", "l", "saint", "sainte", "st", "ste"}
_LETTERED: Final = frozenset({
    "batiment", "bat", "porte", "ligne", "terminal", "parking", "hall", "plan", "zone", "bloc", "entree", "quai",
    "voie", "lot", "tram", "bus", "secteur", "escalier", "permis", "groupe", "categorie", "vitamine", "point",
})  # fmt: skip
_CLOSING: Final = frozenset({
    "a", "au", "aux", "avec", "ce", "cette", "dans", "de", "des", "du", "elle", "elles", "en", "est", "et", "etait",
    "hier", "il", "ils", "la", "le", "les", "ne", "nous", "on", "ont", "ou", "par", "pour", "que", "qui", "se", "sera",
    "serait", "si", "sur", "un", "une", "votre", "vous", "is", "was", "has", "and", "who", "in",
})  # fmt: skip
_JOINS: Final = frozenset({" ", "-", "'", ". ", " -", "- ", "_"})  # the last in the name of a file
_BEFORE_CALLED: Final = frozenset({" ", " « ", " «", " '", ' "', ": ", " : "})
_LONGEST: Final = 5  # words of a name
_NEAR: Final = 4  # words before a name in which the word for a street or an office stands
_SHORTEST: Final = 3  # letters of a last name


@cache
def first_names() -> Mapping[str, bool]:
    """Return the first names in plain small letters: False if they are common words, too."""
    packed = (files("policenotify") / "data" / f"first_names_{YEAR}.txt.gz").read_bytes()
    lines = gzip.decompress(packed).decode().split()
    return {line.removesuffix("?"): not line.endswith("?") for line in lines}


def names_in(part: TextPart, is_commune: Callable[[str], bool], known: frozenset[str]) -> list[Match]:
    """Return the names of persons in a text, in order.

    Args:
        part: The text.
        is_commune: Returns True for the name of a commune.
        known: Words of the street and the district that the message names.
    """
    famous = {at for match in part.found.get("known_name", ()) for at in range(match.first, match.end)}
    is_commune = cache(is_commune)  # it reads a database, and a text has the same name again and again
    names: list[Match] = []
    at = 0
    while at < len(part.tokens):
        name = None
        if at not in famous:
            name = Match(at, _end(part, at)) if _is_introduced(part, at) else None
            if name is None and part.tokens[at].word not in known:
                name = _standing_alone(part, at)
                if name and (_is_of_a_place(part, name) or is_commune(part.original[slice(*part.span(name))])):
                    name = None
        if name:
            names.append(name)
        at = name.end if name else at + 1
    return names


def _standing_alone(part: TextPart, at: int) -> Match | None:
    """Return the name that begins at a word, from the form of the words."""
    word = part.tokens[at].word
    sure = None if word in {"saint", "sainte", "st", "ste"} else first_names().get(word)
    if sure is None:
        if not part.tokens[at].capital:  # as most words
            return None
        return _by_initial(part, at) or _last_name_first(part, at) or _unlisted(part, at)
    if part.tokens[at].capital:
        end = _end(part, at)
        if end == at + 2 and part.words.holds("no_surname", part.tokens[at + 1].word):
            end = at + 1
        if end == at + 1 and part.starts(at - 1, "un", "une") and part.gap(at - 1) == " ":
            return None  # a car: `une Mégane`
        named = (sure or end > at + 1) and not _is_joined(part, at, end)
        return Match(at, end) if named else None
    french = part.language.startswith("fr") and sure and not _is_in_address(part, at)
    return Match(at, at + 1) if french else None


def _is_joined(part: TextPart, at: int, end: int) -> bool:
    """Return True for `Fernand-Léger`: streets and schools are spelt so, and of persons only compound first names."""
    joined = end > at + 1 and all(part.gap(place) == "-" for place in range(at, end - 1))
    return joined and part.tokens[end - 1].word not in first_names()


def _is_introduced(part: TextPart, at: int) -> bool:
    """Return True after a title or a word for a name: `Mme Garcia`, `le nommé Sandro`, `la famille Cazalis`."""
    token, before = part.tokens[at], part.tokens[at - 1]
    introduces = part.words.holds("called", before.word) or part.words.holds("service_rank", before.word)
    if not at or not (introduces or before.word in _BEFORE) or token.word in _CLOSING:
        return False
    if part.words.holds("no_surname", token.word):
        return False
    gap = part.gap(at - 1)
    listed, lettered = token.word in first_names(), token.word.isalpha()
    named = token.capital and lettered
    if before.word in _TITLES and gap in {" ", ". ", "."}:
        metres = before.word == "m" and (gap == " " or not before.capital)
        office = any(part.words.holds(kind, token.word) for kind in ("office", "rank"))
        return not (metres or office) and (named or (lettered and gap == " "))
    if gap in _BEFORE_CALLED and part.words.holds("called", before.word):
        return lettered and len(token.word) > 1 and (token.capital or listed)
    ranked = part.words.holds("service_rank", before.word) and part.has("unit")
    related = before.word in _RELATED and not part.in_capitals
    little = before.word in _LITTLE and listed and not before.capital
    return named and gap == " " and (ranked or related or little)


def _end(part: TextPart, at: int) -> int:
    """Return one past the last word of a name that begins at a word."""
    tokens, end = part.tokens, at + 1
    while end < min(len(tokens), at + _LONGEST) and part.gap(end - 1) in {*_JOINS, ""}:
        if part.gap(end - 1) == ". " and len(tokens[end - 1].word) > 1:
            break  # a sentence ends here, as it does not after an initial
        particle = tokens[end].word in _PARTICLES and end + 1 < len(tokens) and part.gap(end) in _JOINS
        if tokens[end].capital:
            end += 1
        elif particle and end == at + 1 and tokens[end + 1].capital:
            end += 2
        else:
            break
    return end


def _is_in_address(part: TextPart, at: int) -> bool:
    """Return True if a word is part of an address, a site, an account or a compound."""
    token = part.tokens[at]
    before, after = part.text[token.start - 1 : token.start], part.text[token.end : token.end + 2]
    return before in set("@./_-'") or after[:1] in set("@/_-") or (after[:1] == "." and after[1:].isalnum())


def _by_initial(part: TextPart, at: int) -> Match | None:
    """Return `K. Benrahma`, but not `bâtiment K. Sortez`."""
    token = part.tokens[at]
    if len(token.word) > 1 or not token.capital or part.gap(at) not in {". ", "."} or at + 1 >= len(part.tokens):
        return None
    following = part.tokens[at + 1]
    named = following.capital and len(following.word) >= _SHORTEST and following.word.isalpha()
    lettered = at and part.tokens[at - 1].word in _LETTERED
    if not named or lettered or following.word.endswith("ez") or part.words.holds("no_surname", following.word):
        return None
    return Match(at, _end(part, at + 1))


def _last_name_first(part: TextPart, at: int) -> Match | None:
    """Return `DUPUIS Karim`, but not `COLLÈGE Victor-Hugo`."""
    token, following = part.tokens[at], part.tokens[at + 1] if at + 1 < len(part.tokens) else None
    if following is None or not token.capitals or len(token.word) < _SHORTEST or not token.word.isalpha():
        return None
    known = first_names().get(following.word)
    free = any(part.words.holds(name, token.word) for name in ("no_surname", "street", "unit"))
    if free or not known or not following.capital or following.capitals or part.gap(at) != " ":
        return None
    return Match(at, _end(part, at + 1))


def _unlisted(part: TextPart, at: int) -> Match | None:
    """Return two capitals that no list knows, with an age or an arrest behind them: `Oumou Sacramento, 40 ans`."""
    both = part.tokens[at : at + 2]
    if len(both) < 2 or part.gap(at) not in {" ", "-"} or part.in_capitals:  # noqa: PLR2004 - two words
        return None
    lists = ("no_surname", "street", "unit", "body", "rank", "office")
    plain = all(each.capital and each.word.isalpha() and len(each.word) >= _SHORTEST for each in both)
    if not plain or any(part.words.holds(name, each.word) for each in both for name in lists):
        return None
    end = _end(part, at)
    return Match(at, end) if _is_followed(part, end) else None


def _is_followed(part: TextPart, end: int) -> bool:
    """Return True if an age or what happened to a person follows: `, 50 ans`, ` a été interpellé`."""
    if end >= len(part.tokens) or part.gap(end - 1) not in {" ", ", ", " (", " - "}:
        return False
    aged = part.tokens[end].word.isdigit() and part.starts(end + 1, "ans", "years")
    return aged or bool(part.within("told", range(end, end + 1)))


def _is_of_a_place(part: TextPart, name: Match) -> bool:
    """Return True if a street, a school, a firm or an office bears the name: `rue Jean-Moulin`, `le préfet Martin`."""
    if part.starts(name.first - 1, "saint", "sainte", "st", "ste"):
        return True
    if part.starts(name.first - 1, "chez") and (part.tokens[name.first - 1].capital or name.end == name.first + 1):
        return True
    for number in range(1, min(_NEAR, name.first) + 1):
        token, gap = part.tokens[name.first - number], part.gap(name.first - number)
        abbreviated = gap == ". " and len(token.word) <= _SHORTEST
        if (not abbreviated and not set(".;!?:\n").isdisjoint(gap)) or ("," in gap and number > 1):
            return False
        if any(part.words.holds(kind, token.word) for kind in ("street", "office")):
            return True
        if not (token.word in _OF_PLACES or token.capital or part.words.holds("rank", token.word)):
            return False
    return False
