"""Load the libraries of networks in one thread at a time.

Each channel is delivered on in a thread of its own, which loads its library when it first needs it. Modules that import
one another, as apprise's do, must not be loaded from two of their ends at once: one thread then finds a module that
lacks half of its names, and the other one gets Python's `_DeadlockError`, a person of a list being in doubt for it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class _Turn:
    """Whose turn it is to load."""

    def __init__(self) -> None:
        self.lock = threading.RLock()

    def renew(self) -> None:
        """In a forked child: a thread that held the lock is not here."""
        self.lock = threading.RLock()


_turn = _Turn()


@contextmanager
def loading() -> Iterator[None]:
    """Within, no other thread loads a network's library."""
    with _turn.lock:
        yield


if hasattr(os, "register_at_fork"):  # pragma: no branch  # POSIX
    os.register_at_fork(after_in_child=_turn.renew)
