"""A server's software and limits, read once a day and stored for all processes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cache
from http import HTTPStatus
from typing import Any, ClassVar, Final, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from policenotify.channel import Capabilities, StateStore
from policenotify.errors import JournalError
from policenotify.networks.mastodon.api import Api, without_side_effects
from policenotify.text import Budget, mastodon_length
from policenotify.translation import Text

_NAME: Final = "instance"
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


class InstanceCache:
    """The facts of a server: stored, or else read from it."""

    def __init__(self, api: Api, store: StateStore) -> None:
        self._api = api
        self._store = store
        self._known: Instance | None = None

    def known(self) -> Instance:
        """Return the server as far as it is known. No network I/O."""
        if self._known is None:
            self._known, _ = self._load()
        return self._known

    def current(self) -> Instance:
        """Return the server as it was within the last day.

        A server that answers, but hides its limits, is taken for what it was, or for a plain Mastodon: that does not
        justify to hold back a post.

        Raises:
            Unavailable: It does not answer at all, or asks us to wait.
        """
        now = self._api.clock.now()
        if self.known().is_fresh(now):
            return self.known()
        self._known, version = self._load()
        if not self._known.is_fresh(now) and (answer := self._ask()) is not None:
            self._known = Instance.of(answer, at=now)
            # If it cannot be stored it is only asked for again. Another process may have stored the same already.
            with suppress(JournalError):
                self._store.compare_and_swap(_NAME, self._known.model_dump_json(), version=version)
        return self._known

    def _load(self) -> tuple[Instance, int | None]:
        try:
            stored = self._store.load(_NAME)
        except JournalError:
            stored = None
        if stored is None:
            return Instance(), None
        try:
            return Instance.model_validate_json(stored.value), stored.version
        except ValidationError:  # written by another release
            return Instance(), stored.version

    def _ask(self) -> Mapping[str, Any] | None:
        with without_side_effects(Text("asking the server for its limits")):
            answer = self._api.ask("instance_v2")
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
            raise self._api.error(answer)
        return answer.object if answer.ok and isinstance(answer.object.get("version"), str) else None


def _part(of: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = of.get(name)
    return part if isinstance(part, dict) else {}
