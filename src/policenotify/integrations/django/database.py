"""Find the journal in the project's settings and database, and create its tables there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from django.conf import settings
from django.db import connections

from policenotify.errors import MissingExtra, SettingsError
from policenotify.settings import read_settings

if TYPE_CHECKING:
    from policenotify.journal.database.migrate import Migrated


def configured(name: str, default: str | None = None) -> Any:  # noqa: ANN401 - any value of the project's settings
    """Return a value of `POLICENOTIFY`: SETTINGS, DATABASE (alias) or RUNNER (path)."""
    return getattr(settings, "POLICENOTIFY", {}).get(name, default)


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
            f"DATABASES[{alias!r}]: the journal cannot be kept there, only in a file of SQLite or on PostgreSQL. Name "
            "another one: POLICENOTIFY = {'DATABASE': …}; in tests, where a file is in memory, give it a TEST NAME."
        )
    if database.vendor == "sqlite":
        return str(database.settings_dict["NAME"])
    try:
        from psycopg.pq import Conninfo  # noqa: PLC0415 - of an extra
    except ImportError as error:
        raise MissingExtra("A journal on PostgreSQL", "postgres") from error
    known = {option.keyword.decode() for option in Conninfo.get_defaults()}
    given = {name: str(value) for name, value in database.get_connection_params().items() if name in known}
    return f"postgresql:///{quote(given.pop('dbname', ''), safe='')}?{urlencode(given)}"


def migrate_journal(actor: str) -> Migrated:
    """Create the journal's tables, or migrate older ones to this version.

    Raises:
        SettingsError: The settings or the keys are wrong.
        JournalError: The migration failed. Nothing was changed.
    """
    from policenotify.journal.database.migrate import migrate  # noqa: PLC0415 - brings the SQL toolkit

    keys = read_settings(configured("SETTINGS"), tolerant=True).load_keys()
    return migrate(journal_url(alias()), keys=keys, actor=actor)
