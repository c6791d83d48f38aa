"""A process that ends in the middle of its work loses and doubles nothing, and all receipts are true."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import pytest

from tests.acceptance.crash.ends import Scene, cut_lists, halt, scene, twins
from tests.support.figures import survived
from tests.support.postgresql import Server, running

SEED = int(os.environ.get("POLICENOTIFY_CRASH_SEED", "2026"))
CHOICES: tuple[Literal["resend", "hold"], ...] = ("hold", "resend")
_AT_ONCE = 4

LISTS = ("email", "sms")
ALL = ("x", "email", "sms")
KINDS: tuple[tuple[str, tuple[str, ...], Callable[[Scene, int], Counter[str]]], ...] = (
    ("kill -9 in a list", LISTS, lambda played, ends: cut_lists(played, "work", ends, signal.SIGKILL)),
    ("SIGTERM in a list", LISTS, lambda played, ends: cut_lists(played, "work", ends)),
    ("the wait of a publish ends in a list", LISTS, lambda played, ends: cut_lists(played, "wait", ends)),
    ("the budget of a drain ends in a list", LISTS, lambda played, ends: cut_lists(played, "budget", ends)),
    ("a process halted past its lease", ALL, halt),
    ("two hosts of one name", ALL, twins),
)
_NAMES = [name for name, _, _ in KINDS]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A PostgreSQL server."""
    yield from running()


def _run(folder: Path, name: str, scenes: int, ends: int, server: Server | None = None) -> None:
    _, channels, play = next(kind for kind in KINDS if kind[0] == name)
    urls = [server.url(server.database()) if server else "" for _ in range(scenes)]

    def one(number: int) -> Counter[str]:
        place, on_unknown, fast = folder / str(number), CHOICES[number % 2], "x" in channels
        with scene(place, SEED + number, on_unknown, *channels, fast=fast, url=urls[number]) as played:
            return play(played, ends)

    with ThreadPoolExecutor(2 if server else _AT_ONCE) as threads:  # a server has so many connections
        counted = sum(threads.map(one, range(scenes)), Counter[str]())
    survived(f"{name}, on PostgreSQL" if server else name, scenes * ends, counted)


@pytest.mark.crash
@pytest.mark.parametrize("name", [name for name in _NAMES if name != "two hosts of one name"])
def test_no_end_loses_doubles_or_misreports_anything(tmp_path: Path, name: str) -> None:
    _run(tmp_path, name, 2, 2)


@pytest.mark.crash
def test_twins_on_one_server_double_only_the_recipient_under_way(tmp_path: Path, server: Server) -> None:
    _run(tmp_path, "two hosts of one name", 2, 3, server)


@pytest.mark.deep
@pytest.mark.parametrize("name", _NAMES)
def test_hundreds_of_ends_lose_double_and_misreport_nothing(tmp_path: Path, name: str) -> None:
    _run(tmp_path, name, 8, 26)


@pytest.mark.deep
def test_twins_on_one_server_double_no_recipient_in_hundreds_of_ends(tmp_path: Path, server: Server) -> None:
    _run(tmp_path, "two hosts of one name", 8, 26, server)
