"""Read the settings from the file, the environment and files of secrets."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any, Final

from policenotify.errors import SettingsError, UnsupportedVersion
from policenotify.journal.permissions import PRIVATE, READABLE, read_closed
from policenotify.networks.registry import WITHHELD
from policenotify.settings.fields import read_table
from policenotify.settings.languages import profiles_of
from policenotify.settings.model import OF_THE_CHANNEL, Settings, settings_error
from policenotify.translation import AnyText, Text, text_of
from policenotify.validation import at_place
from policenotify.validation import path as field_path

SCHEMA_VERSION: Final = 1
"""Version of the settings that this release reads."""

FILE_NAME: Final = "policenotify.toml"
"""Name of the settings file in the working directory."""

PREFIX: Final = "POLICENOTIFY_"
"""Prefix of every environment variable of policenotify."""

FILE_VARIABLE: Final = f"{PREFIX}SETTINGS"
"""The environment variable that names another settings file."""

_PASSWORD = re.compile(r"://[^/@]*:[^/@]*@|password=")  # in a journal's URL


def read_settings(
    path: str | os.PathLike[str] | None = None,
    *,
    journal: str | None = None,
    environ: Mapping[str, str] = os.environ,
    secrets: bool = True,
) -> Settings:
    """Read the settings.

    They are in *path*, else in the file that `POLICENOTIFY_SETTINGS` names, else in `policenotify.toml` in the
    working directory. `POLICENOTIFY_JOURNAL` and `POLICENOTIFY_KEYS` name another journal and keys file, for this
    process. A network's option and the journal may be `{ file = "…" }` or `{ env = "…" }`. Without *secrets* none of
    these is read, and another text stands there.

    *journal* is the path or URL of another journal than theirs, as an application knows it.

    A file that others may change is refused, and so is a secret that others may read. Without *secrets* the settings
    may be open, as they are in a repository.

    A secret of a channel that cannot be read is listed in `Settings.faults`, and the channel waits for it.

    Raises:
        SettingsError: There are none, or something is wrong with them. There is one line for each.
        UnsupportedVersion: They were written for a newer policenotify.
    """
    place = Path(path or environ.get(FILE_VARIABLE) or FILE_NAME).absolute()
    with suppress(OSError):  # of a folder that is closed to this user; see below
        if not place.exists():
            raise SettingsError(
                Text(
                    "There are no settings at {place}. Make some (policenotify init), or name the file in "
                    "{file_variable}.",
                    place=place,
                    file_variable=FILE_VARIABLE,
                )
            )
    table = read_table(place, READABLE if secrets else None)
    if secrets and _PASSWORD.search(str(table.get("journal"))):
        read_table(place, PRIVATE)
    for field in ("journal", "keys"):
        if value := environ.get(f"{PREFIX}{field.upper()}"):
            table[field] = value
    if journal is not None:
        table["journal"] = journal
    version = table.get("schema_version", SCHEMA_VERSION)
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise UnsupportedVersion("settings file", version, SCHEMA_VERSION)
    elsewhere = {(channel, key) for node, key, _, channel in _references(table) if isinstance(node.get(key), dict)}
    faults = _resolve(table, place.parent, environ if secrets else None)
    if "" in faults:
        raise settings_error(place, sorted(chain.from_iterable(faults.values()), key=str))
    settings = Settings.from_table(table, place, faults, elsewhere)
    profiles_of(settings)
    return settings


def _resolve(table: dict[str, Any], directory: Path, environ: Mapping[str, str] | None) -> dict[str, list[AnyText]]:
    """Replace `{ file = "…" }` and `{ env = "…" }` in place: by their values, or what is not read by `WITHHELD`.

    Returns:
        The errors by channel, as in `Settings.faults`, and those of the journal's URL under "".
    """
    errors: dict[str, list[AnyText]] = {}
    for node, key, at, channel in _references(table):
        try:
            node[key] = _read(node.get(key), directory, environ)
        except ValueError as error:
            node[key] = WITHHELD
            errors[channel] = sorted([*errors.get(channel, ()), at_place(at, text_of(error))], key=str)
    return errors


def _references(table: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, str, str]]:
    """Yield table, key, path, and channel of each value that may be kept elsewhere."""
    if "journal" in table:
        yield table, "journal", "journal", ""
    channels = table.get("channels")
    for name, channel in channels.items() if isinstance(channels, dict) else ():
        for option in set(channel) - OF_THE_CHANNEL if isinstance(channel, dict) else ():
            yield channel, option, field_path("channels", name, option), name


def _read(value: object, directory: Path, environ: Mapping[str, str] | None) -> object:
    if environ is None:
        return WITHHELD if isinstance(value, dict) and value.keys() & {"env", "file"} else value
    match value:
        case {"env": str(variable), **rest} if not rest:
            if variable not in environ:
                raise ValueError(Text("the environment variable {variable} is not set.", variable=variable))
            return environ[variable]
        case {"file": str(name), **rest} if not rest:
            file = directory / name
            try:
                content = read_closed(file).decode("utf-8-sig").rstrip("\r\n")
            except SettingsError as error:
                raise ValueError(Text("is not used. {error}", error=error)) from None
            except (OSError, ValueError) as error:
                reason = error.strerror if isinstance(error, OSError) else Text("it is not UTF-8")
                why = Text(
                    "the file {file} cannot be read ({reason}). Write the value into it.", file=file, reason=reason
                )
                raise ValueError(why) from None
            if not content:
                raise ValueError(Text("the file {file} is empty. Write the value into it.", file=file))
            return content
    return value
