"""A list that is sent by one process after another, each of which is killed or cut short."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final, Literal

from sqlalchemy import func, select

from policenotify.channel import CHUNK
from policenotify.delivery.service import ended_by_signals
from policenotify.journal import open_journal
from policenotify.journal.database import schema
from policenotify.journal.journal import Journal
from policenotify.journal.keys import Keys
from policenotify.journal.lists.recipients import recipient_key
from policenotify.model.history import Outcome
from policenotify.networks.email import smtp as _loaded_before_the_fork  # noqa: F401 - its children have it then
from policenotify.networks.registry import configure_channel
from policenotify.publishing.installation import Installation
from policenotify.publishing.publisher import Publisher
from policenotify.testing.samples import PARIS, SENDER
from tests.acceptance.peers.mail_server import DOMAIN, MailServer
from tests.support.installation import accident, soon

SESSIONS: Final = 2
Task = Literal["killed", "terminated", "budget", "wait", "finished"]

_KEY = "liste"
_ENDS = 60.0  # seconds in which a process ends by itself
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([__name__])


@dataclass(frozen=True, kw_only=True)
class Orders:
    """The installation of all processes, and the task of one."""

    folder: Path
    port: int
    people: tuple[str, ...]
    task: Task = "finished"
    seconds: float = 0.0

    def journal(self) -> Journal:
        return open_journal(str(self.folder / "journal.db"), keys=Keys.load(self.folder / "keys"), create=True)

    def publisher(self) -> Publisher:
        options = {
            "url": f"mailto://127.0.0.1:{self.port}/?from=alerte@police34.example&mode=insecure",
            "sessions": SESSIONS,
            "timeout": 20.0,
        }
        people = [f"{person}@{DOMAIN}" for person in self.people]
        channel = configure_channel("presse", "email", options, recipients=lambda: people, on_unknown="hold")
        return Publisher(
            Installation(journal=self.journal(), channels=[channel], zone=PARIS, sender=SENDER, backoff=soon)
        )


def obey(orders: Orders) -> None:
    """Carry orders out, in a process of its own."""
    wait = timedelta(seconds=orders.seconds if orders.task == "wait" else 0)
    with ended_by_signals() as signals, closing(orders.publisher()) as publisher:
        publisher.publish(accident(), key=_KEY, actor="desk", wait=wait)
        match orders.task:
            case "budget":
                publisher.drain(timedelta(seconds=orders.seconds))
            case "killed" | "terminated":
                with publisher.worker():
                    signals.wait(_ENDS)
            case "finished":
                while publisher.drain(timedelta(seconds=_ENDS)) is not None:
                    time.sleep(0.05)
            case "wait":
                pass


@dataclass
class MassMail:
    """One list and one journal, and what was done to the processes that send.

    Attributes:
        interruptions: The ends so far, by kind, after which people still waited.
        in_doubt: How many people are in doubt.
    """

    server: MailServer
    orders: Orders
    chance: random.Random
    interruptions: Counter[Task] = field(default_factory=Counter)
    in_doubt: int = 0
    _journal: Journal | None = None

    @property
    def journal(self) -> Journal:
        self._journal = self._journal or self.orders.journal()
        return self._journal

    def interrupt(self, task: Task) -> None:
        """Let a process send to some people, and end it."""
        seconds = self.chance.uniform(0, 0.3)
        until = self.server.policy.asked + self.chance.randrange(1, 16)
        process = self._start(task, seconds)
        if task in {"killed", "terminated"}:
            self._until(lambda: self.server.policy.asked >= until, process)
            time.sleep(seconds / 30)
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL if task == "killed" else signal.SIGTERM)
        process.join(_ENDS)
        assert process.exitcode in {-signal.SIGKILL if task == "killed" else 0, 255}, f"{task}: {process.exitcode}"
        self._check(task)

    def finish(self) -> None:
        """Let a last process send what is left."""
        process = self._start("finished", 0)
        process.join(4 * _ENDS)
        assert process.exitcode == 0

    def counts(self) -> Counter[Outcome]:
        """Return how many people have which outcome."""
        table = schema.recipient
        query = select(table.c.state, table.c.in_doubt, func.count()).group_by(table.c.state, table.c.in_doubt)
        counts: Counter[Outcome] = Counter()
        with self.journal.read() as connection:
            for state, in_doubt, count in connection.execute(query):
                doubted = in_doubt and state == Outcome.WAITING
                counts[Outcome.UNCONFIRMED if doubted else Outcome(state)] += count
        return counts

    def people(self) -> Iterator[tuple[str, Outcome]]:
        """Yield each person of the list and the outcome that the journal has."""
        person, row = schema.person, schema.recipient
        names = {recipient_key(self.journal.keys, f"{name}@{DOMAIN}"): name for name in self.orders.people}
        query = select(person.c.key, row.c.state).join(row, row.c.person == person.c.id)
        with self.journal.read() as connection:
            for key, state in connection.execute(query).all():
                yield names.pop(key), Outcome(state)
        assert not names, f"{len(names)} people of the list are not in the journal"

    def close(self) -> None:
        if self._journal is not None:
            self._journal.close()

    def _start(self, task: Task, seconds: float) -> BaseProcess:
        process = _processes.Process(target=obey, args=(replace(self.orders, task=task, seconds=seconds),))
        process.start()
        return process

    def _until(self, true: Any, process: BaseProcess) -> None:
        end = time.monotonic() + _ENDS
        while not true():
            assert time.monotonic() < end and process.is_alive(), "the process does not work"  # noqa: PT018 - one text for both
            time.sleep(0.002)

    def _check(self, task: Task) -> None:
        """Check that a kill left at most a chunk of people in doubt, and any other end nobody."""
        if task == "killed":
            self.journal.deliveries.recover()
        after = self.counts()
        doubtful = after[Outcome.UNCONFIRMED] + after[Outcome.HELD]
        allowed = self.in_doubt + (CHUNK if task == "killed" else 0)
        assert doubtful <= allowed, f"{self.interruptions}: {doubtful} in doubt, of {allowed} at most"
        assert not after[Outcome.SENDING], f"{self.interruptions}: {after}"
        unread = len(self.orders.people) - after.total()  # the list is read in pages
        self.interruptions[task] += after[Outcome.WAITING] + unread > len(self.orders.people) // 50
        self.in_doubt = doubtful
