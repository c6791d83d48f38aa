"""After a call that takes something back has returned, networks see only what was begun before."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.acceptance.crash.ends import scene
from tests.acceptance.crash.taken_back import CHANNELS, HOW, take_back
from tests.support.postgresql import Server, running

SEED = int(os.environ.get("POLICENOTIFY_CRASH_SEED", "2026"))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A PostgreSQL server."""
    yield from running()


def _run(folder: Path, scenes: int, rounds: int, server: Server | None) -> None:
    """Play scenes, two at once, with so many rounds of each kind."""
    urls = [server.url(server.database()) if server else "" for _ in range(scenes)]

    def one(number: int) -> tuple[Counter[str], list[str]]:
        with scene(
            folder / str(number),
            SEED + number,
            ("hold", "resend")[number % 2],
            *CHANNELS,
            fast=True,
            url=urls[number],
        ) as played:
            return take_back(played, rounds), played.wrong

    began, counted, wrong = time.monotonic(), Counter[str](), list[str]()
    with ThreadPoolExecutor(2) as threads:
        for figures, faults in threads.map(one, range(scenes)):
            counted.update(figures)
            wrong += faults
    took = f"{scenes * rounds} of each kind in {time.monotonic() - began:.0f} s"
    print(f"{took}:", ", ".join(f"{name} {counted[name]}" for name in sorted(counted)))  # noqa: T201 - the figures, with `-s`
    assert not wrong, f"{len(wrong)} faults:\n" + "\n".join(wrong[:40])
    assert sum(counted[f"{how} marked"] + counted[f"{how} in doubt"] for how in HOW), "nothing was under way"


@pytest.mark.crash
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_nothing_is_sent_once_it_is_taken_back(tmp_path: Path, database: str, request: pytest.FixtureRequest) -> None:
    _run(tmp_path, 2, 1, request.getfixturevalue("server") if database == "postgresql" else None)


@pytest.mark.deep
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_nothing_is_sent_once_it_is_taken_back_in_hundreds_of_calls(
    tmp_path: Path, database: str, request: pytest.FixtureRequest
) -> None:
    _run(
        tmp_path,
        10,
        int(os.environ.get("ROUNDS", "10")),
        request.getfixturevalue("server") if database == "postgresql" else None,
    )
