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


def _all(folder: Path, scenes: int, kills: int) -> None:
    with ThreadPoolExecutor(len(SCENES)) as threads:
        counted = sum(threads.map(lambda number: _run(folder, number, kills), range(scenes)), Counter[str]())
    survived("kill -9 at any instant, four channels", scenes * kills, counted)


@pytest.mark.crash
def test_nothing_is_lost_overtaken_or_doubled(tmp_path: Path) -> None:
    _all(tmp_path, len(SCENES), 12)


@pytest.mark.deep
def test_nothing_is_lost_overtaken_or_doubled_in_thousands_of_kills(tmp_path: Path) -> None:
    _all(tmp_path, 3 * len(SCENES), 100)
