"""Removal of house numbers, buildings, floors and flats from a text.

Other numbers stay: a date in a street's name (*avenue du 8 Mai 1945*), a road (*D986*), an exit, a kilometre, a bus
line, an hour.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from policenotify.text.comparison import fold

# The engine compares every word of an alternative without case. A look at the next character spares it most of that.
_WAY: Final = (
    r"(?=\w)(?:(?:vieux|vieil|vieille|ancien|ancienne|petite?|grande?|nouveau|nouvelle|haute?|basse?)\s+)?"
    r"(?:rue|r\.|r(?=\s+d(?:e|es|u)\s)|ruelle|grand(?:e|['’])?[ -]?rue|avenue|av\.?|ave\.?|boulevard|"
    r"boul\.?|bv?d\.?|blv?d\.?|place|pl\.?|impasse|imp\.|all[ée]es?|all\.|chemin|ch\.|chem\.?|cours|quai|route|rte\.?|square|sq\.|"
    r"passage|villa|cit[ée]|r[ée]sidence|r[ée]s\.|lotissement|hameau|sentier|sente|esplanade|promenade|"
    r"faubourg|fbg\.?|fg\.?|rond[ -]point|"
    r"(?-i:ZAC|ZA|ZI)|mas|rampe|enclos|plan|lieu[ -]dit|digue|corniche|descente|draille|"
    r"mail|parvis|traverse|mont[ée]e|c[ôo]te|venelle|clos|cour|galerie|voie|chauss[ée]e|carrefour|domaine|parc|"
    r"quartier)(?!\w)"
)
_SIGN: Final = r"(?:n[°ºo]s?\.?\s?|num[ée]ros?\s|num\.\s?|#)"
# Without the suffixes of an ordinal and an hour: `2e avenue`, `18h`.
_NUMBER: Final = rf"{_SIGN}?(?<!\w)\d{{1,4}}(?:,?\s?(?:bis|ter|quater|quinquies)|(?-i:[A-Ga-df-g]|\s[A-G]))?(?!\w)"
_NUMBERS: Final = rf"{_NUMBER}(?:\s?(?:[-–/,&]|et|ou|à|au)\s?(?:(?:le|la|du|au)\s)?{_NUMBER}){{0,4}}"
# The same without the comma, which separates two numbers: `8 Mai 1945, 14`.
_BEHIND: Final = rf"{_NUMBER}(?:\s?(?:[-–/&]|et|ou|à|au)\s?(?:(?:le|la|du|au)\s)?{_NUMBER}){{0,4}}"
_IN_WORDS: Final = (
    r"(?<!\w)(?=\w)(?:(?:mille|deux|trois|quatre|cinq|six|sept|huit|neuf|dix|onze|douze|treize|quatorze|quinze|seize|vingts?|trente|"
    r"quarante|cinquante|soixante|cents?)(?:[ -](?:et[ -])?)?(?:une?)?)+(?:\s?(?:bis|ter))?(?!\w)"
)
_AT: Final = (
    r"(?:(?=\w)(?:(?<!\w)(?:à\s+(?:la\s+)?hauteur|au\s+niveau|en\s+face|face|devant|derrière|près|entre)\s+)?"
    r"(?<!\w)(?P<article>au|du|le|aux|des|les)\s+)?"
)
_OF: Final = r"\s*,?\s*(?:(?:de\s+la|du|des|de)\s+|de\s+l['’]\s?)?"
_CODE: Final = r"\s*(?:n[°º]\s?)?(?-i:\d{1,4}[A-Za-z]?|[A-Z]\d{0,3}|[IVX]{1,4})(?!\w)"
_UNIT: Final = (
    rf"(?=\w)(?:b[âa]timent|b[âa]t\.?|immeuble|imm\.|bloc|cage(?:\s+d['’]escalier)?|escalier|esc\.?|appartement|appart\.?|"
    rf"appt?\.?|apt\.?|logement|lot|pavillon|maison|studio|chambre|tour|flat|apartment|building|staircase){_CODE}|"
    r"b[âa]t(?:iment|\.)?\s+(?-i:[A-ZÀ-Þ])[\w'’-]+"
)
_FLOOR: Final = (
    r"(?:\d{1,2}\s?(?:er|[èe]re|[èe]me|e|nde?)|premier|deuxi[èe]me|second|troisi[èe]me|quatri[èe]me|cinqui[èe]me|"
    r"sixi[èe]me|septi[èe]me|huiti[èe]me|neuvi[èe]me|dixi[èe]me|dernier)\s+(?:et\s+dernier\s+)?(?:[ée]tage|[ée]t\.?(?!\w))|"
    r"[ée]tage\s+\d{1,2}|rez[- ]de[- ]chauss[ée]e|(?-i:RDC|R\s?\+\s?\d{1,2})|\d{1,2}(?:st|nd|rd|th)\s+floor"
)
_DOOR: Final = (
    r"porte\s+(?:n[°º]\s?)?(?:\d{1,3}|(?-i:[A-Z])|gauche|droite|(?:d['’]en\s+)?face)|"
    r"entr[ée]e\s+(?:\d{1,2}|(?-i:[A-Z]))"
)
_IN: Final = r"(?:(?<!\w)(?=\w)(?:(?:dans|au|du|de|le|la|à|aux)\s+|l['’]))*(?<!\w)(?=\w)"


def _pattern(form: str) -> re.Pattern[str]:
    return re.compile(form, re.IGNORECASE)


_WAYS: Final = _pattern(rf"(?<!\w){_WAY}")
_BEFORE_WAY: Final = _pattern(rf"(?<![\w-]){_AT}(?P<number>{_NUMBERS}|{_IN_WORDS}){_OF}\Z")
_BEHIND_STREET: Final = _pattern(  # also before a postcode
    rf"(?:,|(?<!\s))\s++{_AT}(?P<number>{_BEHIND}|(?:(?<=,\s)|(?<=,\sau\s)){_IN_WORDS})"
    r"(?=\s*(?:\Z|[,;():.!?–—]|\d{5}(?!\d)))"
)
_SIGNED: Final = _pattern(rf"(?:(?<!\w)au\s+)?(?<!\w)(?P<number>(?:n[°º]\s?|num[ée]ros?\s)(?:{_NUMBERS}|{_IN_WORDS}))")
_UNITS: Final = _pattern(rf"{_IN}(?P<number>{_UNIT})(?!\w)")
_FLOORS: Final = _pattern(rf"{_IN}(?P<number>{_FLOOR})(?!\w)(?:\s+(?:à\s+)?(?:gauche|droite)(?!\w))?")
_DOORS: Final = _pattern(rf"{_IN}(?P<number>{_DOOR})(?!\w)")
_BETWEEN: Final = re.compile(r"[\s,)–-]*")  # a number and the street behind it
_STREET: Final = re.compile(r"\s[^,;:!?()]*[^\W\d_][^,;:!?()]*")  # the rest of a street's name, in the words of a place
# The same in prose, with nothing behind it.
_NAMED_STREET: Final = re.compile(
    r"(?:\s+(?:(?:de|du|des|la|le|les)(?!\w)|(?:[dl]['’]\s?)?[A-ZÀ-Þ0-9](?:[\w'’-]*|\w{0,2}\.)))+"
)
_NAME: Final = re.compile(r"\s+(?:(?:de|du|des|la|le|les)\s+|[dl]['’]\s?)*[A-ZÀ-Þ0-9]")
# Kinds of ways that are also common nouns.
_NOUNS: Final = frozenset(
    {"cours", "place", "cite", "parc", "voie", "mail", "quartier", "villa", "clos", "cour", "galerie", "route"}
    | {"passage", "cote", "residence", "domaine", "square", "carrefour", "plan", "rampe", "descente", "digue", "r"}
)
_ADDRESS: Final = (_UNITS, _FLOORS, _BEFORE_WAY, _BEHIND_STREET, _SIGNED)
_PROSE: Final = (_BEFORE_WAY, _BEHIND_STREET, _SIGNED)
_PARTS: Final = (_UNITS, _FLOORS, _DOORS)

_MONTHS: Final = (
    r"janvier|f[ée]vrier|mars|avril|mai|juin|juillet|ao[ûu]t|septembre|octobre|novembre|d[ée]cembre|january|february|"
    r"march|april|may|june|july|august|october|december"
)
_DAYS: Final = (
    "lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|monday|tuesday|wednesday|thursday|friday|saturday|sunday"
)
# Words before a number that is not a house number.
_COUNTED: Final = _pattern(
    rf"(?=\w)(?:(?<!\w)(?:km|pk|pr|sorties?|[ée]changeurs?|exits?|lignes?|bus|tram(?:way)?s?|m[ée]tro|terminal|hall|quai|"
    rf"voies?|portes?|articles?|art|parking|zone|secteur|r?[adnm]|d[ée]partementale|nationale|autoroute|arr[êe]t|vol|"
    rf"train|ter|tgv|en|depuis|dès|avant|après|vers|{_MONTHS}|{_DAYS})\.?[\s-]*(?:n[°º]\s?)?|\d\s?[h:]\s?|\d[.,])\Z"
)
# Words before a telephone number in running text, and the beginning of a longer number.
_CALLED: Final = _pattern(
    r"(?:(?<!\w)(?:appele[rz]|compose[rz]|contacte[rz]|joindre|joignez|t[ée]l[ée]phone[rz]|pr[ée]vene[rz]|pr[ée]venir|"
    r"alerte[rz]|faites|urgences?|sms|t[ée]l|call|dial|text)\s*[.:]?\s+(?:(?:le|au|les|aux|imm[ée]diatement|vite)\s+)*"
    r"(?:\d+\s*(?:,|/|ou|et|or)\s*(?:(?:le|au)\s+)?)*|(?:(?<!\d)\d{2,4}[\s.-]){2,})\Z"
)
_PLURAL: Final = frozenset({"des", "les", "aux"})
_FEW: Final = frozenset({"deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix"})
_YEAR: Final = re.compile(r"(?:1[789]|20)\d\d")
_NEAR: Final = 200  # characters around a number that decide: the longest name of a place
_PAUSE: Final = r"[,;:!?()\n]|\.(?!\w)(?<!\b\w\.)(?<!\b\w\w\.)(?<!\b\w{3}\.)"  # not an abbreviation: `av. du Dr. Pezet`
_COMMON: Final = frozenset(
    {"de", "du", "des", "d", "la", "le", "les", "l", "general", "marechal", "docteur", "dr", "president", "saint"}
    | {"sainte", "st", "ste", "jean", "pierre", "paul"}
)


class HouseNumberRemoval(NamedTuple):
    """A text without house numbers, and the removed parts as they were written."""

    text: str
    removed: tuple[str, ...]


def remove_house_numbers(
    text: str, streets: frozenset[str] | None = None, *, units: bool = False
) -> HouseNumberRemoval:
    """Remove house numbers, and the building, floor, door and flat beside them.

    Args:
        text: The words of a place, or prose.
        streets: In prose, the `street_names` whose numbers are removed. `None`: the text is nothing but a place.
        units: In prose, buildings and flats are removed without a street beside them, too.
    """
    lines: list[str] = []
    removed: list[str] = []
    for line in text.split("\n"):
        rest, numbers = _cut(line, _ADDRESS if streets is None else _PROSE, streets)
        if units:
            rest, more = _cut(rest, (_UNITS,), None)
            numbers += more
        if numbers:
            rest, more = _cut(rest, _PARTS, streets)
            numbers += more
        begins = streets is not None and (line[:1].isupper() or not line[:1].isalpha())
        lines.append(rest[:1].upper() + rest[1:] if begins else rest)
        removed += numbers
    return HouseNumberRemoval("\n".join(lines), tuple(removed))


def street_names(text: str) -> frozenset[str]:
    """Return what distinguishes each street in a text: the first distinctive word of its name."""
    return frozenset(_name(way, text) for way in _WAYS.finditer(text))


def _name(way: re.Match[str], text: str) -> str:
    words = fold(re.split(_PAUSE, text[way.end() :][:_NEAR], maxsplit=1)[0]).split()
    return next((word for word in words if word not in _COMMON), fold(way[0]))


def _cut(text: str, patterns: tuple[re.Pattern[str], ...], streets: frozenset[str] | None) -> tuple[str, list[str]]:
    """Remove every match that is a house number, repeatedly, until none is left."""
    removed: list[str] = []
    before, ways = None, list(_WAYS.finditer(text))
    while before != text:
        before = text
        for pattern in patterns:
            found = _before_ways(text, ways) if pattern is _BEFORE_WAY else pattern.finditer(text)
            cuts = [match for match in found if _is_at_street(pattern, match, ways, streets)]
            if cuts:
                removed += (match["number"].strip(" ,") for match in cuts)
                ends = [0, *(match.end() for match in cuts)]
                starts = [*(match.start() for match in cuts), len(text)]
                text = _joined([text[end:start] for end, start in zip(ends, starts, strict=True)])
                ways = list(_WAYS.finditer(text))
    return text, removed


def _before_ways(text: str, ways: list[re.Match[str]]) -> Iterator[re.Match[str]]:
    found = (_BEFORE_WAY.search(text, max(0, way.start() - _NEAR), way.start()) for way in ways)
    return filter(None, found)


def _is_at_street(
    pattern: re.Pattern[str], match: re.Match[str], ways: list[re.Match[str]], streets: frozenset[str] | None
) -> bool:
    """Return True if a number is a house number: beside a street, in prose beside one of these."""
    text, head = match.string, match.string[: match.start()].rstrip(" ,(–-")
    if _is_counted(pattern, match):
        return False
    earlier = [way for way in ways if len(head) - _NEAR <= way.start() < way.end() <= len(head)]
    if streets is None:
        return pattern is not _BEHIND_STREET or any(_STREET.fullmatch(head, way.end()) for way in earlier)
    way = next((way for way in ways if way.start() >= match.end()), None)
    if way and _BETWEEN.fullmatch(text, match.end(), way.start()) and _name(way, text) in streets:
        return not _is_other(match, way, may_count=pattern is _BEFORE_WAY)
    if pattern is _BEHIND_STREET and (match["article"] or _YEAR.fullmatch(match["number"])):
        return False  # `du 12 au 14` means days
    return next((_name(way, head) in streets for way in earlier if _NAMED_STREET.fullmatch(head, way.end())), False)


def _is_counted(pattern: re.Pattern[str], match: re.Match[str]) -> bool:
    """Return True if the number is that of a road, an exit or a day: `des 4 chemins`, `sortie 31`."""
    if pattern in _PARTS:
        return False
    plural = (match.groupdict().get("article") or "").casefold() in _PLURAL and match["number"].isdecimal()
    return plural or _COUNTED.search(match.string[: match.start("number")][-_NEAR:]) is not None


def _is_other(match: re.Match[str], way: re.Match[str], *, may_count: bool) -> bool:
    """Return True for a telephone number, and one that counts: `ils étaient deux, rue Foch`, `1 voie fermée`."""
    number = fold(match["number"])
    if (number in _FEW and "," in match[0]) or _CALLED.search(match.string[: match.start("number")][-_NEAR:]):
        return True
    counts = may_count and (number == "1" or fold(way[0]) in _NOUNS)
    return counts and _NAME.match(way.string, way.end()) is None


def _joined(pieces: list[str]) -> str:
    """Join the pieces around a cut without empty brackets and loose commas."""
    text = " ".join(piece.strip() for piece in pieces)
    text = re.sub(r"\(\s*+(?:[,;]\s*+)?\)", " ", text)
    text = re.sub(r"(?<![\s,;])(?:\s*[,;])+(?=\s*[,;:.!?()]|\s*\Z)", "", text)
    text = re.sub(r"(?<!\s)\s++(?:(?=[,.)])|[-–—]\s*\Z)", "", text)
    return re.sub(r"[^\S\n]{2,}", " ", text).strip(" ,;")
