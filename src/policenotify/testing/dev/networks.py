"""All fake networks at once, and an installation on them."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

from policenotify.cli.report.source import ReaderPost
from policenotify.errors import SettingsError
from policenotify.settings import write_settings
from policenotify.settings.init import JOURNAL_NAME, KEYS_NAME
from policenotify.settings.loader import FILE_NAME
from policenotify.testing.dev.fake_networks import KINDS
from policenotify.testing.dev.network import DevNetwork, Mode
from policenotify.validation import did_you_mean

_HEAD: Final = f"""# Fake networks on this machine, for development. All secrets in this file are fake.
schema_version = 1
sender = "Police nationale"
zone = "Europe/Paris"
journal = "{JOURNAL_NAME}"
keys = "{KEYS_NAME}"
wait = 5            # seconds that a publication waits for the networks
"""


class DevNetworks:
    """Fake servers of all networks on 127.0.0.1, as a context manager.

    ```python
    with DevNetworks() as networks:
        networks.install("desk")                    # settings, keys and journal
        networks.set_mode("x", "down")
        ...                                         # the application, with these settings
        assert networks.posts("mastodon")[0].text.startswith("[#Accident")
    ```

    Args:
        port_base: The port before those of the networks, in their order. 0: each gets a free one.
        channels: The networks, of `x`, `mastodon`, `bluesky`, `sms`, `mail`, `ntfy`, `webhook` and `feed`. By default
            all, in this order.
        partial: Leave out a network whose client library is not installed. If not, using it raises `MissingExtra`.
        now: The servers' time.

    Attributes:
        missing: The networks that are left out, each with the modules that are not installed.
        settings: The settings file that `install` wrote.
    """

    settings: Path

    def __init__(
        self,
        *,
        port_base: int = 0,
        channels: Collection[str] = (),
        partial: bool = True,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        kinds = [kind for kind in KINDS if not channels or kind.channel in channels]
        self.missing: dict[str, tuple[str, ...]] = {
            kind.channel: kind.missing for kind in kinds if partial and kind.missing
        }
        self._ports = {kind: port_base and port_base + number for number, kind in enumerate(kinds, 1)}
        self._now = now
        self._networks: dict[str, DevNetwork] = {}

    def __enter__(self) -> Self:
        """Start the servers.

        Raises:
            OSError: A port is in use. No server runs then.
        """
        with ExitStack() as started:
            started.callback(self.close)
            for kind, port in self._ports.items():
                if kind.channel not in self.missing:
                    self._networks[kind.channel] = DevNetwork(kind, port, self._now)
            started.pop_all()
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[DevNetwork]:
        return iter(self._networks.values())

    def __getitem__(self, channel: str) -> DevNetwork:
        if channel in self.missing:
            modules = ", ".join(self.missing[channel])
            install = "All networks and their servers: pip install 'policenotify[all,testing]'"
            raise KeyError(f"{channel} is left out, because this is not installed: {modules}. {install}")
        if channel not in self._networks:
            raise KeyError(f"There is no channel {channel!r} here. {did_you_mean(channel, self._networks)}")
        return self._networks[channel]

    def close(self) -> None:
        """Stop all servers. May be called twice."""
        for network in self:
            network.server.close()

    def posts(self, channel: str) -> list[ReaderPost]:
        """Return what a reader of a channel sees now, oldest first.

        Raises:
            KeyError: There is no such channel, or it is left out.
        """
        return self[channel].posts

    def set_mode(self, channel: str, mode: Mode) -> None:
        """Let a network be slow, down, refusing, forgetful or normal again.

        Raises:
            KeyError: There is no such channel.
            ValueError: There is no such mode.
        """
        self[channel].mode = mode

    def reset(self) -> None:
        """Let all networks forget everything, and behave normally."""
        for network in self:
            network.reset()

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
