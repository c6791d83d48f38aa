"""Remove house numbers, where at most the street may be published."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from policenotify.model.message import Known, Message, Translation
from policenotify.text.house_numbers import (
    HouseNumberRemoval,
    remove_from_headline,
    remove_from_text,
    remove_house_numbers,
    street_names,
)

_PLACES = ("label", "street", "district")


def house_numbers(message: Message, earlier: Iterable[Message] = ()) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each field that may hold a house number, with the parts that do."""
    streets = _streets(message, *earlier)
    for name, address in _addresses(message, streets):
        yield name, address.removed
    for number, image in enumerate(message.images):
        yield f"images.{number}.alt", remove_from_headline(image.alt).removed
    for translation in message.translations:
        for name, address in _addresses(translation, streets):
            yield f"translations.{translation.language}.{name}", address.removed
        for number, alt in enumerate(translation.alts):
            yield f"translations.{translation.language}.alts.{number}", remove_from_headline(alt).removed
    for name in _PLACES if message.location else ():
        yield f"location.{name}", remove_house_numbers(getattr(message.location, name) or "").removed
    for number, end in enumerate((message.location and message.location.between) or ()):
        yield f"location.between.{number}", remove_house_numbers(end).removed


def without_house_numbers(message: Message, label: Callable[[str], str], earlier: Iterable[Message] = ()) -> Message:
    """Return the message without house numbers in its texts and picture descriptions.

    Its place is blurred by `Location.blur`.

    Args:
        message: As the desk wrote it, with its place as it was written.
        label: Returns by language what replaces a headline or description that is nothing but an address.
        earlier: The earlier messages of its incident, whose streets count, too.
    """
    streets = _streets(message, *earlier)

    def texts(translation: Message | Translation) -> dict[str, object]:
        redacted = {name: address.text for name, address in _addresses(translation, streets)}
        known = {name: redacted.pop(f"known.{name}", "") or None for name in Known.model_fields}
        return {
            **redacted,
            "headline": redacted["headline"] or label(translation.language),
            "known": translation.known.model_copy(update=known) if translation.known and any(known.values()) else None,
        }

    def described(alt: str, language: str) -> str:
        return remove_from_headline(alt).text or label(language)

    translations = tuple(
        translation.model_copy(
            update={
                **texts(translation),
                "alts": tuple(described(alt, translation.language) for alt in translation.alts),
            }
        )
        for translation in message.translations
    )
    images = tuple(image.model_copy(update={"alt": described(image.alt, message.language)}) for image in message.images)
    return message.model_copy(update={**texts(message), "images": images, "translations": translations})


def _addresses(translation: Message | Translation, streets: frozenset[str]) -> Iterator[tuple[str, HouseNumberRemoval]]:
    yield "headline", remove_from_headline(translation.headline)
    yield "description", remove_from_text(streets, translation.description)
    yield "instruction", remove_from_text(streets, translation.instruction)
    for name, sentence in translation.known or ():
        yield f"known.{name}", remove_from_headline(sentence or "")


def _streets(*messages: Message) -> frozenset[str]:
    """Return the streets whose numbers are removed from running text, too."""
    texts: list[str] = []
    for message in messages:
        texts += [getattr(message.location, name) or "" for name in _PLACES] if message.location else []
        texts += (message.location and message.location.between) or ()
        texts += [message.headline, *(translation.headline for translation in message.translations)]
    return frozenset(street for text in texts for street in street_names(text))
