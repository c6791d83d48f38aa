"""`manage.py policenotify_migrate`: create or migrate the journal's tables."""

from __future__ import annotations

from django.core.management.base import BaseCommand

from policenotify.integrations.django.database import migrate_journal


class Command(BaseCommand):  # type: ignore[misc]  # Django has no types
    """Migrates the journal alone. `manage.py migrate` includes it."""

    help = "Create the journal's tables in the project's database, or migrate older ones to this version."

    def handle(self, **_options: object) -> None:
        """Migrate the journal."""
        migrated = migrate_journal("manage.py policenotify_migrate")
        self.stdout.write(f"The journal's tables are of version {migrated.after}.")
