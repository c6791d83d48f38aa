"""What the Mastodon stand holds: posts and pictures, how they change, and how the server tells of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from policenotify.testing.servers._mastodon_reader import SeenImage, SeenPost, SeenVersion, html


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
    history: list[SeenVersion] = field(default_factory=list)

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
        before, was = self._state(), SeenVersion(self.text, self.warning, self.edited_at or self.created_at)
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

    def shown(self, server: str, handle: str) -> SeenPost:
        """It as a reader sees it."""
        return SeenPost(
            id=self.id,
            url=self._url(server, handle),
            text=self.text,
            warning=self.warning,
            sensitive=self.sensitive,
            visibility=self.visibility,
            language=self.language,
            images=tuple(SeenImage(media.alt, media.type, media.data) for media in self.media),
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
