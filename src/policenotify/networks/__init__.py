"""The networks, each in its folder, and the import lock of their libraries."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any


class _ImportLock:
    """A lock that a forked child renews: the thread that held it is not there."""

    def __init__(self) -> None:
        self.lock = threading.RLock()

    def renew(self) -> None:
        self.lock = threading.RLock()


_import_lock = _ImportLock()

if hasattr(os, "register_at_fork"):  # pragma: no branch  # POSIX
    os.register_at_fork(after_in_child=_import_lock.renew)


@contextmanager
def import_lock() -> Iterator[None]:
    """Let no other thread import a network's client library meanwhile.

    Each channel is delivered on in a thread of its own, which imports its library on first use. Modules that import one
    another, as apprise's do, must not be imported from two of their ends at once. One thread would then find a module
    without half of its names, and the other would get Python's `_DeadlockError`.
    """
    with _import_lock.lock:
        yield


def load(module: str) -> Any:  # noqa: ANN401 - libraries that are loaded when they are first used
    """Import a library of a network, or a module that loads one."""
    with import_lock():
        return import_module(module)
