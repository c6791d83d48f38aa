"""Times for tests on a machine of any speed: long ones that only bound a failure, and short ones for what hangs."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from policenotify.testing.servers.http import NoResponse

PATIENCE: Final = 300.0
"""Seconds after which something has gone wrong: no test that passes waits for so long."""

LONG: Final = timedelta(seconds=PATIENCE)
"""The same, for `wait=` and `drain`."""

ANSWERED: Final = 30.0
"""The timeout of a client whose server does answer: the longest that channels take."""

_PROBE: Final = 0.01  # seconds of work


def short(seconds: float = 0.3) -> float:
    """Return the timeout of a client whose server hangs.

    It is as long as a server that does answer needs by far: a processor that is shared with others makes it longer.
    """
    worked, began = time.thread_time(), time.monotonic()
    while (used := time.thread_time() - worked) < _PROBE:
        pass
    return max(seconds, min(20.0, seconds * (time.monotonic() - began) / used))


def timeout_for(reply: object) -> float:
    """Return the timeout of a client that gets this reply."""
    return short() if isinstance(reply, NoResponse) else ANSWERED


def until(holds: Callable[[], object]) -> None:
    """Wait until it holds, or fail. A process that it waits for may take minutes to start."""
    ends = time.monotonic() + PATIENCE * short(1.0)
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.01)
