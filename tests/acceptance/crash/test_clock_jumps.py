"""A clock set forward or back at any instant loses and doubles nothing, and all receipts are true."""

from __future__ import annotations

import os
import time
from collections import Counter
from itertools import product
from pathlib import Path

import pytest

from tests.acceptance.crash.clock_jumps import KINDS, NETWORKS, Kind, scene

SEED = int(os.environ.get("POLICENOTIFY_CRASH_SEED", "2026"))


def _all(folder: Path, sign: int, scenes: list[tuple[str, Kind]]) -> None:
    began, counted, jumps, wrong = time.monotonic(), Counter[str](), 0, []
    for number, (network, kind) in enumerate(scenes):
        with scene(folder, kind, network, sign, SEED + number) as played:
            try:
                played.play()
                counted += played.judge()
            except AssertionError as error:
                wrong.append(str(error))
            jumps += 1
    figures = ", ".join(f"{name} {count}" for name, count in sorted(counted.items()))
    direction = "on" if sign > 0 else "back"
    print(f"{jumps} times set {direction}, {len(wrong)} wrong: {figures}; {time.monotonic() - began:.0f} s")  # noqa: T201 - the figures, with `-s`
    assert not wrong, f"{len(wrong)} of {jumps}:\n" + "\n".join(wrong[:20])


@pytest.mark.crash
@pytest.mark.parametrize("sign", [1, -1], ids=["on", "back"])
def test_a_clock_that_is_set_loses_doubles_and_belies_nothing(tmp_path: Path, sign: int) -> None:
    _all(tmp_path, sign, [*zip(NETWORKS, KINDS, strict=True), *zip(NETWORKS[::-1], KINDS, strict=True)])


@pytest.mark.deep
@pytest.mark.parametrize("sign", [1, -1], ids=["on", "back"])
def test_a_clock_that_is_set_hundreds_of_times_loses_doubles_and_belies_nothing(tmp_path: Path, sign: int) -> None:
    _all(tmp_path, sign, [*product(NETWORKS, KINDS)] * 13)
