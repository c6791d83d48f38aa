"""A hundred thousand subscribers, beside a thousand: `pytest -m benchmark -s`.

The list is streamed and its people are stored in pages, so that what else is published does not wait for it.
"""

from __future__ import annotations

import json
import os
import resource
import secrets
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from policenotify.audiences.model import Row, Subscriber
from policenotify.channel import ChannelConfig, PostRef, Recipient, RecipientOutcome, Request
from policenotify.delivery.attempt import backoff
from policenotify.delivery.audience_reader import AudienceReader, PageFiller
from policenotify.journal import open_journal
from policenotify.journal.database.migrate import migrate
from policenotify.journal.journal import Journal
from policenotify.journal.keys import Keys
from policenotify.journal.records import LEASE
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.publishing.publisher import Publisher
from policenotify.testing.samples import PARIS, SENDER
from tests.support.fake_network import MAIL, OnMail, OnPlain, Scripted
from tests.support.installation import accident
from tests.support.postgresql import Server, running

pytestmark = pytest.mark.benchmark

MANY, FEW = 100_000, 1_000
MEBIBYTE = 2**20


@dataclass
class Residents:
    """An audience that makes up its people while it is read."""

    count: int
    name: str = "residents"

    def revision(self) -> str:
        return str(self.count)

    def rows(self, *, start: int = 0) -> Iterator[Row]:
        for number in range(start, self.count):
            yield Subscriber(position=number, address=f"resident{number:07d}@commune.example")


@dataclass
class Quick(Scripted):
    """A network that takes everything after a moment, and remembers only when it was asked first."""

    latency: float = 0.0
    asked_at: list[float] = field(default_factory=list)

    def open(self, _clock: Any, _keep: Any) -> Any:
        return _QuickMail(self) if self.capabilities.recipients else _QuickPlain(self)


class _QuickMail(OnMail):
    network: Quick

    def send_each(self, request: Request, recipients: Iterable[Recipient]) -> Iterator[RecipientOutcome]:  # noqa: ARG002 - the form of the contract
        for person in recipients:
            time.sleep(self.network.latency)
            yield RecipientOutcome(key=person.key, outcome="posted")


class _QuickPlain(OnPlain):
    network: Quick

    def send(self, request: Request) -> PostRef:
        self.network.asked_at.append(time.perf_counter())
        return PostRef(account=self.network.account, id=request.key)


def _channels(count: int, *, latency: float = 0.0) -> tuple[ChannelConfig, ChannelConfig, Quick]:
    sky = Quick()
    mail = Quick(account="alerts@police34.example", capabilities=MAIL, latency=latency)
    return sky.configured("sky"), mail.configured("mail", audiences=(Residents(count),)), sky


def _timed(journal: Journal) -> list[float]:
    """Note how long each transaction that writes takes from now on, in seconds, without the wait for its turn."""
    write, took = journal.write, []

    @contextmanager
    def timed(**how: Any) -> Iterator[Connection]:
        start = 0.0
        try:
            with write(**how) as connection:
                start = time.perf_counter()
                yield connection
        finally:
            took.append(time.perf_counter() - start)

    journal.write = timed  # type: ignore[method-assign]
    return took


def _expand_all(journal: Journal, mail: ChannelConfig) -> None:
    """Store the people of all pages of the next delivery. Each page stays claimed."""
    filler = PageFiller(
        journal=journal,
        config=mail,
        siblings=("mail",),
        reader=AudienceReader(),
        lease=LEASE,
        backoff=backoff,
        may_go_on=lambda: True,
    )
    number = 0
    while claimed := journal.deliveries.claim("mail", f"benchmark/-/-/{number}", lease=timedelta(hours=1)):
        assert filler.fill(claimed) is not None
        number += 1


def measure(folder: Path, count: int) -> dict[str, float]:
    """Publish to so many people, store them all, and return what it took."""
    journal = open_journal(str(folder / "journal.db"), keys=Keys.create(secrets.token_bytes), create=True)
    sky, mail, network = _channels(count)
    with closing(Publisher(journal=journal, channels=[sky, mail], zone=PARIS, sender=SENDER)) as publisher:
        publisher.publish(accident(lifecycle=Lifecycle(), category="scam_cyber"), key="first", actor="desk", wait=0)
        transactions, start = _timed(journal), time.perf_counter()
        publisher.publish(accident(), key="opening", actor="desk", wait=0)
        published, cpu = time.perf_counter() - start, time.process_time()
        _expand_all(journal, mail)
        cpu = time.process_time() - cpu
        with journal.read() as connection:
            pages, size = (
                connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("page_count", "page_size")
            )
            assert connection.exec_driver_sql("SELECT count(*) FROM pn_recipient").scalar() == count
        return {
            "publish": published,
            "longest": max(transactions),
            "cpu": cpu / count,
            "size": (pages or 0) * (size or 0),
            "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "first": network.asked_at[0] - start if network.asked_at else 0.0,
        }


def _measured(folder: Path, count: int) -> dict[str, float]:
    """Measure in a process of its own, whose peak of memory is that of this list."""
    code = (
        "import json, sys; from pathlib import Path; from tests.benchmarks.test_audience import measure; "
        "print(json.dumps(measure(Path(sys.argv[1]), int(sys.argv[2]))))"
    )
    folder.mkdir()
    done = subprocess.run(  # noqa: S603 - our own interpreter, our own text
        [sys.executable, "-c", code, str(folder), str(count)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def test_a_long_list_beside_a_short_one(tmp_path: Path) -> None:
    few, many = _measured(tmp_path / "few", FEW), _measured(tmp_path / "many", MANY)
    more = (many["peak"] - few["peak"]) / MEBIBYTE
    print(
        f"\npublish returns after {1000 * many['publish']:.0f} ms (the goal: 300; {FEW} people: {1000 * few['publish']:.0f})"
    )
    print(f"longest transaction that writes {1000 * many['longest']:.0f} ms (the goal: 250)")
    print(f"storing a person costs {1e6 * many['cpu']:.0f} µs of CPU (the goal: 80)")
    print(f"peak of memory {more:+.1f} MiB beside {FEW} people (the goal: 20)")
    print(f"journal {many['size'] / 1e6:.1f} MB (the goal: 30)")
    assert many["publish"] < 0.3
    assert many["longest"] < 0.25
    assert more < 20
    assert many["size"] < 30e6
