"""What Bluesky's server refuses in a post, in the words of `@atproto/pds`: the lexicon `app.bsky.feed.post`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from policenotify.text import graphemes, utf8_bytes

_TID = re.compile(r"[234567abcdefghij][234567abcdefghijklmnopqrstuvwxyz]{12}")  # atproto.com/specs/tid
_LANGUAGE = re.compile(r"(i-[a-zA-Z0-9]+|[a-z]{2,3})(-[a-zA-Z0-9]+)*")
_DATETIME = re.compile(r"\d{4}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\d(\.\d{1,20})?(Z|[+-][0-2]\d:[0-5]\d)")
_URI = re.compile(r"\w+:(//)?[^\s/]\S*")

Where = Iterator[str]


def key_refusal(rkey: str) -> str | None:
    """Why a record may not have this key, or `None`."""
    if _TID.fullmatch(rkey):
        return None
    return f'Invalid record key for app.bsky.feed.post: Invalid TID string (got "{rkey}") at $'


def post_refusal(record: Mapping[str, Any]) -> str | None:
    """Why this is no post, or `None`. The first reason counts, as on the server."""
    reason = next(_reasons(record), None)
    return f"Invalid app.bsky.feed.post record: {reason}" if reason else None


def blobs(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The blobs that a record refers to."""
    embed = record.get("embed", {})
    found = [image.get("image") for image in embed.get("images", [])] + [embed.get("external", {}).get("thumb")]
    return [blob for blob in found if blob]


def _reasons(record: Mapping[str, Any]) -> Where:
    for name in ("text", "createdAt"):
        if not isinstance(record.get(name), str):
            yield f'Missing required key "{name}" at $.record'
    yield from _text(record["text"])
    yield from _date(record["createdAt"], "$.record.createdAt")
    langs = record.get("langs", [])
    yield from _array(langs, 3, "$.record.langs")
    for number, lang in enumerate(langs):
        if not _LANGUAGE.fullmatch(lang):
            yield f'Invalid language (got "{lang}") at $.record.langs[{number}]'
    yield from _array(record.get("tags", []), 8, "$.record.tags")
    for number, facet in enumerate(record.get("facets", [])):
        yield from _facet(facet, f"$.record.facets[{number}]")
    yield from _embed(record.get("embed", {}), "$.record.embed")


def _text(text: str) -> Where:
    if (size := utf8_bytes(text)) > 3000:  # noqa: PLR2004 - the lexicon's maxLength
        yield f"string too big (maximum 3000, got {size}) at $.record.text"
    if (size := graphemes(text)) > 300:  # noqa: PLR2004 - the lexicon's maxGraphemes
        yield f"grapheme too big (maximum 300, got {size}) at $.record.text"


def _date(value: str, where: str) -> Where:
    if not _DATETIME.fullmatch(value) or value.endswith("-00:00"):
        yield f'Invalid datetime (got "{value}") at {where}'


def _array(value: list[Any], most: int, where: str) -> Where:
    if len(value) > most:
        yield f"array too big (maximum {most}, got {len(value)}) at {where}"


def _facet(facet: Mapping[str, Any], where: str) -> Where:
    """Offsets are only integers here: the server takes those beyond the text, and within a character."""
    index = facet["index"]
    for name in ("byteStart", "byteEnd"):
        if index[name] < 0:
            yield f"integer too small (minimum 0, got {index[name]}) at {where}.index.{name}"
    for number, feature in enumerate(facet["features"]):
        here = f"{where}.features[{number}]"
        if feature["$type"] == "app.bsky.richtext.facet#link" and not _URI.fullmatch(feature["uri"]):
            yield f'Invalid uri (got "{feature["uri"]}") at {here}.uri'
        if feature["$type"] == "app.bsky.richtext.facet#tag":
            if (size := utf8_bytes(feature["tag"])) > 640:  # noqa: PLR2004 - the lexicon's maxLength
                yield f"string too big (maximum 640, got {size}) at {here}.tag"
            if (size := graphemes(feature["tag"])) > 64:  # noqa: PLR2004 - the lexicon's maxGraphemes
                yield f"grapheme too big (maximum 64, got {size}) at {here}.tag"


def _embed(embed: Mapping[str, Any], where: str) -> Where:
    """An unknown kind is accepted, as the server does: the union is open."""
    if embed.get("$type") == "app.bsky.embed.images":
        yield from _array(embed["images"], 4, f"{where}.images")
        for number, image in enumerate(embed["images"]):
            yield from _shown(image, f"{where}.images[{number}]")
    elif embed.get("$type") == "app.bsky.embed.external":
        yield from _card(embed["external"], f"{where}.external")


def _shown(image: Mapping[str, Any], where: str) -> Where:
    yield from _image(image["image"], 2_000_000, f"{where}.image")
    if "alt" not in image:
        yield f'Missing required key "alt" at {where}'
    for side, length in image.get("aspectRatio", {}).items():
        if length < 1:
            yield f"integer too small (minimum 1, got {length}) at {where}.aspectRatio.{side}"


def _card(card: Mapping[str, Any], where: str) -> Where:
    for name in ("uri", "title", "description"):
        if not isinstance(card.get(name), str):
            yield f'Missing required key "{name}" at {where}'
    if not _URI.fullmatch(card["uri"]):
        yield f'Invalid uri (got "{card["uri"]}") at {where}.uri'
    if thumb := card.get("thumb"):
        yield from _image(thumb, 1_000_000, f"{where}.thumb")


def _image(blob: Mapping[str, Any], most: int, where: str) -> Where:
    if not blob["mimeType"].startswith("image/"):
        yield f'Expected "image/*" (got "{blob["mimeType"]}") at {where}.mimeType'
    if blob["size"] > most:
        yield f"blob too big (maximum {most}, got {blob['size']}) at {where}"
