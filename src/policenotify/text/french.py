"""French: the articles and prepositions before names of places, and the no-break spaces of typography.

*Le Crès* is a name with an article, which merges with the preposition before it: *du Crès*. So does *Les
Matelles*. *La Grande-Motte* and *L'Haÿ-les-Roses* keep theirs.

The spaces are those of the *Lexique des règles typographiques en usage à l'Imprimerie nationale* (2002), "Ponctuation"
and "Nombres". It asks for a thin space in some of these places. U+00A0 is used instead: U+202F weighs twice as much on
X, and some telephones show it as a box.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from policenotify.text.comparison import strip_accents

NO_BREAK: Final = "\N{NO-BREAK SPACE}"

_UNIT: Final = (
    r"(?:[%‰€$£°]|(?:km/h|kWh|kW|MW|dB|min|[ckm]?m[²³]|[cdkm]?m|[cdkm]?[lL]|[km]?g|ha|[hst])(?![\w'’²³/]))"  # SI, and h
)
_SPACE: Final = re.compile(
    rf"""
    [ ] (?:
      (?= » | [:;] (?: [\s»] | \Z ) | [!?]++ (?! \w ) )         # « Attention ! », but no emoticon and no 18:30
    | (?<= «[ ] )
    | (?<= [0-9][ ] ) (?= {_UNIT} )
    | (?<= [0-9][ {NO_BREAK}]h[ ] ) (?= [0-9]{{2}} (?! [0-9] ) )   # 18 h 30
    | (?<= \b[nN]°[ ] ) (?= [0-9] )
    )
    """,
    re.VERBOSE,
)
_NUMBERS: Final = re.compile(rf"(?<![\w.,+])\+?[0-9]++(?:[ {NO_BREAK}][0-9]++)++")
_THOUSANDS: Final = re.compile(rf"(?!116.)[1-9][0-9]{{0,2}}(?:[ {NO_BREAK}][0-9]{{3}})+")
_MERGED: Final = {"le": "du", "les": "des"}
# Communes whose H is silent. Before any other one `de` is right or usual, as in Alsace.
_SILENT_H: Final = re.compile(r"H(?:y|éri|érou|érault|énin|endaye|irson|eyrieux|erblay)", re.IGNORECASE)
_ROAD: Final = re.compile(r"[A-Z]{1,3} ?[0-9]{1,4}[A-Z]?[0-9]*")
_EXIT: Final = re.compile(r"(sortie|échangeur|diffuseur) (?:n° ?)?(\w+)", re.IGNORECASE)
_FEMININE: Final = frozenset(
    {"rue", "ruelle", "avenue", "av", "ave", "place", "impasse", "allee", "route", "cite", "residence", "promenade"}
    | {"esplanade", "montee", "cote", "venelle", "cour", "voie", "chaussee", "sortie", "gare", "station", "traverse"}
    | {"rampe", "digue", "corniche", "porte", "mairie", "prefecture", "rocade", "bretelle", "departementale"}
    | {"nationale", "grand rue", "grande rue", "plage", "poste", "zone"}
)
_MASCULINE: Final = frozenset(
    {"boulevard", "bd", "chemin", "cours", "quai", "square", "passage", "rond", "carrefour", "pont", "faubourg"}
    | {"sentier", "mail", "parvis", "tunnel", "echangeur", "giratoire", "parc", "centre", "peage", "viaduc", "port"}
    | {"lycee", "college", "stade", "musee", "theatre", "marche", "parking", "canal"}
)
_PLURAL: Final = frozenset({"allees", "quais", "halles", "arenes", "rues", "avenues"})


def is_road(name: str) -> bool:
    """Return True if a name is that of a numbered road: `A9`, `D986`."""
    return _ROAD.fullmatch(name) is not None


def of(name: str) -> str:
    """Return what belongs to a place: `du Crès`, `d'Agde`, `de L'Haÿ-les-Roses`."""
    article, _, rest = name.partition(" ")
    if article.lower() in _MERGED and rest[:1].isupper():
        return f"{_MERGED[article.lower()]} {rest}"
    return f"d'{name}" if _is_elided(name) else f"de {name}"


def with_article(way: str) -> str:
    """Return a street, a road or a building with its article: `la rue Foch`, `l'A9`, `le pont`.

    What begins with no known kind of way stays, such as the name of a town, and what has an article already.
    """
    first = strip_accents(re.split(r"[\s.'’-]", way.casefold(), maxsplit=1)[0])
    if is_road(way):
        return f"l'{way}" if way[0] in "AE" else f"la {way}"
    if first not in _PLURAL | _FEMININE | _MASCULINE:
        return way
    way = way[:1].lower() + way[1:]
    if first in _PLURAL:
        return f"les {way}"
    return f"l'{way}" if _is_elided(way) else f"{'la' if first in _FEMININE else 'le'} {way}"


def between(first: str, second: str) -> tuple[str, str]:
    """Return two ends of a stretch as they follow *entre*: `la rue Foch` and `l'avenue de Toulouse`.

    Two exits share their noun: `les sorties 31` and `32`.
    """
    start, end = _EXIT.fullmatch(first), _EXIT.fullmatch(second)
    if start and end and start[1].casefold() == end[1].casefold():
        return f"les {start[1].lower()}s {start[2]}", end[2]
    return with_article(first), with_article(second)


def _is_elided(name: str) -> bool:
    plain = strip_accents(name.casefold().replace("œ", "oe").replace("æ", "ae"))
    if plain.startswith("h"):
        return _SILENT_H.match(name) is not None
    # Y is a vowel before a consonant: d'Yvetot, but de Yutz.
    return plain[:1] in tuple("aeiou") or (plain[:1] == "y" and plain[1:2] not in tuple("aeiou"))


@lru_cache(maxsize=64)  # the networks of a message have the same parts
def set_no_break_spaces(text: str) -> str:
    """Replace the spaces of a French text that must not break with no-break spaces.

    These are the spaces before `: ; ! ?` and `»`, after `«`, between a number and its unit (`18 h 30`, `1,72 m`,
    `n° 12`) and inside a large number (`1 200`). A thin no-break space becomes an ordinary one. No space is added, and
    `18:30`, an emoticon or a telephone number (116 000 too) stays: telephones dial only numbers with plain spaces. The
    space after an address with a scheme stays, because Mastodon takes a no-break space as part of the query.
    """
    text = _NUMBERS.sub(_number, text.replace("\N{NARROW NO-BREAK SPACE}", NO_BREAK))
    return _SPACE.sub(_unless_after_address, text)


def _unless_after_address(match: re.Match[str]) -> str:
    text, at = match.string, match.start()
    return " " if "://" in text[text.rfind(" ", 0, at) + 1 : at] else NO_BREAK


def _number(match: re.Match[str]) -> str:
    return match[0].replace(" ", NO_BREAK) if _THOUSANDS.fullmatch(match[0]) else match[0]
