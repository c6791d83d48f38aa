"""The price of one publication on five networks, beside what it cannot be cheaper than: `pytest -m benchmark -s`.

All of it runs in one process, the five fake networks included, with the journal in a file. Times are medians of acts
that take turns. Where a goal is not reached, a test asserts what is, and states what takes the time.
"""

from __future__ import annotations

import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import Engine, event

from tests.benchmarks.bare import open_bare
from tests.benchmarks.test_journal import LONG, NOW, Desk
from tests.support.five_networks import Five, open_five
from tests.support.installation import accident

pytestmark = pytest.mark.benchmark


@pytest.fixture
def five(tmp_path: Path) -> Iterator[Five]:
    with open_five(tmp_path) as opened:
        opened.x.posts_left = opened.x.day_left = opened.bluesky.points_left = 10**6
        opened.mastodon.rules = replace(opened.mastodon.rules, limits=False)
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
    batch of people and their outcomes as well. What others left is looked after at most twice a minute. Of 216
    statements 60 begin or commit, 9 change how durable a commit is, and each row of an insert counts.

    A drain that waits for a busy machine looks again, so that the cheapest of some publications counts.
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


def test_storing_beside_one_commit(five: Five, tmp_path: Path) -> None:
    """Storing takes the processor longer than the disk: half of it for checks and wording, two fifths for SQL."""
    desk, text = Desk(five.publisher()), accident().model_dump_json()
    with closing(sqlite3.connect(tmp_path / "raw.db", isolation_level=None)) as raw:
        raw.execute("PRAGMA journal_mode=WAL")
        raw.execute("PRAGMA synchronous=FULL")
        raw.execute("CREATE TABLE said (id INTEGER PRIMARY KEY, message TEXT)")

        def commit() -> None:
            raw.execute("BEGIN IMMEDIATE")
            raw.execute("INSERT INTO said (message) VALUES (?)", (text,))
            raw.execute("COMMIT")

        words, stored, once = _side_by_side(
            25, lambda: desk.publisher.preview(desk.opening()), lambda: desk.publish(NOW), commit
        )
    print(
        f"\npublish(wait=0) {stored.wall:.1f} ms, one commit {once.wall:.2f} ms: {stored.wall / once.wall:.0f} of them"
    )
    print(f"processor: publish(wait=0) {stored.processor:.1f} ms, checks and wording {words.processor:.1f} ms")
    assert stored.processor < 2.2 * words.processor


def test_to_the_fifth_post(five: Five) -> None:
    """Missed: 3 times the bare calls, by the processor, on a machine that is busy. The goal is 2.2.

    Of 70 ms of the processor the bare calls and their servers take 25, checks, wording and storing 8. The journal takes
    25 in the threads of the channels: each of 216 statements costs SQLAlchemy 60 microseconds, and each of 30
    transactions 200. Starting, looking and the report take 3, the locks and the threads that take turns the rest.
    """
    publisher, times = five.publisher(), 15
    desk = Desk(publisher)
    wordings = [publisher.preview(desk.opening()).posts for _ in range(times + 2)]
    with open_bare(five, publisher) as bare:
        directly, ours = _side_by_side(times, lambda: bare.send(wordings.pop()), lambda: desk.publish(LONG))
    print(f"\nto the fifth post {ours.wall:.1f} ms, bare {directly.wall:.1f} ms: {ours.wall - directly.wall:.1f} more")
    more = ours.processor - directly.processor
    print(f"processor: {ours.processor:.1f} ms, bare {directly.processor:.1f} ms: {more:.1f} more")
    print(f"that is {ours.processor / directly.processor:.1f} times the bare calls (the goal: 2.2)")
    assert ours.processor < 3.4 * directly.processor


def test_publications_in_a_second(five: Five) -> None:
    """Missed, for the same reason: by the processor 0.3 of the bare calls. The goal is 0.45."""
    publisher, count, times = five.publisher(), 5, 5
    desk = Desk(publisher)
    wordings = [publisher.preview(desk.opening()).posts for _ in range(count * (times + 2))]

    def journalled() -> None:
        for _ in range(count):
            desk.publish(NOW)
        assert publisher.drain(LONG) is None

    with open_bare(five, publisher) as bare:

        def bare_calls() -> None:
            for _ in range(count):
                bare.send(wordings.pop())

        directly, ours = _side_by_side(times, bare_calls, journalled)
    print(f"\nbare {1000 * count / directly.wall:.1f}/s, ours {1000 * count / ours.wall:.1f}/s")
    share, of_processor = directly.wall / ours.wall, directly.processor / ours.processor
    print(f"{share:.2f} of it, by the processor {of_processor:.2f} (the goal: 0.45)")
    assert of_processor > 0.26
