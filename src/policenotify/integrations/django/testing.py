"""For tests of a Django project: an empty journal for each, and a publisher that only records."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core import mail
from django.db import connections
from django.test import override_settings
from django.utils.module_loading import import_string

from policenotify.integrations.django import close
from policenotify.integrations.django.database import alias, configured, in_memory, journal_url, project_settings

if TYPE_CHECKING:
    from policenotify.testing.publisher import Recording

_current: list[Recording] = []


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


class RecordingMixin(EmptyJournalMixin):
    """Records what each test of a `TransactionTestCase` publishes, and empties the journal after it.

    ```python
    class TestAlerts(RecordingMixin, TransactionTestCase):
        def test_an_accident_is_published(self):
            self.client.post("/alerts/", {...})
            self.recording.deliver()
            assert "avenue de Toulouse" in self.recording.on("bluesky")[0].text
    ```

    Attributes:
        recording: See [`Recording`][policenotify.testing.publisher.Recording].
    """

    recording: Recording

    def setUp(self) -> None:
        """Record until the end of the test."""
        super().setUp()
        test: Any = self
        self.recording = test.enterContext(recorded())


@contextmanager
def recorded() -> Iterator[Recording]:
    """Let the project publish with a publisher that only records, on the channels of its settings.

    The journal is that of the project's test database. No network is reached. Call `deliver()` after the commit, as a
    worker would.
    """
    from policenotify.testing.publisher import recording_publisher  # noqa: PLC0415 - tests of `empty_journal` need none

    found = project_settings(tolerant=True, secrets=False).place
    how = {**getattr(settings, "POLICENOTIFY", {}), "RUNNER": f"{__name__}._runner"}
    with recording_publisher(settings=found, journal=journal_url(alias())) as recording:
        _current.append(recording)
        try:
            with override_settings(POLICENOTIFY=how):
                yield recording
        finally:
            _current.pop()


class _Current:
    """The runner of the project while it is recorded."""

    @property
    def publisher(self) -> Any:  # noqa: ANN401 - a Publisher
        return _current[-1].publisher


_runner = _Current()  # named by POLICENOTIFY["RUNNER"] while the project is recorded


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
    empty(journal_url(alias()), keys=project_settings(tolerant=True, secrets=False).load_keys())
