"""A worker whose journal is taken away ends at once with one alarm, and nothing is lost or doubled."""

from __future__ import annotations

import os
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.acceptance.crash.taken_away import taken_away
from tests.acceptance.crash.verdict import judged

SEED = int(os.environ.get("POLICENOTIFY_CRASH_SEED", "2026"))
_AT_ONCE = 3


def _run(folder: Path, number: int, times: int) -> Counter[str]:
    place = folder / str(number)
    place.mkdir(mode=0o700)
    with taken_away(place, SEED + number) as played:
        for _ in range(times):
            played.take_away()
        played.scene.finish()
        print(f"{judged(played.scene)}; {dict(played.done)}")  # noqa: T201 - the figures, with `-s`
    return played.done


def _all(scenes: int, times: int) -> None:
    began, done = time.monotonic(), Counter[str]()
    with TemporaryDirectory() as folder, ThreadPoolExecutor(_AT_ONCE) as threads:
        Path(folder).chmod(0o755)  # a worker without root's rights must reach its journal; pytest's folders are closed
        for one in threads.map(lambda number: _run(Path(folder), number, times), range(scenes)):
            done += one
    print(f"{dict(done)}, {done.total()} in {time.monotonic() - began:.0f} s")  # noqa: T201 - figures are printed


@pytest.mark.crash
def test_a_journal_taken_away_loses_and_doubles_nothing() -> None:
    _all(2, 5)


@pytest.mark.deep
def test_a_journal_taken_away_hundreds_of_times_loses_and_doubles_nothing() -> None:
    _all(12, 17)
