"""The cost of metrics: a scrape of a journal with a million deliveries: `pytest -m benchmark -s`."""

from __future__ import annotations

import secrets
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from policenotify.journal import open_journal
from policenotify.journal.keys import Keys
from policenotify.model.history import Outcome
from policenotify.testing.fakes import FakeClock

pytestmark = pytest.mark.benchmark

PUBLICATIONS = 200_000
CHANNELS = ("x", "mastodon", "bluesky", "email", "feed")  # a delivery of each publication on each
MOST = 3.0  # seconds of the processor, of the fifteen between two scrapes
_POST = "Un accident impliquant plusieurs véhicules est en cours. Les secours sont sur place. " * 6
_ROWS = {
    "publication": """
        SELECT printf('%026d', n) AS id, 'key ' || n AS key, 'published' AS state, 'standalone' AS stage,
        'traffic_accident' AS category, 'Severe' AS severity, '0' AS digest, :post AS message, '[]' AS findings,
        '{}' AS rules, 'cne Roux' AS actor, n AS created_at FROM past""",
    "delivery": """
        SELECT 5 * n + place AS id, printf('%026d', n) AS publication, channel, 'a' AS account, 'fr' AS language,
        0 AS part, 'post' AS operation, 5 * n + place AS post_key, n || channel AS ordering_key, 0 AS sequence,
        1 AS priority, CASE WHEN place = 4 AND n % 2 THEN 'skipped' ELSE 'posted' END AS state, 0 AS in_doubt,
        place = 3 AS has_recipients, n AS not_before, 1 AS attempts, '' AS reply_to, '' AS wording,
        0 AS request_version, '' AS mac, '' AS request_mac, '' AS ref_mac, '' AS reason, '' AS remedy, '' AS code,
        0 AS needs_opening, :post AS standalone, n + place AS settled_at FROM past, channels""",
    "attempt": """
        SELECT id AS delivery, given.number, 'o' AS owner, 0 AS started_at, 1 AS ended_at, '' AS reason, '' AS code,
        CASE given.number WHEN 2 THEN 'posted' ELSE 'waiting' END AS outcome
        FROM pn_delivery, (SELECT 1 AS number UNION ALL SELECT 2) AS given WHERE given.number = 2 OR id % 20 = 0""",
}


def _give_a_past(path: Path) -> None:
    """Fill the tables with what was posted long ago."""
    channels = " UNION ALL ".join(
        f"SELECT {place} AS place, '{name}' AS channel" for place, name in enumerate(CHANNELS)
    )
    given = (
        f"WITH RECURSIVE past(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM past WHERE n < {PUBLICATIONS}), "  # noqa: S608 - our own tables
        f"channels AS ({channels})"
    )
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("PRAGMA synchronous=OFF")
        raw.execute("BEGIN IMMEDIATE")
        for table, rows in _ROWS.items():
            columns = [about[0] for about in raw.execute(f"{given} {rows} LIMIT 1", {"post": _POST}).description]
            raw.execute(f"INSERT INTO pn_{table} ({', '.join(columns)}) {given} {rows}", {"post": _POST})
        raw.execute("COMMIT")
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def test_a_scrape_of_a_million_deliveries(tmp_path: Path) -> None:
    place = tmp_path / "journal.db"
    with closing(
        open_journal(str(place), keys=Keys.create(secrets.token_bytes), clock=FakeClock(), create=True)
    ) as made:
        _give_a_past(place)
        begun, used = time.perf_counter(), time.process_time()
        found = made.figures.read()
        took, cost = time.perf_counter() - begun, time.process_time() - used
    print(f"\n{place.stat().st_size / 1e6:.0f} MB: {took:.2f} s, {cost:.2f} s of the processor")
    assert found.publications == {("traffic_accident", "standalone", "Severe", "published"): PUBLICATIONS}
    assert found.deliveries["x", "post", Outcome.POSTED] == PUBLICATIONS
    assert found.deliveries["feed", "post", Outcome.SKIPPED] == PUBLICATIONS / 2
    assert found.attempts["x", Outcome.WAITING] == PUBLICATIONS / 4
    assert cost <= MOST
