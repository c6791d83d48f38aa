"""Rules of servers with Mastodon's API, and their differences."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import Message
from typing import Any, Final

from policenotify.testing.servers.http import RecordedRequest
from policenotify.text import mastodon_length

MAX_CHARACTERS: Final = 500
"""The longest post."""

MAX_ALT: Final = 1500
"""Characters of the longest alternative text."""

_LANGUAGE: Final = re.compile(r"[a-z]{2,3}")
_NO_LANGUAGE: Final = frozenset({"zz", "xx"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The behaviour of one kind of server.

    Attributes:
        version: The version in its instance document.
        source: The source URL in its instance document.
        url_length: The length of a URL in its instance document.
        counts_as_mastodon: It counts graphemes and short URLs; else code points.
        max_media: Pictures of a post.
        keys: It honours `Idempotency-Key`.
        orphans: Replies to a post that is deleted later lose their parent; else they still name it.
        limits: It has rate limits.
        refusal: The status of refused content.
        any_language: A post in an invalid language is published in the account's own; else it is refused.
    """

    version: str = "4.5.2"
    source: str = "https://github.com/mastodon/mastodon"
    url_length: int = 23
    counts_as_mastodon: bool = True
    max_media: int = 4
    keys: bool = True
    orphans: bool = True
    limits: bool = True
    refusal: int = 422
    any_language: bool = True


RULES: Final[Mapping[str, Rules]] = {
    "mastodon": Rules(),
    "gotosocial": Rules(
        version="0.20.0",
        source="https://codeberg.org/superseriousbusiness/gotosocial",
        url_length=25,
        counts_as_mastodon=False,
        max_media=6,
        keys=False,
        orphans=False,
        limits=False,
        refusal=400,
        any_language=False,
    ),
}


class Window:
    """A rate limit of so many calls in fixed windows of so many seconds since 1970, as on the server."""

    def __init__(self, limit: int, seconds: int) -> None:
        self.limit = limit
        self._seconds = seconds
        self._used: Counter[int] = Counter()

    def _number(self, now: datetime) -> int:
        return int(now.timestamp()) // self._seconds

    def left(self, now: datetime) -> int:
        """Return the remaining calls."""
        return self.limit - self._used[self._number(now)]

    def take(self, now: datetime) -> bool:
        """Use one call, and return False if none was left."""
        available = self.left(now) > 0
        self._used[self._number(now)] += available
        return available

    def use_up(self, now: datetime) -> None:
        """Use all remaining calls."""
        self._used[self._number(now)] = self.limit

    def reset(self, now: datetime) -> str:
        """Return the end of the window as ISO 8601 with microseconds."""
        at = datetime.fromtimestamp((self._number(now) + 1) * self._seconds, UTC)
        return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def instance(rules: Rules) -> dict[str, Any]:
    """Return the instance document (version 2)."""
    return {
        "title": "FakeServer",
        "version": rules.version,
        "source_url": rules.source,
        "configuration": {
            "statuses": {
                "max_characters": MAX_CHARACTERS,
                "max_media_attachments": rules.max_media,
                "characters_reserved_per_url": rules.url_length,
            },
            "media_attachments": {
                "description_limit": MAX_ALT,
                "image_size_limit": 16_777_216,
                "image_matrix_limit": 33_177_600,
            },
        },
    }


def refusal(rules: Rules, text: str, warning: str, media: int) -> str | None:
    """Return the refusal of a post, or `None`."""
    if not text and not media:
        return "Validation failed: Text can't be blank"
    if media > rules.max_media:
        return f"Cannot attach more than {rules.max_media} files"
    count = mastodon_length(text, warning, code_points=not rules.counts_as_mastodon)
    if count > MAX_CHARACTERS:
        return f"Validation failed: Text character limit of {MAX_CHARACTERS} exceeded"
    return None


def language(rules: Rules, requested: str | None, default: str) -> str | None:
    """Return the language of a post, or `None` if the server refuses it."""
    primary = (requested or default).partition("-")[0]
    if _LANGUAGE.fullmatch(primary) and primary not in _NO_LANGUAGE:
        return primary
    return default if rules.any_language else None


def fields(request: RecordedRequest) -> dict[str, Any]:
    """Return the fields of a request by name, from JSON or a form (RFC 7578).

    A value is a text, or a list of texts if the name ends in `[]`, which is removed. A file is its type and its bytes.
    """
    kind = request.headers.get_content_type()
    if kind == "application/json":
        sent: dict[str, Any] = request.json()
        return sent
    if kind == "multipart/form-data":
        head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n"
        return dict(
            _field(part) for part in message_from_bytes(head.encode() + request.body).walk() if not part.is_multipart()
        )
    return {
        name.removesuffix("[]"): values if name.endswith("[]") else values[-1]
        for name, values in {**request.query, **request.form()}.items()
    }


def _field(part: Message) -> tuple[str, Any]:
    content = part.get_payload(decode=True)
    name = str(part.get_param("name", header="Content-Disposition"))
    assert isinstance(content, bytes)  # noqa: S101 - for the type checker
    return name, (part.get_content_type(), content) if part.get_filename() else content.decode()


def flag(value: object) -> bool:
    """Parse a flag as Rails does."""
    return json.dumps(value).strip('"').lower() in {"1", "true"}
