"""A lock that a forked process finds free."""

from __future__ import annotations

import os
import threading


class ProcessLock:
    """A lock of each process: a forked child finds it free, whatever a thread of its parent was doing.

    `with lock.here:` enters the lock itself. A Ctrl-C in methods of this class that did so could leave it locked.
    """

    def __init__(self) -> None:
        self._locks: dict[int, threading.Lock] = {}  # by process

    @property
    def here(self) -> threading.Lock:
        """The lock of this process."""
        return self._locks.setdefault(os.getpid(), threading.Lock())
