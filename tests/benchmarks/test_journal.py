"""Publishing and claiming in a journal with a long past, beside an empty one: `pytest -m benchmark -s`."""

from __future__ import annotations

import itertools
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.message import Message
from policenotify.publishing.publisher import Publisher
from tests.support.figures import report
from tests.support.five_networks import Five, open_five
from tests.support.installation import accident

pytestmark = pytest.mark.benchmark

NOW, LONG = timedelta(0), timedelta(seconds=30)


@pytest.fixture
def five(tmp_path: Path) -> Iterator[Five]:
    with open_five(tmp_path) as opened:
        opened.x.posts_left = opened.x.day_left = opened.bluesky.points_left = 10**6
        opened.mastodon.has_limits = False
        yield opened


class Desk:
    """Publish something new each time."""

    def __init__(self, publisher: Publisher) -> None:
        self.publisher = publisher
        self._numbers = itertools.count()

    def opening(self) -> Message:
        number = next(self._numbers)
        life = Lifecycle(stage=Stage.OPENING, incident=f"2026-{number:06d}")
        return accident(headline=f"Accident numéro {number}", lifecycle=life)

    def publish(self, wait: timedelta) -> None:
        message = self.opening()
        told = self.publisher.publish(message, key=str(message.incident), actor="desk", wait=wait)
        assert told.ok is (wait > NOW)


def _took(act: Callable[[], object]) -> float:
    """Return seconds of the processor: other processes, and a disk that writes back, only add to those of a clock."""
    start = time.process_time()
    act()
    return time.process_time() - start


def _side_by_side(times: int, *acts: Callable[[], object], warm: int = 3) -> list[float]:
    """The medians in milliseconds of acts that take turns: what else the machine does meets all of them alike."""
    for act in acts * warm:
        act()
    took = [[_took(act) for act in acts] for _ in range(times)]
    return [statistics.median(column) * 1000 for column in zip(*took, strict=True)]


_PAST = 250_000  # deliveries, of a fifth as many publications on five networks: thirty years of a directorate


def _give_a_past(path: Path) -> None:
    """Fill the journal with copies of a settled publication."""
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("PRAGMA synchronous=OFF")
        raw.execute("PRAGMA cache_size=-200000")
        raw.execute("BEGIN IMMEDIATE")
        changed = {
            "pn_incident": {"id": "'old ' || n", "status": "'ended'", "closed_at": "opened_at", "due_at": "NULL"},
            "pn_publication": {"id": "printf('%026d', n)", "key": "'old ' || n", "incident": "'old ' || n"},
            "pn_delivery": {
                "id": "NULL",
                "publication": "printf('%026d', n)",
                "post_key": "'old ' || n || channel",
                "ordering_key": "'old ' || n || ' ' || channel",
                **dict.fromkeys(("standalone", "request"), "'{}'"),  # they are never read, and a disk is finite
            },
            "pn_event": {"id": "NULL", "publication": "printf('%026d', n)"},
        }
        for table, other in changed.items():
            columns = [row[1] for row in raw.execute(f"PRAGMA table_info({table})")]
            values = ", ".join(other.get(name, f'"{name}"') for name in columns)
            raw.execute(
                f"WITH RECURSIVE past(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM past WHERE n < {_PAST // 5}) "  # noqa: S608 - our own tables
                f"INSERT INTO {table} SELECT {values} FROM past, (SELECT * FROM {table} LIMIT 5)"
            )
        for table, row, where in (
            (
                "pn_attempt",
                "id, 1, 'past', settled_at, settled_at, state, '', ''",
                "id > 5 AND id NOT IN (SELECT delivery FROM pn_attempt)",
            ),
            ("pn_delivery", _as_batch(raw), "id > 5 AND has_recipients"),
            ("pn_recipient", "parent, id, 1, state, 0, 1, '', '', 0", "parent > 5"),
        ):
            raw.execute(f"INSERT INTO {table} SELECT {row} FROM pn_delivery WHERE {where}")  # noqa: S608 - the same
        raw.execute("COMMIT")
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _as_batch(raw: sqlite3.Connection) -> str:
    """Return the columns of the batch of a delivery with recipients."""
    counts = "(SELECT counts FROM pn_delivery WHERE counts NOT NULL LIMIT 1)"
    other = {"id": "NULL", "parent": "id", "number": "0", "post_key": "id || '/0'", "has_recipients": "0"}
    columns = [row[1] for row in raw.execute("PRAGMA table_info(pn_delivery)")]
    return ", ".join({**other, "counts": counts}.get(name, f'"{name}"') for name in columns)


def test_a_long_past_costs_nothing(five: Five) -> None:
    """Publishing and claiming with a past, beside an empty journal."""
    desks: list[Desk] = []
    for name in ("new", "old"):
        five.folder = five.folder / name
        five.folder.mkdir()
        desks.append(Desk(five.publisher()))
        desks[-1].publish(LONG)
    took = _took(lambda: _give_a_past(five.folder / "journal.db"))
    size = (five.folder / "journal.db").stat().st_size / 1e6
    print(f"\n{_PAST} deliveries made in {took:.0f} s of the processor, {size:.0f} MB")

    def claim(desk: Desk) -> None:
        assert desk.publisher.journal.deliveries.claim("x", "benchmark/-/-", lease=timedelta(hours=1)) is not None

    empty, past = _side_by_side(60, *(partial(desk.publish, NOW) for desk in desks))
    report("publish(wait=0) after 250,000 deliveries", past / empty, f"{past:.1f} ms", f"{empty:.1f} ms, a new journal")
    claimed, late = _side_by_side(50, *(partial(claim, desk) for desk in desks))
    print(f"claim {claimed:.2f} ms, with a past {late:.2f} ms: {late / claimed:.2f} times that")
    assert past < 1.5 * empty
    assert late < 1.5 * claimed
