"""Rules of Mastodon, and of GoToSocial where it differs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
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


LIMITS: Final[Mapping[str, tuple[int, int]]] = {
    "all": (300, 300),
    "statuses": (300, 3 * 3600),
    "media": (30, 1800),
    "deletes": (30, 1800),
}
"""Calls in fixed windows of so many seconds since 1970."""


def instance(*, gotosocial: bool) -> dict[str, Any]:
    """Return the instance document (version 2)."""
    mainline = ("4.5.2", "https://github.com/mastodon/mastodon")
    version, source = ("0.20.0", "https://codeberg.org/superseriousbusiness/gotosocial") if gotosocial else mainline
    return {
        "title": "FakeServer",
        "version": version,
        "source_url": source,
        "configuration": {
            "statuses": {
                "max_characters": MAX_CHARACTERS,
                "max_media_attachments": 6 if gotosocial else 4,
                "characters_reserved_per_url": 25 if gotosocial else 23,
            },
            "media_attachments": {
                "description_limit": MAX_ALT,
                "image_size_limit": 16_777_216,
                "image_matrix_limit": 33_177_600,
            },
        },
    }


def refusal(text: str, warning: str, media: int, *, gotosocial: bool) -> str | None:
    """Return the refusal of a post, or `None`. GoToSocial counts code points, and URLs in full."""
    most = 6 if gotosocial else 4
    if not text and not media:
        return "Validation failed: Text can't be blank"
    if media > most:
        return f"Cannot attach more than {most} files"
    if mastodon_length(text, warning, code_points=gotosocial) > MAX_CHARACTERS:
        return f"Validation failed: Text character limit of {MAX_CHARACTERS} exceeded"
    return None


def language(requested: str | None, default: str) -> str | None:
    """Return the language of a post, or `None` if it is none. Mastodon then takes the account's, GoToSocial refuses."""
    primary = (requested or default).partition("-")[0]
    return primary if _LANGUAGE.fullmatch(primary) and primary not in _NO_LANGUAGE else None


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
