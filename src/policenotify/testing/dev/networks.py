"""All fake networks at once, and an installation on them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

from policenotify.errors import SettingsError
from policenotify.settings import write_settings
from policenotify.settings.init import JOURNAL_NAME, KEYS_NAME
from policenotify.settings.loader import FILE_NAME
from policenotify.testing.dev.kinds import KINDS
from policenotify.testing.dev.network import DevNetwork, Mode, ShownPost
from policenotify.validation import did_you_mean

_HEAD: Final = f"""# Fake networks on this machine, for development. All secrets in this file are fake.
schema_version = 1
sender = "Police nationale"
zone = "Europe/Paris"
journal = "{JOURNAL_NAME}"
keys = "{KEYS_NAME}"
wait = 5            # seconds that a publication waits for the networks
"""

_INSTALL: Final = "All networks and their servers: pip install 'policenotify[all,testing]'"


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
        kinds: The networks. By default X, Mastodon, Bluesky, SMS, mail, ntfy, a webhook and a feed, in this order.
        partial: Leave out a network whose client library is not installed. If not, using it raises `MissingExtra`.
        now: The servers' time.

    Attributes:
        missing: The networks that are left out, each with the modules that are not installed.
    """

    def __init__(
        self,
        *,
        port_base: int = 0,
        kinds: Sequence[type[DevNetwork[Any]]] = KINDS,
        partial: bool = True,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.missing: dict[str, tuple[str, ...]] = {
            kind.channel: kind.missing() for kind in kinds if partial and kind.missing()
        }
        self._port_base = port_base
        self._kinds = kinds
        self._now = now
        self._networks: dict[str, DevNetwork[Any]] = {}
        self._settings: Path | None = None

    def __enter__(self) -> Self:
        """Start the servers.

        Raises:
            OSError: A port is in use. No server runs then.
        """
        try:
            for number, kind in enumerate(self._kinds, 1):
                if kind.channel not in self.missing:
                    port = self._port_base + number if self._port_base else 0
                    self._networks[kind.channel] = kind(port, self._now)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[DevNetwork[Any]]:
        return iter(self._networks.values())

    def __getitem__(self, channel: str) -> DevNetwork[Any]:
        if channel in self.missing:
            modules = ", ".join(self.missing[channel])
            raise KeyError(f"{channel} is left out, because this is not installed: {modules}. {_INSTALL}")
        if channel not in self._networks:
            raise KeyError(f"There is no channel {channel!r} here. {did_you_mean(channel, self._networks)}")
        return self._networks[channel]

    def close(self) -> None:
        """Stop all servers. May be called twice."""
        for network in self._networks.values():
            network.close()

    def posts(self, channel: str) -> Sequence[ShownPost]:
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
        return "\n".join((_HEAD, *map(_table, self)))

    @property
    def settings(self) -> Path:
        """The settings file that `install` wrote.

        Raises:
            RuntimeError: Nothing is installed.
        """
        if self._settings is None:
            raise RuntimeError("settings: call install() first")
        return self._settings

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
        self._settings = file
        return file


def _table(network: DevNetwork[Any]) -> str:
    """Return the settings of a channel. JSON's texts and lists are those of TOML."""
    values: dict[str, object] = {"network": network.network, **network.options}
    if network.people:
        values["recipients"] = network.people
    lines = (f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items())
    return "\n".join((f"[channels.{network.channel}]", *lines, ""))
