"""Fixtures for tests of an application, which pytest finds by itself (entry point `pytest11`).

Nothing of policenotify is imported before a test asks for a fixture. `-p no:policenotify` switches them off.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from policenotify.testing.publisher import Recording


@pytest.fixture
def policenotify_recording() -> Iterator[Recording]:
    """A publisher that only records, with X, Mastodon, Bluesky, e-mail and SMS. No network is reached."""
    from policenotify.testing.publisher import recording_publisher  # noqa: PLC0415 - only for tests that ask for it

    with recording_publisher() as recording:
        yield recording
