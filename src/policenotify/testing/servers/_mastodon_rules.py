"""What servers that speak Mastodon's API take and refuse, and how they differ from Mastodon itself."""

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
    """How one kind of server behaves.

    Attributes:
        version: What it says of itself.
        source: Where it says that its source is.
        newer: It has `/api/v2/instance`.
        slash: What it answers where an address ends in a slash: the same, a redirect (301), or that it is missing.
        max_characters: Of a post; `None`: it takes any length, whatever it says.
        url_length: What it *says* that a URL counts.
        counts_as_mastodon: Graphemes, with short URLs; else code points.
        max_media: Pictures of a post.
        max_alt: Characters of a description.
        keys: It honours `Idempotency-Key`.
        parents: What becomes of an answer to a post that is gone: refused, without a parent, or hanging there unseen.
        orphans: What answers a post that is deleted afterwards answers nothing any more; else it goes on naming it.
        history: It tells earlier versions.
        pages: It tells a timeline in pages; else all of it at once, whatever it is asked.
        forgets: An edit takes away what it does not say again.
        deletes: It can delete.
        limits: It counts calls.
        visibility: What becomes of an update that asks for `unlisted`: it, or always this.
        language: The language that it says of every post (empty: none), or `None`: as it was told.
        refusal: The status of a refused content.
        words: It says in JSON why it refuses; else it sends a page.
        missing: The same of what is not there.
        bad_token: What it says of a token that it does not know; it is JSON with status 401, or else a line with 400.
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
        bad_token="Invalid Bearer token",  # noqa: S106 - what it says of one
    ),
}


class Window:
    """So many calls in a time; windows begin at whole multiples of it since 1970, as on the server.

    Args:
        limit: How many.
        seconds: In how long.
    """

    def __init__(self, limit: int, seconds: int) -> None:
        self.limit = limit
        self._seconds = seconds
        self._number = -1
        self._used = 0

    def left(self, now: datetime) -> int:
        """How many are left."""
        number = int(now.timestamp()) // self._seconds
        if number != self._number:
            self._number, self._used = number, 0
        return self.limit - self._used

    def take(self, now: datetime) -> bool:
        """Use one up; whether there was one."""
        had = self.left(now) > 0
        self._used += had
        return had

    def use_up(self, now: datetime) -> None:
        """Leave none."""
        self._used += self.left(now)

    def reset(self, now: datetime) -> str:
        """When there are more again, as the server writes it: ISO 8601 with microseconds."""
        at = datetime.fromtimestamp((int(now.timestamp()) // self._seconds + 1) * self._seconds, UTC)
        return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def instance(rules: Rules, *, newer: bool) -> dict[str, Any]:
    """What the server says of itself, in the newer form or the older one."""
    said: dict[str, Any] = {
        "title": "Loopback test server",
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
        said["configuration"]["media_attachments"]["description_limit"] = rules.max_alt
        said["source_url"] = rules.source
    return said


def refusal(rules: Rules, text: str, warning: str, media: int) -> str | None:
    """Why a post is not taken as it is, or `None`."""
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


def language(rules: Rules, said: str | None, default: str) -> str | None:
    """The language that a post gets; `None`: the server refuses the one it was told."""
    if rules.language is not None:
        return rules.language
    primary = (said or default).partition("-")[0]
    if _LANGUAGE.fullmatch(primary) and primary not in _NO_LANGUAGE:
        return primary
    return None if rules.refusal == 400 else default  # noqa: PLR2004 - GoToSocial is strict


def fields(seen: RecordedRequest) -> dict[str, Any]:
    """A request's fields by name, sent as JSON, as a form, or as a form with a file in it (RFC 7578).

    A value is a text, or a list of them where the name ends in `[]`, which is taken off. A file is a pair of its type
    and its bytes.
    """
    kind = seen.headers.get_content_type()
    if kind == "application/json":
        sent: dict[str, Any] = seen.json()
        return sent
    if kind == "multipart/form-data":
        return dict(_part(part) for part in _parts(seen))
    return {
        name.removesuffix("[]"): values if name.endswith("[]") else values[-1]
        for name, values in {**seen.query, **seen.form()}.items()
    }


def flag(value: object) -> bool:
    """A flag, as Rails reads one: from a form, or from JSON that holds a text."""
    return json.dumps(value).strip('"').lower() in {"1", "true"}


def _parts(seen: RecordedRequest) -> list[bytes]:
    boundary = b"--" + str(seen.headers.get_param("boundary")).encode()
    return [part.removeprefix(b"\r\n").removesuffix(b"\r\n") for part in seen.body.split(boundary)[1:-1]]


def _part(part: bytes) -> tuple[str, Any]:
    head, _, content = part.partition(b"\r\n\r\n")
    about = Message()
    for line in head.decode().split("\r\n"):
        name, _, value = line.partition(": ")
        about[name] = value
    name = str(about.get_param("name", header="Content-Disposition"))
    if about.get_param("filename", header="Content-Disposition") is not None:
        return name, (about.get_content_type(), content)
    return name, content.decode()
