"""A PostgreSQL server whose disk becomes full: nothing is sent that could not be stored, and all goes on afterwards."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import psycopg
import pytest

from policenotify.errors import JournalError
from policenotify.journal import open_journal
from policenotify.journal.database.migrate import migrate
from policenotify.journal.keys import Keys
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.networks.registry import configure_channel
from policenotify.publishing.installation import Installation
from policenotify.publishing.publisher import Publisher
from policenotify.testing import FakeBlueskyServer
from policenotify.testing.samples import PARIS, SENDER
from tests.support.installation import accident, soon
from tests.support.network_options import bluesky_options
from tests.support.patience import PATIENCE, until
from tests.support.postgresql import Server, binaries

pytestmark = pytest.mark.postgres

_DISK = "150m"
_FILLER = "filler"


class FailingServer(Server):
    """A server whose disk can be full.

    Attributes:
        small: It has a disk of its own, which only root can give it.
    """

    layout = ("--wal-segsize=1",)  # so that a full disk is noticed after a megabyte
    durable = True
    small = False

    def prepare(self) -> None:
        if os.geteuid() == 0:
            mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK},mode=755", "none", str(self.folder)]
            self.small = not subprocess.run(mount, check=False, capture_output=True).returncode  # noqa: S603 - fixed words

    def fill_disk(self) -> None:
        """Leave not one byte on the server's disk."""
        assert self.small
        for size in (1 << 16, 1):
            with (self.folder / _FILLER).open("ab", buffering=0) as file, suppress(OSError):
                while True:
                    file.write(bytes(size))

    def fail(self) -> None:
        """Write until the server cannot go on: it has no room for its log of transactions. A large one is stopped."""
        if not self.small:
            self.stop()
            return
        with suppress(psycopg.Error):
            while True:
                self.ask("SELECT pg_logical_emit_message(false, 'test', repeat('x', 100000))")
        until = time.monotonic() + PATIENCE
        while self._runs():  # it tries to recover, and ends
            assert time.monotonic() < until
            time.sleep(0.05)

    def repair(self) -> None:
        """Free the disk, and start the server as an operator does."""
        (self.folder / _FILLER).unlink(missing_ok=True)
        if self._runs():
            self.stop()
        self.start()

    def _runs(self) -> bool:
        return (self.folder / "data" / "postmaster.pid").exists()

    def end(self) -> None:
        if self._runs():
            self.stop()
        if self.small:
            subprocess.run(["umount", "-l", str(self.folder)], check=False)  # noqa: S603, S607 - fixed words
        shutil.rmtree(self.folder)


@pytest.fixture
def server() -> Iterator[FailingServer]:
    programs = binaries()
    if programs is None:
        pytest.skip("there is no PostgreSQL server: apt-get install postgresql")
    started = FailingServer(programs)
    yield started
    started.end()


@pytest.fixture
def bluesky() -> Iterator[FakeBlueskyServer]:
    with FakeBlueskyServer("police34.example") as opened:
        yield opened


@pytest.fixture
def publisher(server: FailingServer, bluesky: FakeBlueskyServer) -> Iterator[Publisher]:
    url, keys = server.url(server.database()), Keys.create(secrets.token_bytes)
    migrate(url, keys=keys)
    channel = configure_channel("bluesky", "bluesky", bluesky_options(bluesky))
    with Publisher(
        Installation(journal=open_journal(url, keys=keys), channels=[channel], zone=PARIS, sender=SENDER, backoff=soon)
    ) as opened:
        yield opened


def publish(publisher: Publisher, number: int) -> None:
    life = Lifecycle(stage=Stage.OPENING, incident=f"2026-{number}")
    message = accident(headline=f"Accident {number} de la rocade", lifecycle=life)
    publisher.publish(message, key=str(number), actor="desk", wait=timedelta(0))


def publish_until_full(publisher: Publisher) -> int:
    """Return how many were stored. The first ones still fit into pages of the database that are there."""
    for number in range(1, 50):
        try:
            publish(publisher, number)
        except JournalError as full:
            if "the disk of its server is full. Free some space" in str(full):
                return number
            raise
    raise AssertionError("the disk is not full")


def test_what_was_stored_goes_out_once_and_what_was_not_is_never_sent(
    server: FailingServer, bluesky: FakeBlueskyServer, publisher: Publisher
) -> None:
    publish(publisher, 0)
    stored = 1
    if server.small:
        server.fill_disk()
        stored = publish_until_full(publisher)
    server.fail()
    with pytest.raises(JournalError, match="Check that") as failed:
        publish(publisher, 99)
    assert "Nothing was sent" in str(failed.value)
    with publisher.worker():  # it waits for the database
        server.repair()
        until(lambda: len(bluesky.posts) >= stored)
        until(lambda: not publisher.journal.publications.unfinished_ids())
    shown = Counter(post.text.partition(" de la rocade")[0].rpartition(" ")[2] for post in bluesky.posts)
    assert shown == Counter(map(str, range(stored)))
