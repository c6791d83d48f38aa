"""Posts as records of the lexicon `app.bsky.feed.post`.

The same post always makes the same record and key.

Links are short to read, and whole to follow. The app replaces an address by its host and the beginning of its path
(`toShortUrl`, `src/lib/strings/url-helpers.ts` in <https://github.com/bluesky-social/social-app>), and only what is
shown counts. Other apps show the record's text as it is. So the record holds the short form, and its facet the whole
address.

An address is shortened only if its host then reads as a browser would read it, and cannot be taken for another: a
registered name in plain letters. One with a port, with letters beyond ASCII or their `xn--` form, and a bare number
stay as they are. One with a user's name in it is not linked at all: `https://police.fr@evil.example` leads to
`evil.example`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from pydantic import JsonValue

from policenotify.channel import Post, Span
from policenotify.networks import load
from policenotify.text import Budget, utf8_bytes
from policenotify.text.budget import grapheme_ends, graphemes
from policenotify.text.links import Link, find_links

_PATH: Final = 15  # the longest path that is shown whole, in characters (`toShortUrl`)
_CUT: Final = 13  # the characters of a longer one that are shown (`toShortUrl`)
_LABEL = r"(?!xn--)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# No port: the app reads `police.fr:8443/x` as a link of the scheme `police.fr`, and warns of it.
_PLAIN: Final = re.compile(
    rf"(?:https?://)?(?P<host>(?=[^/?#]{{1,253}}(?:[/?#]|\Z))(?:{_LABEL}\.)+[a-z]{{2,63}})"
    r"(?P<rest>[/?#][^\x00-\x20\x7f\ud800-\udfff]{0,60000})?",
    re.IGNORECASE,
)
_MAY_SHORTEN: Final = re.compile(rf"://|[/?#]\S{{{_PATH}}}")
_TORN: Final = re.compile(r"%[0-9A-Fa-f]?\Z")  # RFC 3986, section 2.1: `%` and two digits are one character


SpanT = TypeVar("SpanT", Span, Link)


def shown(text: str) -> str:
    """Return the text with its addresses as readers see them."""
    return display(text, find_links(text))[0] if _MAY_SHORTEN.search(text) else text


def display(text: str, spans: Sequence[SpanT]) -> tuple[str, list[tuple[SpanT, int, int]]]:
    """Shorten the addresses of a text, where the text holds the address itself.

    The spans are in order and do not overlap, as in `Post.spans`.

    Returns:
        The text to show, and each span with its start and end there.
    """
    visible, placed, done = "", list[tuple[SpanT, int, int]](), 0
    for span in spans:
        visible += text[done : span.start]
        covered, done = text[span.start : span.end], span.end
        short = _short(covered, span.value) if span.kind == "url" else covered
        placed.append((span, len(visible), len(visible) + len(short)))
        visible += short
    return visible + text[done:], placed


def valid_uri(url: str) -> str | None:
    """Return the URL in the lexicon's format `uri`, or `None` if it has none.

    The format is absolute and ASCII. Hosts are written in IDNA 2008 (RFC 5891), all else that is not ASCII is
    percent-encoded (RFC 3987, section 3.1). A URL with a user's name before its host is not accepted: it is made to
    mislead.
    """
    httpx = load("httpx")
    try:
        parsed = httpx.URL(url)
        usable = parsed.scheme in {"http", "https"} and parsed.host and not parsed.userinfo
    except (httpx.InvalidURL, ValueError):  # ValueError: a host that no IDNA label may be, found when it is read
        return None
    return str(parsed) if usable else None


def _short(covered: str, value: str) -> str:
    """Return an address as the app shows it, or as it is written."""
    plain = _PLAIN.fullmatch(covered) if value in {covered, f"https://{covered}"} else None
    if plain is None:
        return covered
    host, rest = plain["host"], plain["rest"] or ""
    if covered == value:  # else a name in a sentence, as the author wrote it: `17Cyber.gouv.fr`
        host, rest = host.lower(), rest[1:] if rest[:2] in {"/", "/?", "/#"} else rest
    if graphemes(rest) > _PATH:
        rest = _TORN.sub("", rest[: grapheme_ends(rest)[_CUT - 1]]) + "…"
    return host + rest


COLLECTION: Final = "app.bsky.feed.post"

BUDGET: Final = Budget(300, lambda text: graphemes(shown(text)), max_bytes=3000, displayed=shown)
"""`maxGraphemes` and `maxLength` of `text` in the lexicon `app.bsky.feed.post`.

Addresses count as they will be shown."""

IMAGES: Final = 4
"""`maxLength` of `images` in the lexicon `app.bsky.embed.images`."""

TAG: Final = Budget(64, graphemes, max_bytes=640)
"""`maxGraphemes` and `maxLength` of a tag in the lexicon `app.bsky.richtext.facet`."""

_ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"  # atproto.com/specs/tid
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def record_key(post: Post) -> str:
    """Return the key of the post's record: a TID (atproto.com/specs/tid).

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
        post: The post.
        reply: `root` and `parent` of a reply, each with `uri` and `cid`, or `None` for the first post of a thread.
        images: The blobs of the post's pictures, in order.
        dids: The ids of mentioned handles. A handle without one stays plain text.
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
    """Return a span as a facet, with offsets in bytes of UTF-8.

    The server does not check facets, and clients drop wrong ones.
    """
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
    # Readers have the text above the card, and the app writes the address below it. Only the owner of the page is
    # missing. The lexicon wants a description, and takes an empty one.
    about = "" if post.sender.casefold() in post.text.casefold() else post.sender
    return {
        "$type": "app.bsky.embed.external",
        "external": {"uri": uri, "title": post.title or uri, "description": about},
    }


def reply_of(record: object) -> Mapping[str, Any]:
    """Return the `reply` of a record, if it names its parent, else an empty one."""
    reply = record.get("reply") if isinstance(record, Mapping) else None
    parent = reply.get("parent") if isinstance(reply, Mapping) else None
    return reply if reply and isinstance(parent, Mapping) and isinstance(parent.get("uri"), str) else {}


def parent_of(record: object) -> str | None:
    """Return the URI of the post that a record replies to, or `None` if it replies to none."""
    reply = reply_of(record)
    return reply["parent"]["uri"] if reply else None
