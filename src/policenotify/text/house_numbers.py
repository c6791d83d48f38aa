"""Removal of house numbers, buildings, floors and flats from a text.

Other numbers stay: a date in a street's name (*avenue du 8 Mai 1945*), a road (*D986*), an exit, a kilometre, a bus
line, an hour.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from policenotify.text.comparison import fold
from policenotify.text.patterns import lazy_pattern

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
    rf"appt?\.?|apt\.?|logement|lot|pavillon|maison|studio|chambre|tour|flat|apartment|building|staircase){_CODE}"
)
_NAMED_UNIT: Final = r"b[âa]t(?:iment|\.)?\s+(?-i:[A-ZÀ-Þ])[\w'’-]+"
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
    return lazy_pattern(form, re.IGNORECASE)


_BEFORE_WAY: Final = _pattern(rf"(?<![\w-])(?P<cut>{_AT}(?P<number>{_NUMBERS}|{_IN_WORDS}){_OF})(?P<way>{_WAY})")
_ENDS: Final = r"\s*(?=\Z|[,;():.!?–—]|\d{5}(?!\d))"  # also before a postcode
_BEHIND_STREET: Final = _pattern(rf"(?P<cut>(?:,|(?<!\s))\s++(?P<number>{_BEHIND})){_ENDS}")
# Only in the words of a place: in running text, `du 12 au 14` means days.
_AT_STREET: Final = _pattern(
    rf"(?P<cut>(?:,|(?<!\s))\s++{_AT}(?P<number>{_BEHIND}|(?:(?<=,\s)|(?<=,\sau\s)){_IN_WORDS})){_ENDS}"
)
_STREET: Final = _pattern(rf"(?<!\w){_WAY}\s[^,;:!?()]*[^\W\d_][^,;:!?()]*\Z")
_WAYS: Final = _pattern(rf"(?<!\w){_WAY}")
_NAME: Final = lazy_pattern(r"\s+(?:(?:de|du|des|la|le|les)\s+|[dl]['’]\s?)*[A-ZÀ-Þ0-9]")
# Kinds of ways that are also common nouns.
_NOUNS: Final = frozenset(
    {"cours", "place", "cite", "parc", "voie", "mail", "quartier", "villa", "clos", "cour", "galerie", "route"}
    | {"passage", "cote", "residence", "domaine", "square", "carrefour", "plan", "rampe", "descente", "digue", "r"}
)
_SIGNED: Final = _pattern(
    rf"(?P<cut>(?:(?<!\w)au\s+)?(?<!\w)(?P<number>(?:n[°º]\s?|num[ée]ros?\s)(?:{_NUMBERS}|{_IN_WORDS})))"
)
_UNITS: Final = _pattern(rf"(?P<cut>{_IN}(?P<number>{_UNIT})(?!\w))")
_NAMED_UNITS: Final = _pattern(rf"(?P<cut>{_IN}(?P<number>{_NAMED_UNIT})(?!\w))")
_FLOORS: Final = _pattern(rf"(?P<cut>{_IN}(?P<number>{_FLOOR})(?!\w)(?:\s+(?:à\s+)?(?:gauche|droite)(?!\w))?)")
_DOORS: Final = _pattern(rf"(?P<cut>{_IN}(?P<number>{_DOOR})(?!\w))")

_PARTS: Final = (_UNITS, _NAMED_UNITS, _FLOORS, _DOORS)

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
_DETERMINED: Final = _pattern(r"(?<!\w)(?:du|de|des|la|le|les|au|aux)\s+\Z")
# Words before a telephone number in running text, and the beginning of a longer number.
_CALLED: Final = _pattern(
    r"(?:(?<!\w)(?:appele[rz]|compose[rz]|contacte[rz]|joindre|joignez|t[ée]l[ée]phone[rz]|pr[ée]vene[rz]|pr[ée]venir|"
    r"alerte[rz]|faites|urgences?|sms|t[ée]l|call|dial|text)\s*[.:]?\s+(?:(?:le|au|les|aux|imm[ée]diatement|vite)\s+)*"
    r"(?:\d+\s*(?:,|/|ou|et|or)\s*(?:(?:le|au)\s+)?)*|(?:(?<!\d)\d{2,4}[\s.-]){2,})\Z"
)
_FEW: Final = frozenset({"deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix"})
_YEAR: Final = lazy_pattern(r"(?:1[789]|20)\d\d")
_SHORT_FORMS: Final = {
    "r": "rue", "av": "avenue", "ave": "avenue", "boul": "boulevard", "bd": "boulevard", "bvd": "boulevard",
    "bld": "boulevard", "blvd": "boulevard", "chem": "chemin", "ch": "chemin", "pl": "place", "imp": "impasse",
    "all": "allee", "allees": "allee", "rte": "route", "sq": "square", "res": "residence", "fbg": "faubourg",
    "fg": "faubourg",
}  # fmt: skip
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


def remove_house_numbers(place: str) -> HouseNumberRemoval:
    """Remove house numbers, buildings, floors and flats from the words of a place."""
    patterns = (_UNITS, _NAMED_UNITS, _FLOORS, _BEFORE_WAY, _BEHIND_STREET, _AT_STREET, _SIGNED)
    text, removed = _cut(place, patterns)
    if removed:
        text, more = _cut(text, (_DOORS,))
        removed += more
    return HouseNumberRemoval(text, removed)


def remove_from_headline(headline: str) -> HouseNumberRemoval:
    """Remove house numbers, buildings, flats and floors beside them from a headline."""
    text, removed = _cut(headline, (_BEFORE_WAY, _BEHIND_STREET, _UNITS), prose=True)
    if removed:
        text, more = _cut(text, (_FLOORS, _DOORS), prose=True, only=street_names(text))
        removed += more
    return HouseNumberRemoval(_capitalized(text, headline), removed)


def remove_from_text(streets: frozenset[str], text: str) -> HouseNumberRemoval:
    """Remove the house numbers of these streets, and parts beside them, from a text."""
    lines: list[str] = []
    removed: tuple[str, ...] = ()
    for line in text.split("\n"):
        rest, numbers = _cut(line, (_BEFORE_WAY, _SIGNED), prose=True, only=streets)
        if numbers:
            rest, more = _cut(rest, (_UNITS, _FLOORS, _DOORS), prose=True, only=streets)
            numbers += more
        lines.append(_capitalized(rest, line))
        removed += numbers
    return HouseNumberRemoval("\n".join(lines), removed)


def _capitalized(text: str, original: str) -> str:
    """Return the text with a capital first, unless the original had a small letter."""
    return text[:1].upper() + text[1:] if original[:1].isupper() or not original[:1].isalpha() else text


def street_names(text: str) -> frozenset[str]:
    """Return the streets in a text, each up to the next punctuation mark."""
    return frozenset(_street(text[way.start() :]) for way in _WAYS.finditer(text))


def _street(text: str) -> str:
    """Return the folded beginning of a text, up to the next punctuation mark."""
    way = _WAYS.match(text)
    begin = way.end() if way else 0  # an abbreviation ends with a full stop
    name = re.split(_PAUSE, text[begin : begin + _NEAR], maxsplit=1)[0]
    kind = fold(text[:begin])
    return " ".join((_SHORT_FORMS.get(kind, kind), *fold(name).split()))


def _key(street: str) -> tuple[str, ...]:
    """Return the kind of a street and the first distinctive word of its name."""
    kind, *name = street.split()
    return kind, *[word for word in name if word not in _COMMON][:1]


def _cut(
    text: str, patterns: tuple[re.Pattern[str], ...], *, prose: bool = False, only: frozenset[str] | None = None
) -> tuple[str, tuple[str, ...]]:
    """Remove every match that is a house number, repeatedly, until none is left."""
    removed: list[str] = []
    before = None
    while before != text:
        before = text
        for pattern in patterns:
            matches = [
                match
                for match in _house_numbers(pattern, text)
                if (only is None or _is_of(only, match, text)) and not (prose and _is_other(match, text))
            ]
            if matches:
                removed += (match["number"].strip(" ,") for match in matches)
                ends = [0, *(match.end("cut") for match in matches)]
                starts = [*(match.start("cut") for match in matches), len(text)]
                text = _joined([text[end:start] for end, start in zip(ends, starts, strict=True)])
    return text, tuple(removed)


def _is_other(match: re.Match[str], text: str) -> bool:
    """Return True if the number is a telephone number, or counts things or people: `ils étaient deux, rue Foch`."""
    if fold(match["number"]) in _FEW and "," in match["cut"]:
        return True
    called = _CALLED.search(text[: match.start("number")][-_NEAR:])
    return bool(called) or ("way" in match.groupdict() and _counts(match, text))


def _house_numbers(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    for match in pattern.finditer(text):
        number, before = match["number"], text[: match.start("number")][-_NEAR:]
        if pattern in _PARTS:
            yield match
        elif pattern is _BEHIND_STREET:
            other = _COUNTED.search(before) or _DETERMINED.search(before) or _YEAR.fullmatch(number)
            if not other and _STREET.search(text[: match.start("cut")][-_NEAR:]):
                yield match
        elif not (_COUNTED.search(before) or (number.isdecimal() and _is_plural(match))):
            yield match


def _is_of(streets: frozenset[str], match: re.Match[str], text: str) -> bool:
    """Return True if one of these streets stands before or after the number."""
    behind = text[match.start("way") if "way" in match.groupdict() else match.end("cut") :][:_NEAR].lstrip(" ,)–-")
    if _WAYS.match(behind) and _key(_street(behind)) in map(_key, streets):
        return True
    before = text[: match.start("cut")][-_NEAR:].rstrip(" ,(–-")
    *_, way = (0, *(way.start() for way in _WAYS.finditer(before)))
    name = _street(before[way:])
    return not re.search(_PAUSE, before[way:]) and any(f"{street} ".startswith(f"{name} ") for street in streets)


def _counts(match: re.Match[str], text: str) -> bool:
    """Return True if a number counts things: `1 voie fermée`, `3 cours de judo`."""
    noun = match["number"] == "1" or fold(match["way"]) in _NOUNS
    return noun and _NAME.match(text, match.end("way")) is None


def _is_plural(match: re.Match[str]) -> bool:
    """Return True if the article is a plural: `rond-point des 4 chemins`."""
    article = match.groupdict().get("article")
    return article is not None and article.casefold() in {"des", "les", "aux"}


def _joined(pieces: list[str]) -> str:
    """Join the pieces around a cut without empty brackets and loose commas."""
    text = " ".join(piece.strip() for piece in pieces)
    text = re.sub(r"\(\s*+(?:[,;]\s*+)?\)", " ", text)
    text = re.sub(r"(?<![\s,;])(?:\s*[,;])+(?=\s*[,;:.!?()]|\s*\Z)", "", text)
    text = re.sub(r"(?<!\s)\s++(?:(?=[,.)])|[-–—]\s*\Z)", "", text)
    return re.sub(r"[^\S\n]{2,}", " ", text).strip(" ,;")
