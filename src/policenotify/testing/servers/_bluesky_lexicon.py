"""What a Bluesky server refuses in a post: the lexicon `app.bsky.feed.post`, in the words of `@atproto/pds`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from policenotify.text import graphemes, utf8_bytes

_TID = re.compile(r"[234567abcdefghij][234567abcdefghijklmnopqrstuvwxyz]{12}")  # atproto.com/specs/tid
_LANGUAGE = re.compile(r"(i-[a-zA-Z0-9]+|[a-z]{2,3})(-[a-zA-Z0-9]+)*")
_DATETIME = re.compile(r"\d{4}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\d(\.\d{1,20})?(Z|[+-][0-2]\d:[0-5]\d)")
_URI = re.compile(r"\w+:(//)?[^\s/]\S*")


def key_refusal(rkey: str) -> str | None:
    """Return the refusal of a record key, or `None`."""
    if _TID.fullmatch(rkey):
        return None
    return f'Invalid record key for app.bsky.feed.post: Invalid TID string (got "{rkey}") at $'


def post_refusal(record: Mapping[str, Any]) -> str | None:
    """Return the first reason against a post, as the server does, or `None`."""
    reason = next(_reasons(record), None)
    return f"Invalid app.bsky.feed.post record: {reason}" if reason else None


def blobs(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the blobs that a record refers to."""
    return [image["image"] for image in record.get("embed", {}).get("images", []) if image.get("image")]


def _reasons(record: Mapping[str, Any]) -> Iterator[str]:
    for name in ("text", "createdAt"):
        if not isinstance(record.get(name), str):
            yield f'Missing required key "{name}" at $.record'
    yield from _text(record["text"], 300, "$.record.text")
    yield from _date(record["createdAt"], "$.record.createdAt")
    langs = record.get("langs", [])
    yield from _too_big("array", len(langs), 3, "$.record.langs")
    for number, lang in enumerate(langs):
        if not _LANGUAGE.fullmatch(lang):
            yield f'Invalid language (got "{lang}") at $.record.langs[{number}]'
    yield from _too_big("array", len(record.get("tags", [])), 8, "$.record.tags")
    for number, facet in enumerate(record.get("facets", [])):
        yield from _facet(facet, f"$.record.facets[{number}]")
    yield from _embed(record.get("embed", {}), "$.record.embed")


def _too_big(what: str, size: int, most: int, where: str) -> Iterator[str]:
    if size > most:
        yield f"{what} too big (maximum {most}, got {size}) at {where}"


def _text(text: str, most: int, where: str) -> Iterator[str]:
    """Check a text by the lexicon's `maxGraphemes`, a tenth of its `maxLength` in bytes."""
    yield from _too_big("string", utf8_bytes(text), 10 * most, where)
    yield from _too_big("grapheme", graphemes(text), most, where)


def _date(value: str, where: str) -> Iterator[str]:
    if not _DATETIME.fullmatch(value) or value.endswith("-00:00"):
        yield f'Invalid datetime (got "{value}") at {where}'


def _facet(facet: Mapping[str, Any], where: str) -> Iterator[str]:
    """Check a facet. As on the server, any positive offset is valid."""
    index = facet["index"]
    for name in ("byteStart", "byteEnd"):
        if index[name] < 0:
            yield f"integer too small (minimum 0, got {index[name]}) at {where}.index.{name}"
    for number, feature in enumerate(facet["features"]):
        path = f"{where}.features[{number}]"
        if feature["$type"] == "app.bsky.richtext.facet#link" and not _URI.fullmatch(feature["uri"]):
            yield f'Invalid uri (got "{feature["uri"]}") at {path}.uri'
        if feature["$type"] == "app.bsky.richtext.facet#tag":
            yield from _text(feature["tag"], 64, f"{path}.tag")


def _embed(embed: Mapping[str, Any], where: str) -> Iterator[str]:
    """Check an embed. As on the server, unknown kinds are accepted."""
    if embed.get("$type") == "app.bsky.embed.images":
        yield from _too_big("array", len(embed["images"]), 4, f"{where}.images")
        for number, image in enumerate(embed["images"]):
            yield from _embedded_image(image, f"{where}.images[{number}]")
    elif embed.get("$type") == "app.bsky.embed.external":
        yield from _card(embed["external"], f"{where}.external")


def _embedded_image(image: Mapping[str, Any], where: str) -> Iterator[str]:
    blob = image["image"]
    if not _is_blob(blob):
        yield f"Expected blob value type at {where}.image"
    if not blob["mimeType"].startswith("image/"):
        yield f'Expected "image/*" (got "{blob["mimeType"]}") at {where}.image.mimeType'
    yield from _too_big("blob", blob["size"], 2_000_000, f"{where}.image")
    if "alt" not in image:
        yield f'Missing required key "alt" at {where}'
    for side, length in image.get("aspectRatio", {}).items():
        if length < 1:
            yield f"integer too small (minimum 1, got {length}) at {where}.aspectRatio.{side}"


def _is_blob(value: object) -> bool:
    match value:
        case {"ref": {"$link": str()}, "mimeType": str(), "size": int()}:
            return True
        case _:
            return False


def _card(card: Mapping[str, Any], where: str) -> Iterator[str]:
    for name in ("uri", "title", "description"):
        if not isinstance(card.get(name), str):
            yield f'Missing required key "{name}" at {where}'
    if not _URI.fullmatch(card["uri"]):
        yield f'Invalid uri (got "{card["uri"]}") at {where}.uri'
