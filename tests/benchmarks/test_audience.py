"""A hundred thousand subscribers, beside a thousand: `pytest -m benchmark -s`.

The list is streamed and its people are stored in batches, so that what else is published does not wait for it.
"""

from __future__ import annotations

import json
import os
import resource
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import Connection

from policenotify.audiences.model import Row, Subscriber
from policenotify.channel import ChannelConfig, PostRef, Recipient, RecipientOutcome, Request
from policenotify.delivery.attempt import DeliveryAttempt
from policenotify.delivery.batch import ListSender
from policenotify.journal import open_journal
from policenotify.journal.database.migrate import migrate
from policenotify.journal.journal import Journal
from policenotify.journal.keys import Keys
from policenotify.journal.records import LEASE, AttemptResult
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.publishing.installation import Installation
from policenotify.publishing.publisher import Publisher
from policenotify.testing.samples import PARIS, SENDER
from tests.support.fake_network import MAIL, OnMail, OnPlain, Scripted
from tests.support.figures import report
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

    def send_to(self, request: Request, people: Sequence[Recipient]) -> Sequence[RecipientOutcome]:  # noqa: ARG002 - the form of the contract
        time.sleep(self.network.latency * len(people))
        return [RecipientOutcome(key=person.key, outcome="posted") for person in people]


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
    """Note how long each transaction that writes takes from now on, in seconds.

    The wait for its turn does not count, nor does the time for which other processes have the processor.
    """
    write, took = journal.write, []

    @contextmanager
    def timed(**how: Any) -> Iterator[Connection]:
        start = time.thread_time()
        try:
            with write(**how) as connection:
                yield connection
        finally:
            took.append(time.thread_time() - start)

    journal.write = timed  # type: ignore[method-assign]
    return took


def _expand_all(journal: Journal, mail: ChannelConfig) -> None:
    """Store the people of all batches of the next delivery. Each batch stays claimed."""
    maker = ListSender(
        journal=journal,
        channel=cast("Any", None),  # it makes batches only
        clock=journal.clock,
        config=mail,
        siblings=("mail",),
        lease=LEASE,
    )
    number = 0
    while claimed := journal.deliveries.claim("mail", f"benchmark/-/-/{number}", lease=timedelta(hours=1)):
        made = maker.make_batch(claimed)
        if isinstance(made, AttemptResult):
            journal.deliveries.record_result(claimed, made)
        number += 1


def _size(journal: Journal) -> int:
    """Return the bytes that the tables of a journal in a file take."""
    with journal.read() as connection:
        names = ("page_count", "freelist_count", "page_size")
        pages, free, size = (int(connection.exec_driver_sql(f"PRAGMA {name}").scalar() or 0) for name in names)
    return (pages - free) * size


def _settle_all(journal: Journal) -> None:
    """Make it as if all had been sent."""
    with journal.write() as connection:
        for change in (
            "UPDATE pn_recipient SET state = 'posted', attempts = 1",
            "UPDATE pn_delivery SET state = 'posted', owner = NULL, lease_until = NULL, attempts = 1 WHERE parent > 0",
            "UPDATE pn_delivery SET state = 'posted' WHERE has_recipients",
        ):
            connection.exec_driver_sql(change)


def measure(folder: Path, count: int) -> dict[str, float]:
    """Publish to so many people, store them all, and return what it took. Then the same for the next stage."""
    journal = open_journal(str(folder / "journal.db"), keys=Keys.create(secrets.token_bytes), create=True)
    sky, mail, _ = _channels(count)
    with closing(
        Publisher(Installation(journal=journal, channels=[sky, mail], zone=PARIS, sender=SENDER))
    ) as publisher:
        tip = accident(lifecycle=Lifecycle(), category="scam_cyber")
        publisher.publish(tip, key="first", actor="desk", wait=0, to=["sky"])
        transactions, start = _timed(journal), time.perf_counter()
        publisher.publish(accident(), key="opening", actor="desk", wait=0)
        published, cpu = time.perf_counter() - start, time.process_time()
        _expand_all(journal, mail)
        cpu = time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        first, longest = _size(journal), max(transactions)
        _settle_all(journal)
        transactions.clear()
        life = Lifecycle(stage=Stage.UPDATE, incident=accident().incident)
        publisher.publish(accident(lifecycle=life), key="update", actor="desk", wait=0)
        _expand_all(journal, mail)
        with journal.read() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM pn_recipient").scalar() == 2 * count
        return {
            "publish": published,
            "longest": max(longest, *transactions),
            "cpu": cpu / count,
            "size": first,
            "further": _size(journal) - first,
            "peak": peak,
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
    for what, name, unit, scale in (
        ("publish() to 100,000 people", "publish", "ms", 1e3),
        ("the longest transaction that writes", "longest", "ms", 1e3),
        ("storing a person", "cpu", "µs of the processor", 1e6),
        ("peak of memory", "peak", "MiB", 1 / MEBIBYTE),
    ):
        one, other = many[name], few[name]
        report(what, one / other, f"{scale * one:.0f} {unit}", f"{scale * other:.0f} {unit}, 1,000 people")
    size, further = many["size"] / 1e6, many["further"] / 1e6
    report("journal for each further stage", further / size, f"{further:.0f} MB", f"{size:.0f} MB for the first")
    # A wall-clock time only beside that of the short list: the machine may be loaded.
    assert many["publish"] < max(0.3, 3 * few["publish"])
    assert many["longest"] < 0.25
    assert more < 20
    assert many["size"] < 30e6
    assert many["further"] < 12e6


def test_a_single_post_does_not_wait_for_a_list(tmp_path: Path) -> None:
    journal = open_journal(str(tmp_path / "journal.db"), keys=Keys.create(secrets.token_bytes), create=True)
    sky, mail, network = _channels(MANY)
    with closing(
        Publisher(Installation(journal=journal, channels=[sky, mail], zone=PARIS, sender=SENDER))
    ) as publisher:
        tip = accident(lifecycle=Lifecycle(), category="scam_cyber")
        publisher.publish(tip, key="first", actor="desk", wait=0)
        with publisher.worker():
            time.sleep(1)  # it is in the middle of the first list
            took = []
            for number in range(5):
                start = time.perf_counter()
                life = Lifecycle(stage=Stage.OPENING, incident=f"2026-{number}")
                publisher.publish(accident(lifecycle=life), key=f"opening {number}", actor="desk", wait=0)
                while len(network.asked_at) < number + 2 and time.perf_counter() < start + 30:
                    time.sleep(0.005)
                took.append(network.asked_at[number + 1] - start)
    print(f"\na post leaves after {1000 * statistics.median(took):.0f} ms beside {MANY} people")
    assert statistics.median(took) < 1


# --- two workers

_PEOPLE, _LATENCY = 120, 0.05
_WORKER = """
import json, sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from tests.benchmarks.test_audience import opened
with closing(opened(sys.argv[1], Path(sys.argv[2]))) as publisher:
    print("ready", flush=True)
    sys.stdin.readline()
    publisher.drain(timedelta(seconds=120))
"""


def opened(url: str, keys: Path) -> Publisher:
    """A publisher on mail alone, whose server answers after a moment. Its batches are small, as its list is."""
    defaults = DeliveryAttempt.__init__.__kwdefaults__
    assert defaults is not None
    defaults["size"] = 20
    journal = open_journal(url, keys=Keys.load(keys), create=True)
    _, mail, _ = _channels(_PEOPLE, latency=_LATENCY)
    return Publisher(Installation(journal=journal, channels=[mail], zone=PARIS, sender=SENDER))


def _people_in_a_second(server: Server, folder: Path, workers: int) -> float:
    keys, url = folder / f"keys of {workers}", server.url(server.database())
    Keys.create(secrets.token_bytes).save(keys)
    migrate(url, keys=Keys.load(keys))
    started = [
        subprocess.Popen(  # noqa: S603 - our own interpreter, our own text
            [sys.executable, "-c", _WORKER, url, str(keys)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        for _ in range(workers)
    ]
    try:
        with closing(opened(url, keys)) as publisher:
            for worker in started:
                assert worker.stdout is not None
                assert worker.stdout.readline() == "ready\n"
            publisher.publish(accident(), key="opening", actor="desk", wait=0)
            start = time.perf_counter()
            for worker in started:
                assert worker.stdin is not None
                worker.stdin.write("\n")
                worker.stdin.flush()
            while publisher.journal.deliveries.unsettled() and time.perf_counter() < start + 100:
                time.sleep(0.02)
            took = time.perf_counter() - start
            publication = publisher.operations.publication("opening")
            assert publication is not None
            assert publication.on("mail").recipients == {Outcome.POSTED: _PEOPLE}
    finally:
        for worker in started:
            worker.kill()
            worker.communicate()
    return _PEOPLE / took


@pytest.mark.postgres
def test_two_workers_share_a_list(tmp_path: Path) -> None:
    for server in running():
        one, two = (_people_in_a_second(server, tmp_path, workers) for workers in (1, 2))
    report("two workers, one list", one / two, f"{two:.0f} people a second", f"{one:.0f}, one worker")
    assert two > 1.4 * one  # on a machine that does other things, too
