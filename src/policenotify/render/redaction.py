"""Remove house numbers, where at most the street may be published."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from policenotify.model.message import Message
from policenotify.model.texts import TextField, TextKind, reworded, text_fields
from policenotify.text.house_numbers import HouseNumberRemoval, remove_house_numbers, street_names


def house_numbers(message: Message, earlier: Iterable[Message] = ()) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each field that may hold a house number, with the parts that do."""
    streets = _streets(message, *earlier)
    for field in text_fields(message):
        if field.kind not in {TextKind.NAME, TextKind.TAG}:
            yield field.name, _removal(field, streets).removed


def without_house_numbers(message: Message, label: Callable[[str], str], earlier: Iterable[Message] = ()) -> Message:
    """Return the message without house numbers in its texts and picture descriptions.

    Its place is blurred by `Location.blur`.

    Args:
        message: As the desk wrote it, with its place as it was written.
        label: Returns by language what replaces a headline or description that is nothing but an address.
        earlier: The earlier messages of its incident, whose streets count, too.
    """
    streets = _streets(message, *earlier)

    def redacted(field: TextField) -> str:
        return _removal(field, streets).text or (label(field.language) if field.is_required else "")

    return reworded(message, redacted)


def _removal(field: TextField, streets: frozenset[str]) -> HouseNumberRemoval:
    if field.kind is TextKind.ADDRESS:
        return remove_house_numbers(field.text)
    if field.kind is TextKind.PROSE:  # other addresses in it are those of services
        return remove_house_numbers(field.text, streets)
    return remove_house_numbers(field.text, streets | street_names(field.text), units=True)


def _streets(*messages: Message) -> frozenset[str]:
    """Return the streets whose numbers are removed from running text, too."""
    named = (
        field.text
        for message in messages
        for field in text_fields(message)
        if field.kind is TextKind.ADDRESS or field.name.endswith("headline")
    )
    return frozenset(street for text in named for street in street_names(text))
