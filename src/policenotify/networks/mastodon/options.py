"""The options of a Mastodon channel: what cannot be right is said before anything is called."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urlsplit

from policenotify.errors import SettingsError
from policenotify.text import graphemes
from policenotify.transport import is_loopback

_HANDLE: Final = re.compile(r"@?([a-z0-9_]+(?:[.-]+[a-z0-9_]+)*)(?:@[^@\s]+)?", re.IGNORECASE)
_CATEGORY: Final = re.compile(r"[a-z][a-z0-9_]*")
_TOKEN: Final = re.compile(r"[!-~]+")  # wider than RFC 6750, section 2.1: not every server keeps to it
_LONGEST_WARNING: Final = 100
"""Characters of a content warning: it counts with the post, and must leave room for it."""


def address(server: str) -> tuple[str, str]:
    """The server's address without a slash at its end, and its host (with the port, where one is named)."""
    try:
        parts = urlsplit(server.rstrip("/"))
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host or ""))
    if not host or not safe or parts.username is not None or parts.path or parts.query or parts.fragment:
        raise SettingsError("server: must be https://… and a host alone: the token is sent there")
    return f"{parts.scheme}://{parts.netloc}", parts.netloc.lower()


def username(handle: str) -> str:
    """The account's name on its server, in small letters: `@Police34@police.example` is `police34`."""
    found = _HANDLE.fullmatch(handle)
    if not found:
        raise SettingsError("handle: must be the account's name on the server, such as 'police34'")
    return found[1].lower()


def check_token(token: str) -> None:
    """Refuse what can be no token."""
    if not _TOKEN.fullmatch(token):
        raise SettingsError("token: must be the access token alone, without spaces or line breaks")


def check_categories(option: str, categories: Iterable[str]) -> None:
    """Refuse what can be no category's code."""
    for category in categories:
        if not _CATEGORY.fullmatch(category):
            raise SettingsError(f"{option}: {category!r} is no category: small letters, digits and underscores")


def warnings(given: Mapping[str, str]) -> dict[str, str]:
    """The content warnings by category, each on one line."""
    check_categories("content_warnings", given)
    clean = {category: " ".join(text.split()) for category, text in given.items()}
    for category, text in clean.items():
        if not 0 < graphemes(text) <= _LONGEST_WARNING:
            raise SettingsError(
                f"content_warnings: the text for {category!r} has {graphemes(text)} characters; "
                f"write 1 to {_LONGEST_WARNING}"
            )
    return clean
