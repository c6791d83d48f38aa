"""`manage.py policenotify_migrate`: make the journal's tables, or bring older ones to this version."""

from __future__ import annotations

from django.core.management.base import BaseCommand, CommandError

from policenotify.errors import PolicenotifyError
from policenotify.integrations.django.tables import bring_up


class Command(BaseCommand):  # type: ignore[misc]  # Django has no types
    """Does nothing but that; `manage.py migrate` does it, too."""

    help = "Make the journal's tables in the project's database, or bring older ones to this version."

    def handle(self, **_options: object) -> None:
        """Do it."""
        try:
            done = bring_up("manage.py policenotify_migrate")
        except PolicenotifyError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"The journal's tables are of version {done.after}.")
