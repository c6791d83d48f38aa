"""Posts and pictures of the fake Mastodon server."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from typing import Any

from policenotify.testing.servers import VisibleImage

_MARKED = re.compile(
    r"(?P<url>https?://[^\s<>«»]*[\w/#)])"
    r"|(?<![=/\w])@(?P<user>\w+)(?:@[\w.-]+\w(?::\d+)?)?"
    r"|(?<!\S)#(?P<tag>\w*[^\W\d_]\w*)"
)


@dataclass(frozen=True, slots=True)
class PostVersion:
    """An earlier version of a post, which stays readable."""

    text: str
    warning: str
    at: datetime


@dataclass(slots=True)
class Media:
    """An upload.

    Attributes:
        polls: Number of status requests until it is processed.
    """

    id: str
    data: bytes
    type: str
    alt: str
    polls: int

    def entity(self, server: str) -> dict[str, Any]:
        """Return the API entity, without URL during processing."""
        url = None if self.polls else f"{server}/media/{self.id}"
        return {"id": self.id, "type": "image", "url": url, "description": self.alt}


@dataclass(frozen=True, slots=True, kw_only=True)
class VisibleMastodonPost:
    """A post as a reader sees it.

    Attributes:
        warning: The content warning, behind which the text is folded. Empty: none.
        sensitive: Its pictures are hidden until a click.
        visibility: `public`, `unlisted`, `private` or `direct`.
        language: ISO 639.
        parent: Id of the post that it replies to, or `None`.
        edited_at: Time of the last edit, or `None`.
        history: Earlier versions, oldest first.
        media: Ids of its pictures.
    """

    id: str
    url: str
    text: str
    warning: str = ""
    sensitive: bool = False
    visibility: str = "public"
    language: str | None
    images: tuple[VisibleImage, ...] = ()
    parent: str | None = None
    created_at: datetime
    edited_at: datetime | None = None
    history: tuple[PostVersion, ...] = ()
    media: tuple[str, ...] = field(default=(), repr=False)

    @property
    def tags(self) -> tuple[str, ...]:
        """Hashtags of a public post, with a letter, after white space."""
        return tuple(hit["tag"] for hit in _MARKED.finditer(self.text) if hit["tag"] and self.visibility == "public")

    @property
    def version(self) -> PostVersion:
        """What can be read now."""
        return PostVersion(self.text, self.warning, self.edited_at or self.created_at)


def html(text: str, server: str) -> str:
    """Return the HTML that the server makes of a text."""

    def marked(hit: re.Match[str]) -> str:
        if hit["url"]:
            head, rest = hit["url"].split("://", 1)
            pieces = (("invisible", f"{head}://"), ("ellipsis", rest[:30]), ("invisible", rest[30:]))
            shown = "".join(f'<span class="{kind}">{piece}</span>' for kind, piece in pieces)
            return f'<a href="{hit["url"]}" rel="nofollow noopener" translate="no">{shown}</a>'
        if hit["user"]:
            name = hit["user"]
            return (
                f'<span class="h-card"><a href="{server}/@{name}" class="u-url mention">@<span>{name}</span></a></span>'
            )
        return f'<a href="{server}/tags/{hit["tag"]}" class="mention hashtag" rel="tag">#<span>{hit["tag"]}</span></a>'

    paragraphs = _MARKED.sub(marked, escape(text, quote=False)).split("\n\n")
    return "".join(f"<p>{paragraph}</p>".replace("\n", "<br>") for paragraph in paragraphs)


def iso(at: datetime) -> str:
    """Return a time in the format of the API."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
