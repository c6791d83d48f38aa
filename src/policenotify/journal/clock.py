"""The machine's clock: the only place in the library that reads time or waits."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

# Counts on while the machine sleeps (clock_gettime(2)); of Linux alone.
_SINCE_BOOT: Final[int | None] = getattr(time, "CLOCK_BOOTTIME", None)


@runtime_checkable
class CountsFromBoot(Protocol):
    """A [`Clock`][policenotify.channel.Clock] that tells from when on it counts: what was counted can be compared."""

    def boot(self) -> str:
        """Names what `monotonic` counts from, the same in all processes; empty: it cannot be told."""
        ...


class SystemClock:
    """A [`Clock`][policenotify.channel.Clock] that is the machine's own."""

    def now(self) -> datetime:
        """The time, aware, in UTC; it may jump when somebody sets the machine's clock."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since the machine was started, asleep or awake; never goes back."""
        return time.monotonic() if _SINCE_BOOT is None else time.clock_gettime(_SINCE_BOOT)

    def sleep(self, seconds: float) -> None:
        """Wait; for a time that has passed already, not at all."""
        time.sleep(max(0.0, seconds))


class MachineClock(SystemClock):
    """The same, for a journal: all processes of one run of the machine see when somebody sets it.

    A clock of tests that is put ahead so that time passes must not be taken for one that was set.
    """

    def boot(self) -> str:
        """Names this run of the machine, from which `monotonic` counts; empty where the system does not tell."""
        return "" if _SINCE_BOOT is None else _boot_id()


@cache
def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:  # not Linux
        return ""
