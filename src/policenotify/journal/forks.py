"""A fork waits until no transaction of this process is under way.

SQLite keeps in the process's memory which of its connections holds which lock. A child that was forked in the middle of
a transaction would find the lock held for ever, by a connection that it does not have (How to corrupt an SQLite
database file, section 2.6).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_PATIENCE = 5.0  # seconds that a fork waits at most: a transaction takes milliseconds, unless the disk hangs


class _Gate:
    """Passed by each transaction, and shut by a fork."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.inside: dict[int, int] = {}  # by thread: how many transactions
        self.shut = False

    def enter(self) -> None:
        me = threading.get_ident()
        with self.changed:
            # Who is inside already must not wait for a fork that waits for him.
            self.changed.wait_for(lambda: not self.shut or me in self.inside, timeout=_PATIENCE)
            self.inside[me] = self.inside.get(me, 0) + 1

    def leave(self) -> None:
        me = threading.get_ident()
        with self.changed:
            self.inside[me] -= 1
            if not self.inside[me]:
                del self.inside[me]
            self.changed.notify_all()

    def close(self) -> None:
        me = threading.get_ident()
        with self.changed:
            self.shut = True
            self.changed.wait_for(lambda: not self.inside.keys() - {me}, timeout=_PATIENCE)

    def open(self) -> None:
        with self.changed:
            self.shut = False
            self.changed.notify_all()

    def anew(self) -> None:
        """In the child: the parent's other threads, one of which may have held the lock, are not here."""
        me = threading.get_ident()
        self.changed, self.shut = threading.Condition(), False
        self.inside = {thread: count for thread, count in self.inside.items() if thread == me}


_gate = _Gate()


@contextmanager
def under_way() -> Iterator[None]:
    """A transaction: no fork meanwhile."""
    _gate.enter()
    try:
        yield
    finally:
        _gate.leave()


if hasattr(os, "register_at_fork"):  # pragma: no branch  # POSIX
    os.register_at_fork(before=_gate.close, after_in_parent=_gate.open, after_in_child=_gate.anew)
