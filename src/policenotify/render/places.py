"""The place of a message in words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from policenotify.model.location import Location, RoadRef
from policenotify.render.locales.locale import Locale
from policenotify.text.autolinks import repair
from policenotify.text.characters import one_line
from policenotify.text.comparison import contains_words, strip_accents
from policenotify.text.spans import hashtag, is_linkable_tag, spans_of

_WORD: Final = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Place:
    """A place in words.

    Attributes:
        name: The commune, else the road, else the department. Empty if none is known.
        details: Street, district and road, or the parts of the officer's own label.
        department: The department's name, unless that is the name itself.
    """

    name: str = ""
    details: tuple[str, ...] = ()
    department: str = ""

    @property
    def tag(self) -> str:
        """The name as a hashtag, without `#`."""
        return hashtag(self.name)

    def details_missing_in(self, text: str) -> str:
        """Return the details that a text does not name."""
        return ", ".join(detail for detail in self.details if not contains_words(text, detail))

    def one_line(self) -> str:
        """Return name and details: `Montpellier, avenue de Toulouse`."""
        return ", ".join(filter(None, (self.name, *self.details)))


def place_of(location: Location | None, locale: Locale) -> Place:
    """Return the place in words, as precise as the location."""
    if location is None:
        return Place()
    commune, department = _repaired(location.commune_name), _repaired(location.department_name)
    road = location.road.road if location.road and not location.label else ""
    name = commune or road or department
    parts = (
        _repaired(location.label).split(", ")
        if location.label
        else [_repaired(location.street), _repaired(location.district), *_road(location.road, locale)]
    )
    details = tuple(part.strip() for part in parts if part.strip() not in {"", name})
    return Place(name, details, department if department != name else "")


def _road(road: RoadRef | None, locale: Locale) -> list[str]:
    if road is None:
        return []
    direction = locale.direction.format(direction=_repaired(road.direction)) if road.direction else ""
    return [road.road, _repaired(road.exit), direction]


def _repaired(text: str | None) -> str:
    """Return the text in one line, without unintended links and mentions."""
    return repair(one_line(text or "")).text


def tagged(text: str, name: str) -> str | None:
    """Return the text with its first mention of a name as a hashtag, if any.

    Accents do not matter, but capitals do: Sens is a town, *dans les deux sens* is not. A name in an address stays.
    """
    tag = hashtag(name)
    spans = list(spans_of(text))
    if any(span.value.casefold() == tag.casefold() for span in spans if span.kind == "tag"):
        return text
    plain_name, plain_text = _plain(name), _plain(text)
    forms = {plain_name, plain_name.upper()}
    if not any(form in plain_text for form in forms):
        return None
    taken = {position for span in spans for position in range(span.start, span.end)}
    words = list(_WORD.finditer(text))
    for first, last in zip(words, words[len(_WORD.findall(name)) - 1 :], strict=False):
        start, end = first.start(), last.end()
        free = start not in taken and is_linkable_tag(text, start, end)
        if tag and free and _plain(text[start:end]) in forms:
            return f"{text[:start]}#{tag}{text[end:]}"
    return None


def _plain(text: str) -> str:
    return " ".join(_WORD.findall(strip_accents(text)))
