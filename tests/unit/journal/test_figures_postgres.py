"""Figures on PostgreSQL, where events become visible in another order than that of their numbers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, suppress

import pytest

from policenotify.journal import open_journal
from policenotify.journal.figures.figures import Figures
from policenotify.journal.journal import Journal
from policenotify.journal.keys import Keys
from policenotify.testing.fakes import FakeClock

pytestmark = [pytest.mark.postgres, pytest.mark.sqlite]  # not a second time on SQLite


def test_an_event_that_is_committed_after_later_ones_is_counted(keys: Keys, new_journal: Callable[[Keys], str]) -> None:
    """On PostgreSQL an event gets its number when it is added, and others see it when its transaction is committed."""
    clock, url = FakeClock(), new_journal(keys)
    with (
        closing(open_journal(url, keys=keys, clock=clock)) as slow,
        closing(open_journal(url, keys=keys, clock=clock)) as fast,
    ):
        reader = Figures(fast)

        def stated(journal: Journal, level: int) -> None:
            journal.audit.record("runner", "overdue", {"level": level})

        def counted() -> dict[str, int]:
            totals = reader.read().totals
            assert totals == Figures(fast).read().totals
            return {key[2]: count for key, count in totals.counts.items()}

        with suppress(RuntimeError), fast.write():  # its number is lost for good
            stated(fast, 9)
            raise RuntimeError
        stated(fast, 1)
        assert counted() == {"1": 1}
        with slow.write():
            stated(slow, 2)
            stated(fast, 3)
            assert counted() == {"1": 1, "3": 1}
            stated(fast, 4)
            assert counted() == {"1": 1, "3": 1, "4": 1}
        assert counted() == {"1": 1, "2": 1, "3": 1, "4": 1}
        assert counted() == {"1": 1, "2": 1, "3": 1, "4": 1}
