"""House numbers, buildings, floors and flats in a text, and the text without them.

What only looks like one stays: a date in a street's name (*avenue du 8 Mai 1945*), a road (*D986*), an exit, a
kilometre, a bus line, an hour.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from policenotify.text.comparing import folded

_WAY: Final = (
    r"(?:rue|ruelle|grand['’e]?e?[ -]rue|avenue|av\.?|ave\.?|boulevard|boul\.|bd\.?|bld\.?|blvd\.?|place|pl\.?|"
    r"impasse|imp\.|all[ée]es?|all\.|chemin|ch\.|cours|quai|route|rte\.?|square|sq\.|passage|villa|cit[ée]|"
    r"r[ée]sidence|r[ée]s\.|lotissement|hameau|sentier|sente|esplanade|promenade|faubourg|fbg\.?|fg\.?|rond-point|"
    r"mail|parvis|traverse|mont[ée]e|c[ôo]te|venelle|clos|cour|galerie|voie|chauss[ée]e|carrefour|domaine|parc|"
    r"quartier)(?!\w)"
)
_SIGN: Final = r"(?:n[°ºo]s?\.?\s?|num[ée]ro\s)"
# A small `e` makes an ordinal, an `h` an hour: `2e avenue`, `18h`.
_NUMBER: Final = rf"{_SIGN}?(?<!\w)\d{{1,4}}(?:,?\s?(?:bis|ter|quater|quinquies)|(?-i:[A-Ga-df-g]|\s[A-G]))?(?!\w)"
_NUMBERS: Final = rf"{_NUMBER}(?:\s?(?:[-–/,&]|et|à)\s?{_NUMBER}){{0,4}}"
_BEHIND: Final = rf"{_NUMBER}(?:\s?(?:[-–/&]|et|à)\s?{_NUMBER}){{0,4}}"  # after a comma comes another: `8 Mai 1945, 14`
_IN_WORDS: Final = (
    r"(?<!\w)(?:(?:deux|trois|quatre|cinq|six|sept|huit|neuf|dix|onze|douze|treize|quatorze|quinze|seize|vingts?|trente|"
    r"quarante|cinquante|soixante|cents?)(?:[ -](?:et[ -])?)?(?:une?)?)+(?:\s?(?:bis|ter))?(?!\w)"
)
_AT: Final = (
    r"(?:(?:(?<!\w)(?:à\s+(?:la\s+)?hauteur|au\s+niveau|en\s+face|face|devant|derrière|près)\s+)?"
    r"(?<!\w)(?P<article>au|du|le|aux|des|les)\s+)?"
)
_OF: Final = r"\s*,?\s*(?:(?:de\s+la|du|des|de)\s+|de\s+l['’]\s?)?"
_CODE: Final = r"\s*(?:n[°º]\s?)?(?-i:\d{1,4}[A-Za-z]?|[A-Z]\d{0,3}|[IVX]{1,4})(?!\w)"
_UNIT: Final = (
    rf"(?:b[âa]timent|b[âa]t\.?|immeuble|imm\.|bloc|cage(?:\s+d['’]escalier)?|escalier|esc\.?|appartement|appart\.?|"
    rf"appt?\.?|apt\.?|logement|pavillon|maison|studio|chambre|tour|flat|apartment|building|staircase){_CODE}"
)
_NAMED_UNIT: Final = r"b[âa]t(?:iment|\.)?\s+(?-i:[A-ZÀ-Þ])[\w'’-]+"
_FLOOR: Final = (
    r"(?:\d{1,2}\s?(?:er|[èe]re|[èe]me|e|nde?)|premier|deuxi[èe]me|second|troisi[èe]me|quatri[èe]me|cinqui[èe]me|"
    r"sixi[èe]me|septi[èe]me|huiti[èe]me|neuvi[èe]me|dixi[èe]me|dernier)\s+(?:et\s+dernier\s+)?[ée]tage|"
    r"[ée]tage\s+\d{1,2}|rez[- ]de[- ]chauss[ée]e|(?-i:RDC|R\s?\+\s?\d{1,2})|\d{1,2}(?:st|nd|rd|th)\s+floor"
)
_DOOR: Final = (
    r"porte\s+(?:n[°º]\s?)?(?:\d{1,3}|(?-i:[A-Z])|gauche|droite|(?:d['’]en\s+)?face)|"
    r"entr[ée]e\s+(?:\d{1,2}|(?-i:[A-Z]))"
)
_IN: Final = r"(?:(?<!\w)(?:dans|au|du|de|le|la|à|aux)\s+|(?<!\w)l['’])*(?<!\w)"


def _pattern(form: str) -> re.Pattern[str]:
    return re.compile(form, re.IGNORECASE)


_BEFORE_WAY: Final = _pattern(rf"(?<![\w-])(?P<cut>{_AT}(?P<number>{_NUMBERS}){_OF})(?P<way>{_WAY})")
_WORDS_BEFORE_WAY: Final = _pattern(rf"(?P<cut>{_AT}(?P<number>{_IN_WORDS}){_OF})(?P<way>{_WAY})")
_BEHIND_STREET: Final = _pattern(rf"(?P<cut>,?\s+(?P<number>{_BEHIND}))\s*(?=\Z|[,;():.!?–—])")
_STREET: Final = _pattern(rf"(?<!\w){_WAY}\s[^,;()]*[^\W\d_][^,;()]*\Z")
_WAYS: Final = _pattern(rf"(?<!\w){_WAY}")
_NAME: Final = re.compile(r"\s+(?:(?:de|du|des|la|le|les)\s+|[dl]['’]\s?)*[A-ZÀ-Þ0-9]")
# Ways whose names are common nouns, too.
_NOUNS: Final = frozenset(
    {"cours", "place", "cite", "parc", "voie", "mail", "quartier", "villa", "clos", "cour", "galerie", "route"}
    | {"passage", "cote", "residence", "domaine", "square", "carrefour"}
)
_SIGNED: Final = _pattern(rf"(?P<cut>(?:(?<!\w)au\s+)?(?<!\w)(?P<number>(?:n[°º]\s?){_NUMBERS}))")
_UNITS: Final = _pattern(rf"(?P<cut>{_IN}(?P<number>{_UNIT})(?!\w))")
_NAMED_UNITS: Final = _pattern(rf"(?P<cut>{_IN}(?P<number>{_NAMED_UNIT})(?!\w))")
_FLOORS: Final = _pattern(rf"(?P<cut>{_IN}(?P<number>{_FLOOR})(?!\w))")
_DOORS: Final = _pattern(rf"(?P<cut>{_IN}(?P<number>{_DOOR})(?!\w))")

_PARTS: Final = (_UNITS, _NAMED_UNITS, _FLOORS, _DOORS)

_MONTHS: Final = (
    r"janvier|f[ée]vrier|mars|avril|mai|juin|juillet|ao[ûu]t|septembre|octobre|novembre|d[ée]cembre|january|february|"
    r"march|april|may|june|july|august|october|december"
)
_DAYS: Final = (
    "lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|monday|tuesday|wednesday|thursday|friday|saturday|sunday"
)
# What stands before a number that is none of a house.
_COUNTED: Final = _pattern(
    rf"(?:(?<!\w)(?:km|pk|pr|sorties?|[ée]changeurs?|exits?|lignes?|bus|tram(?:way)?s?|m[ée]tro|terminal|hall|quai|"
    rf"voies?|portes?|articles?|art|parking|zone|secteur|r?[adnm]|d[ée]partementale|nationale|autoroute|arr[êe]t|vol|"
    rf"train|ter|tgv|en|depuis|dès|avant|après|vers|{_MONTHS}|{_DAYS})\.?[\s-]*(?:n[°º]\s?)?|\d\s?[h:]\s?|\d[.,])\Z"
)
_DETERMINED: Final = _pattern(r"(?<!\w)(?:du|de|des|la|le|les|au|aux)\s+\Z")
_YEAR: Final = re.compile(r"(?:1[789]|20)\d\d")
_NEAR: Final = 200  # characters around a number that are looked at: the longest name of a place
_STREET_WORDS: Final = 4  # of a street's name tell it from others


class Address(NamedTuple):
    """A text without what tells a house, and what was taken out of it, as it stood there."""

    text: str
    taken: tuple[str, ...]


def without_house_number(place: str) -> Address:
    """Take house numbers, buildings, staircases, floors and flats out of the words of a place: `14 bis, rue Foch`."""
    patterns = (_BEFORE_WAY, _WORDS_BEFORE_WAY, _BEHIND_STREET, _SIGNED, _UNITS, _NAMED_UNITS, _FLOORS)
    text, taken = _cut(place, patterns)
    if taken:
        text, more = _cut(text, (_DOORS,))
        taken += more
    return Address(text, taken)


def headline_without_house_number(headline: str) -> Address:
    """Take the numbers of streets, buildings and flats out of a headline; a floor only beside one of them."""
    text, taken = _cut(headline, (_BEFORE_WAY, _BEHIND_STREET, _UNITS), prose=True)
    if taken:
        text, more = _cut(text, (_FLOORS, _DOORS))
        taken += more
    return Address(text[:1].upper() + text[1:] if taken and headline[:1] != text[:1] else text, taken)


def without_numbers_of(streets: frozenset[str], text: str) -> Address:
    """Take out of a running text the house numbers of these streets only, and what stands beside them.

    Args:
        streets: As `streets_in` gives them.
        text: One or several lines.
    """
    lines: list[str] = []
    taken: tuple[str, ...] = ()
    for line in text.split("\n"):
        kept, found = _cut(line, (_BEFORE_WAY, _SIGNED), prose=True, only=streets)
        if found:
            kept, more = _cut(kept, (_UNITS, _FLOORS, _DOORS))
            found += more
        lines.append(kept)
        taken += found
    return Address("\n".join(lines), taken)


def streets_in(text: str) -> frozenset[str]:
    """Return the first words of each street that a text names, folded for comparing."""
    return frozenset(_street(text[way.start() :]) for way in _WAYS.finditer(text))


def _street(text: str) -> str:
    return " ".join(folded(re.split(r"[,;:.!?()\n]", text[:_NEAR], maxsplit=1)[0]).split()[:_STREET_WORDS])


def _same(one: str, streets: frozenset[str]) -> bool:
    """Whether a street is one of these: of two ways to go on, one is the beginning of the other."""
    return any(f"{one} ".startswith(f"{other} ") or f"{other} ".startswith(f"{one} ") for other in streets)


def _cut(
    text: str, patterns: tuple[re.Pattern[str], ...], *, prose: bool = False, only: frozenset[str] | None = None
) -> tuple[str, tuple[str, ...]]:
    """Cut out all that the patterns find and that is of a house; once more, until nothing is found."""
    taken: list[str] = []
    before = None
    while before != text:
        before = text
        for pattern in patterns:
            found = [match for match in _of_houses(pattern, text) if _meant(match, text, prose=prose, only=only)]
            taken += (match["number"].strip(" ,") for match in found)
            if found:
                ends = [0, *(match.end("cut") for match in found)]
                starts = [*(match.start("cut") for match in found), len(text)]
                text = _joined([text[end:start] for end, start in zip(ends, starts, strict=True)])
    return text, tuple(taken)


def _meant(match: re.Match[str], text: str, *, prose: bool, only: frozenset[str] | None) -> bool:
    if only is not None and not _same(_street_of(match, text), only):
        return False
    return not (prose and "way" in match.groupdict() and _counts(match, text))


def _of_houses(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    for match in pattern.finditer(text):
        number, before = match["number"], text[: match.start("number")][-_NEAR:]
        if pattern in _PARTS:
            yield match
        elif pattern is _BEHIND_STREET:
            other = _COUNTED.search(before) or _DETERMINED.search(before) or _YEAR.fullmatch(number)
            if not other and _STREET.search(text[: match.start("cut")][-_NEAR:]):
                yield match
        elif not (_COUNTED.search(before) or (number.isdecimal() and _several(match))):
            yield match


def _street_of(match: re.Match[str], text: str) -> str:
    """Return the street of a number that stands before or behind it."""
    if "way" in match.groupdict():
        return _street(text[match.start("way") :])
    before = text[: match.start("cut")][-_NEAR:]
    ways = [way.start() for way in _WAYS.finditer(before)]
    return _street(before[ways[-1] :]) if ways else ""


def _counts(match: re.Match[str], text: str) -> bool:
    """Whether in running text it counts things and names no street: `1 voie fermée`, `3 cours de judo`."""
    noun = match["number"] == "1" or folded(match["way"]) in _NOUNS
    return noun and _NAME.match(text, match.end("way")) is None


def _several(match: re.Match[str]) -> bool:
    """Whether it counts several things: `rond-point des 4 chemins`."""
    article = match.groupdict().get("article")
    return article is not None and article.casefold() in {"des", "les", "aux"}


def _joined(pieces: list[str]) -> str:
    """Put a text together again where something was cut out: no empty brackets, no doubled or loose commas."""
    text = " ".join(piece.strip() for piece in pieces)
    text = re.sub(r"\(\s*[,;]?\s*\)", " ", text)
    text = re.sub(r"(?:\s*[,;])+(?=\s*[,;:.!?()]|\s*\Z)", "", text)
    text = re.sub(r"\s+(?=[,.)])", "", text)
    return re.sub(r"[^\S\n]{2,}", " ", text).strip(" ,;")
