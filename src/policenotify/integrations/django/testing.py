"""For the tests of a Django project that publish: an empty journal for each."""

from __future__ import annotations

from typing import Any

from django.core import mail
from django.db import connections
from django.utils.module_loading import import_string

from policenotify.integrations.django.database import in_memory, journal_url
from policenotify.integrations.django.publishing import alias, close, configured
from policenotify.journal.keys import Keys
from policenotify.settings import read_settings


class EmptyJournalMixin:
    """Empties the journal after each test of a `TransactionTestCase`, which knows only the tables of models.

    ```python
    class TestAlerts(EmptyJournalMixin, TransactionTestCase): ...
    ```

    A `TestCase` needs none: it rolls back what was published.
    """

    def setUp(self) -> None:
        """Empty it when the test has ended, however it ends."""
        super().setUp()  # type: ignore[misc]  # of the test case that this is mixed into
        cleanup: Any = self
        cleanup.addCleanup(empty_journal)


def empty_journal() -> None:
    """Delete all that was published, from the journal of a test database. Its publisher is closed first.

    Raises:
        RuntimeError: These are no tests: Django has not set up their environment.
    """
    if not hasattr(mail, "outbox"):  # made by setup_test_environment()
        raise RuntimeError("empty_journal() deletes everything, and runs only in tests. Nothing was deleted.")
    if in_memory(alias()):
        return
    runner = configured("RUNNER")
    end = getattr(import_string(runner), "close", None) if runner else None
    for closes in filter(None, (end, close)):
        closes()
    from policenotify.journal.migrate import empty  # noqa: PLC0415 - brings the SQL toolkit

    connections[alias()].close()  # on SQLite an open transaction would be in the way
    empty(journal_url(alias()), keys=Keys.load(read_settings(configured("SETTINGS"), secrets=False).keys_path))
