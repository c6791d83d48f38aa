"""Share one publisher in each process of a host application."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable
from datetime import timedelta

from policenotify.journal.workers import Runner
from policenotify.publishing.publisher import Publisher

INTERVAL = timedelta(seconds=30)
"""How often a runner drains without being notified, and for how long each drain delivers."""


class ProcessPublisher:
    """Opens the publisher at its first use in a process, and again in a forked child.

    The publisher notifies the *runner* when it publishes.
    """

    def __init__(self, open_publisher: Callable[[], Publisher], runner: Runner | None = None) -> None:
        self._open = open_publisher
        self._runner = runner
        self._opening = threading.Lock()
        self._draining = threading.Lock()
        self._requested = threading.Event()
        self._publisher: Publisher | None = None
        self._process = 0

    @property
    def publisher(self) -> Publisher:
        """The publisher of this process."""
        with self._opening:
            if self._publisher is None or self._process != os.getpid():
                self._publisher, self._process = self._open(), os.getpid()
                self._requested, self._draining = threading.Event(), threading.Lock()
                atexit.register(self.close)
                if self._runner is not None:
                    self._publisher.runners.append(self._runner)
            return self._publisher

    def drain(self, budget: timedelta) -> None:
        """Deliver what is due, for at most *budget*.

        If this process drains already, that drain repeats instead.
        """
        publisher = self.publisher
        self._requested.set()
        draining = self._draining
        while self._requested.is_set() and draining.acquire(blocking=False):
            try:
                self._requested.clear()
                publisher.drain(budget)
            finally:
                draining.release()

    def close(self) -> None:
        """Let posts under way finish, then close the publisher. May be called twice."""
        with self._opening:
            publisher, self._publisher = self._publisher, None
        if publisher is not None and self._process == os.getpid():
            publisher.close()
