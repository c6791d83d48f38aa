"""The machine's clock: the only place in the library that reads the time or waits."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from policenotify.channel import Clock

# It also counts while the machine is suspended (clock_gettime(2)). Linux only.
_SINCE_BOOT: Final[int | None] = getattr(time, "CLOCK_BOOTTIME", None)

SMALLEST_STEP: Final = 2.0
"""Seconds. A clock that is set by less is not noticed: no wait depends on that, and a slewed clock differs by less."""


class SystemClock:
    """The machine's own [`Clock`][policenotify.channel.Clock]."""

    def now(self) -> datetime:
        """Return the time, aware, in UTC. It jumps when the machine's clock is set."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return the seconds since the machine was started, including suspended time. They never decrease."""
        return time.monotonic() if _SINCE_BOOT is None else time.clock_gettime(_SINCE_BOOT)

    def sleep(self, seconds: float) -> None:
        """Wait. A negative time returns at once."""
        time.sleep(max(0.0, seconds))


class MachineClock(SystemClock):
    """The machine's clock for a journal, which notices when it is set.

    `SystemClock` itself does not, so that tests may advance a clock derived from it.
    """

    def boot(self) -> str:
        """Return the id of this boot, since which `monotonic` counts, or an empty string if it is not known."""
        return "" if _SINCE_BOOT is None else boot_id()


class Uptime(NamedTuple):
    """A moment by a clock that cannot be set, which any process of the same boot can compare.

    Attributes:
        boot: Names the boot, or is empty where it is not known. Then the clock itself is read.
        at: Microseconds since then.
    """

    boot: str
    at: int

    @classmethod
    def now(cls, clock: Clock) -> Uptime:
        """Read the clock."""
        boot = clock.boot() if hasattr(clock, "boot") else ""  # a caller's own clock need not have it
        return cls(boot, round(1e6 * (clock.monotonic() if boot else clock.now().timestamp())))

    @classmethod
    def read(cls, stored: str) -> Uptime:
        """Return what `str` has written."""
        boot, _, at = stored.rpartition(" ")
        return cls(boot, int(at) if at.isdecimal() else 0)

    def since(self, earlier: Uptime | None) -> timedelta | None:
        """Return the time since an earlier moment, or None if that is not of this boot."""
        if earlier is None or earlier.boot != self.boot or earlier.at > self.at:
            return None
        return timedelta(microseconds=self.at - earlier.at)

    def __str__(self) -> str:
        return f"{self.boot} {self.at}"


def offset(clock: Clock) -> float:
    """Return the clock minus what cannot be set, in seconds. It changes if the clock is set."""
    return clock.now().timestamp() - clock.monotonic()


@cache
def boot_id() -> str:
    """Return the id of this start of the kernel, or an empty string where it is not known."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:  # not Linux
        return ""
