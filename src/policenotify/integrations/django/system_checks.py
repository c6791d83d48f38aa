"""System checks of the project's settings. What stops all publishing is an error."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any

from django.conf import settings as project
from django.core import checks
from django.db import connections
from django.utils.module_loading import import_string

from policenotify.errors import PolicenotifyError, SettingsError
from policenotify.integrations.django.database import NAMES, alias, check_journal, configured, in_memory, journal_url
from policenotify.settings import configured_channels, read_settings
from policenotify.translation import AnyText
from policenotify.validation import did_you_mean


def check_transaction_mode(databases: list[str] | None, **_more: object) -> list[Any]:
    """Warn where a SQLite transaction that reads first may be unable to write later."""
    if _wrong_values():
        return []
    name = alias()
    if name not in (databases or ()) or connections[name].vendor != "sqlite":
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


def check_project(**_more: object) -> list[Any]:
    """Return what is wrong with `POLICENOTIFY` itself."""
    if wrong := _wrong_values():
        return wrong
    found: list[Any] = [
        checks.Error(
            f"POLICENOTIFY[{name!r}] is not known.", hint=did_you_mean(str(name), NAMES), id="policenotify.E001"
        )
        for name in getattr(project, "POLICENOTIFY", {})
        if name not in NAMES
    ]
    if alias() not in connections:
        hint = did_you_mean(alias(), connections)
        found.append(checks.Error(f"There is no DATABASES[{alias()!r}].", hint=hint, id="policenotify.E002"))
    elif not in_memory(alias()):  # the database of a project's tests, or none that publishes
        try:
            journal_url(alias())
        except SettingsError as error:
            found.append(checks.Error(str(error), id="policenotify.E002"))
    return [*found, *_check_runner()]


def _wrong_values() -> list[Any]:
    """Return the values of a wrong type, which the other checks cannot read."""
    given = getattr(project, "POLICENOTIFY", {})
    if not isinstance(given, Mapping):
        hint = "POLICENOTIFY = {'SETTINGS': BASE_DIR / 'policenotify.toml'}"
        return [checks.Error("POLICENOTIFY must be a dict.", hint=hint, id="policenotify.E001")]
    return [
        checks.Error(f"POLICENOTIFY[{name!r}] must be a text or a path.", id="policenotify.E001")
        for name in sorted(NAMES & given.keys())
        if not isinstance(given[name], str | PathLike | None)
    ]


def _check_runner() -> list[Any]:
    path = configured("RUNNER")
    if not path:
        return []
    try:
        runner = import_string(str(path))
    except ImportError as error:
        hint = "POLICENOTIFY['RUNNER']: the dotted path of a CeleryRunner, a ProcrastinateRunner or the like."
        return [checks.Error(f"The runner cannot be imported: {error}", hint=hint, id="policenotify.E003")]
    if hasattr(type(runner), "publisher") or "publisher" in getattr(runner, "__dict__", {}):
        return []
    hint = "It must have an attribute `publisher`, as CeleryRunner and ProcrastinateRunner have."
    return [checks.Error(f"POLICENOTIFY['RUNNER']: {path} is no runner.", hint=hint, id="policenotify.E003")]


def check_settings_file(**_more: object) -> list[Any]:
    """Return what is wrong with the settings file as a whole. No file of secrets is read.

    A file that cannot be used is a warning: the rest of the project runs without it. `check --deploy` also asks each
    channel about its options, which may load the client library of its network.
    """
    if _wrong_values():
        return []
    try:
        read = read_settings(configured("SETTINGS"), secrets=False, tolerant=True)
    except PolicenotifyError as error:
        hint = "POLICENOTIFY['SETTINGS']: name the right file, or mend it."
        return [checks.Warning(str(error), hint=hint, id="policenotify.W003")]
    found = [_fault(name, text) for name, text in read.faults.items()]
    if alias() in connections and not in_memory(alias()):
        try:
            check_journal(read)
        except SettingsError as error:
            found.append(checks.Error(str(error), id="policenotify.E004"))
    return found


def check_channels(**_more: object) -> list[Any]:
    """Warn of channels that are blocked on this machine, files of secrets included (`check --deploy`)."""
    if _wrong_values():
        return []
    try:
        read = read_settings(configured("SETTINGS"), tolerant=True)
        known = read_settings(configured("SETTINGS"), secrets=False, tolerant=True).faults
        channels, problem = configured_channels(read)
        read.load_keys()
    except PolicenotifyError as error:
        return [checks.Warning(str(error), hint="Run: manage.py policenotify doctor", id="policenotify.W003")]
    found = [checks.Warning(problem, id="policenotify.W003")] if problem else []
    wrong = {channel.name: str(channel.blocked) for channel in channels if channel.blocked}
    return found + [_fault(name, text) for name, text in wrong.items() if name not in known]


def _fault(name: str, text: AnyText) -> Any:  # noqa: ANN401 - Django has no types
    return checks.Warning(
        f"{name} is blocked; the other channels are not. {text!s}",
        hint="What is meant for it waits in the journal until its settings are mended.",
        id="policenotify.W004",
    )
