"""Create the files of an installation."""

from __future__ import annotations

import os
import secrets
from contextlib import ExitStack
from importlib.resources import files
from pathlib import Path
from typing import Final

from policenotify.errors import SettingsError
from policenotify.journal import open_journal
from policenotify.journal.permissions import exposures
from policenotify.settings.loader import FILE_NAME
from policenotify.settings.model import IN_DJANGO
from policenotify.translation import Text

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
    directory: str | os.PathLike[str], *, django: bool = False, language: str = "en"
) -> tuple[Path, ...]:
    """Create an installation, and return the files written.

    That is: settings, keys, an empty journal, a directory for secrets and a `.gitignore`. Only the owner may read the
    settings, the keys and the journal (mode 0600), and new directories (0700). Nothing is overwritten: if there are
    settings, keys or a journal already, nothing is written. An existing directory for secrets and an existing
    `.gitignore` stay as they are. If it fails, neither settings nor keys nor a journal remain. If it is killed, the
    next attempt names what finishes it.

    Args:
        directory: Created if it does not exist.
        django: The journal is in the database of a Django project, whose `manage.py migrate` creates it.
        language: That of the comments: `fr` or `en`.

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
    if exposed := [*exposures(settings)]:
        raise SettingsError(Text("Nothing was written. {exposed}", exposed=Text.join(". ", exposed)))
    written = [keys_file, settings, *journals]
    keys = Keys.create(secrets.token_bytes)
    try:
        _make_folder(place)
        if not secrets_folder.exists():
            secrets_folder.mkdir(mode=0o700)
            written.append(secrets_folder)
        settings.touch(mode=0o600, exist_ok=False)  # from here on, another `init` refuses
        with ExitStack() as undo:
            undo.callback(settings.unlink, missing_ok=True)
            settings.write_text(settings_template(language, django=django), "utf-8")
            if not ignored.exists():
                undo.callback(ignored.unlink, missing_ok=True)  # half a one would let the secrets into a repository
                ignored.write_text(IGNORED, "utf-8")
                written.append(ignored)
            keys.save(keys_file)
            for path in (keys_file, *(Path(f"{path}{end}") for path in journals for end in _ENDS)):
                undo.callback(path.unlink, missing_ok=True)
            for path in journals:
                open_journal(str(path), keys=keys, create=True).close()
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
