"""The cost of metrics: a scrape of a journal of years, the first one and those after it: `pytest -m benchmark -s`."""

from __future__ import annotations

import json
import secrets
import statistics
import time

import pytest
from sqlalchemy import insert

from policenotify.journal import open_journal
from policenotify.journal.database import schema
from policenotify.journal.figures.figures import Figures
from policenotify.journal.journal import Journal
from policenotify.journal.keys import Keys
from policenotify.journal.records import microseconds
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.message import Message
from policenotify.testing.fakes import FakeClock

pytestmark = pytest.mark.benchmark

PUBLICATIONS = 20_000
CHANNELS = ("x", "mastodon", "bluesky", "email", "feed")  # five deliveries of each publication
MOST = 0.050  # seconds of the processor for each scrape after the first
_SECOND = 1_000_000
_MESSAGE = Message(
    category="traffic_accident",
    severity="Severe",
    headline="Accident de la circulation sur l’A9 à hauteur de Vendargues",
    description="Un accident impliquant plusieurs véhicules est en cours. Les secours sont sur place. " * 4,
    lifecycle=Lifecycle(stage=Stage.STANDALONE),
).model_dump_json(exclude_none=True)


def _event(number: int, kind: str, body: dict[str, object], **about: object) -> dict[str, object]:
    text = json.dumps({**body, "process": "police"}, separators=(",", ":"), sort_keys=True)
    row = {"actor": "runner", "kind": kind, "body": text, "salt": "0" * 32, "commitment": "0" * 64, "follows": ""}
    return {**row, "id": number, "mac": "", "delivery": None, "channel": None, **about}


def add_publications(journal: Journal, first: int, count: int) -> None:
    """Add publications that were posted on all channels, straight into the tables."""
    at = microseconds(journal.now())
    rows: dict[str, list[dict[str, object]]] = {name: [] for name in ("publication", "delivery", "attempt", "event")}
    for number in range(first, first + count):
        publication = f"{number:026d}"
        rows["publication"].append(
            {
                "id": publication,
                "key": publication,
                "state": "published",
                "stage": "standalone",
                "digest": "0" * 64,
                "message": _MESSAGE,
                "findings": "[]",
                "rules": "{}",
                "actor": "cne Roux",
                "created_at": at,
            }
        )
        events = 6 * number
        rows["event"].append(_event(events, "published", {"stage": "standalone"}, at=at, publication=publication))
        for place, channel in enumerate(CHANNELS):
            delivery, ended = 5 * number + place, at + (place + 1) * _SECOND // 3
            skipped = channel == "feed" and bool(number % 2)  # by a setting, so that no event is about it
            about = {"at": ended, "publication": publication, "delivery": delivery, "channel": channel}
            body = {"outcome": "posted", "code": "", "attempt": 1, "ref": "0" * 64, "request": "0" * 64}
            if not skipped:
                rows["event"].append(_event(events + 1 + place, "settled", body, **about))
            rows["delivery"].append(
                {
                    "id": delivery,
                    "publication": publication,
                    "channel": channel,
                    "account": "a",
                    "part": 0,
                    "language": "fr",
                    "operation": "post",
                    "post_key": f"{delivery:064d}",
                    "sequence": 0,
                    "ordering_key": f"{publication} {channel}",
                    "priority": 1,
                    "state": Outcome.SKIPPED if skipped else Outcome.POSTED,
                    "not_before": at,
                    "attempts": int(not skipped),
                    "reply_to": "",
                    "standalone": _MESSAGE,
                    "settled_at": ended,
                }
            )
            if skipped:
                continue
            rows["attempt"].append(
                {
                    "delivery": delivery,
                    "number": 1,
                    "owner": "o",
                    "started_at": at,
                    "ended_at": ended,
                    "outcome": "posted",
                }
            )
    with journal.write() as connection:
        for name, values in rows.items():
            connection.execute(insert(schema.metadata.tables[f"pn_{name}"]), values)


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Journal:
    place = tmp_path_factory.mktemp("metrics") / "journal.db"
    made = open_journal(str(place), keys=Keys.create(secrets.token_bytes), clock=FakeClock(), create=True)
    for first in range(1, PUBLICATIONS + 1, 2_000):
        add_publications(made, first, 2_000)
    return made


def test_a_scrape_of_100_000_deliveries_takes_milliseconds_after_the_first(journal: Journal) -> None:
    figures = Figures(journal)
    begun = time.process_time()
    first = figures.read()
    print(f"\nthe first: {time.process_time() - begun:.3f} s of the processor")
    assert first.totals.counts["deliveries", "x", "post", "posted"] == PUBLICATIONS
    assert first.totals.counts["deliveries", "feed", "post", "skipped"] == PUBLICATIONS / 2
    taken = []
    for number in range(20):
        add_publications(journal, PUBLICATIONS + 1 + 10 * number, 10)  # 50 deliveries between two scrapes
        begun = time.process_time()
        figures.read()
        taken.append(time.process_time() - begun)
    print(f"after it: {1000 * statistics.median(taken):.1f} ms, at most {1000 * max(taken):.1f} ms")
    assert statistics.median(taken) <= MOST
