"""What a reader sees of a post on Mastodon, and the HTML that the server makes of its text."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from html import escape

_MARKED = re.compile(
    r"(?P<url>https?://[^\s<>«»]*[\w/#)])"
    r"|(?<![=/\w])@(?P<user>\w+)(?:@[\w.-]+\w(?::\d+)?)?"
    r"|(?<!\S)#(?P<tag>\w*[^\W\d_]\w*)"
)


@dataclass(frozen=True, slots=True)
class SeenImage:
    """A picture as readers get it."""

    alt: str
    media_type: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SeenVersion:
    """An earlier version of a post, which readers may look at for ever."""

    text: str
    warning: str
    at: datetime


@dataclass(frozen=True, slots=True)
class SeenPost:
    """A post as a reader sees it.

    Attributes:
        id: The server's id of it.
        url: Where it is.
        text: What is read.
        warning: What stands above the text, which is then folded away; empty: nothing.
        sensitive: Its pictures are shown on a click only.
        visibility: `public`, `unlisted`, `private` or `direct`.
        language: ISO 639.
        images: Its pictures.
        parent: Id of the post that it answers, or `None`.
        created_at: When it was posted.
        edited_at: When it was changed last, or `None`.
        history: Its earlier versions, oldest first.
    """

    id: str
    url: str
    text: str
    warning: str
    sensitive: bool
    visibility: str
    language: str | None
    images: tuple[SeenImage, ...]
    parent: str | None
    created_at: datetime
    edited_at: datetime | None
    history: tuple[SeenVersion, ...]

    @property
    def tags(self) -> tuple[str, ...]:
        """Hashtags that find the post: those of public posts, after white space, and with a letter in them."""
        return tuple(hit["tag"] for hit in _MARKED.finditer(self.text) if hit["tag"] and self.visibility == "public")


def html(text: str, server: str) -> str:
    """The text as the server shows it: paragraphs, links in three pieces, mentions without their domain."""

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
