"""A backlog of 2,700 deliveries on five networks: `pytest -n 0 -m deep -s tests/benchmarks/test_soak.py`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.soak import soaking

pytestmark = pytest.mark.deep

_FAULTS = 0.2
_SECONDS = 600.0  # a run that gets so far has failed
_MOST = 0.95  # the last few are posts in doubt, of which X is asked again after 30 seconds
_SOME = 0.5  # with faults, where the whole backlog takes minutes
_LEAST = 0.05
"""The share of the undisturbed rate that is left: the pauses that networks ask for take the rest."""


def _rate(folder: Path, share: float) -> float:
    folder.mkdir()
    with soaking(folder) as soak:
        waiting = soak.left()
        soak.disturb(share)
        drained = soak.drain(seconds=_SECONDS, share=_SOME if share else _MOST)
    print(
        f"\n{waiting:,} deliveries, {share:.0%} of all calls fail, two workers: {drained.left[-1]} left "
        f"after {drained.seconds[-1]:.0f} s, {drained.rate:.1f} a second"
    )
    return drained.rate


def test_a_backlog_drains_although_one_call_in_five_fails(tmp_path: Path) -> None:
    undisturbed, disturbed = _rate(tmp_path / "undisturbed", 0), _rate(tmp_path / "disturbed", _FAULTS)
    print(f"that is {disturbed / undisturbed:.2f} of the undisturbed rate")
    assert disturbed >= _LEAST * undisturbed
