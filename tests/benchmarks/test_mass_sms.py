"""An SMS to many people beside a bare loop with as many requests at once: `pytest -m benchmark -s`."""

from __future__ import annotations

import multiprocessing
import random
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Empty, SimpleQueue
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from policenotify.channel import Recipient
from policenotify.journal import open_journal
from policenotify.journal.clock import SystemClock
from policenotify.journal.keys import Keys
from policenotify.model.history import Outcome
from policenotify.networks.registry import configure_channel
from policenotify.publishing.installation import Installation
from policenotify.publishing.publisher import Publisher
from policenotify.testing import FakeSmsServer
from policenotify.testing.fakes import InMemoryStateStore
from policenotify.testing.samples import PARIS, SENDER
from tests.support.audiences import listed
from tests.support.figures import report
from tests.support.installation import accident
from tests.support.network_calls import a_post, send_list
from tests.support.network_options import sms_options

pytestmark = pytest.mark.benchmark

LATENCY = 0.15  # seconds until the gateway answers
PEOPLE = 100
RUNS = 2
NUMBERS = tuple(f"+3363998{number:04d}" for number in range(PEOPLE))


def _serve(told: Connection) -> None:
    with FakeSmsServer() as server:
        server.latency = LATENCY
        told.send((server.url, sms_options(server)))
        told.recv()


@contextmanager
def gateway() -> Iterator[Any]:
    """A gateway in a process of its own."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(there,), daemon=True)
    process.start()
    url, options = here.recv()
    try:
        yield SimpleNamespace(url=url, options=options)
    finally:
        here.send("")
        process.join()


def bare(url: str, parallel: int) -> float:
    """Return the seconds that a loop takes which only calls the gateway."""
    left: SimpleQueue[str] = SimpleQueue()
    for number in NUMBERS:
        left.put(number)

    def work() -> None:
        with requests.Session() as session:
            while True:
                try:
                    number = left.get_nowait()
                except Empty:
                    return
                params = {"username": "desk", "password": "s3cret", "to": number[1:], "text": "Évitez le secteur."}
                answer = session.get(f"{url}{FakeSmsServer.KANNEL}", params=params, timeout=10)
                assert answer.status_code == 202

    threads = [threading.Thread(target=work) for _ in range(parallel)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began


def ours(options: dict[str, Any], parallel: int) -> tuple[float, float]:
    """Return the seconds that an open channel takes, and those of them on the processor."""
    config = configure_channel(
        "sms", "sms", {**options, "parallel": parallel}, audiences=listed("sms", lambda: NUMBERS)
    )
    channels: list[Any] = [config.open(SystemClock(), InMemoryStateStore()) for _ in range(parallel)]
    people = [Recipient(key=number, address=number) for number in NUMBERS]
    request = channels[0].prepare(a_post("Évitez le secteur."), ())
    began, used = time.perf_counter(), time.process_time()
    chunk = send_list(request, people, *channels)
    assert {each.outcome for each in chunk.outcomes.values()} == {"posted"}
    assert len(chunk.outcomes) == len(people)
    took = time.perf_counter() - began, time.process_time() - used
    for channel in channels:
        channel.close()
    return took


def published(folder: Path, options: dict[str, Any], parallel: int) -> float:
    """Return the seconds from the start of the delivery to the last person, with all that is written down."""
    channel = configure_channel(
        "sms", "sms", {**options, "parallel": parallel}, audiences=listed("sms", lambda: NUMBERS)
    )
    folder.mkdir()
    journal = open_journal(str(folder / "journal.db"), keys=Keys.create(random.randbytes), create=True)
    with Publisher(Installation(journal=journal, channels=[channel], zone=PARIS, sender=SENDER)) as publisher:
        publisher.publish(accident(), key="mass", actor="desk", wait=timedelta(0))
        began = time.perf_counter()
        publisher.drain(timedelta(seconds=60))
        took = time.perf_counter() - began
        said = publisher.operations.publication("mass")
        assert said is not None
        assert said.on("sms").recipients == {Outcome.POSTED: PEOPLE}
    return took


def test_a_list_takes_hardly_longer_than_a_bare_loop(tmp_path: Path) -> None:
    parallel = 10
    with gateway() as server:
        ours(server.options, parallel)  # everything is loaded
        loops, lists, cpu, whole = list[float](), list[float](), list[float](), list[float]()
        for run in range(RUNS):
            loops.append(bare(server.url, parallel))
            wall, used = ours(server.options, parallel)
            lists.append(wall)
            cpu.append(used)
            whole.append(published(tmp_path / str(run), server.options, parallel))
    loop, channel, publisher = map(statistics.median, (loops, lists, whole))
    used = 1000 * statistics.median(cpu) / PEOPLE
    report(
        "SMS, 10 at once, the channel",
        channel / loop,
        f"{PEOPLE / channel:.0f} a second",
        f"{PEOPLE / loop:.0f} a second, requests",
    )
    report(
        "SMS, with the journal",
        publisher / loop,
        f"{PEOPLE / publisher:.0f} a second",
        f"{PEOPLE / loop:.0f} a second, requests",
    )
    print(f"{used:.2f} ms of the processor an SMS")
    assert loop / channel > 0.8
    assert loop / publisher > 0.6
