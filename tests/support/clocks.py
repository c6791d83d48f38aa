"""The machine's clock, moved forward."""

from __future__ import annotations

from datetime import datetime, timedelta

from policenotify.journal.clock import SystemClock


class PassingClock(SystemClock):
    """The machine's clock, on which more time can pass."""

    _passed = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self._passed)

    def monotonic(self) -> float:
        return super().monotonic() + self._passed

    def pass_by(self, time: timedelta) -> None:
        self._passed += time.total_seconds()
