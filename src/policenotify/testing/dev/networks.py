"""Fake networks to develop against, and an installation on them."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, Self, TypeAlias, get_args

from policenotify.channel import ChannelConfig
from policenotify.cli.report.source import ReaderPost
from policenotify.errors import SettingsError
from policenotify.networks.registry import configure_channel
from policenotify.settings import write_settings
from policenotify.settings.init import JOURNAL_NAME, KEYS_NAME
from policenotify.settings.loader import FILE_NAME
from policenotify.testing.dev.fake_networks import FAKE_NETWORKS, FakeNetwork
from policenotify.validation import did_you_mean

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

_HEAD: Final = f"""# Fake networks on this machine, for development. All secrets in this file are fake.
schema_version = 1
sender = "Police nationale"
zone = "Europe/Paris"
journal = "{JOURNAL_NAME}"
keys = "{KEYS_NAME}"
wait = 5            # seconds that a publication waits for the networks
"""


class DevNetwork:
    """A fake network with one account, whose server runs.

    Args:
        fake: Which network.
        port: The port of its server on 127.0.0.1. 0: a free one.
        now: The server's time.

    Attributes:
        channel: The name of the channel in the settings.
        server: The server. A reset replaces it.
    """

    def __init__(self, fake: FakeNetwork, port: int, now: Callable[[], datetime]) -> None:
        self.channel: str = fake.channel
        self._fake = fake
        self._now = now
        self._mode: Mode = "normal"
        self.server: Any = fake.server(now).start(port)

    @property
    def toml(self) -> str:
        """The channel on it in the settings."""
        people = f"recipients = {json.dumps(self._fake.people)}\n" if self._fake.people else ""
        return f"[channels.{self.channel}]\n{self._fake.settings.format(self.server)}{people}"

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
        return self._fake.posts(self.server)

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
        elif mode == "refusing":
            self._fake.refuse(self.server)
        self._mode = mode

    def reset(self) -> None:
        """Forget everything, and behave normally. The port stays."""
        port = self.server.port
        self.server.close()
        self._mode = "normal"
        self.server = self._fake.server(self._now).start(port)


class DevNetworks:
    """Fake servers of all networks on 127.0.0.1, as a context manager.

    ```python
    with DevNetworks() as networks:
        networks.install("desk")                    # settings, keys and journal
        networks["x"].mode = "down"
        ...                                         # the application, with these settings
        assert networks["mastodon"].posts[0].text.startswith("[#Accident")
    ```

    Args:
        port_base: The port before those of the networks, in their order. 0: each gets a free one.
        channels: The networks, of `x`, `mastodon`, `bluesky`, `sms`, `mail` and `webhook`. By default all, in this
            order.
        now: The servers' time.

    Attributes:
        settings: The settings file that `install` wrote.
    """

    settings: Path

    def __init__(
        self,
        *,
        port_base: int = 0,
        channels: Collection[str] = (),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        fakes = [fake for fake in FAKE_NETWORKS if not channels or fake.channel in channels]
        self._ports = {fake: port_base and port_base + number for number, fake in enumerate(fakes, 1)}
        self._now = now
        self._networks: dict[str, DevNetwork] = {}

    def __enter__(self) -> Self:
        """Start the servers.

        Raises:
            MissingExtra: The library of a server is not installed.
            OSError: A port is in use. No server runs then.
        """
        with ExitStack() as started:
            started.callback(self.close)
            for fake, port in self._ports.items():
                self._networks[fake.channel] = DevNetwork(fake, port, self._now)
            started.pop_all()
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[DevNetwork]:
        return iter(self._networks.values())

    def __getitem__(self, channel: str) -> DevNetwork:
        if channel not in self._networks:
            raise KeyError(f"There is no channel {channel!r} here. {did_you_mean(channel, self._networks)!s}")
        return self._networks[channel]

    def close(self) -> None:
        """Stop all servers. May be called twice."""
        for network in self:
            network.server.close()

    @property
    def toml(self) -> str:
        """The settings of an installation on these networks."""
        return "\n".join((_HEAD, *(network.toml for network in self)))

    def install(self, directory: str | os.PathLike[str]) -> Path:
        """Create an installation on these networks: its settings, keys and journal. Return the settings file.

        An installation that has these settings already stays as it is.

        Raises:
            SettingsError: There are other settings, or the directory cannot be written.
            JournalError: The journal cannot be created there.
        """
        file = Path(directory) / FILE_NAME
        if not file.exists():
            write_settings(directory)
            file.write_text(self.toml, encoding="utf-8")  # it keeps its mode: for its owner only
        elif file.read_text(encoding="utf-8") != self.toml:
            raise SettingsError(f"{file} has other settings. Nothing was written: choose another directory.")
        self.settings = file
        return file
