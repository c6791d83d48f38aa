"""Drains in threads of their own, and a clock that is let pass for them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Self

from policenotify.delivery.dispatcher import Dispatcher
from tests.support.clocks import PassingClock
from tests.support.fake_network import Book
from tests.support.patience import PATIENCE

NOW = timedelta(0)
LEASE = timedelta(minutes=30)  # no drain waits for its end
OVER = LEASE + timedelta(seconds=1)

Made = Callable[..., Dispatcher]


def threads_now() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name.startswith("policenotify ")]


def worker_threads() -> list[str]:
    """The channels on which threads deliver, once those at their end have gone."""
    ends = time.monotonic() + PATIENCE
    while (left := threads_now()) and time.monotonic() < ends:
        left[0].join(0.01)
    return sorted(one.name.removeprefix("policenotify ") for one in left)


class Timed:
    """Measures whether a drain with a long budget ended early."""

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self.took = time.monotonic() - self._began

    @property
    def quick(self) -> bool:
        return self.took < PATIENCE / 2


def in_thread(call: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    return thread


def pass_by(book: Book, time: timedelta) -> None:
    assert isinstance(book.clock, PassingClock)
    book.clock.pass_by(time)
