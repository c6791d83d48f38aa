"""Empty the journal between the tests of a Django project."""

from __future__ import annotations

from typing import Any

from django.core import mail
from django.db import connections
from django.utils.module_loading import import_string

from policenotify.integrations.django import close
from policenotify.integrations.django.database import alias, configured, in_memory, journal_url
from policenotify.settings import read_settings


class EmptyJournalMixin:
    """Empties the journal after each test of a `TransactionTestCase`.

    That test case empties only the tables of models.

    ```python
    class TestAlerts(EmptyJournalMixin, TransactionTestCase): ...
    ```

    A `TestCase` rolls its publications back and does not need this.
    """

    def setUp(self) -> None:
        """Empty the journal at the end of the test."""
        super().setUp()  # type: ignore[misc]  # of the test case that this is mixed into
        cleanup: Any = self
        cleanup.addCleanup(empty_journal)


def empty_journal() -> None:
    """Close the publisher and delete everything from the journal of a test database.

    Raises:
        RuntimeError: Django's test environment is not set up. Nothing was deleted.
    """
    if not hasattr(mail, "outbox"):  # made by setup_test_environment()
        raise RuntimeError("empty_journal() deletes everything, and runs only in tests. Nothing was deleted.")
    if in_memory(alias()):
        return
    runner = configured("RUNNER")
    close_runner = getattr(import_string(runner), "close", None) if runner else None
    for close_publisher in filter(None, (close_runner, close)):
        close_publisher()
    from policenotify.journal.database.migrate import empty  # noqa: PLC0415 - brings the SQL toolkit

    connections[alias()].close()  # on SQLite an open transaction would be in the way
    empty(journal_url(alias()), keys=read_settings(configured("SETTINGS"), secrets=False).load_keys())
