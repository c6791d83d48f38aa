"""How a place reads: its hashtag, and street, quarter and road."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from policenotify.model.location import Location, RoadRef
from policenotify.render.locales.phrases import Locale
from policenotify.text.autolinks import repair
from policenotify.text.characters import one_line
from policenotify.text.comparison import contains_words, strip_accents
from policenotify.text.spans import hashtag, is_linkable_tag, spans_of

_WORD: Final = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Place:
    """A place in words.

    Attributes:
        name: Commune, else road, else department; empty when none is known.
        details: Street, quarter and road, or the officer's own words: each a piece by itself.
        department: The department's name, where it is not the name itself.
    """

    name: str = ""
    details: tuple[str, ...] = ()
    department: str = ""

    @property
    def tag(self) -> str:
        """The name as a hashtag, without `#`."""
        return hashtag(self.name)

    def beyond(self, text: str) -> str:
        """The details that a text does not tell yet."""
        return ", ".join(detail for detail in self.details if not contains_words(text, detail))

    def whole(self) -> str:
        """All in one line, for a mail: `Montpellier, avenue de Toulouse`."""
        return ", ".join(filter(None, (self.name, *self.details)))


def place_of(location: Location | None, words: Locale) -> Place:
    """The place in words, no finer than the location tells."""
    if location is None:
        return Place()
    commune, department = _safe(location.commune_name), _safe(location.department_name)
    road = location.road.road if location.road and not location.label else ""
    name = commune or road or department
    pieces = (
        _safe(location.label).split(", ")
        if location.label
        else [_safe(location.street), _safe(location.district), *_road(location.road, words)]
    )
    details = tuple(piece.strip() for piece in pieces if piece.strip() not in {"", name})
    return Place(name, details, department if department != name else "")


def _road(road: RoadRef | None, words: Locale) -> list[str]:
    if road is None:
        return []
    way = words.direction.format(direction=_safe(road.direction)) if road.direction else ""
    return [road.road, _safe(road.exit), way]


def _safe(text: str | None) -> str:
    """In one line, without links and mentions that nobody meant."""
    return repair(one_line(text or "")).text


def tagged(text: str, name: str) -> str | None:
    """The text with its first mention of a name made a hashtag; `None` when it does not mention it.

    Accents do not matter, capitals do: Sens is a town, *dans les deux sens* is not. A name in an address stays.
    """
    tag = hashtag(name)
    if any(found.value.casefold() == tag.casefold() for found in spans_of(text) if found.kind == "tag"):
        return text
    sought, said = _bare(name), _bare(text)
    forms = {sought, sought.upper()}
    if not any(form in said for form in forms):
        return None
    taken = {place for found in spans_of(text) for place in range(found.start, found.end)}
    words = list(_WORD.finditer(text))
    for first, last in zip(words, words[len(_WORD.findall(name)) - 1 :], strict=False):
        start, end = first.start(), last.end()
        free = start not in taken and is_linkable_tag(text, start, end)
        if tag and free and _bare(text[start:end]) in forms:
            return f"{text[:start]}#{tag}{text[end:]}"
    return None


def _bare(text: str) -> str:
    return " ".join(_WORD.findall(strip_accents(text)))
