"""An SMS to hundreds of people, sent by processes that are ended again and again."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from signal import SIGTERM
from typing import Any, Literal

from policenotify.delivery.service import ended_by_signals
from policenotify.journal import open_journal
from policenotify.journal.clock import SystemClock
from policenotify.journal.keys import Keys
from policenotify.journal.lists.state import BATCH
from policenotify.model.cap import Severity
from policenotify.model.history import Outcome
from policenotify.model.receipt import Receipt
from policenotify.networks.registry import configure_channel
from policenotify.publishing.installation import Installation as Given
from policenotify.publishing.publisher import Publisher
from policenotify.testing.samples import PARIS, SENDER
from tests.acceptance.crash.installation_process import Installation
from tests.acceptance.crash.process_pool import ProcessPool, serve
from tests.support.installation import accident

KEY = "mass"
Ending = Literal["kill", "term", "budget"]
_FOREVER = 60.0  # seconds: no process of a test is needed for longer


def numbers(count: int) -> tuple[str, ...]:
    """Return telephone numbers, none of which a gateway of the tests refuses: those end in 777, 888 and 999."""
    every = (f"+3363998{number:04d}" for number in range(10_000))
    return tuple(islice((each for each in every if each[-3:] not in {"777", "888", "999"}), count))


def open_publisher(installation: Installation, people: int, on_unknown: Literal["resend", "hold"]) -> Publisher:
    channel = configure_channel(
        "sms", "sms", installation.options["sms"], recipients=lambda: numbers(people), on_unknown=on_unknown
    )
    return Publisher(
        Given(
            journal=open_journal(str(installation.journal), keys=Keys.load(installation.folder / "keys")),
            channels=[channel],
            zone=PARIS,
            sender=SENDER,
            clock=SystemClock(),
            backoff=lambda _: timedelta(0),  # who comes next goes on at once
        )
    )


def _work(installation: Installation, people: int, ending: Ending, seconds: float) -> int:
    """Deliver until the end that is asked for."""
    publisher = open_publisher(installation, people, installation.on_unknown)
    if ending == "term":
        with ended_by_signals() as signals, publisher.worker():
            signals.wait(_FOREVER)
    else:
        publisher.drain(timedelta(seconds=seconds))
    publisher.close()
    return 0


@dataclass
class Mass:
    """One message to many people.

    Attributes:
        taken: Counts the messages that the gateway has taken until now.
        reached: Returns the numbers of all messages that it has taken, when nothing is under way any more.
        parallel: Requests in flight at once.
    """

    installation: Installation
    people: int
    parallel: int
    taken: Callable[[], int]
    reached: Callable[[], Sequence[str]]
    chance: random.Random
    kills: int = 0

    @classmethod
    def make(
        cls,
        folder: Path,
        options: dict[str, Any],
        people: int,
        *,
        taken: Callable[[], int],
        reached: Callable[[], Sequence[str]],
        seed: int,
    ) -> Mass:
        """Make a journal with one publication that nobody has delivered yet."""
        folder.mkdir(exist_ok=True)
        Keys.create(random.Random(seed).randbytes).save(folder / "keys")  # noqa: S311 - of a test
        start = datetime.now(UTC)
        installation = Installation(folder=folder, start=start, options={"sms": options}, on_unknown="hold")
        installation.make_journal()
        chance = random.Random(seed)  # noqa: S311 - of a test
        made = cls(installation, people, int(options["parallel"]), taken, reached, chance)
        with made.publisher() as publisher:
            message = accident(severity=Severity.SEVERE, starts_at=start)
            publisher.publish(message, key=KEY, actor="desk", wait=timedelta(0))
        return made

    def publisher(self) -> Publisher:
        return open_publisher(self.installation, self.people, self.installation.on_unknown)

    def receipt(self) -> Receipt:
        with self.publisher() as publisher:
            found = publisher.operations.publication(KEY)
            assert found is not None
            return found.on("sms")

    def end_one(self, processes: ProcessPool, ending: Ending, seconds: float) -> None:
        """Start a process, end it after a time, and check the receipt that it leaves."""
        before = self.taken()
        child = processes.start(self.people, ending, seconds if ending == "budget" else _FOREVER)
        until = time.monotonic() + 10
        while self.taken() == before and time.monotonic() < until:
            time.sleep(0.005)
        if ending == "budget":
            assert processes.wait() == 0
        else:
            time.sleep(seconds)
            if ending == "kill":
                assert processes.kill() == -9, "it had ended before"
                self.kills += 1
            else:
                os.kill(child, SIGTERM)
                assert processes.wait() == 0
        self.check()

    def check(self) -> Counter[Outcome]:
        """Check that everybody who is stored is accounted for, and return the counts by outcome.

        The list is read in pages of 1,000, so those of later pages are not stored yet. `finish` checks that all are.
        """
        counts = Counter(self.receipt().recipients)
        stored = sum(counts.values())
        assert stored == self.people or (stored < self.people and stored % BATCH == 0), counts
        reached = Counter(self.reached())
        assert set(reached) <= set(numbers(self.people))
        assert [number for number, count in reached.items() if count > 1] == []
        doubts = counts[Outcome.UNCONFIRMED] + counts[Outcome.HELD] + counts[Outcome.SENDING]
        assert doubts <= self.kills * self.parallel, counts
        assert counts[Outcome.POSTED] <= len(reached) <= counts[Outcome.POSTED] + doubts, (counts, len(reached))
        return counts

    def finish(self) -> tuple[int, int]:
        """Let a last process send the rest, and then those in doubt again.

        Returns:
            How many were in doubt, and how many of those had the message already.
        """
        with self.publisher() as publisher:
            while publisher.drain(timedelta(seconds=_FOREVER)) is not None:
                pass
        counts = self.check()
        held = counts[Outcome.HELD]
        assert counts == Counter({Outcome.POSTED: self.people - held, Outcome.HELD: held}) - Counter()
        reached = len(self.reached())
        with self.publisher() as publisher:
            if held:
                publisher.journal.sendings.resolve(self.receipt().delivery, "desk", posted=False)
            while publisher.drain(timedelta(seconds=_FOREVER)) is not None:
                pass
        assert Counter(self.receipt().recipients) == {Outcome.POSTED: self.people}
        assert set(self.reached()) == set(numbers(self.people)), "somebody was lost"
        assert len(self.reached()) == reached + held, "somebody else got it, too"
        return held, reached + held - self.people


if __name__ == "__main__":
    serve(_work)
