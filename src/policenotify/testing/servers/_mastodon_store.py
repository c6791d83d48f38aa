"""What the Mastodon stand holds: posts and pictures, how they change, and how the server tells of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
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
    """An earlier version of a post, which readers may look at for ever."""

    text: str
    warning: str
    at: datetime


@dataclass(frozen=True, slots=True)
class MastodonPost:
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
    images: tuple[VisibleImage, ...]
    parent: str | None
    created_at: datetime
    edited_at: datetime | None
    history: tuple[PostVersion, ...]

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


@dataclass(slots=True)
class Media:
    """An upload.

    Attributes:
        polls: How often it must still be asked for until it is processed.
        status: Id of the post that shows it, or `None`.
    """

    id: str
    data: bytes
    type: str
    alt: str
    polls: int
    status: str | None = None

    def said(self, server: str) -> dict[str, Any]:
        """It as an entity of the API; without a URL while it is worked on."""
        url = None if self.polls else f"{server}/media/{self.id}"
        return {"id": self.id, "type": "image", "url": url, "description": self.alt}


@dataclass(slots=True)
class Status:
    """A post."""

    id: str
    text: str
    warning: str
    sensitive: bool
    visibility: str
    language: str | None
    parent: str | None
    created_at: datetime
    media: list[Media] = field(default_factory=list)
    edited_at: datetime | None = None
    history: list[PostVersion] = field(default_factory=list)

    def attach(self, media: list[Media]) -> None:
        """Show these pictures, and no others."""
        for one in self.media:
            one.status = None
        for one in media:
            one.status = self.id
        self.media = media

    def change(
        self,
        at: datetime,
        *,
        text: str,
        warning: str | None = None,
        sensitive: bool | None = None,
        media: list[Media] | None = None,
        alts: Mapping[str, str] | None = None,
    ) -> None:
        """Make an edit, if it is one: what changes nothing adds no version."""
        before, was = self._state(), PostVersion(self.text, self.warning, self.edited_at or self.created_at)
        self.text = text
        self.warning = self.warning if warning is None else warning
        self.sensitive = self.sensitive if sensitive is None else sensitive
        self.attach(self.media if media is None else media)
        for one in self.media:
            one.alt = (alts or {}).get(one.id, one.alt)
        if self._state() != before:
            self.history.append(was)
            self.edited_at = at

    def said(self, server: str, account: Mapping[str, Any]) -> dict[str, Any]:
        """It as an entity of the API."""
        return {
            "id": self.id,
            "uri": f"{server}/users/{account['username']}/statuses/{self.id}",
            "url": self._url(server, account["username"]),
            "created_at": iso(self.created_at),
            "edited_at": iso(self.edited_at) if self.edited_at else None,
            "in_reply_to_id": self.parent,
            "spoiler_text": self.warning,
            "sensitive": self.sensitive,
            "visibility": self.visibility,
            "language": self.language,
            "content": html(self.text, server),
            "reblog": None,
            "account": account,
            "media_attachments": [media.said(server) for media in self.media],
        }

    def shown(self, server: str, handle: str) -> MastodonPost:
        """It as a reader sees it."""
        return MastodonPost(
            id=self.id,
            url=self._url(server, handle),
            text=self.text,
            warning=self.warning,
            sensitive=self.sensitive,
            visibility=self.visibility,
            language=self.language,
            images=tuple(VisibleImage(media.alt, media.data, media.type) for media in self.media),
            parent=self.parent,
            created_at=self.created_at,
            edited_at=self.edited_at,
            history=tuple(self.history),
        )

    def _state(self) -> tuple[object, ...]:
        return self.text, self.warning, self.sensitive, [(media.id, media.alt) for media in self.media]

    def _url(self, server: str, handle: str) -> str:
        return f"{server}/@{handle}/{self.id}"


def iso(at: datetime) -> str:
    """A time as the API writes it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
