"""A journal whose clock moves only when it is set."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from policenotify.delivery import dispatcher
from policenotify.delivery.dispatcher import Dispatcher
from policenotify.journal.clock import SystemClock
from tests.support.drains import LEASE, Made, worker_threads
from tests.support.fake_network import Book, Scripted


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    opened = Book(tmp_path)
    yield opened
    opened.journal.close()


@pytest.fixture
def delivers(book: Book, monkeypatch: pytest.MonkeyPatch) -> Iterator[Made]:
    """Make dispatchers with a short poll interval. Afterwards none of their threads may be left."""
    made: list[Dispatcher] = []

    def make(*, into: Book = book, poll_interval: float = 0.05, rest: float = 5.0, **given: Any) -> Dispatcher:
        monkeypatch.setattr(dispatcher, "_POLL_INTERVAL", poll_interval)
        monkeypatch.setattr(dispatcher, "_REST", rest)
        networks = {name: one for name, one in given.items() if isinstance(one, Scripted)}
        settings = {name: one for name, one in given.items() if name not in networks}
        channels = {name: one.configured(name) for name, one in networks.items()}
        delivery = Dispatcher(
            journal=into.journal,
            channels=channels,
            **{
                "clock": into.clock if isinstance(into.clock, SystemClock) else SystemClock(),
                "backoff": lambda _age: timedelta(seconds=0.05),
                "lease": LEASE,
                **settings,
            },
        )
        made.append(delivery)
        return delivery

    yield make
    for delivery in made:
        delivery.close()
    assert worker_threads() == []
