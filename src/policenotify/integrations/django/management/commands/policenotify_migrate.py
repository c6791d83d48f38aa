"""`manage.py policenotify_migrate`: create the journal's tables."""

from __future__ import annotations

from django.core.management.base import BaseCommand

from policenotify.integrations.django.database import migrate_journal
from policenotify.translation import Text


class Command(BaseCommand):  # type: ignore[misc]  # Django has no types
    """Creates the tables of the journal alone. `manage.py migrate` includes it."""

    help = "Create the journal's tables in the project's database."

    def handle(self, **_options: object) -> None:
        """Create the tables."""
        created = migrate_journal()
        self.stdout.write(
            Text("The journal's tables are created.") if created else "The journal has its tables already."
        )
