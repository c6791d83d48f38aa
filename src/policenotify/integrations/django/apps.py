"""The Django app: `manage.py migrate` creates and migrates the journal's tables too."""

from __future__ import annotations

from django.apps import AppConfig
from django.core import checks
from django.db import connections
from django.db.migrations.loader import MigrationLoader
from django.db.models.signals import post_migrate

from policenotify.integrations.django import system_checks
from policenotify.integrations.django.database import alias, in_memory, migrate_journal


class PolicenotifyConfig(AppConfig):  # type: ignore[misc]  # Django has no types
    """Police notifications."""

    name = "policenotify.integrations.django"
    label = "policenotify"
    verbose_name = "policenotify"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the migration of the journal and the system checks."""
        post_migrate.connect(_migrate, sender=self)
        checks.register(system_checks.check_transaction_mode, checks.Tags.database)
        checks.register(system_checks.check_project)


def _migrate(*, using: str, verbosity: int, **_more: object) -> None:
    """Create the tables where `showmigrations` lists them as applied, or where the project has switched migrations off.

    They are missing, for example, if the journal was moved to a database that had been migrated before.
    """
    if using != alias() or in_memory(using):
        return
    loader = MigrationLoader(connections[using])
    ours = {key for key in loader.disk_migrations if key[0] == PolicenotifyConfig.label}
    if not ours <= loader.applied_migrations.keys():
        return
    created = migrate_journal()
    if verbosity:
        print(f"  Journal of policenotify: {'created' if created else 'there already'}")  # noqa: T201 - like the steps of `migrate`
