"""The price of one publication on five networks, beside what it cannot be cheaper than: `pytest -m benchmark -s`.

All of it runs in one process, the five fake networks included, with the journal in a file. Times are medians of acts
that take turns.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import Engine, event

from tests.benchmarks.bare import open_bare
from tests.benchmarks.test_journal import LONG, NOW, Desk
from tests.support.figures import report
from tests.support.five_networks import Five, open_five

pytestmark = pytest.mark.benchmark


@pytest.fixture
def five(tmp_path: Path) -> Iterator[Five]:
    with open_five(tmp_path) as opened:
        opened.x.posts_left = opened.x.day_left = opened.bluesky.points_left = 10**6
        opened.mastodon.has_limits = False
        yield opened


@contextmanager
def _statements() -> Iterator[list[str]]:
    """Collect every statement that SQLite runs on a journal opened meanwhile."""
    seen: list[str] = []

    def connected(raw: Any, _record: object) -> None:
        raw.set_trace_callback(seen.append)

    event.listen(Engine, "connect", connected)
    try:
        yield seen
    finally:
        event.remove(Engine, "connect", connected)


class _Price(NamedTuple):
    """Milliseconds."""

    wall: float
    processor: float


def _side_by_side(times: int, *acts: Callable[[], object]) -> list[_Price]:
    """Return the medians of acts that take turns."""
    for act in acts * 2:
        act()
    took: dict[int, list[_Price]] = {number: [] for number in range(len(acts))}
    for _ in range(times):
        for number, act in enumerate(acts):
            begun, used = time.perf_counter(), time.process_time()
            act()
            price = _Price(1000 * (time.perf_counter() - begun), 1000 * (time.process_time() - used))
            took[number].append(price)
    return [_Price(*map(statistics.median, zip(*prices, strict=True))) for prices in took.values()]


def test_commits_of_a_publication(five: Five) -> None:
    """Storing one takes four transactions, of which one writes. Until it is posted on five networks it takes 30.

    20 of them write: the publication; on each network the claim, the beginning and the result; for mail and SMS the
    batch of people and their outcomes as well. A drain that waits for a busy machine looks again, so that the cheapest
    of some publications counts.
    """
    with _statements() as seen:
        desk = Desk(five.publisher())
        for wait in (LONG, NOW):  # what is prepared once
            desk.publish(wait)
        desk.publisher.drain(LONG)
        figures = {}
        for name, wait in (("stored", NOW), ("delivered", LONG)):
            prices = []
            for _ in range(5):
                seen.clear()
                desk.publish(wait)
                prices.append((len(seen), seen.count("COMMIT"), seen.count("BEGIN IMMEDIATE")))
                desk.publisher.drain(LONG)
            figures[name] = statements, commits, writes = min(prices)
            print(f"\n{name}: {commits} transactions, of which {writes} write; {statements} statements")
    assert figures["stored"] <= (36, 4, 1)
    assert figures["delivered"][0] <= 220
    assert figures["delivered"][1] <= 31
    assert figures["delivered"][2] <= 20


def test_to_the_fifth_post(five: Five) -> None:
    """The bare calls are those of the same channels, opened once: nothing is stored, nothing would be tried again."""
    publisher, times = five.publisher(), 15
    desk = Desk(publisher)
    wordings = [publisher.preview(desk.opening()).posts for _ in range(times + 2)]
    with open_bare(five, publisher) as bare:
        directly, ours = _side_by_side(times, lambda: bare.send(wordings.pop()), lambda: desk.publish(LONG))
    report(
        "five networks, until posted",
        ours.wall / directly.wall,
        f"{ours.wall:.0f} ms",
        f"{directly.wall:.0f} ms, bare calls",
    )
    used = ours.processor / directly.processor
    report("the same, of the processor", used, f"{ours.processor:.0f} ms", f"{directly.processor:.0f} ms, bare calls")
    assert used < 4
