"""Time for campaigns: the machine's clock, set to another time."""

from __future__ import annotations

from datetime import datetime, timedelta

from policenotify.journal.clock import SystemClock


class SetClock(SystemClock):
    """The machine's clock, set to another time."""

    def __init__(self, at: datetime) -> None:
        self.set(at)

    def set(self, at: datetime) -> None:
        self._at, self._since = at, self.monotonic()

    def now(self) -> datetime:
        return self._at + timedelta(seconds=self.monotonic() - self._since)
