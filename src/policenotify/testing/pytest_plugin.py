"""Fixtures for tests of an application. pytest finds them by the entry point `pytest11`.

Nothing else of policenotify is imported before a test asks for one of them. `-p no:policenotify` switches them off.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from policenotify.testing.dev import DevNetworks
    from policenotify.testing.publisher import Recording


@pytest.fixture
def policenotify_recording() -> Iterator[Recording]:
    """Yield a publisher that only records, with X, Mastodon, Bluesky, e-mail and SMS. No network is reached."""
    from policenotify.testing.publisher import recording_publisher  # noqa: PLC0415 - see the module's docstring

    with recording_publisher() as recording:
        yield recording


@pytest.fixture
def policenotify_dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevNetworks]:
    """Yield fake servers of all networks on this machine, with the settings of an installation on them."""
    from policenotify.testing.dev import DevNetworks  # noqa: PLC0415 - see the module's docstring

    with DevNetworks() as networks:
        networks.install(tmp_path_factory.mktemp("policenotify"))
        yield networks


@pytest.fixture
def policenotify_django() -> Iterator[Recording]:
    """Yield the publisher of a Django project that only records, on its test database, whose journal is emptied after.

    With pytest-django, mark the test with `@pytest.mark.django_db(transaction=True)`. Call `deliver()` as a worker
    would.
    """
    from policenotify.integrations.django.testing import empty_journal, recorded  # noqa: PLC0415 - see above

    with recorded() as recording:
        yield recording
    empty_journal()
