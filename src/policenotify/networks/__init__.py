"""The networks, each in its folder, and how their client libraries are imported."""

from __future__ import annotations

import os
import threading
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

from policenotify.errors import MissingExtra
from policenotify.translation import Text

import_lock: Final = threading.RLock()
"""Held while a network's client library is imported.

Each channel is delivered on in a thread of its own, which imports its library on first use. Modules that import one
another, as apprise's do, must not be imported from two of their ends at once. One thread would then find a module
without half of its names, and the other would get Python's `_DeadlockError`.
"""

if hasattr(os, "register_at_fork"):  # pragma: no branch  # POSIX. A child would wait for ever for another thread's lock
    os.register_at_fork(
        before=import_lock.acquire, after_in_parent=import_lock.release, after_in_child=import_lock.release
    )


def load(module: str) -> Any:  # noqa: ANN401 - libraries that are loaded when they are first used
    """Import a library of a network, or a module that loads one."""
    with import_lock:
        return import_module(module)


def require(network: str, *modules: str) -> None:
    """Raise `MissingExtra` if one of a network's libraries is not installed. Imports none of them."""
    if not all(map(find_spec, modules)):
        raise MissingExtra(Text("The network {name!r}", name=network), network)
