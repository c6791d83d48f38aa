"""Ended in any other way than by kill -9: nothing is lost, nothing doubles, no receipt lies."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import pytest
from crash.ends import Scene, cut_lists, halt, scene, twins

SEED = int(os.environ.get("POLICENOTIFY_CRASH_SEED", "2026"))
CHOICES: tuple[Literal["resend", "hold"], ...] = ("hold", "resend")
_AT_ONCE = 4

LISTS = ("email", "sms")
ALL = ("x", "email", "sms")
KINDS: tuple[tuple[str, tuple[str, ...], Callable[[Scene, int], str]], ...] = (
    ("sigterm", LISTS, lambda played, ends: cut_lists(played, "work", ends)),
    ("wait", LISTS, lambda played, ends: cut_lists(played, "wait", ends)),
    ("budget", LISTS, lambda played, ends: cut_lists(played, "budget", ends)),
    ("halted", ALL, halt),
    ("twins", ALL, twins),
)
_NAMES = [name for name, _, _ in KINDS]


def _run(folder: Path, name: str, scenes: int, ends: int) -> None:
    _, channels, play = next(kind for kind in KINDS if kind[0] == name)

    def one(number: int) -> str:
        with scene(folder / str(number), SEED + number, CHOICES[number % 2], *channels, fast="x" in channels) as played:
            return play(played, ends)

    began = time.monotonic()
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for told in threads.map(one, range(scenes)):
            print(f"{name}: {told}")  # noqa: T201 - the figures, with `-s`
    print(f"{name}: {scenes * ends} ends in {time.monotonic() - began:.0f} s")  # noqa: T201 - the same


@pytest.mark.crash
@pytest.mark.parametrize("name", _NAMES)
def test_an_end_that_is_no_kill_loses_doubles_and_misreports_nothing(tmp_path: Path, name: str) -> None:
    _run(tmp_path, name, 2, 3)


@pytest.mark.deep
@pytest.mark.parametrize("name", _NAMES)
def test_hundreds_of_ends_lose_double_and_misreport_nothing(tmp_path: Path, name: str) -> None:
    _run(tmp_path, name, 8, 26)
