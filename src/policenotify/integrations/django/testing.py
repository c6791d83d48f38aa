"""For tests of a Django project: an empty journal for each, and a publisher that only records."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core import mail
from django.db import connections
from django.db.backends.base.creation import TEST_DATABASE_PREFIX
from django.test import override_settings

from policenotify.integrations.django import close
from policenotify.integrations.django.database import alias, in_memory, journal_url, project_settings, runner

if TYPE_CHECKING:
    from policenotify.testing.publisher import Recording

_MARK = "Use TransactionTestCase, or with pytest @pytest.mark.django_db(transaction=True)."


class RecordingMixin:
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
        """Record until the end of the test, then empty the journal."""
        super().setUp()  # type: ignore[misc]  # of the test case that this is mixed into
        test: Any = self
        test.addCleanup(empty_journal)
        self.recording = test.enterContext(recorded())


@contextmanager
def recorded() -> Iterator[Recording]:
    """Let the project publish with a publisher that only records, on the channels of its settings.

    The journal is that of the project's test database. No network is reached. Call `deliver()` after the commit, as a
    worker would.

    Raises:
        RuntimeError: The journal is not in a test database, or the test never commits.
    """
    _check_test_database("recorded() publishes")
    if connections[alias()].in_atomic_block:
        raise RuntimeError(f"A test that never commits delivers nothing. {_MARK}")
    from policenotify.testing.publisher import recording_publisher  # noqa: PLC0415 - tests of `empty_journal` need none

    found = project_settings(secrets=False).place
    with (
        recording_publisher(settings=found, journal=journal_url(alias())) as recording,
        override_settings(POLICENOTIFY={**getattr(settings, "POLICENOTIFY", {}), "RUNNER": recording}),
    ):
        yield recording


def empty_journal() -> None:
    """Close the publisher and delete everything from the journal of a test database.

    Raises:
        RuntimeError: The journal is not in a test database. Nothing was deleted.
    """
    if in_memory(alias()):
        return
    _check_test_database("empty_journal() deletes everything")
    for close_publisher in filter(None, (getattr(runner(), "close", None), close)):
        close_publisher()
    from policenotify.journal.database.migrate import empty  # noqa: PLC0415 - brings the SQL toolkit

    connections[alias()].close()  # on SQLite an open transaction would be in the way
    empty(journal_url(alias()), keys=project_settings(secrets=False).load_keys())


def _check_test_database(does: str) -> None:
    """Check that Django has made the database for tests, perhaps as a copy for one of several processes.

    Raises:
        RuntimeError: It has not.
    """
    found = connections[alias()].settings_dict
    made = Path(str((found["TEST"] or {}).get("NAME") or ""))
    names = f"{TEST_DATABASE_PREFIX}.+"
    if made.name:
        names = rf"{re.escape(str(made.with_suffix('')))}(?:_\w+)?{re.escape(made.suffix)}"
    if not hasattr(mail, "outbox") or not re.fullmatch(names, str(found["NAME"])):  # setup_test_environment() makes it
        raise RuntimeError(f"{does}, and the journal is not in a test database. Nothing was done. {_MARK}")
