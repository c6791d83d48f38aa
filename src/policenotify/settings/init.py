"""Create the files of an installation, and check who may read them."""

from __future__ import annotations

import os
import secrets
import stat
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from policenotify.errors import PolicenotifyError, SettingsError
from policenotify.journal import open_journal
from policenotify.journal.keys import FOR_OTHERS, Entropy, Keys
from policenotify.networks.options import options_model
from policenotify.networks.registry import network
from policenotify.settings.loader import FILE_NAME
from policenotify.settings.model import IN_DJANGO, OF_THE_CHANNEL, Settings
from policenotify.validation import secret_values

TEMPLATE: Final = (files("policenotify") / "data" / FILE_NAME).read_text("utf-8")
"""A commented settings file, valid as it stands but for the account and its password."""

KEYS_NAME: Final = "policenotify.keys"
JOURNAL_NAME: Final = "policenotify.db"
SECRETS_NAME: Final = "secrets"

IGNORED: Final = f"""# What must not leave this machine: keys, passwords, addresses, the journal.
/{KEYS_NAME}
/{SECRETS_NAME}/
/{JOURNAL_NAME}*
"""
"""The `.gitignore` of an installation."""


def write_settings(
    directory: str | os.PathLike[str], *, entropy: Entropy = secrets.token_bytes, django: bool = False
) -> tuple[Path, ...]:
    """Create an installation.

    That is: settings, keys, an empty journal, a directory for secrets and a `.gitignore`. Only the owner may read the
    keys and the journal (mode 0600), and the directory for secrets (0700). Nothing is overwritten: if there are
    settings, keys or a journal already, nothing is written. An existing directory for secrets and an existing
    `.gitignore` stay as they are.

    Args:
        directory: The directory of the installation, created if it does not exist.
        entropy: The source of the keys' random bytes.
        django: The journal is in the database of a Django project, whose `manage.py migrate` creates it.

    Returns:
        The files written.

    Raises:
        SettingsError: There are such files already, or they cannot be written.
        JournalError: The journal cannot be created there.
    """
    place = Path(directory)
    names = (FILE_NAME, KEYS_NAME, JOURNAL_NAME, SECRETS_NAME, ".gitignore")
    settings, keys_file, journal, secrets_folder, ignored = (place / name for name in names)
    journals = () if django else (journal,)
    for present in (settings, keys_file, *journals):
        if present.exists() or present.is_symlink():
            raise SettingsError(f"{present} is there already. Nothing was written: choose another directory.")
    try:
        place.mkdir(parents=True, exist_ok=True)
        written = [keys_file, settings, *journals]
        keys = Keys.create(entropy)
        keys.save(keys_file)
        with settings.open("x", encoding="utf-8") as file:
            file.write(TEMPLATE.replace(f'"{JOURNAL_NAME}"', f'"{IN_DJANGO}"', 1) if django else TEMPLATE)
        for path in journals:
            open_journal(str(path), keys=keys, entropy=entropy, create=True).close()
        if not secrets_folder.exists():
            secrets_folder.mkdir(mode=0o700)
            written.append(secrets_folder)
        if not ignored.exists():
            ignored.write_text(IGNORED, "utf-8")
            written.append(ignored)
    except OSError as error:
        raise SettingsError(f"{error.filename} cannot be written ({error.strerror}).") from error
    return tuple(written)


@dataclass(frozen=True, slots=True)
class ExposedFile:
    """A file that others may read or change.

    Attributes:
        path: The file.
        mode: Its permissions.
        content: What is private in it, for the error text.
    """

    path: Path
    mode: int
    content: str

    def __str__(self) -> str:
        return (
            f"others may read or change it (mode {self.mode:04o}), and it holds {self.content}. "
            f"Close it: chmod 600 {self.path}"
        )


def exposed_files(settings: Settings) -> tuple[ExposedFile, ...]:
    """Return the files that the group may write, or that everyone may read or write.

    Checks the settings, if a secret is written in them, each file of a secret or of recipients, and a journal in a
    file. An open keys file is refused when it is loaded.
    """
    exposed: dict[Path, ExposedFile] = {}
    for path, content in _private_files(settings):
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except (OSError, ValueError):  # a missing file or invalid path is reported where it is needed
            continue
        if os.name == "posix" and mode & FOR_OTHERS:
            exposed.setdefault(path, ExposedFile(path, mode, content))
    return tuple(exposed.values())


def _private_files(settings: Settings) -> Iterator[tuple[Path, str]]:
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
    """Return True if an option that is written in the settings themselves is a secret."""
    written = {option: value for option, value in options.items() if not isinstance(value, dict)}
    try:
        return bool(secret_values(options_model(network(name).load()), written))
    except (PolicenotifyError, ImportError):  # reported with the network
        return False
