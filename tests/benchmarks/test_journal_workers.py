"""Two workers on one PostgreSQL journal, beside one alone: `pytest -m benchmark -s`."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from policenotify.journal import open_journal
from policenotify.journal.database.migrate import migrate
from policenotify.journal.keys import Keys
from policenotify.model.lifecycle import Lifecycle
from policenotify.networks.registry import configure_channel
from policenotify.publishing.installation import Installation
from policenotify.publishing.publisher import Publisher
from policenotify.testing.samples import PARIS, SENDER
from policenotify.testing.servers.x import FakeXServer
from tests.support.installation import accident
from tests.support.network_options import x_options
from tests.support.postgresql import Server, running

pytestmark = [pytest.mark.benchmark, pytest.mark.postgres]

_POSTS = 24
_LATENCY = 0.4  # seconds of the network, which one worker spends waiting: what is to be shared, not the processor
_WORKER = """
import json, sys
import policenotify.networks.x.api, requests_oauthlib, tweepy   # what the first post would wait for
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from tests.benchmarks.test_journal_workers import opened
with closing(opened(sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3]))) as publisher:
    publisher.drain(timedelta(0))
    print("ready", flush=True)
    sys.stdin.readline()
    publisher.drain(timedelta(seconds=120))
"""


def opened(url: str, keys: Path, options: dict[str, object]) -> Publisher:
    """A publisher on X alone."""
    journal = open_journal(url, keys=Keys.load(keys), create=True)
    return Publisher(
        Installation(journal=journal, channels=[configure_channel("x", "x", options)], zone=PARIS, sender=SENDER)
    )


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    yield from running()


def _posts_in_a_second(server: Server, folder: Path, workers: int) -> float:
    keys, url = folder / f"keys of {workers}", server.url(server.database())
    Keys.create(secrets.token_bytes).save(keys)
    migrate(url, keys=Keys.load(keys))
    with FakeXServer() as x:
        x.posts_left = x.day_left = 10**6
        options = x_options(x)
        with closing(opened(url, keys, options)) as publisher:

            def publish(number: int) -> None:
                tip = accident(category="scam_cyber", headline=f"Conseil {number}", lifecycle=Lifecycle())
                publisher.publish(tip, key=str(number), actor="desk", wait=timedelta(0))

            started = [_start(url, keys, options) for _ in range(workers)]
            try:
                for number in range(_POSTS):
                    publish(number)
                x.latency = _LATENCY
                start = time.perf_counter()
                for one in started:
                    _go(one)
                assert [one.wait(150) for one in started] == [0] * workers
                took = time.perf_counter() - start
            finally:
                for one in started:
                    one.kill()
                    one.communicate()
            assert len(x.posts) == _POSTS
    return _POSTS / took


def _start(url: str, keys: Path, options: dict[str, object]) -> subprocess.Popen[str]:
    worker = subprocess.Popen(  # noqa: S603 - our own interpreter, our own text
        [sys.executable, "-c", _WORKER, url, str(keys), json.dumps(options)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert worker.stdout is not None
    assert worker.stdout.readline() == "ready\n"
    return worker


def _go(worker: subprocess.Popen[str]) -> None:
    assert worker.stdin is not None
    worker.stdin.write("\n")
    worker.stdin.flush()


def test_two_workers_are_nearly_twice_as_fast(server: Server, tmp_path: Path) -> None:
    one, two = (_posts_in_a_second(server, tmp_path, workers) for workers in (1, 2))
    print(f"\none worker {one:.1f} posts/s, two {two:.1f} posts/s: {two / one:.2f} times that")
    assert two >= 1.7 * one
