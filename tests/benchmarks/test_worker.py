"""The cost of a worker while nothing is due, beside that of a bare look at its database: `pytest -m benchmark -s`."""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from threading import Event, Thread

import pytest
from sqlalchemy import create_engine

from policenotify.delivery.dispatcher import LOOK_INTERVAL
from policenotify.journal import open_journal
from policenotify.journal.keys import Keys
from policenotify.publishing.installation import Installation
from policenotify.publishing.publisher import Publisher
from policenotify.testing.samples import PARIS, SENDER
from tests.support.fake_network import Scripted

pytestmark = pytest.mark.benchmark

_SECONDS = 5.0
_MOST = 6  # times the cost of the bare looks


def test_an_idle_worker_costs_little_beside_bare_looks(tmp_path: Path) -> None:
    """The peer asks the same database as often whether anything is due, by one statement, and does nothing else."""
    path = tmp_path / "journal.db"
    journal = open_journal(str(path), keys=Keys.create(secrets.token_bytes), create=True)
    channels = [Scripted(account=f"police{number}.example").configured(f"channel{number}") for number in range(5)]
    over, looks = Event(), list[float]()

    def look() -> None:
        while not over.wait(LOOK_INTERVAL):
            begun = time.thread_time()
            with engine.connect() as connection:
                connection.exec_driver_sql("SELECT min(not_before) FROM pn_delivery WHERE state = 'waiting'").scalar()
            looks.append(time.thread_time() - begun)

    engine, peer = create_engine(f"sqlite:///{path}"), Thread(target=look)
    with (
        Publisher(Installation(journal=journal, channels=channels, zone=PARIS, sender=SENDER)) as publisher,
        publisher.worker(),
    ):
        time.sleep(1)  # its first drain
        began, used = time.monotonic(), time.process_time()
        peer.start()
        time.sleep(_SECONDS)
        used, took = time.process_time() - used, time.monotonic() - began
        over.set()
        peer.join()
    engine.dispose()
    bare = sum(looks)
    print(f"\nidle worker, five channels, a journal in a file: {100 * (used - bare) / took:.3f} % of a core")
    print(f"bare looks {100 * bare / took:.3f} %: {(used - bare) / bare:.1f} times that")
    assert used - bare < _MOST * bare
