"""The Django app: `manage.py migrate` creates and migrates the journal's tables too."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.db import connections
from django.db.models.signals import post_migrate

from policenotify.errors import PolicenotifyError
from policenotify.integrations.django.database import alias, configured, in_memory, migrate_journal
from policenotify.settings import read_settings
from policenotify.settings.model import IN_DJANGO


class PolicenotifyConfig(AppConfig):  # type: ignore[misc]  # Django has no types
    """Police notifications."""

    name = "policenotify.integrations.django"
    label = "policenotify"
    verbose_name = "policenotify"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the migration of the journal and the system checks."""
        post_migrate.connect(_migrate, sender=self)
        checks.register(_check_transaction_mode, checks.Tags.database)
        checks.register(_check_journal)


def _migrate(*, using: str, verbosity: int, **_more: object) -> None:
    if using != alias() or in_memory(using):
        return
    migrated = migrate_journal("manage.py migrate")
    if verbosity:
        print(f"  Journal of policenotify: version {migrated.after}")  # noqa: T201 - like the steps of `migrate`


def _check_transaction_mode(databases: list[str] | None, **_more: object) -> list[Any]:
    """Warn where a SQLite transaction that reads first may be unable to write later."""
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


def _check_journal(**_more: object) -> list[Any]:
    """Warn of settings by which the command line looks for the journal elsewhere."""
    try:
        settings = read_settings(configured("SETTINGS"), secrets=False)
    except PolicenotifyError as error:
        return [
            checks.Warning(str(error), hint="POLICENOTIFY['SETTINGS']: name the right file.", id="policenotify.W003")
        ]
    if settings.hosted:
        return []
    return [
        checks.Warning(
            f"{settings.place} names a journal of its own, which this project does not use.",
            hint=f'Write journal = "{IN_DJANGO}" there: then `policenotify` refuses rather than look elsewhere.',
            id="policenotify.W002",
        )
    ]
