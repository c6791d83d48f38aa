"""Guard of homes: house numbers with their street, and flats."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from policenotify.checks.check import CheckContext, Hit, every_text, rule
from policenotify.checks.folds import FoldedText
from policenotify.checks.identifiers import found
from policenotify.checks.identity import JUDICIAL
from policenotify.checks.words import TextPart
from policenotify.findings import Level
from policenotify.model.message import Category
from policenotify.render.redaction import house_numbers
from policenotify.text.patterns import lazy_pattern

_OF_HOUSES: Final = frozenset({Category.FIRE, Category.TRAFFIC_ACCIDENT})
_STREET: Final = (
    r"(?:rue|avenue|av\.?|boulevard|bd\.?|place|impasse|allees?|chemin|cours|quai|route|square|passage|cite|residence"
    r"|lotissement|faubourg|traverse|montee|esplanade|promenade|villa|hameau|ruelle|venelle|clos)(?!\w)"
)
_TENS: Final = (
    r"(?:cents?|deux|trois|quatre|cinq|six|sept|huit|neuf|dix|onze|douze|treize|quatorze|quinze|seize|vingts?|trente"
    r"|quarante|cinquante|soixante)"
)
_IN_WORDS: Final = rf"{_TENS}(?:[-\s](?:et[-\s])?(?:une?(?!\w)|{_TENS})){{0,5}}"
_NUMBER: Final = rf"(?:\d{{1,4}}(?: ?(?:bis|ter|quater)(?!\w)| ?[a-d](?!\w))?|{_IN_WORDS})"
_HOUSE: Final = lazy_pattern(
    r"(?<![\w.,/])(?:n ?° ?)?\d{1,4}(?: ?(?:bis|ter|quater)(?!\w)| ?[a-d](?!\w))?,? (?:(?:de la|de l'|du|des|de) ?)?"
    rf"{_STREET}"
)
# `cent quatorze de la rue`; `chemin de Moularès, au numéro vingt-sept`, `avenue de l'Agau 112.`
_HOUSE_IN_WORDS: Final = lazy_pattern(
    rf"(?<![\w.,/-])(?:numero )?{_IN_WORDS} (?:(?:de la|de l'|du|des|de) ?)?{_STREET}"
)
_HOUSE_BEHIND: Final = lazy_pattern(
    rf"(?<!\w){_STREET}(?:[ '-][^\W\d_]+){{1,6}}(?:,? (?:au |situee? au |sise? au )?(?:numero|n ?°|no) ?{_NUMBER}(?!\w)"
    r"|,? (?!19\d\d|20\d\d)\d{1,3}(?: ?(?:bis|ter))?(?= ?(?:[;:!?)]|- |,(?! ?\d)|\.(?!\d)|$)))"
)
_FLAT: Final = lazy_pattern(
    r"(?<!\w)(?:(?:appartement|appart|apt|logement|batiment|bat\.?|escalier|cage|chambre|villa|pavillon|chalet|studio"
    r"|bungalow|mobil[ -]home|emplacement|caravane|lot) (?:n ?° ?|numero )?(?:\d{1,4}|[a-f])(?!\w)|"
    r"(?:\d{1,2} ?(?:er|e|eme)|premier|deuxieme|troisieme|quatrieme|cinquieme|sixieme|septieme|huitieme|dernier)"
    r" etage(?!\w)|"
    r"(?:immeuble|bloc) (?:n ?° ?)?(?:\d{1,3}|[a-f])(?!\w)|"
    r"(?:premiere|deuxieme|troisieme|quatrieme|seconde|derniere|\d{1,2}e) porte(?!\w)|"
    r"(?:premier|deuxieme|troisieme|quatrieme|dernier|\d{1,2}(?:er|e|eme)) (?:niveau|palier)(?!\w)|"
    r"(?:studio|appartement|logement|chambre|villa|pavillon|mobil[ -]home), (?:le |la |numero |n ?° ?)?\d{1,4}(?!\w)|"
    r"(?:hall|entree|porte|palier|bloc|tour) (?:n ?° ?)?(?:\d{1,3}|[a-f]),?"
    r" (?:porte|palier|etage|hall) (?:n ?° ?)?\d{1,3}(?!\w)|"
    r"(?:rez[ -]de[ -]chaussee|etage),? (?:(?:porte|chambre|studio) (?:n ?° ?)?\d{1,3}|a (?:gauche|droite))(?!\w))"
)
# A number after words that lead to a house. What a month, a unit or another word follows is none.
_BESIDE_STREET: Final = lazy_pattern(
    r"(?<!\w)(?:(?:a (?:la )?hauteur|au niveau|en face|au pied|au droit|a cote|pres|a l'angle) du|entre le|devant le"
    r"|face au|depuis le|derriere le|cote (?:im)?pair,?|,? au|, le|numero|n ?°) ?(?:numero |n ?° ?)?"
    r"(?!17\b|112\b|18\b|15\b|11[0-9]\b|3\d\d\d\b|0)"  # telephone numbers
    rf"(?:\d{{1,3}}(?: ?(?:bis|ter|quater))?|{_IN_WORDS})(?: et le \d{{1,3}})?"
    r"(?=[.,;:!?)]|$| (?:et|pour|ou|vers|depuis|ce|cette|a l|a la|a mo|-) ?)"
)
_HOURS: Final = lazy_pattern(
    r"(?: et)?(?: le)? ?\d{0,3} ?(?:h|heures?|ans|km|juin|juillet|aout|septembre|octobre|novembre|decembre|janvier"
    r"|fevrier|mars|avril|mai|euros?|m|metres?|minutes?)(?!\w)|[.,]\d"
)
_A_STREET: Final = lazy_pattern(_STREET)
_STREET_WITHIN: Final = 8  # words before a number in which its street stands
_OF_FLATS: Final = (
    "app", "apt", "log", "bat", "esc", "cage", "etage", "chaussee", "chambre", "villa", "pavillon", "chalet", "studio",
    "bungalow", "home", "emplacement", "caravane", "lot", "hall", "porte", "palier",
    "immeuble", "bloc", "niveau",
)  # fmt: skip
"""What any word for a flat has."""

_COUNTED: Final = lazy_pattern(
    r"(?:(?<!\w)(?:lignes?|sorties?|km|pr|article|bus|tram|l'article|ecole|a|d|n|rd|rn|m|lundi|mardi|mercredi|jeudi|vendredi|samedi|"
    r"dimanche)|\d ?h|\d[.,])[ .-]?\Z"
)
_BESIDE: Final = 8  # words before an address in which a service is named


@rule(
    "PN210",
    basis="Code pénal, art. 223-1-1 and 226-1: what lets people find a person's home.",
    levels=(Level.BLOCK, Level.ADVISE),
)
def house_not_named(context: CheckContext) -> Iterator[Hit]:
    """Refuse house numbers and flats that would be published, and report those that are removed."""
    category = context.message.category
    typed = context.typed or context.message
    after: dict[str, str] = {}
    if typed is not context.message:
        before, after = ({name: text for _, name, text in every_text(message)} for message in (typed, context.message))
        for name, parts in house_numbers(typed, (entry.message for entry in context.history.entries)):
            if parts and before.get(name) != after.get(name):
                yield Hit(name, None, Level.ADVISE, "removed")
    if category not in JUDICIAL | _OF_HOUSES:
        return
    for part in context.parts:
        published = part.folded.text if typed is context.message else FoldedText(after.get(part.field, "")).text
        for start, end in _houses(part):
            if part.folded.text[start:end] in published:
                level = Level.BLOCK if category in JUDICIAL else Level.ADVISE
                yield Hit(part.field, part.folded.span(start, end), level)


def _houses(part: TextPart) -> Iterator[tuple[int, int]]:
    """Yield house numbers with their street, and flats, in the folded text."""
    text, tokens = part.folded.text, part.folded.tokens
    matches = found(part, _HOUSE) if part.folded.digits else []
    for match in (*matches, *found(part, _HOUSE_IN_WORDS)):
        if _COUNTED.search(text[max(0, match.start() - 20) : match.start()]):
            continue
        at = bisect_left(tokens, match.start(), key=lambda token: token.start)
        if not part.within("service_place", range(max(0, at - _BESIDE), at)):
            yield match.span()
    for match in found(part, _HOUSE_BEHIND) if part.folded.digits or "numero" in text else ():
        at = bisect_left(tokens, match.start(), key=lambda token: token.start)
        if not part.within("service_place", range(max(0, at - _BESIDE), at)):
            yield match.span()
    yield from _beside_streets(part)
    if any(word in reading for reading in part.folded.readings for word in _OF_FLATS):
        yield from (match.span() for match in found(part, _FLAT))


def _beside_streets(part: TextPart) -> Iterator[tuple[int, int]]:
    """Yield numbers in a sentence that names a street: `rue Pitot, entre le 12 et le 18`, `à hauteur du 31`."""
    text, tokens = part.folded.text, part.folded.tokens
    for match in found(part, _BESIDE_STREET):
        at = bisect_left(tokens, match.start(), key=lambda token: token.start)
        sentence = part.sentence(min(at, len(tokens) - 1))
        near = range(max(sentence.start, at - _STREET_WITHIN), at)
        street = any(_A_STREET.fullmatch(tokens[place].word) for place in near)
        if (
            street
            and not part.within("service_place", range(max(0, at - _BESIDE), at))
            and not _HOURS.match(text, match.end())
        ):
            yield match.span()
