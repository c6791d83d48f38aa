"""A server's software and limits."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any, ClassVar, Final, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict

from policenotify.channel import Capabilities
from policenotify.text import Budget, mastodon_length

_FRESH: Final = timedelta(days=1)

# Redis holds a key for 3600 s after the post was made (server source, `PostStatusService`). Counted from our first
# attempt that is at least as long. The rest is for clocks, and for the attempt under way.
_IDEMPOTENCY_WINDOW: Final = timedelta(minutes=50)

# Timelines may be read from a replica that lags, and an abandoned request may still wait in the server's queue.
_LOOKUP_DELAY: Final = timedelta(minutes=1)

# Characters of the longest post that we send, whatever the server takes. A longer one is hardly read.
_LONGEST: Final = 5000
_MOST_PICTURES: Final = 16
_EDITS: Final = 4  # Mastodon 4.0
_MAINLINE: Final = re.compile(r"([1-9]\d*)\.\d+\.\d+(-[\w.]+)?(\+[\w.-]+)?")  # `4.5.2`, `4.6.0-rc.1`, `4.6.0+glitch`


class Instance(BaseModel):
    """A server, as it is stored.

    The defaults are Mastodon's own, for values that the server does not name. Before anything is known of a server it
    is another software, of which no more is claimed than is safe everywhere.

    Attributes:
        major: First number of Mastodon's version. 0: it is another software.
        deletes: It deletes posts. snac answers that there is no such call.
        url_length: Characters that each URL counts.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    read_at: AwareDatetime | None = None
    major: int = 0
    deletes: bool = True
    max_characters: int = 500
    max_media: int = 4
    url_length: int = 23

    @classmethod
    def of(cls, answer: Mapping[str, Any], *, at: datetime) -> Self:
        """Read the answer of `/api/v2/instance`."""
        statuses = _part(_part(answer, "configuration"), "statuses")
        limits = {
            "max_characters": statuses.get("max_characters"),
            "max_media": statuses.get("max_media_attachments"),
            "url_length": statuses.get("characters_reserved_per_url"),
        }
        usable = {name: limit for name, limit in limits.items() if type(limit) is int and limit > 0}
        # Others write their own name into the version, count from 0, or name their own source.
        version = str(answer.get("version", ""))
        plain = _MAINLINE.fullmatch(version)
        mastodon = "mastodon" in str(answer.get("source_url") or "mastodon").lower()
        major = int(plain[1]) if plain and mastodon else 0
        return cls(read_at=at, major=major, deletes="snac" not in version, **usable)

    @property
    def count(self) -> Callable[[str], int]:
        """The server's measure of a text."""
        return _measure(self.url_length, whole=not self.major)

    @property
    def capabilities(self) -> Capabilities:
        """The capabilities of a channel on this server."""
        return Capabilities(
            budget=Budget(min(self.max_characters, _LONGEST), self.count),
            replies=True,
            images=min(self.max_media, _MOST_PICTURES),
            idempotency_window=_IDEMPOTENCY_WINDOW if self.major else timedelta(0),
            lookup_delay=_LOOKUP_DELAY,
            edits=self.major >= _EDITS,  # elsewhere an edit may reset the language (GoToSocial)
            deletes=self.deletes,
            bracketed_hashtags=False,  # since 4.6 a space must stand before one
        )

    def is_fresh(self, now: datetime) -> bool:
        """Return True if it was read within the last day."""
        return self.read_at is not None and abs(now - self.read_at) < _FRESH


@cache  # so that servers that count alike have equal capabilities
def _measure(url: int, *, whole: bool) -> Callable[[str], int]:
    """Return the measure of a server on which each URL counts *url* characters.

    With *whole*, URLs and mentions may count in full, by code points, as GoToSocial does whatever it claims. Then the
    larger count holds, because a text that proves too long is refused for good.
    """
    ways = (False, True) if whole else (False,)
    return lambda text: max(mastodon_length(text, url=url, code_points=each) for each in ways)


def _part(of: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = of.get(name)
    return part if isinstance(part, dict) else {}
