"""The app: its tables are made and brought up to date together with the project's own, by `manage.py migrate`."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.db import connections
from django.db.models.signals import post_migrate

from policenotify.errors import PolicenotifyError
from policenotify.integrations.django.database import in_memory
from policenotify.integrations.django.publishing import alias, configured
from policenotify.settings import read_settings
from policenotify.settings.model import IN_DJANGO


class PolicenotifyConfig(AppConfig):  # type: ignore[misc]  # Django has no types
    """Police notifications."""

    name = "policenotify.integrations.django"
    label = "policenotify"
    verbose_name = "policenotify"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Join what the project does."""
        post_migrate.connect(_bring_up, sender=self)
        checks.register(_begins_at_once, checks.Tags.database)
        checks.register(_names_the_journal)


def _bring_up(*, using: str, verbosity: int, **_more: object) -> None:
    if using != alias() or in_memory(using):
        return
    from policenotify.integrations.django.tables import bring_up  # noqa: PLC0415 - brings the SQL toolkit

    done = bring_up("manage.py migrate")
    if verbosity:
        print(f"  Journal of policenotify: version {done.after}")  # noqa: T201 - as `migrate` tells its own steps


def _begins_at_once(databases: list[str] | None, **_more: object) -> list[Any]:
    """On SQLite: a transaction that reads first and writes then fails where another has written meanwhile."""
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


def _names_the_journal(**_more: object) -> list[Any]:
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
