"""Replies to posts deleted by hand at any instant are seen once, and all receipts are true."""

from __future__ import annotations

import os
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.acceptance.crash.operators import hands

SEED = int(os.environ.get("POLICENOTIFY_CRASH_SEED", "2026"))
START = datetime(2026, 7, 26, 6, 0, tzinfo=UTC)


def _all(folder: Path, scenes: int) -> None:
    began = time.monotonic()
    total: Counter[str] = Counter()
    for number in range(scenes):
        place = folder / str(number)
        place.mkdir()
        with hands(place, SEED + number, START) as played:
            played.play()
            total += played.counted
    took = time.monotonic() - began
    print(f"{scenes} scenes in {took:.0f} s:", ", ".join(f"{name} {total[name]}" for name in sorted(total)))  # noqa: T201 - the figures, with `-s`
    for software in ("bluesky", "gotosocial", "mastodon"):
        assert total[f"{software} deleted"] >= scenes
        assert total[f"{software} alone"] > 0


@pytest.mark.crash
def test_a_reply_to_a_deleted_post_is_seen_once(tmp_path: Path) -> None:
    _all(tmp_path, 4)


@pytest.mark.deep
def test_a_reply_to_a_deleted_post_is_seen_once_in_hundreds_of_scenes(tmp_path: Path) -> None:
    _all(tmp_path, 240)
