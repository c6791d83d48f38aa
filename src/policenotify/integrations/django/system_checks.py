"""System checks of the project's settings. What stops all publishing is an error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings as project
from django.core import checks
from django.db import connections

from policenotify.errors import PolicenotifyError, SettingsError
from policenotify.integrations.django.database import (
    NAMES,
    alias,
    check_journal,
    configured,
    in_memory,
    journal_url,
    runner,
)
from policenotify.settings import read_settings
from policenotify.validation import did_you_mean


def check_transaction_mode(databases: list[str] | None, **_more: object) -> list[Any]:
    """Warn where a SQLite transaction that reads first may be unable to write later."""
    name = alias()
    if name not in (databases or ()) or name not in connections or connections[name].vendor != "sqlite":
        return []
    if str(connections[name].settings_dict["OPTIONS"].get("transaction_mode", "")).upper() == "IMMEDIATE":
        return []
    return [
        checks.Warning(
            "Publishing inside atomic() may find the database locked, however long its timeout is.",
            hint=f"DATABASES[{name!r}]['OPTIONS']: set 'transaction_mode': 'IMMEDIATE'.",
            id="policenotify.W001",
        )
    ]


def check_project(**_more: object) -> Iterator[Any]:
    """Yield what is wrong with `POLICENOTIFY` and the settings file as a whole. No file of secrets is read.

    A file that cannot be used is a warning: the rest of the project runs without it. Channels are for `doctor`.
    """
    given = getattr(project, "POLICENOTIFY", {})
    if not isinstance(given, Mapping):
        hint = "POLICENOTIFY = {'SETTINGS': BASE_DIR / 'policenotify.toml'}"
        yield checks.Error("POLICENOTIFY must be a dict.", hint=hint, id="policenotify.E001")
        return
    for name in given.keys() - NAMES:
        hint = str(did_you_mean(str(name), NAMES))
        yield checks.Error(f"POLICENOTIFY[{name!r}] is not known.", hint=hint, id="policenotify.E001")
    usable = alias() in connections and not in_memory(alias())  # not the database of a project's tests
    if alias() not in connections:
        hint = str(did_you_mean(alias(), connections))
        yield checks.Error(f"There is no DATABASES[{alias()!r}].", hint=hint, id="policenotify.E002")
    elif usable:
        try:
            journal_url(alias())
        except SettingsError as error:
            yield checks.Error(str(error), id="policenotify.E002")
    yield from _check_runner()
    yield from _check_file(usable=usable)


def _check_runner() -> Iterator[Any]:
    hint = "POLICENOTIFY['RUNNER']: the dotted path of a CeleryRunner, a ProcrastinateRunner or the like."
    try:
        found = runner()
    except ImportError as error:
        yield checks.Error(f"The runner cannot be imported: {error}", hint=hint, id="policenotify.E003")
        return
    if found is not None and "publisher" not in dir(found):
        yield checks.Error("The runner has no `publisher`.", hint=hint, id="policenotify.E003")


def _check_file(*, usable: bool) -> Iterator[Any]:
    try:
        read = read_settings(configured("SETTINGS"), secrets=False)
    except (PolicenotifyError, TypeError) as error:
        hint = "POLICENOTIFY['SETTINGS']: name the right file, or mend it."
        yield checks.Warning(str(error), hint=hint, id="policenotify.W003")
        return
    if usable:
        try:
            check_journal(read)
        except SettingsError as error:
            yield checks.Error(str(error), id="policenotify.E004")
