"""A post as a record of the lexicon `app.bsky.feed.post`: the same post always makes the same record and key."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import JsonValue

from policenotify.channel import Post, Span
from policenotify.errors import Refused
from policenotify.networks.bluesky.links import display, savable, shown, valid_uri
from policenotify.text import Budget, graphemes, utf8_bytes

COLLECTION: Final = "app.bsky.feed.post"

_SENT: Final = Budget(300, graphemes, max_bytes=3000)
"""`maxGraphemes` and `maxLength` of `text` in the lexicon `app.bsky.feed.post`."""


class _Shown(Budget):
    """The same for a text whose addresses will be shortened when it is sent."""

    __slots__ = ()

    def fits(self, text: str) -> bool:
        if _SENT.fits(text):  # what is shown is never longer
            return True
        return graphemes(text) - savable(text) <= _SENT.limit and _SENT.fits(shown(text))

    def usage(self, text: str) -> tuple[int, int]:
        return _SENT.usage(shown(text))


BUDGET: Final = _Shown(_SENT.limit, lambda text: graphemes(shown(text)), max_bytes=_SENT.max_bytes, displayed=shown)
"""What a text may take before it is sent; it counts as it will be shown."""
IMAGES: Final = 4
"""`maxLength` of `images` in the lexicon `app.bsky.embed.images`."""

IMAGE_BYTES: Final = 2_000_000
"""`maxSize` of an image in the lexicon `app.bsky.embed.images` (1,000,000 until April 2026)."""

TAG: Final = Budget(64, graphemes, max_bytes=640)
"""`maxGraphemes` and `maxLength` of a tag in the lexicon `app.bsky.richtext.facet`."""

_ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"  # atproto.com/specs/tid
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def check(post: Post) -> None:
    """Refuse what the network would refuse, before anything is uploaded.

    Raises:
        Refused: The text is too long, or a picture is too large, missing, or one too many.
    """
    text, _ = display(post.text, post.spans)
    if not _SENT.fits(text):
        raise Refused(
            f"The text has {graphemes(text)} characters and {utf8_bytes(text)} bytes; "
            f"Bluesky takes {_SENT.limit} characters and {_SENT.max_bytes} bytes. Nothing was posted.",
            remedy="Shorten the text.",
        )
    if len(post.pictures) > IMAGES:
        raise Refused(f"The post has {len(post.pictures)} pictures; Bluesky takes {IMAGES}. Nothing was posted.")
    for number, picture in enumerate(post.pictures, 1):
        if not 0 < len(picture.data) <= IMAGE_BYTES:
            raise Refused(
                f"Picture {number} has {len(picture.data)} bytes; Bluesky takes 1 to {IMAGE_BYTES}. Not posted.",
                remedy="Use a smaller picture, or none.",
            )


def record_key(post: Post) -> str:
    """The key under which the post's record is put: a TID (atproto.com/specs/tid).

    Its microseconds are the post's time. Its clock id, 10 bits, comes from the post's key and variant: two posts of
    one microsecond differ, and a variant avoids a key that the network has refused.
    """
    microseconds = (post.created_at - _EPOCH) // timedelta(microseconds=1)
    clock = int.from_bytes(hashlib.sha256(f"{post.key}:{post.variant}".encode()).digest()[:2]) >> 6
    number = microseconds << 10 | clock
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(60, -1, -5))


def record(
    post: Post, *, reply: JsonValue, images: Sequence[JsonValue], dids: Mapping[str, str]
) -> dict[str, JsonValue]:
    """Encode the post.

    Args:
        post: What to say.
        reply: What it answers: `root` and `parent`, each with `uri` and `cid`; `None` where it starts a thread.
        images: The blobs of the post's pictures, in order.
        dids: What the mentioned handles stand for; a handle that is not there stays plain text.
    """
    text, spans = display(post.text, post.spans)
    made: dict[str, JsonValue] = {
        "$type": COLLECTION,
        "text": text,
        "createdAt": post.created_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "langs": [_language(post.language)],
    }
    if facets := [facet for span, start, end in spans if (facet := _facet(text, span, start, end, dids))]:
        made["facets"] = list[JsonValue](facets)
    if reply:
        made["reply"] = reply
    if embed := _images(post, images) or _card(post):
        made["embed"] = embed
    return made


def _language(tag: str) -> str:
    primary, dash, rest = tag.partition("-")
    return f"{primary.lower()}{dash}{rest}"  # BCP 47 ignores case, Bluesky refuses "FR"


def _facet(text: str, span: Span, start: int, end: int, dids: Mapping[str, str]) -> dict[str, JsonValue] | None:
    """A span as a facet; its offsets count bytes of UTF-8. The server checks none of it, and clients then drop it."""
    feature = _feature(span, dids)
    if feature is None:
        return None
    first = utf8_bytes(text[:start])
    last = first + utf8_bytes(text[start:end])
    return {"index": {"byteStart": first, "byteEnd": last}, "features": [feature]}


def _feature(span: Span, dids: Mapping[str, str]) -> dict[str, JsonValue] | None:
    match span.kind:
        case "url":
            kind, name, value = "link", "uri", valid_uri(span.value)
        case "tag":
            kind, name, value = "tag", "tag", span.value if TAG.fits(span.value) else None
        case "mention":
            kind, name, value = "mention", "did", dids.get(span.value)
    return {"$type": f"app.bsky.richtext.facet#{kind}", name: value} if value else None


def _images(post: Post, blobs: Sequence[JsonValue]) -> dict[str, JsonValue] | None:
    images: list[JsonValue] = [
        {"image": blob, "alt": picture.alt, "aspectRatio": {"width": picture.width, "height": picture.height}}
        for picture, blob in zip(post.pictures, blobs, strict=True)
    ]
    return {"$type": "app.bsky.embed.images", "images": images} if images else None


def _card(post: Post) -> dict[str, JsonValue] | None:
    uri = valid_uri(post.link) if post.link else None
    if uri is None:
        return None
    # Readers have the text above the card, and the app writes the address below it: what is left to say is whose page
    # it is. The lexicon wants a description, and takes an empty one.
    about = "" if post.sender.casefold() in post.text.casefold() else post.sender
    return {
        "$type": "app.bsky.embed.external",
        "external": {"uri": uri, "title": post.title or uri, "description": about},
    }
