"""Write the settings of a new installation: what `policenotify init` does."""

from __future__ import annotations

import os
import secrets
from importlib.resources import files
from pathlib import Path

from policenotify.errors import SettingsError
from policenotify.journal import open_journal
from policenotify.journal.keys import Entropy, Keys
from policenotify.settings.loader import FILE_NAME
from policenotify.settings.model import IN_DJANGO

TEMPLATE = (files("policenotify") / "data" / FILE_NAME).read_text("utf-8")
"""A commented settings file; right as it stands, but for the account and its password."""

KEYS_NAME = "policenotify.journal.keys"
JOURNAL_NAME = "policenotify.db"
SECRETS_NAME = "secrets"

IGNORED = f"""# What must not leave this machine through version control: keys, passwords, addresses, the journal.
/{KEYS_NAME}
/{SECRETS_NAME}/
/{JOURNAL_NAME}*
"""


def write_settings(
    directory: str | os.PathLike[str], *, entropy: Entropy = secrets.token_bytes, django: bool = False
) -> tuple[Path, ...]:
    """Make a new installation: settings, keys, an empty journal, a directory for secrets and a `.gitignore`.

    Only their owner may read the keys and the journal (mode 0600), and the directory (0700). Nothing that is there is
    written over: settings, keys or a journal that exist already are an error, and nothing is written then. A directory
    for secrets and a `.gitignore` that exist are left as they are; compare the latter with
    [`IGNORED`][policenotify.settings.IGNORED].

    Args:
        directory: Where; made if it does not exist.
        entropy: Where the keys' unpredictable bytes come from.
        django: The journal is in the database of a Django project, whose `manage.py migrate` makes it.

    Returns:
        What was written.

    Raises:
        SettingsError: There are such files already, or they cannot be written.
        JournalError: No journal can be made there.
    """
    place = Path(directory)
    names = (FILE_NAME, KEYS_NAME, JOURNAL_NAME, SECRETS_NAME, ".gitignore")
    settings, keys, journal, kept_apart, ignored = (place / name for name in names)
    made_here = () if django else (journal,)
    for present in (settings, keys, *made_here):
        if present.exists() or present.is_symlink():
            raise SettingsError(f"{present} is there already. Nothing was written: choose another directory.")
    try:
        place.mkdir(parents=True, exist_ok=True)
        written = [keys, settings, *made_here]
        made = Keys.create(entropy)
        made.save(keys)
        with settings.open("x", encoding="utf-8") as file:
            file.write(TEMPLATE.replace(f'"{JOURNAL_NAME}"', f'"{IN_DJANGO}"', 1) if django else TEMPLATE)
        for path in made_here:
            open_journal(str(path), keys=made, entropy=entropy, create=True).close()
        if not kept_apart.exists():
            kept_apart.mkdir(mode=0o700)
            written.append(kept_apart)
        if not ignored.exists():
            ignored.write_text(IGNORED, "utf-8")
            written.append(ignored)
    except OSError as error:
        raise SettingsError(f"{error.filename} cannot be written ({error.strerror}).") from error
    return tuple(written)
