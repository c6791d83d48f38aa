"""A clock set forward or back at any instant loses and doubles nothing, and all receipts are true."""

from __future__ import annotations

import os
from collections import Counter
from itertools import product
from pathlib import Path

import pytest

from policenotify.model.history import Outcome
from tests.acceptance.crash.clock_jumps import KINDS, NETWORKS, Kind, scene
from tests.support.figures import survived

SEED = int(os.environ.get("POLICENOTIFY_CRASH_SEED", "2026"))


def _all(folder: Path, sign: int, scenes: list[tuple[str, Kind]]) -> Counter[str]:
    counted, wrong = Counter[str](), []
    for number, (network, kind) in enumerate(scenes):
        with scene(folder, kind, network, sign, SEED + number) as played:
            try:
                played.play()
                counted += played.judge()
            except AssertionError as error:
                wrong.append(str(error))
    assert not wrong, f"{len(wrong)} of {len(scenes)}:\n" + "\n".join(wrong[:20])
    return counted


@pytest.mark.crash
@pytest.mark.parametrize("sign", [1, -1], ids=["on", "back"])
def test_a_clock_that_is_set_loses_doubles_and_belies_nothing(tmp_path: Path, sign: int) -> None:
    _all(tmp_path, sign, [*zip(NETWORKS, KINDS, strict=True), *zip(NETWORKS[::-1], KINDS, strict=True)])


@pytest.mark.deep
@pytest.mark.parametrize("sign", [1, -1], ids=["on", "back"])
def test_a_clock_that_is_set_hundreds_of_times_loses_doubles_and_belies_nothing(tmp_path: Path, sign: int) -> None:
    scenes = [*product(NETWORKS, KINDS)] * 13
    held = _all(tmp_path, sign, scenes)[Outcome.HELD]
    fault = "the clock is set forward" if sign > 0 else "the clock is set back"
    survived(fault, times=len(scenes), lost=0, doubled=0, in_doubt=held)
