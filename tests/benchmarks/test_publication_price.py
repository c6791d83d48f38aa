"""The price of one publication on five networks, beside what it cannot be cheaper than: `pytest -m benchmark -s`.

All of it runs in one process, the five fake networks included, with the journal in a file. Times are medians of acts
that take turns.
"""

from __future__ import annotations

import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import Engine, event

from policenotify.testing.samples import SAMPLES
from tests.benchmarks.bare import open_bare
from tests.benchmarks.test_journal import LONG, NOW, Desk
from tests.benchmarks.test_rendering import _milliseconds
from tests.support.five_networks import NETWORKS, Five, open_five
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


def _side_by_side(times: int, clock: Callable[[], float], *acts: Callable[[], object]) -> list[float]:
    """Return the medians in milliseconds of acts that take turns."""
    for act in acts * 3:
        act()
    took: list[list[float]] = []
    for _ in range(times):
        took.append([])
        for act in acts:
            begun = clock()
            act()
            took[-1].append(1000 * (clock() - begun))
    return [statistics.median(column) for column in zip(*took, strict=True)]


def test_commits_of_a_publication(five: Five) -> None:
    with _statements() as seen:
        desk = Desk(five.publisher())
        for wait in (LONG, NOW):  # what is prepared once
            desk.publish(wait)
        desk.publisher.drain(LONG)
        figures = {}
        for name, wait in (("stored", NOW), ("delivered", LONG)):
            seen.clear()
            desk.publish(wait)
            commits, writes = seen.count("COMMIT"), seen.count("BEGIN IMMEDIATE")
            figures[name] = (commits, writes, len(seen))
            print(f"\n{name}: {commits} transactions, of which {writes} write; {len(seen)} statements")
            desk.publisher.drain(LONG)
    assert figures["stored"][0] <= 8
    assert figures["stored"][1] == 1


def test_storing_beside_one_commit(five: Five, tmp_path: Path) -> None:
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
            25, time.perf_counter, lambda: desk.publisher.preview(desk.opening()), lambda: desk.publish(NOW), commit
        )
    print(f"\npublish(wait=0) {stored:.1f} ms, of which checks and wording {words:.1f} ms; one commit {once:.2f} ms")
    print(f"{stored / once:.0f} times a commit")


def test_wording_of_five_networks(five: Five) -> None:
    channels = [five.channel(network) for network in NETWORKS]
    took = _milliseconds(channels, [(sample, sample.resolved) for sample in SAMPLES])["all five"]
    print(f"\nwording of five networks {took:.2f} ms (the goal: 1.2)")


def test_to_the_fifth_post(five: Five) -> None:
    publisher = five.publisher()
    desk, times = Desk(publisher), 12
    wordings = [publisher.preview(desk.opening()).posts for _ in range(2 * (times + 3))]
    with open_bare(five, publisher) as bare:
        acts = (lambda: bare.send(wordings.pop()), lambda: desk.publish(LONG))
        directly, journalled = _side_by_side(times, time.perf_counter, *acts)
        bare_cpu, our_cpu = _side_by_side(times, time.process_time, *acts)
    print(
        f"\nbare {directly:.1f} ms, to the fifth post {journalled:.1f} ms: {journalled - directly:.1f} more (goal: 20)"
    )
    print(f"processor: bare {bare_cpu:.1f} ms, ours {our_cpu:.1f} ms: {our_cpu - bare_cpu:.1f} more")


def test_publications_in_a_second(five: Five) -> None:
    publisher, count = five.publisher(), 5
    desk = Desk(publisher)
    wordings = [publisher.preview(desk.opening()).posts for _ in range(8 * count)]

    def journalled() -> None:
        for _ in range(count):
            desk.publish(NOW)
        assert publisher.drain(LONG) is None

    with open_bare(five, publisher) as bare:

        def bare_calls() -> None:
            for _ in range(count):
                bare.send(wordings.pop())

        directly, ours = _side_by_side(5, time.perf_counter, bare_calls, journalled)
    print(
        f"\nbare {1000 * count / directly:.1f}/s, ours {1000 * count / ours:.1f}/s: {directly / ours:.2f} (goal: 0.6)"
    )


def test_a_waiting_drain(five: Five) -> None:
    publisher = five.publisher()
    desk = Desk(publisher)
    desk.publish(LONG)
    for channel in NETWORKS:
        publisher.journal.channels.pause(channel, publisher.clock.now() + LONG)
    desk.publish(NOW)
    thread = Thread(target=publisher.drain, args=(LONG,), daemon=True)
    thread.start()
    assert thread.ident is not None
    spent = time.pthread_getcpuclockid(thread.ident)  # the fake networks also wait in this process
    time.sleep(1)
    begun, used = time.perf_counter(), time.clock_gettime(spent)
    time.sleep(5)
    share = (time.clock_gettime(spent) - used) / (time.perf_counter() - begun)
    print(f"\na waiting drain takes {100 * share:.2f} % of a core (goal: 0.5)")
    assert share < 0.005
