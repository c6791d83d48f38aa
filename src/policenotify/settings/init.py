"""Create the files of an installation, and find those that others may read."""

from __future__ import annotations

import os
import secrets
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from policenotify.errors import PolicenotifyError, SettingsError
from policenotify.journal import open_journal
from policenotify.journal.permissions import PRIVATE, READABLE, SHARED, Exposure, exposures
from policenotify.networks.registry import network
from policenotify.settings.loader import FILE_NAME
from policenotify.settings.model import IN_DJANGO, OF_THE_CHANNEL, Settings
from policenotify.translation import AnyText, Text, text_of
from policenotify.validation import secret_values

if TYPE_CHECKING:
    from policenotify.journal.keys import Entropy

KEYS_NAME: Final = "policenotify.keys"
JOURNAL_NAME: Final = "policenotify.db"
SECRETS_NAME: Final = "secrets"
_ENDS: Final = ("", "-wal", "-shm")  # of the names of a journal's files

IGNORED: Final = f"/{KEYS_NAME}\n/{SECRETS_NAME}/\n/{JOURNAL_NAME}*\n"
"""The `.gitignore` of an installation: keys, passwords, addresses and the journal must not leave the machine."""


def settings_template(language: str = "en", *, django: bool = False) -> str:
    """Return commented settings that are valid as they stand. Their only channel is the console."""
    text = (files("policenotify") / "data" / f"policenotify.{language}.toml").read_text("utf-8")
    return text.replace(f'"{JOURNAL_NAME}"', f'"{IN_DJANGO}"', 1) if django else text


def write_settings(
    directory: str | os.PathLike[str],
    *,
    entropy: Entropy = secrets.token_bytes,
    django: bool = False,
    language: str = "en",
) -> tuple[Path, ...]:
    """Create an installation.

    That is: settings, keys, an empty journal, a directory for secrets and a `.gitignore`. Only the owner may read the
    settings, the keys and the journal (mode 0600), and new directories (0700). Nothing is overwritten: if there are
    settings, keys or a journal already, nothing is written. An existing directory for secrets and an existing
    `.gitignore` stay as they are. If it fails, neither settings nor keys nor a journal remain. If it is killed, the
    next attempt names what finishes it.

    Args:
        directory: The directory of the installation, created if it does not exist.
        entropy: The source of the keys' random bytes.
        django: The journal is in the database of a Django project, whose `manage.py migrate` creates it.
        language: The language of the comments: `fr` or `en`.

    Returns:
        The files written.

    Raises:
        SettingsError: There are such files already, they cannot be written, or others may change the directory.
        JournalError: The journal cannot be created there.
    """
    from policenotify.journal.keys import Keys  # noqa: PLC0415 - brings the ciphers

    place = Path(directory)
    names = (FILE_NAME, KEYS_NAME, JOURNAL_NAME, SECRETS_NAME, ".gitignore")
    settings, keys_file, journal, secrets_folder, ignored = (place / name for name in names)
    journals = () if django else (journal,)
    if present := [path for path in (settings, keys_file, *journals) if path.exists() or path.is_symlink()]:
        done = Text("{present} is there already. Nothing was written: choose another directory.", present=present[0])
        if present == [settings]:
            more = Text("If an `init` was cut off here: delete {settings}, and run it again.", settings=settings)
            done = Text.join(" ", (done, more))
        elif present == [settings, keys_file] and not django:
            more = Text(
                "If an `init` was cut off here, finish it: policenotify migrate --settings {settings}",
                settings=settings,
            )
            done = Text.join(" ", (done, more))
        raise SettingsError(done)
    if exposed := [str(exposure) for exposure in exposures(settings)]:
        raise SettingsError(Text("Nothing was written. {exposed}", exposed=" ".join(exposed)))
    written = [keys_file, settings, *journals]
    keys = Keys.create(entropy)
    try:
        _make_folder(place)
        if not secrets_folder.exists():
            secrets_folder.mkdir(mode=0o700)
            written.append(secrets_folder)
        if not ignored.exists():
            _write(ignored, IGNORED)
            written.append(ignored)
        _write(settings, settings_template(language, django=django))  # from here on, another `init` refuses
        with ExitStack() as undo:
            undo.callback(settings.unlink, missing_ok=True)
            keys.save(keys_file)
            for path in (keys_file, *(Path(f"{path}{end}") for path in journals for end in _ENDS)):
                undo.callback(path.unlink, missing_ok=True)
            for path in journals:
                open_journal(str(path), keys=keys, entropy=entropy, create=True).close()
            undo.pop_all()
    except OSError as error:
        raise SettingsError(
            Text("{filename} cannot be written ({strerror}).", filename=error.filename, strerror=error.strerror)
        ) from error
    return tuple(written)


def _make_folder(place: Path) -> None:
    """Create a folder and those above it, each for its owner only. `Path.mkdir` gives these the usual mode."""
    for folder in (*reversed(place.parents), place):
        if not folder.exists():
            folder.mkdir(mode=0o700)


def _write(path: Path, text: str) -> None:
    """Write a new file for its owner only, whatever the umask: wholly or not at all."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        try:
            file.write(text)
            file.flush()
        except BaseException:
            path.unlink()
            raise


def exposed_files(settings: Settings) -> dict[Exposure, AnyText]:
    """Return the files and folders that others may read or change, each with what is private in it.

    Checks the settings, each file of a secret, of recipients or of a language, the keys, and a journal in a file.
    They are refused when they are used, except recipients: a list that is open must not keep an alert from them.
    """
    exposed: dict[Exposure, AnyText] = {}
    for path, forbidden, content in _private_files(settings):
        for exposure in exposures(path, forbidden):
            exposed.setdefault(exposure, content)
    return exposed


def _private_files(settings: Settings) -> Iterator[tuple[Path, int, AnyText]]:
    folder = settings.place.parent
    yield settings.place, READABLE, Text("the settings")
    if isinstance(url := _table(settings).get("journal"), dict) and isinstance(url.get("file"), str):
        yield folder / url["file"], PRIVATE, Text("the journal's URL")
    for name, options in _written_options(settings):
        yield from _secret_files(settings, name, options, are_secret=_has_secrets(settings, name, options))
        recipients = settings.channels[name].recipients
        if recipients is not None:
            file = settings.place if recipients.file is None else folder / recipients.file
            yield file, PRIVATE, Text("the recipients of {name!r}", name=name)
    for name, audience in settings.audiences.items():
        listed = settings.place if audience.addresses else audience.file or audience.csv
        if listed is not None:
            yield folder / listed, PRIVATE, Text("the people of {name!r}", name=name)
    for tag, file in settings.languages.items():
        yield folder / file, READABLE, Text("the phrases of {tag!r}", tag=tag)
    yield settings.keys_path, PRIVATE, Text("the keys")
    scheme, _, journal = ("" if settings.hosted else settings.journal_url).rpartition(":///")
    if journal and scheme in {"", "sqlite", "sqlite+pysqlite"}:
        for end in _ENDS:
            yield Path(f"{journal.partition('?')[0]}{end}"), SHARED, Text("every text, drafts too")


def _secret_files(
    settings: Settings, name: str, options: dict[str, Any], *, are_secret: bool
) -> Iterator[tuple[Path, int, AnyText]]:
    """Yield where the secrets of a channel are."""
    if are_secret:
        yield settings.place, PRIVATE, Text("a secret of {name!r}", name=name)
    for value in options.values():
        if isinstance(value, dict) and isinstance(value.get("file"), str):
            yield settings.place.parent / value["file"], PRIVATE, Text("a secret of {name!r}", name=name)


def exposed_secret(settings: Settings, name: str) -> AnyText:
    """Return why a channel is not used of which a secret is written in settings that others may read, else ""."""
    found = _exposure(settings)
    if not found or not _has_secrets(settings, name, dict(_written_options(settings)).get(name, {})):
        return ""
    return found


def _exposure(settings: Settings) -> AnyText:
    found = Text.join(" ", map(text_of, exposures(settings.place))) if settings.place.is_file() else ""
    return found and Text("A secret is written in the settings. {found}", found=found)


def _table(settings: Settings) -> dict[str, Any]:
    return tomllib.loads(settings.place.read_text("utf-8-sig"))


def _written_options(settings: Settings) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the options of each channel as the settings file has them."""
    for name, channel in _table(settings).get("channels", {}).items():
        if name in settings.channels and isinstance(channel, dict):  # what is wrong is reported with the channel
            yield name, {option: value for option, value in channel.items() if option not in OF_THE_CHANNEL}


def _has_secrets(settings: Settings, name: str, options: dict[str, Any]) -> bool:
    """Return True if an option of a channel that is written in the settings themselves is a secret."""
    written = {option: value for option, value in options.items() if not isinstance(value, dict)}
    try:
        return bool(secret_values(network(settings.channels[name].network).load().Options, written))
    except (PolicenotifyError, ImportError):  # reported with the network
        return False
