"""Find the journal in the project's settings and database, and create its tables there."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from django.conf import settings
from django.core.management.base import CommandError
from django.db import connections
from django.utils.module_loading import import_string

from policenotify.errors import MissingExtra, PolicenotifyError, SettingsError
from policenotify.settings import Settings, read_settings
from policenotify.settings.model import IN_DJANGO
from policenotify.translation import Text

_META = "pn_meta"  # a table that every journal has
_WRITTEN_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH

NAMES = frozenset({"SETTINGS", "DATABASE", "RUNNER"})
"""The names that `POLICENOTIFY` may hold."""


def configured(name: str, default: str | None = None) -> Any:  # noqa: ANN401 - any value of the project's settings
    """Return a value of `POLICENOTIFY`: SETTINGS, DATABASE (alias) or RUNNER (path)."""
    given = getattr(settings, "POLICENOTIFY", {})
    return given.get(name, default) if isinstance(given, Mapping) else default


def runner() -> Any:  # noqa: ANN401 - a ProcessPublisher, a Recording or the like
    """Return the runner of the project, if there is one: RUNNER names it by its path, or is it."""
    given = configured("RUNNER") or None
    return import_string(given) if isinstance(given, str) else given


def alias() -> str:
    """Return the alias of the database that holds the journal."""
    return str(configured("DATABASE", "default"))


def in_memory(alias: str) -> bool:
    """Return whether a database is lost with its process, as that of a project's tests may be."""
    name = str(connections[alias].settings_dict["NAME"])
    return connections[alias].vendor == "sqlite" and (name == ":memory:" or "mode=memory" in name)


def journal_url(alias: str) -> str:
    """Return the URL of the journal in one of the project's databases. It may hold a password.

    Raises:
        SettingsError: The database cannot hold a journal.
        MissingExtra: Its driver is not installed.
    """
    database = connections[alias]
    if database.vendor not in {"sqlite", "postgresql"} or in_memory(alias):
        raise SettingsError(
            Text(
                "DATABASES[{alias!r}]: the journal cannot be kept there, only in a file of SQLite or on PostgreSQL. "
                "Name another one: POLICENOTIFY = {{'DATABASE': …}}; in tests, where a file is in memory, give it a "
                "TEST NAME.",
                alias=alias,
            )
        )
    if database.vendor == "sqlite":
        return str(Path(database.settings_dict["NAME"]).absolute())
    try:
        from psycopg.pq import Conninfo  # noqa: PLC0415 - of an extra
    except ImportError as error:
        raise MissingExtra(Text("A journal on PostgreSQL"), "postgres") from error
    known = {option.keyword.decode() for option in Conninfo.get_defaults()}
    given = {name: str(value) for name, value in database.get_connection_params().items() if name in known}
    return f"postgresql:///{quote(given.pop('dbname', ''), safe='')}?{urlencode(given)}"


def project_settings(*, secrets: bool = True) -> Settings:
    """Read the settings file of the project, whose journal is the project's.

    Raises:
        SettingsError: It is wrong, or the program `policenotify` would find another journal by it.
    """
    if not isinstance(getattr(settings, "POLICENOTIFY", {}), Mapping):
        raise SettingsError(Text("POLICENOTIFY must be a dict. Nothing was sent. See: manage.py check"))
    read = read_settings(configured("SETTINGS"), secrets=secrets)
    check_journal(read)
    return read


def check_journal(read: Settings) -> None:
    """Refuse settings by which the program `policenotify` would stop, list or resolve in another journal.

    Raises:
        SettingsError: They name a journal themselves.
    """
    if not read.hosted:
        raise SettingsError(
            Text(
                "{place} names a journal of its own, and this project's is in DATABASES[{alias!r}]: a stop on the "
                'command line would stop nothing here. Write journal = "{in_django}" there. Nothing was sent.',
                place=read.place,
                alias=alias(),
                in_django=IN_DJANGO,
            )
        )


def migrate_journal() -> bool:
    """Create the journal's tables, unless it has them. Return whether they were created.

    Before they are created in a file of SQLite that others may read but not write, it is closed to them: Django makes
    files that everyone may read, and a journal in one of these is refused.

    Raises:
        CommandError: The settings or the keys are wrong, or the migration failed. Nothing was changed.
    """
    from policenotify.journal.database.migrate import migrate  # noqa: PLC0415 - brings the SQL toolkit

    try:
        url, keys = journal_url(alias()), project_settings().load_keys()
        _close_new_file(alias())
        return migrate(url, keys=keys)
    except PolicenotifyError as error:
        raise CommandError(str(error)) from error


def _close_new_file(alias: str) -> None:
    database = connections[alias]
    if database.vendor != "sqlite" or _META in database.introspection.table_names():
        return
    path = str(database.settings_dict["NAME"])
    for file in (Path(path), Path(f"{path}-wal"), Path(f"{path}-shm")):
        with suppress(OSError):  # it is not there, or belongs to another user: the journal itself refuses it
            mode = stat.S_IMODE(file.stat().st_mode)
            if not mode & _WRITTEN_BY_OTHERS:
                file.chmod(mode & stat.S_IRWXU)
