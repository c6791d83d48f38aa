"""The machine's monotonic clock, which setting the time and suspending the machine do not affect."""

from __future__ import annotations

import time

import pytest

from policenotify.journal.clock import MachineClock, SystemClock


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="only Linux has it")
@pytest.mark.parametrize("kind", [SystemClock, MachineClock])
def test_the_time_for_which_the_machine_sleeps_is_counted(
    kind: type[SystemClock], monkeypatch: pytest.MonkeyPatch
) -> None:
    def slept(clock: int) -> float:
        return 3_600.0 if clock == time.CLOCK_BOOTTIME else 0.0

    monkeypatch.setattr(time, "clock_gettime", slept)
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)  # Linux: CLOCK_MONOTONIC stops meanwhile
    assert kind().monotonic() == 3_600.0
