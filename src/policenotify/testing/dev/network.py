"""One fake network: its server, the options of a channel on it, what readers see, and what may go wrong."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from typing import Any, Final, Literal, TypeAlias, get_args

from policenotify.channel import ChannelConfig
from policenotify.cli.report.source import ReaderPost
from policenotify.networks.registry import configure_channel
from policenotify.testing.servers.mail import FakeMailServer

Mode: TypeAlias = Literal["normal", "slow", "down", "refusing", "forgetful"]
"""How a network behaves.

- `slow`: its answers come after `SLOW` seconds.
- `down`: it refuses every connection.
- `refusing`: it rejects each post for good.
- `forgetful`: it accepts each post, and shows none.
"""

MODES: Final[tuple[Mode, ...]] = get_args(Mode)

SLOW: Final = 3.0
"""Seconds: long enough to be noticed, and below every network's timeout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A network that can be faked. Its functions take the server.

    Attributes:
        channel: The name of the channel in the settings.
        modules: What the network and its server import.
        server: Returns a new server, which does not listen yet.
        settings: The channel in the settings, without its recipients. The secrets are fake.
        posts: Returns what a reader sees now, oldest first.
        refuse: Lets it reject each post for good. `None`: nothing can go wrong.
        people: The recipients, on a network with recipients.
    """

    channel: str
    modules: tuple[str, ...] = ()
    server: Callable[[Callable[[], datetime]], Any]
    settings: str
    posts: Callable[[Any], list[ReaderPost]]
    refuse: Callable[[Any], None] | None
    people: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """The modules that are not installed."""
        return tuple(name for name in self.modules if find_spec(name) is None)


class DevNetwork:
    """A fake network with one account.

    Args:
        kind: Which network.
        port: The port of its server on 127.0.0.1. 0: a free one.
        now: The server's time.

    Attributes:
        channel: The name of the channel in the settings.
        server: The running server. A reset replaces it.
        site: The address of a feed's pages.
    """

    def __init__(self, kind: Kind, port: int, now: Callable[[], datetime]) -> None:
        self.kind: Kind = kind
        self.channel: str = kind.channel
        self.site: str = "https://alertes.police34.example/"
        self._now = now
        self._mode: Mode = "normal"
        self.server: Any = kind.server(now)
        self.server.start(port)

    @property
    def port(self) -> int:
        """The port of its server."""
        mail = isinstance(self.server, FakeMailServer)
        return int(self.server.port if mail else self.server.url.rpartition(":")[2])

    @property
    def toml(self) -> str:
        """The channel on it in the settings."""
        options = self.kind.settings.format(self.server, port=self.port, site=self.site)
        people = f"recipients = {json.dumps(self.kind.people)}\n" if self.kind.people else ""
        return f"[channels.{self.channel}]\n{options}{people}"

    @property
    def config(self) -> ChannelConfig:
        """A channel on it, for a publisher in this process.

        Raises:
            MissingExtra: The client library of the network is not installed.
        """
        options = tomllib.loads(self.toml)["channels"][self.channel]
        people = options.pop("recipients", None)
        recipients = (lambda: people) if people else None
        return configure_channel(self.channel, options.pop("network"), options, recipients=recipients)

    @property
    def posts(self) -> list[ReaderPost]:
        """What a reader sees now, oldest first."""
        return self.kind.posts(self.server)

    @property
    def mode(self) -> Mode:
        """How it behaves. A change applies from the next call on."""
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        if mode not in MODES:
            raise ValueError(f"{mode!r} is not a mode: {', '.join(MODES)}")
        self.server.recover()
        self.server.latency = SLOW if mode == "slow" else 0.0
        self.server.drops_posts = mode == "forgetful"
        if mode == "down":
            self.server.refuse_connections()
        elif mode == "refusing" and self.kind.refuse:
            self.kind.refuse(self.server)
        self._mode = mode

    def reset(self) -> None:
        """Forget everything, and behave normally. The port stays."""
        port = self.port
        self.server.close()
        self._mode = "normal"
        self.server = self.kind.server(self._now)
        self.server.start(port)
