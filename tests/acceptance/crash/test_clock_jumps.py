"""A clock set forward or back at any instant loses and doubles nothing, and all receipts are true."""

from __future__ import annotations

import os
from collections import Counter
from itertools import product
from pathlib import Path

import pytest

from tests.acceptance.crash.clock_jumps import KINDS, NETWORKS, scene
from tests.support.figures import survived

SEED = int(os.environ.get("POLICENOTIFY_CRASH_SEED", "2026"))


def _all(folder: Path, sign: int, times: int) -> None:
    counted, jumps, wrong = Counter[str](), 0, list[str]()
    for number, (network, kind, _) in enumerate(product(NETWORKS, KINDS, range(times))):
        with scene(folder, kind, network, sign, SEED + number) as played:
            try:
                played.play()
                counted += played.judge()
            except AssertionError as error:
                wrong.append(str(error))
            jumps += 1
    survived(f"the clock is set {'forward' if sign > 0 else 'back'}", jumps, counted, len(wrong))
    assert not wrong, f"{len(wrong)} of {jumps}:\n" + "\n".join(wrong[:20])


@pytest.mark.crash
@pytest.mark.parametrize("sign", [1, -1], ids=["on", "back"])
def test_a_clock_that_is_set_loses_doubles_and_belies_nothing(tmp_path: Path, sign: int) -> None:
    _all(tmp_path, sign, 1)


@pytest.mark.deep
@pytest.mark.parametrize("sign", [1, -1], ids=["on", "back"])
def test_a_clock_that_is_set_hundreds_of_times_loses_doubles_and_belies_nothing(tmp_path: Path, sign: int) -> None:
    _all(tmp_path, sign, 13)
