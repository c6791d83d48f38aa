"""What a server says of itself: its software and its limits, read once a day and kept for all processes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from policenotify.channel import Capabilities, Clock, StateStore
from policenotify.errors import JournalError, SettingsError
from policenotify.networks.mastodon.client import Api, judge, without_side_effects
from policenotify.text import Budget, graphemes, mastodon_length
from policenotify.transport import is_loopback

Software = Literal["mastodon", "gotosocial", "snac", "other", "unknown"]

_NAME: Final = "instance"
_FRESH: Final = timedelta(days=1)

# Redis holds a key for 3600 s after the post was made (server source, `PostStatusService`); counted from our first
# attempt that is at least as long. The rest is for clocks, and for the attempt under way.
_KEYS_LIVE: Final = timedelta(minutes=50)

# Timelines may be read from a replica that lags, and a request that we gave up may still wait in the server's queue.
_SETTLES: Final = timedelta(minutes=1)

_LONGEST: Final = 5000
"""Characters that we use at the most, whatever the server takes: nobody reads more, and snac (which says 100,000)
stands still for ten seconds over such a post."""

_MOST_PICTURES: Final = 16
_MAINLINE: Final = re.compile(r"(\d+)\.\d+\.\d+(-[\w.]+)?(\+[\w.-]+)?")  # `4.5.2`, `4.6.0-rc.1`, `4.6.0+glitch`


class Instance(BaseModel):
    """A server, as it is kept. The defaults are Mastodon's own, and hold where it says nothing.

    Attributes:
        read_at: When it was read.
        software: What it runs, as far as that makes a difference here.
        major: First number of the version.
        max_characters: Of a post.
        max_media: Pictures of a post.
        url_length: What each URL counts, however long.
        max_alt: Characters of a picture's description: 1500 up to Mastodon 4.5, 10,000 from 4.6.
        max_bytes: Of a picture.
        max_pixels: Of a picture: width by height.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    read_at: AwareDatetime | None = None
    software: Software = "unknown"
    major: int = 0
    max_characters: int = 500
    max_media: int = 4
    url_length: int = 23
    max_alt: int = 1500
    max_bytes: int = 16 * 1024 * 1024
    max_pixels: int = 33_177_600

    @classmethod
    def of(cls, said: Mapping[str, Any], *, at: datetime) -> Self:
        """Read what `/api/v2/instance`, or `/api/v1/instance` of older servers, says."""
        configuration = _part(said, "configuration")
        statuses, media = _part(configuration, "statuses"), _part(configuration, "media_attachments")
        limits = {
            "max_characters": statuses.get("max_characters", said.get("max_toot_chars")),
            "max_media": statuses.get("max_media_attachments"),
            "url_length": statuses.get("characters_reserved_per_url"),
            "max_alt": media.get("description_limit"),
            "max_bytes": media.get("image_size_limit"),
            "max_pixels": media.get("image_matrix_limit"),
        }
        usable = {name: limit for name, limit in limits.items() if type(limit) is int and limit > 0}
        software, major = _software(str(said.get("version", "")), str(said.get("source_url") or "mastodon"))
        return cls(read_at=at, software=software, major=major, **usable)

    @property
    def count(self) -> Count:
        """How the server counts a text.

        GoToSocial counts code points, whatever it says of URLs. Of other servers the larger count holds: a text that
        proves too long is refused for good. One that says nothing of itself is taken for a Mastodon.
        """
        ways = {"mastodon": (False,), "unknown": (False,), "gotosocial": (True,)}
        return Count(url=self.url_length, code_points=ways.get(self.software, (False, True)))

    def capabilities(self, warning: str) -> Capabilities:
        """What a channel on this server can do.

        Args:
            warning: The longest content warning that may stand above a post, and counts with it.
        """
        mastodon = self.software == "mastodon"
        return Capabilities(
            budget=Budget(min(self.max_characters, _LONGEST) - self.count("", warning), self.count),
            replies=True,
            images=min(self.max_media, _MOST_PICTURES),
            idempotency_window=_KEYS_LIVE if mastodon else timedelta(0),
            lookup_delay=_SETTLES,
            # Since 4.0. Elsewhere an edit may reset the language (GoToSocial) or the visibility (takahe).
            edits=mastodon and self.major >= 4,  # noqa: PLR2004 - Mastodon 4
            deletes=self.software != "snac",
            bracketed_hashtags=False,  # since 4.6 a space must stand before one
        )


@dataclass(frozen=True, slots=True)
class Count:
    """Counts a text as the server does; two are equal where they count alike.

    Attributes:
        url: What each URL counts.
        code_points: Count code points, and a URL as it is; of several ways the largest count.
    """

    url: int
    code_points: tuple[bool, ...]

    def __call__(self, text: str, warning: str = "") -> int:
        """How much the text takes, with the warning above it."""
        return max(mastodon_length(text, warning, url=self.url, code_points=each) for each in self.code_points)


class Instances:
    """Knows the server: from the keep, else by asking it.

    Args:
        api: Asks the server.
        clock: Time, handed in.
        keep: Where it is kept.
    """

    def __init__(self, api: Api, clock: Clock, keep: StateStore) -> None:
        self._api = api
        self._clock = clock
        self._keep = keep
        self._known: Instance | None = None

    def known(self) -> Instance:
        """The server as far as it is known; nobody is asked but, once, the keep."""
        if self._known is None:
            self._known, _ = self._kept()
        return self._known

    def current(self) -> Instance:
        """The server as it was within the last day.

        A server that answers, but not this question, is taken for what it was, or for a plain Mastodon: that it hides
        its limits is no reason to hold back a post.

        Raises:
            Unavailable: It does not answer at all, or asks us to wait.
        """
        if _is_fresh(self.known(), self._clock.now()):
            return self.known()
        self._known, version = self._kept()
        if not _is_fresh(self._known, self._clock.now()) and (said := self._ask()) is not None:
            self._known = Instance.of(said, at=self._clock.now())
            # Without having kept it we only ask again; another process that was faster has kept the same.
            with suppress(JournalError):
                self._keep.compare_and_swap(_NAME, self._known.model_dump_json(), version=version)
        return self._known

    def answers(self) -> bool:
        """Return True if the server itself answers now, and nothing in its place does.

        Raises:
            Unavailable: No answer came, or it asks us to wait.
        """
        return self._ask() is not None

    def _kept(self) -> tuple[Instance, int | None]:
        try:
            kept = self._keep.load(_NAME)
        except JournalError:
            kept = None
        if kept is None:
            return Instance(), None
        try:
            return Instance.model_validate_json(kept.value), kept.version
        except ValidationError:  # written by another release
            return Instance(), kept.version

    def _ask(self) -> Mapping[str, Any] | None:
        for ask in ("instance_v2", "instance_v1"):
            with without_side_effects("asking the server for its limits"):
                answer = self._api.ask(ask)
            if answer.status == 429:  # noqa: PLR2004 - RFC 6585, section 4
                raise judge(answer, now=self._clock.now())
            if answer.ok and isinstance(answer.object.get("version"), str):
                return answer.object
        return None


def _is_fresh(instance: Instance, now: datetime) -> bool:
    return instance.read_at is not None and abs(now - instance.read_at) < _FRESH


def _part(of: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = of.get(name)
    return part if isinstance(part, dict) else {}


def _software(version: str, source: str) -> tuple[Software, int]:
    """What a server runs, by its version (`4.0.0 (not true; really snac/2.75)`) and where its source is.

    It is Mastodon where all says so: others write their own name into the version, count from 0, or name their source.
    """
    for name in ("gotosocial", "snac"):
        if name in f"{version} {source}".lower():
            return name, 0
    plain = _MAINLINE.fullmatch(version)
    if plain and int(plain[1]) >= 3 and "mastodon" in source.lower():  # noqa: PLR2004 - GoToSocial and others begin at 0
        return "mastodon", int(plain[1])
    return "other", 0


_HANDLE: Final = re.compile(r"@?([a-z0-9_]+(?:[.-]+[a-z0-9_]+)*)(?:@[^@\s]+)?", re.IGNORECASE)
_CATEGORY: Final = re.compile(r"[a-z][a-z0-9_]*")
_TOKEN: Final = re.compile(r"[!-~]+")  # wider than RFC 6750, section 2.1: not every server keeps to it
_LONGEST_WARNING: Final = 100
"""Characters of a content warning: it counts with the post, and must leave room for it."""


def server_address(server: str) -> tuple[str, str]:
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


def content_warning_lines(given: Mapping[str, str]) -> dict[str, str]:
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
