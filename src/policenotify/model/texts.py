"""The texts of a message that readers see, in one table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Final, NamedTuple

from policenotify.model.location import ADDRESSES, ROAD_ADDRESSES
from policenotify.model.message import Known, Message, Translation


class TextKind(StrEnum):
    """What a text is. Lines, prose and descriptions are written for readers, in a language."""

    LINE = "line"
    PROSE = "prose"
    DESCRIPTION = "description"
    """What a picture shows."""
    ADDRESS = "address"
    """The words of a place, which may hold a house number."""
    NAME = "name"
    TAG = "tag"


class TextField(NamedTuple):
    """A text of a message.

    Attributes:
        name: Where it is, as a finding names it: `headline`, `translations.en.known.confirmed`, `images.0.alt`.
        language: Its language, BCP 47.
        text: As the desk wrote it.
        kind: What it is.
    """

    name: str
    language: str
    text: str
    kind: TextKind

    @property
    def is_required(self) -> bool:
        """Whether it must not be empty."""
        return self.kind is TextKind.DESCRIPTION or self.name.endswith("headline")


_IN_EACH_LANGUAGE: Final = {
    "headline": TextKind.LINE,
    "description": TextKind.PROSE,
    "instruction": TextKind.PROSE,
    "known.confirmed": TextKind.LINE,
    "known.unconfirmed": TextKind.LINE,
}
PROSE: Final = tuple(name for name in _IN_EACH_LANGUAGE if "." not in name)
"""The texts of an event, in each language."""
_ONCE: Final = {
    "source": TextKind.NAME,
    "sender": TextKind.NAME,
    **{f"location.{name}": TextKind.ADDRESS for name in ADDRESSES},
    "location.commune_name": TextKind.NAME,
    "location.department_name": TextKind.NAME,
    "location.between": TextKind.ADDRESS,
    **{f"location.road.{name}": TextKind.ADDRESS for name in ROAD_ADDRESSES},
}


def text_fields(message: Message) -> Iterator[TextField]:
    """Yield the texts of a message."""
    wordings: list[tuple[str, Message | Translation]] = [
        ("", message),
        *((f"translations.{each.language}.", each) for each in message.translations),
    ]
    for name, kind in _IN_EACH_LANGUAGE.items():
        for prefix, words in wordings:
            yield from _field(words, name, kind, prefix, words.language)
    for name, kind in _ONCE.items():
        yield from _field(message, name, kind, "", message.language)
    for number, image in enumerate(message.images):
        yield TextField(f"images.{number}.alt", message.language, image.alt, TextKind.DESCRIPTION)
    for prefix, words in wordings[1:]:
        yield from _field(words, "alts", TextKind.DESCRIPTION, prefix, words.language)
    yield from _field(message, "hashtags", TextKind.TAG, "", message.language)


def reworded(message: Message, change: Callable[[TextField], str]) -> Message:
    """Return the message with what *change* makes of its lines, prose and descriptions, in each language.

    A sentence of what is known is left out if nothing is left of it.
    """
    changed = {TextKind.LINE, TextKind.PROSE, TextKind.DESCRIPTION}
    new = {field.name: change(field) for field in text_fields(message) if field.kind in changed}

    def words(text: Message | Translation, prefix: str) -> dict[str, object]:
        known = {name: new.get(f"{prefix}known.{name}") or None for name in Known.model_fields}
        kept = text.known.changed(**known) if text.known and any(known.values()) else None
        return {**{name: new[f"{prefix}{name}"] for name in PROSE}, "known": kept}

    translations = []
    for each in message.translations:
        prefix = f"translations.{each.language}."
        alts = tuple(new[f"{prefix}alts.{number}"] for number in range(len(each.alts)))
        translations.append(each.changed(**words(each, prefix), alts=alts))
    images = (image.changed(alt=new[f"images.{n}.alt"]) for n, image in enumerate(message.images))
    return message.changed(**words(message, ""), images=tuple(images), translations=tuple(translations))


def _field(owner: object, path: str, kind: TextKind, prefix: str, language: str) -> Iterator[TextField]:
    value = owner
    for name in path.split("."):
        value = getattr(value, name, None)
    if isinstance(value, tuple):
        for number, each in enumerate(value):
            yield TextField(f"{prefix}{path}.{number}", language, str(each), kind)
    elif value is not None:
        yield TextField(f"{prefix}{path}", language, str(value), kind)
