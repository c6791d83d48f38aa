"""What tells a house in a message, for categories whose place may be told to the street at most."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from policenotify.model.message import Message, Translation
from policenotify.text.house_numbers import (
    HouseNumberRemoval,
    remove_from_headline,
    remove_from_text,
    remove_house_numbers,
    street_names,
)

_PLACES = ("label", "street", "district")


def house_numbers(message: Message, earlier: Iterable[Message] = ()) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each field that tells a house, and what in it does.

    Args:
        message: As the desk wrote it.
        earlier: What was published of its incident.
    """
    streets = _streets(message, *earlier)
    for name, address in _words(message, streets):
        yield name, address.removed
    for number, image in enumerate(message.images):
        yield f"images.{number}.alt", remove_from_headline(image.alt).removed
    for words in message.translations:
        for name, address in _words(words, streets):
            yield f"translations.{words.language}.{name}", address.removed
        for number, alt in enumerate(words.alts):
            yield f"translations.{words.language}.alts.{number}", remove_from_headline(alt).removed
    for name in _PLACES if message.location else ():
        yield f"location.{name}", remove_house_numbers(getattr(message.location, name) or "").removed


def without_house_numbers(message: Message, label: Callable[[str], str], earlier: Iterable[Message] = ()) -> Message:
    """Take house numbers out of the texts and picture descriptions of a message.

    Its place is blurred by `Location.blur`.

    Args:
        message: As the desk wrote it, with the place as it was written.
        label: What stands for a headline or a description that is nothing else, by language.
        earlier: What was published of its incident: the streets that it names count, too.
    """
    streets = _streets(message, *earlier)

    def shown(words: Message | Translation) -> dict[str, object]:
        texts = {name: address.text for name, address in _words(words, streets)}
        return {**texts, "headline": texts["headline"] or label(words.language)}

    def described(alt: str, language: str) -> str:
        return remove_from_headline(alt).text or label(language)

    translations = tuple(
        words.model_copy(update={**shown(words), "alts": tuple(described(alt, words.language) for alt in words.alts)})
        for words in message.translations
    )
    images = tuple(image.model_copy(update={"alt": described(image.alt, message.language)}) for image in message.images)
    return message.model_copy(update={**shown(message), "images": images, "translations": translations})


def _words(words: Message | Translation, streets: frozenset[str]) -> Iterator[tuple[str, HouseNumberRemoval]]:
    yield "headline", remove_from_headline(words.headline)
    yield "description", remove_from_text(streets, words.description)
    yield "instruction", remove_from_text(streets, words.instruction)


def _streets(*messages: Message) -> frozenset[str]:
    """Return the streets of the places and of the headlines: their numbers are told in no running text either."""
    named: list[str] = []
    for message in messages:
        named += [getattr(message.location, name) or "" for name in _PLACES] if message.location else []
        named += [message.headline, *(words.headline for words in message.translations)]
    return frozenset(street for words in named for street in street_names(words))
