"""Rules of servers with Mastodon's API, and their differences."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from typing import Any, Final, Literal

from policenotify.testing.servers.http import RecordedRequest
from policenotify.text import mastodon_length

_LANGUAGE: Final = re.compile(r"[a-z]{2,3}")
_NO_LANGUAGE: Final = frozenset({"zz", "xx"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The behaviour of one kind of server.

    Attributes:
        version: The version in its instance document.
        source: The source URL in its instance document.
        newer: It has `/api/v2/instance`.
        slash: Its answer to a path that ends in a slash: the same, a redirect (301), or not found.
        max_characters: The longest post. `None`: any length, in spite of its instance document.
        url_length: The length of a URL in its instance document.
        counts_as_mastodon: It counts graphemes and short URLs; else code points.
        max_media: Pictures of a post.
        max_alt: Characters of an alternative text.
        keys: It honours `Idempotency-Key`.
        parents: The result of a reply to a deleted post: refused, a post without parent, or an invisible reply.
        orphans: Replies to a post that is deleted later lose their parent; else they still name it.
        history: It returns earlier versions.
        pages: It returns timelines in pages; else always the whole.
        forgets: An edit removes what it does not repeat.
        deletes: It can delete.
        limits: It has rate limits.
        visibility: The visibility of a post that asks for `unlisted`. `None`: that.
        language: The language of every post (empty: none). `None`: as requested.
        refusal: The status of refused content.
        words: Its refusals are JSON; else pages.
        missing: Its 404s are JSON; else pages.
        bad_token: A line of text with status 400 for an unknown token. `None`: JSON with status 401.
    """

    version: str
    source: str = "https://github.com/mastodon/mastodon"
    newer: bool = True
    slash: Literal["same", "redirect", "missing"] = "same"
    max_characters: int | None = 500
    url_length: int = 23
    counts_as_mastodon: bool = True
    max_media: int = 4
    max_alt: int = 1500
    keys: bool = True
    parents: Literal["refused", "dropped", "unseen"] = "refused"
    orphans: bool = False
    history: bool = True
    pages: bool = True
    forgets: bool = True
    deletes: bool = True
    limits: bool = True
    visibility: str | None = None
    language: str | None = None
    refusal: int = 422
    words: bool = True
    missing: bool = True
    bad_token: str | None = None


RULES: Final[Mapping[str, Rules]] = {
    "mastodon": Rules(version="4.5.2", orphans=True),
    "gotosocial": Rules(
        version="0.20.0",
        source="https://codeberg.org/superseriousbusiness/gotosocial",
        slash="redirect",
        url_length=25,
        counts_as_mastodon=False,
        max_media=6,
        keys=False,
        limits=False,
        refusal=400,
    ),
    "snac": Rules(
        version="4.0.0 (not true; really snac/2.75)",
        newer=False,
        max_characters=None,
        url_length=32,
        keys=False,
        parents="dropped",
        history=False,
        pages=False,
        forgets=False,
        deletes=False,
        limits=False,
        visibility="public",
        language="en",
        words=False,
    ),
    "takahe": Rules(
        version="takahe/0.11.0",
        source="https://github.com/jointakahe/takahe",
        slash="missing",
        counts_as_mastodon=False,
        keys=False,
        parents="unseen",
        history=False,
        limits=False,
        language="",
        refusal=400,
        missing=False,
        bad_token="Invalid Bearer token",  # noqa: S106 - an error text
    ),
}


class Window:
    """A rate limit with fixed windows since 1970, as on the server.

    Args:
        limit: Calls in a window.
        seconds: Length of a window.
    """

    def __init__(self, limit: int, seconds: int) -> None:
        self.limit = limit
        self._seconds = seconds
        self._number = -1
        self._used = 0

    def left(self, now: datetime) -> int:
        """Return the remaining calls."""
        number = int(now.timestamp()) // self._seconds
        if number != self._number:
            self._number, self._used = number, 0
        return self.limit - self._used

    def take(self, now: datetime) -> bool:
        """Use one call, and return False if none was left."""
        available = self.left(now) > 0
        self._used += available
        return available

    def use_up(self, now: datetime) -> None:
        """Use all remaining calls."""
        self._used += self.left(now)

    def reset(self, now: datetime) -> str:
        """Return the end of the window as ISO 8601 with microseconds."""
        at = datetime.fromtimestamp((int(now.timestamp()) // self._seconds + 1) * self._seconds, UTC)
        return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def instance(rules: Rules, *, newer: bool) -> dict[str, Any]:
    """Return the instance document, in the newer or older form."""
    entity: dict[str, Any] = {
        "title": "FakeServer",
        "version": rules.version,
        "configuration": {
            "statuses": {
                "max_characters": rules.max_characters or 100_000,
                "max_media_attachments": rules.max_media,
                "characters_reserved_per_url": rules.url_length,
            },
            "media_attachments": {"image_size_limit": 16_777_216, "image_matrix_limit": 33_177_600},
        },
    }
    if newer:
        entity["configuration"]["media_attachments"]["description_limit"] = rules.max_alt
        entity["source_url"] = rules.source
    return entity


def refusal(rules: Rules, text: str, warning: str, media: int) -> str | None:
    """Return the refusal of a post, or `None`."""
    if rules.max_characters is None:
        return None
    if not text and not media:
        return "Validation failed: Text can't be blank"
    if media > rules.max_media:
        return f"Cannot attach more than {rules.max_media} files"
    count = mastodon_length(text, warning, code_points=not rules.counts_as_mastodon)
    if count > rules.max_characters:
        return f"Validation failed: Text character limit of {rules.max_characters} exceeded"
    return None


def language(rules: Rules, requested: str | None, default: str) -> str | None:
    """Return the language of a post, or `None` if the server refuses it."""
    if rules.language is not None:
        return rules.language
    primary = (requested or default).partition("-")[0]
    if _LANGUAGE.fullmatch(primary) and primary not in _NO_LANGUAGE:
        return primary
    return None if rules.refusal == 400 else default  # noqa: PLR2004 - GoToSocial is strict


def fields(request: RecordedRequest) -> dict[str, Any]:
    """Return the fields of a request by name, from JSON or a form (RFC 7578).

    A value is a text, or a list of texts if the name ends in `[]`, which is removed. A file is its type and its bytes.
    """
    kind = request.headers.get_content_type()
    if kind == "application/json":
        sent: dict[str, Any] = request.json()
        return sent
    if kind == "multipart/form-data":
        return dict(_part(part) for part in _parts(request))
    return {
        name.removesuffix("[]"): values if name.endswith("[]") else values[-1]
        for name, values in {**request.query, **request.form()}.items()
    }


def flag(value: object) -> bool:
    """Parse a flag as Rails does."""
    return json.dumps(value).strip('"').lower() in {"1", "true"}


def _parts(request: RecordedRequest) -> list[bytes]:
    boundary = b"--" + str(request.headers.get_param("boundary")).encode()
    return [part.removeprefix(b"\r\n").removesuffix(b"\r\n") for part in request.body.split(boundary)[1:-1]]


def _part(part: bytes) -> tuple[str, Any]:
    head, _, content = part.partition(b"\r\n\r\n")
    header = Message()
    for line in head.decode().split("\r\n"):
        name, _, value = line.partition(": ")
        header[name] = value
    name = str(header.get_param("name", header="Content-Disposition"))
    if header.get_param("filename", header="Content-Disposition") is not None:
        return name, (header.get_content_type(), content)
    return name, content.decode()
