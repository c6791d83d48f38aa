"""Posts and pictures of the fake Mastodon server."""

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
    """An earlier version of a post, which stays readable."""

    text: str
    warning: str
    at: datetime


@dataclass(frozen=True, slots=True)
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
        """Hashtags of a public post, with a letter, after white space."""
        return tuple(hit["tag"] for hit in _MARKED.finditer(self.text) if hit["tag"] and self.visibility == "public")


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


@dataclass(slots=True)
class Media:
    """An upload.

    Attributes:
        polls: Number of status requests until it is processed.
        status: Id of the post that shows it, or `None`.
    """

    id: str
    data: bytes
    type: str
    alt: str
    polls: int
    status: str | None = None

    def entity(self, server: str) -> dict[str, Any]:
        """Return the API entity, without URL during processing."""
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
        """Show these pictures only."""
        for item in self.media:
            item.status = None
        for item in media:
            item.status = self.id
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
        """Edit the post. An edit that changes nothing adds no version."""
        before, version = self._state(), PostVersion(self.text, self.warning, self.edited_at or self.created_at)
        self.text = text
        self.warning = self.warning if warning is None else warning
        self.sensitive = self.sensitive if sensitive is None else sensitive
        self.attach(self.media if media is None else media)
        for item in self.media:
            item.alt = (alts or {}).get(item.id, item.alt)
        if self._state() != before:
            self.history.append(version)
            self.edited_at = at

    def entity(self, server: str, account: Mapping[str, Any]) -> dict[str, Any]:
        """Return the API entity."""
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
            "media_attachments": [media.entity(server) for media in self.media],
        }

    def visible(self, server: str, handle: str) -> VisibleMastodonPost:
        """Return the post as readers see it."""
        return VisibleMastodonPost(
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
    """Return a time in the format of the API."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
