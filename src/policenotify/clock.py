"""The machine's clock: the only place in the library that reads time or waits."""

from __future__ import annotations

import time
from datetime import UTC, datetime

_SLEEPLESS = getattr(time, "CLOCK_BOOTTIME", None)  # Linux: `time.monotonic` stands still while the machine sleeps


def _elapsed() -> float:
    return time.monotonic() if _SLEEPLESS is None else time.clock_gettime(_SLEEPLESS)


class SystemClock:
    """A [`Clock`][policenotify.channel.Clock] that is the machine's own."""

    def now(self) -> datetime:
        """The time, aware, in UTC; it may jump when somebody sets the machine's clock."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back, and goes on while the machine sleeps."""
        return _elapsed()

    def sleep(self, seconds: float) -> None:
        """Wait; for a time that has passed already, not at all."""
        time.sleep(max(0.0, seconds))
