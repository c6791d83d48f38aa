"""The place of a message in words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from policenotify.model.locale import Locale
from policenotify.model.location import Location, RoadRef
from policenotify.render.sentences import upper_first
from policenotify.text import french
from policenotify.text.characters import one_line
from policenotify.text.comparison import contains_words, strip_accents
from policenotify.text.links import add_missing_spaces, find_links, hashtag, is_linkable_tag

LONGEST: Final = 60
"""The longest details, in characters, of what follows an opening. A longer route is named by its first piece."""

_WORD: Final = re.compile(r"[^\W_]+")
_ARTICLE_BEFORE: Final = re.compile(r"(?<!\w)(?:l[ae] |l['’]|du )\Z", re.IGNORECASE)
_ARTICLES: Final = frozenset({"Le", "La", "Les", "L"})
_MERGED: Final = {"Le": ("au", "du", "Au", "Du"), "Les": ("aux", "des", "Aux", "Des")}
_SHORT_FORMS: Final = {
    "Saint": ("St", "ST"),
    "Sainte": ("Ste", "STE"),
    "Saints": ("Sts", "STS"),
    "Saintes": ("Stes", "STES"),
}
_DISTRICT_OF_CITY: Final = re.compile(r"(?P<city>\w+) (?P<number>\d+)(?:er|e)(?: Arrondissement)?")
_TOWARDS: Final = re.compile(r" ?(?:→|⇒|->|=>|►|>) ?| [-–—] | vers ")
_LEADING: Final = re.compile(
    r"\A(?:(?:dans|en)\s+)?(?:le\s+)?(?:sens(?:\s+de\s+circulation)?|direction|vers|towards)\s*:?\s+(?:de\s+(?=\S.*\svers\s))?",
    re.IGNORECASE,
)
_BOTH: Final = re.compile(
    r"(?:dans\s+|sens\s+)?(?:les\s+)?(?:deux|2)\s+sens(?:\s+de\s+circulation)?|double[- ]sens|"
    r"(?:in\s+)?both\s+directions",
    re.IGNORECASE,
)
_TWO_PLACES: Final = re.compile(r"(?!Saint|Sainte|St|Ste|L[ae]s?[ -]|L')[^\W\d]+ ?[-/] ?[A-ZÀ-Þ]\w+")
_START: Final = re.compile(r"\A(?:départ|from|de)\s*:?\s+", re.IGNORECASE)
_PIECES: Final = re.compile(r", |\s(?:→|puis|–|-|par)\s|\s?;\s")
_PREPOSITION: Final = re.compile(
    r"(?:à|au|aux|dans|sur|sous|devant|derrière|près|en|entre|face|chez|le long|autour|vers|at|in|on|near|between|by)"
    r"(?!\w)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Detail:
    """A part of a place.

    Attributes:
        text: As it stands in a list: `D4`, `avenue de Toulouse`.
        phrase: As it follows an event in a sentence: `sur la D4`.
        separator: Between an event, if that is a bare noun, and the phrase.
    """

    text: str
    phrase: str
    separator: str = ", "


@dataclass(frozen=True, slots=True)
class Place:
    """A place in words.

    Attributes:
        name: The commune, else the road, else the department. Empty if none is known.
        details: Street, stretch, district, road and line, or the parts of the officer's own label.
        department: The department's name, unless that is the name itself.
        is_vague: The name alone is not enough to find it: a road without commune, or a name of several communes.
        is_area: The name is that of a department, which in a text may as well be a river: *La Loire déborde*.
    """

    name: str = ""
    details: tuple[Detail, ...] = ()
    department: str = ""
    is_vague: bool = False
    is_area: bool = False

    @property
    def tag(self) -> str:
        """The name as a hashtag, without `#`."""
        district = _DISTRICT_OF_CITY.fullmatch(self.name)
        return hashtag(f"{district['city']}{district['number']}" if district else self.name)

    @property
    def qualifier(self) -> str:
        """The department after a name that is not enough to find it: ` (La Réunion)`."""
        return f" ({self.department})" if self.is_vague and self.department else ""

    def details_missing_in(self, text: str, *, longest: int | None = None) -> str:
        """Return the details that a text does not name. If they are longer than *longest*, only their first piece."""
        details = ", ".join(detail.text for detail in self._missing_in(text))
        too_long = longest is not None and len(details) > longest
        return _PIECES.split(_START.sub("", details))[0].rstrip() if too_long else details

    def tagged_in(self, text: str) -> str | None:
        """Return the text with its first mention of the name as a hashtag, if any.

        Accents do not matter, and *St* stands for *Saint*. Capitals do: Sens is a town, *dans les deux sens* is not.
        Nor is *la Vienne*, a river, and the name of an area is not looked for. Only the article of a name may have a
        small letter. Where it merges with a preposition (*au Crès*), the text stays as it is, because a hashtag there
        would not be French. A name in an address stays.
        """
        tag, links = self.tag, find_links(text)
        if any(link.kind == "tag" and link.value.casefold() == tag.casefold() for link in links):
            return text
        parts = _WORD.findall(_spelled(strip_accents(self.name)))
        if self.is_area or not tag or parts[-1].casefold() not in _spelled(strip_accents(text)).casefold():
            return None
        plain = "".join(strip_accents(sign)[:1] or sign for sign in text)  # each sign in its place
        first, *others = [{part, part.upper(), *_SHORT_FORMS.get(part, ())} for part in parts]
        article = first & _ARTICLES if others else set()
        taken = {place for link in links for place in range(link.start, link.end)}
        for match in _run([first | {each.lower() for each in article}, *others]).finditer(plain):
            start, end = match.span()
            is_river = not french.is_road(self.name) and _ARTICLE_BEFORE.search(text[:start])  # la Vienne déborde
            if not is_river and start not in taken and is_linkable_tag(text, start, end):  # not sete.fr
                return f"{text[:start]}#{tag}{text[end:]}"
        merged = [form for each in article for form in _MERGED.get(each, ())]
        return text if merged and _run([merged, *others]).search(plain) else None

    def added_to(self, event: str, headline: str, *, directly: bool) -> str:
        """Return an event with the details that its headline does not name.

        Args:
            event: The headline with what was added to it.
            headline: The headline alone.
            directly: The event is a bare noun, so that a phrase such as `sur la D4` follows it without a comma.
        """
        missing = self._missing_in(headline)
        if not missing:
            return event
        first = missing[0]
        if contains_words(headline, first.phrase.partition(" ")[0]):  # sur la route du Littoral, N1
            first = Detail(first.text, first.text)
        phrase = ", ".join((first.phrase, *(detail.text for detail in missing[1:])))
        if event.endswith(tuple(".!?…:;,")):
            return f"{event} {upper_first(phrase)}"
        return f"{event}{first.separator if directly else ', '}{phrase}"

    def one_line(self) -> str:
        """Return name and details: `Montpellier, avenue de Toulouse`."""
        return ", ".join(filter(None, (f"{self.name}{self.qualifier}", *(detail.text for detail in self.details))))

    def full(self) -> str:
        """Return name, details and department: `Montpellier, avenue de Toulouse (Hérault)`."""
        named = not self.department or self.qualifier or self.name.startswith(f"{self.department} ")  # Paris 11e
        return self.one_line() if named else f"{self.one_line()} ({self.department})"

    def _missing_in(self, text: str) -> list[Detail]:
        return [detail for detail in self.details if not contains_words(text, detail.text)]


def place_of(location: Location | None, locale: Locale, *, is_shared: bool = False) -> Place:
    """Return the place in words, as precise as the location.

    With *is_shared*, several communes have its name.
    """
    if location is None:
        return Place()
    commune, department = _repaired(location.commune_name), _repaired(location.department_name)
    if _DISTRICT_OF_CITY.fullmatch(commune):  # Paris 11e
        commune = commune.removesuffix(" Arrondissement")
    road = location.road.road if location.road and not location.label else ""
    name = commune or road or department
    details = tuple(detail for detail in _details(location, locale) if detail.text not in {"", name})
    if not commune and not road:  # Hérault
        return Place(name, details, is_area=True)
    if department == name:  # Paris
        department = ""
    is_vague = is_shared if commune else True  # Saint-Martin; A9
    return Place(name, details, department, is_vague)


def _details(location: Location, locale: Locale) -> Iterator[Detail]:
    if location.label:
        for part in _repaired(location.label).split(", "):
            yield _detail(part.strip())
        return
    yield _detail(_repaired(location.street))
    yield _detail(_repaired(location.line))
    if location.road is None:
        yield from _stretch(location, locale)
    yield _detail(_repaired(location.district))
    yield from _road(location, location.road, locale) if location.road else ()


def _detail(text: str) -> Detail:
    return Detail(text, text, " " if _PREPOSITION.match(text) else ", ")


def _stretch(location: Location, locale: Locale) -> Iterator[Detail]:
    if location.between is None:
        return
    first, second = (_repaired(end) for end in location.between)
    if not (first and second):  # only characters that nobody sees
        return
    if _is_french(locale):
        first, second = french.between(first, second)
    phrase = locale.between.format(first=first, second=second)
    yield Detail(phrase, phrase, " ")


def _road(location: Location, road: RoadRef, locale: Locale) -> Iterator[Detail]:
    number = french.with_article(road.road) if _is_french(locale) else road.road
    yield Detail(road.road, locale.on_road.format(road=number), " ")
    yield Detail(_repaired(road.exit), _repaired(road.exit))
    yield from _stretch(location, locale)
    direction = direction_of(_repaired(road.direction), locale)
    yield Detail(direction, direction)


def direction_of(typed: str, locale: Locale) -> str:
    """Return a direction of travel as a phrase.

    `Béziers → Montpellier` becomes `sens Béziers vers Montpellier`, and `Agde` becomes `en direction d'Agde`. *Sens*
    never stands there twice. Screen readers read an arrow as *flèche*.
    """
    if not typed:
        return ""
    if _BOTH.fullmatch(typed):
        return locale.both_directions
    name = _LEADING.sub("", typed)
    places = [place for each in _TOWARDS.split(name) if (place := each.strip())]
    if len(places) > 1:  # Béziers → Montpellier
        return locale.direction_between.format(start=places[0], end=", ".join(places[1:]))
    name = "".join(places)
    # A word of the road services (nord-sud, centre-ville, descendant), or perhaps two places (Lyon-Paris).
    if not name[:1].isupper() or _TWO_PLACES.fullmatch(name):
        return locale.direction_word.format(direction=name)
    if not _is_french(locale):
        return locale.direction.format(direction=name)
    phrase = locale.direction.format(direction=french.with_article(name))
    return phrase.replace(f"de {name}", french.of(name))


def _is_french(locale: Locale) -> bool:
    return locale.language.partition("-")[0] == "fr"


def _repaired(text: str | None) -> str:
    """Return the text in one line, without unintended links and mentions."""
    return add_missing_spaces(one_line(text or ""))


def _spelled(text: str) -> str:
    return text.replace("œ", "oe").replace("Œ", "Oe")


def _run(words: Iterable[Iterable[str]]) -> re.Pattern[str]:
    """Return an expression for these words beside each other, each in one of its forms."""
    run = r")[\W_]+(?:".join("|".join(sorted(forms)) for forms in words)
    return re.compile(rf"(?<![^\W_])(?:{re.sub('(?i)oe', '(?i:oe|œ)', run)})(?![^\W_])")
