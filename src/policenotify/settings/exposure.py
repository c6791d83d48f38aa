"""Find the files of an installation that others on this machine may read or change."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from policenotify.errors import PolicenotifyError
from policenotify.journal.keys import FOR_OTHERS
from policenotify.networks.options import options_model
from policenotify.networks.registry import network
from policenotify.settings.model import OF_THE_CHANNEL, Settings
from policenotify.validation import secret_values


@dataclass(frozen=True, slots=True)
class Exposed:
    """A file that others may read or change.

    Attributes:
        path: The file.
        mode: Its permissions.
        holds: What is in it that is not for others.
    """

    path: Path
    mode: int
    holds: str

    def __str__(self) -> str:
        return (
            f"others may read or change it (mode {self.mode:04o}), and it holds {self.holds}. "
            f"Close it: chmod 600 {self.path}"
        )


def exposed(settings: Settings) -> tuple[Exposed, ...]:
    """Return the files that the group may write, or that the rest of the world may read or write.

    Looked at are the settings, if a secret is written in them, each file of a secret or of recipients, and a journal in
    a file. The keys file is refused at opening already.
    """
    found: dict[Path, Exposed] = {}
    for path, holds in _private(settings):
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except (OSError, ValueError):  # what is missing, or cannot be a path, is reported where it is needed
            continue
        if os.name == "posix" and mode & FOR_OTHERS:
            found.setdefault(path, Exposed(path, mode, holds))
    return tuple(found.values())


def _private(settings: Settings) -> Iterator[tuple[Path, str]]:
    folder = settings.place.parent
    channels = tomllib.loads(settings.place.read_text("utf-8-sig")).get("channels", {})
    for name, channel in channels.items():
        if name not in settings.channels or not isinstance(channel, dict):  # reported with the channel
            continue
        options = {option: value for option, value in channel.items() if option not in OF_THE_CHANNEL}
        if _has_secrets(settings.channels[name].network, options):
            yield settings.place, f"a secret of {name!r}"
        for value in options.values():
            if isinstance(value, dict) and isinstance(value.get("file"), str):
                yield folder / value["file"], f"a secret of {name!r}"
        recipients = settings.channels[name].recipients
        if recipients is not None and recipients.file is not None:
            yield folder / recipients.file, f"the recipients of {name!r}"
    if not settings.hosted and "://" not in settings.journal_url:
        yield Path(settings.journal_url), "every text, drafts too"


def _has_secrets(name: str, options: dict[str, Any]) -> bool:
    """Return True if one of the options that are written in the settings themselves is a secret."""
    written = {option: value for option, value in options.items() if not isinstance(value, dict)}
    try:
        return bool(secret_values(options_model(network(name).load()), written))
    except (PolicenotifyError, ImportError):  # reported with the network
        return False
