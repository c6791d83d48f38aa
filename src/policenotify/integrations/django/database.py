"""Where the journal is, from Django's settings of a database."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from django.db import connections

from policenotify.errors import MissingExtra, SettingsError

_VENDORS = {"sqlite", "postgresql"}


def in_memory(alias: str) -> bool:
    """Whether a database of the project is lost with its process, as that of a project's tests may be."""
    name = str(connections[alias].settings_dict["NAME"])
    return connections[alias].vendor == "sqlite" and (name == ":memory:" or "mode=memory" in name)


def journal_url(alias: str) -> str:
    """Where a journal in one of the project's databases is; it may hold a password.

    Raises:
        SettingsError: A journal cannot be kept there.
        MissingExtra: Its driver is not installed.
    """
    database = connections[alias]
    if database.vendor not in _VENDORS or in_memory(alias):
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
