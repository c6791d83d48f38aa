"""Processes killed at any instant lose, overtake and double nothing."""

from __future__ import annotations

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import pytest

from tests.acceptance.crash.kills import scene
from tests.acceptance.crash.verdict import judged
from tests.support.figures import survived

SEED = int(os.environ.get("POLICENOTIFY_CRASH_SEED", "2026"))
SCENES: tuple[tuple[Literal["resend", "hold"], bool], ...] = (
    ("hold", False),
    ("hold", True),
    ("resend", False),
    ("resend", True),
)


def _run(folder: Path, number: int, kills: int) -> Counter[str]:
    on_unknown, repeats = SCENES[number % len(SCENES)]
    place = folder / str(number)
    place.mkdir()
    with scene(place, SEED + number, on_unknown, repeats=repeats) as played:
        for _ in range(kills):
            played.kill_one()
        played.finish()
        return judged(played)


def _all(folder: Path, scenes: int, kills: int) -> Counter[str]:
    with ThreadPoolExecutor(len(SCENES)) as threads:
        return sum(threads.map(lambda number: _run(folder, number, kills), range(scenes)), Counter[str]())


@pytest.mark.crash
def test_nothing_is_lost_overtaken_or_doubled(tmp_path: Path) -> None:
    _all(tmp_path, len(SCENES), 12)


@pytest.mark.deep
def test_nothing_is_lost_overtaken_or_doubled_in_thousands_of_kills(tmp_path: Path) -> None:
    counted = _all(tmp_path, 8 * len(SCENES), 100)
    held = counted["email held"] + counted["sms held"]
    survived("kill -9 while networks fail", times=800 * len(SCENES), lost=0, doubled=0, in_doubt=held)
