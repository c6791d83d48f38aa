"""The clock, the state store and the clean-up of the channels under test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from policenotify.testing import FakeClock, InMemoryStateStore
from tests.support.network_calls import NOW


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def store() -> InMemoryStateStore:
    return InMemoryStateStore()


@pytest.fixture
def exit_stack() -> Iterator[ExitStack]:
    """Close at the end of the test whatever it entered, so that a leaked socket fails the test."""
    with ExitStack() as stack:
        yield stack
