"""The cost of a post in a feed of 100 entries: its item, all formats and its pages."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from statistics import median

import pytest

from policenotify.formats.drawing import DEFAULT, draw
from policenotify.formats.feed import Feed as Drawn
from policenotify.model.lifecycle import Stage
from policenotify.testing import FakeClock, InMemoryStateStore
from tests.support.feed_items import SITE
from tests.unit.networks.feed.test_channel import Desk

pytestmark = pytest.mark.benchmark
MOST = 0.2  # seconds of CPU: all pages are drawn again, and written if they differ
RUNS = 15
THREADS = 33  # of three messages each


def test_a_post_costs_little_in_a_feed_of_a_hundred(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "feed", FakeClock(), InMemoryStateStore())
    words = "La rue est fermée à la suite d'un accident. " * 10
    for number in range(THREADS):
        desk.refs.clear()
        for stage in (Stage.OPENING, Stage.UPDATE, Stage.END):
            name = f"{stage} {number}"
            desk.send(stage, name, incident=f"{number:016x}", text=f"{name}. {words}")
        desk.clock.pass_by(timedelta(minutes=5).total_seconds())
    spent = []
    for number in range(RUNS):
        desk.refs.clear()
        before = time.process_time()
        desk.send(Stage.STANDALONE, f"Un de plus {number}", text=words)
        spent.append(time.process_time() - before)
    one = median(spent)

    items = tuple(desk.channel._folder._items()[0].values())
    before = time.process_time()
    files = draw(Drawn(SITE, items, desk.clock.now()))
    whole = time.process_time() - before
    print(f"a post: {one * 1e3:.1f} ms of CPU, of which all {len(files)} files {whole * 1e3:.1f} ms ({DEFAULT})")
    assert one <= MOST
