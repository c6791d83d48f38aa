"""What all engines of a host share: one publisher for each process, and one drain at a time in it."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable
from datetime import timedelta

from policenotify.journal.workers import Runner
from policenotify.publishing.publisher import Publisher

EVERY = timedelta(seconds=30)
"""How often a runner looks for itself, and for how long it then delivers: what is due meanwhile goes out in time."""


class ProcessPublisher:
    """Opens the publisher when it is first used in a process, and again in a process that was forked from it.

    Args:
        open_publisher: Opens the installation's publisher.
        runner: Is told when it publishes; `None`: nobody.
    """

    def __init__(self, open_publisher: Callable[[], Publisher], runner: Runner | None = None) -> None:
        self._open = open_publisher
        self._runner = runner
        self._opening = threading.Lock()
        self._draining = threading.Lock()
        self._wanted = threading.Event()
        self._publisher: Publisher | None = None
        self._process = 0

    @property
    def publisher(self) -> Publisher:
        """The publisher of this process."""
        with self._opening:
            if self._publisher is None or self._process != os.getpid():
                self._publisher, self._process = self._open(), os.getpid()
                self._draining = threading.Lock()
                atexit.register(self.close)
                if self._runner is not None:
                    self._publisher.runners.append(self._runner)
            return self._publisher

    def drain(self, budget: timedelta) -> None:
        """Deliver what is due, for at most that long. Where this process does already, that drain takes it along."""
        publisher = self.publisher
        self._wanted.set()
        while self._wanted.is_set() and self._draining.acquire(blocking=False):
            try:
                self._wanted.clear()
                publisher.drain(budget)
            finally:
                self._draining.release()

    def close(self) -> None:
        """Give what is under way some seconds to finish. May be called twice."""
        with self._opening:
            publisher, self._publisher = self._publisher, None
            if publisher is not None and self._process == os.getpid():
                publisher.close()
