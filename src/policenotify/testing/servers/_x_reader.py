"""A post on X as a reader sees it, and as its interface shows it: with short links, and `&`, `<`, `>` escaped."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from typing import Any, NamedTuple

from policenotify.text import x_weight

# What X would link, nearly: addresses, and bare domains of some of its ~1,500 top-level domains
_LINK = re.compile(r"https?://[^\s]*[\w/]|(?<![@\w.-])(?:[\w-]+\.)+(?:fr|com|org|net|eu|example|La|paris)\b(?:/\S*\w)?")
_SHORT = 280  # longer posts are shown cut, and whole as a "note"


@dataclass(frozen=True, slots=True)
class SeenImage:
    """A picture as readers get it; `alt` is empty where nobody said what it shows."""

    alt: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SeenPost:
    """A post as a reader sees it.

    Attributes:
        id: Its number.
        text: What is read, links as they were written.
        created_at: When it was posted.
        parent: Number of the post that it answers, or `None`.
        conversation: Number of the post that starts the thread.
        images: Its pictures.
    """

    id: str
    text: str
    created_at: datetime
    parent: str | None
    conversation: str
    images: tuple[SeenImage, ...] = ()


class Wrapped(NamedTuple):
    """A text with X's own links in it.

    Attributes:
        text: The text.
        urls: What stands for what.
    """

    text: str
    urls: list[dict[str, str]]


def wrapped(post: SeenPost, handle: str) -> Wrapped:
    """Put X's links in the place of those of the text, and one behind it for pictures."""
    urls: list[dict[str, str]] = []

    def short(expanded: str, shown: str) -> str:
        url = f"https://t.co/{int(post.id) % 10**8:08d}{len(urls):02d}"
        urls.append({"url": url, "expanded_url": expanded, "display_url": shown})
        return url

    def link(found: re.Match[str]) -> str:
        return short(found[0] if "://" in found[0] else f"http://{found[0]}", found[0].partition("://")[2] or found[0])

    text = _LINK.sub(link, escape(post.text, quote=False))
    if post.images:
        text += f" {short(f'https://x.com/{handle}/status/{post.id}/photo/1', 'pic.x.com/1')}"
    return Wrapped(text, urls)


def shown(post: SeenPost, handle: str, fields: frozenset[str]) -> Mapping[str, Any]:
    """The post as `GET /2/users/{id}/tweets` shows it.

    Args:
        post: The post.
        handle: Whose it is.
        fields: Which fields were asked for besides the usual ones.
    """
    text, urls = wrapped(post, handle)
    made: dict[str, Any] = {"id": post.id, "text": text, "edit_history_tweet_ids": [post.id]}
    more: dict[str, Any] = {
        "created_at": post.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "conversation_id": post.conversation,
    }
    if urls:
        more["entities"] = {"urls": urls}
    if post.parent:
        more["referenced_tweets"] = more["referenced_posts"] = [{"type": "replied_to", "id": post.parent}]
    if x_weight(post.text) > _SHORT:
        made["text"] = f"{text[:250]}… https://t.co/{int(post.id) % 10**8:08d}99"
        more["note_tweet"] = more["note_post"] = {"text": text, "entities": {"urls": urls}}
    return made | {name: value for name, value in more.items() if name in fields}
