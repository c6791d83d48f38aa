"""The journal's tables in the project's database."""

from __future__ import annotations

from policenotify.integrations.django.database import journal_url
from policenotify.integrations.django.publishing import alias, configured
from policenotify.journal.keys import Keys
from policenotify.journal.migrate import Migrated, migrate
from policenotify.settings import read_settings


def bring_up(actor: str) -> Migrated:
    """Make them, or bring older ones to this version.

    Raises:
        SettingsError: The settings or the keys are wrong.
        JournalError: It cannot be done; nothing was changed.
    """
    settings = read_settings(configured("SETTINGS"), tolerant=True)
    return migrate(journal_url(alias()), keys=Keys.load(settings.keys_path), actor=actor)
