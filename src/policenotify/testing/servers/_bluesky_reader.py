"""What a reader sees of a Bluesky record: its text, what can be clicked in it, pictures, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_VALUE = {"link": "uri", "tag": "tag", "mention": "did"}  # app.bsky.richtext.facet


@dataclass(frozen=True, slots=True)
class Link:
    """What a reader can click.

    Attributes:
        covers: The bytes of the text that the facet covers, read as UTF-8.
        to: The URL, the tag or the DID.
    """

    covers: str
    to: str


@dataclass(frozen=True, slots=True)
class SeenImage:
    """A picture as readers get it."""

    alt: str
    media_type: str
    width: int | None
    height: int | None
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SeenPost:
    """A post as a reader sees it.

    Attributes:
        uri: Its `at://` URI.
        cid: The hash of its content.
        text: What is read.
        created_at: As the record says it.
        langs: The languages that it says it is in.
        links: URLs that can be clicked.
        tags: Hashtags that can be clicked.
        mentions: Accounts that can be clicked.
        images: Its pictures.
        card: The URL, title and description of the link card, or `None`.
        root: URI of the thread's first post; `None` for one that starts a thread.
        parent: URI of the post that it answers, or `None`.
    """

    uri: str
    cid: str
    text: str
    created_at: str
    langs: tuple[str, ...]
    links: tuple[Link, ...]
    tags: tuple[Link, ...]
    mentions: tuple[Link, ...]
    images: tuple[SeenImage, ...]
    card: tuple[str, str, str] | None
    root: str | None
    parent: str | None


def read_post(uri: str, cid: str, record: Mapping[str, Any], uploads: Mapping[str, tuple[str, bytes]]) -> SeenPost:
    """Read a record as a client does.

    Args:
        uri: Where it is.
        cid: The hash of its content.
        record: The record.
        uploads: Media type and bytes of each uploaded blob, by cid.
    """
    text = record["text"].encode()
    found: dict[str, list[Link]] = {"link": [], "tag": [], "mention": []}
    for facet in record.get("facets", []):
        covers = text[facet["index"]["byteStart"] : facet["index"]["byteEnd"]].decode(errors="replace")
        for feature in facet["features"]:
            kind = feature["$type"].partition("#")[2]
            found[kind].append(Link(covers, feature[_VALUE[kind]]))
    embed, reply = record.get("embed", {}), record.get("reply", {})
    card = embed.get("external")
    return SeenPost(
        uri=uri,
        cid=cid,
        text=record["text"],
        created_at=record["createdAt"],
        langs=tuple(record.get("langs", ())),
        links=tuple(found["link"]),
        tags=tuple(found["tag"]),
        mentions=tuple(found["mention"]),
        images=tuple(_image(image, uploads) for image in embed.get("images", ())),
        card=(card["uri"], card["title"], card["description"]) if card else None,
        root=reply.get("root", {}).get("uri"),
        parent=reply.get("parent", {}).get("uri"),
    )


def _image(image: Mapping[str, Any], uploads: Mapping[str, tuple[str, bytes]]) -> SeenImage:
    media_type, data = uploads[image["image"]["ref"]["$link"]]
    ratio = image.get("aspectRatio", {})
    return SeenImage(image["alt"], media_type, ratio.get("width"), ratio.get("height"), data)
