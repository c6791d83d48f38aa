"""The machine's clock, set to another time, or moved forward."""

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


class PassingClock(SystemClock):
    """The machine's clock, on which more time can pass."""

    _passed = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self._passed)

    def monotonic(self) -> float:
        return super().monotonic() + self._passed

    def pass_by(self, time: timedelta) -> None:
        self._passed += time.total_seconds()
