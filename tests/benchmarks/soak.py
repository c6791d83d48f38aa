"""A journal with a backlog, five networks on the loopback that fail one call in five, and workers."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, update

from policenotify.channel import ChannelConfig, Post, PostRef
from policenotify.journal import open_journal
from policenotify.journal.clock import SystemClock
from policenotify.journal.database import schema
from policenotify.journal.journal import Journal
from policenotify.journal.keys import Keys
from policenotify.journal.records import NewPublication
from policenotify.model.history import Outcome, RenderedPost, Target
from policenotify.model.lifecycle import IncidentStatus, Lifecycle, Stage
from policenotify.model.message import Message
from policenotify.networks.registry import configure_channel
from policenotify.publishing.installation import Installation
from policenotify.publishing.publisher import Publisher
from policenotify.testing import Answer, Disconnect
from policenotify.testing.samples import PARIS, SENDER
from policenotify.testing.servers.http import RecordedRequest, Reply
from policenotify.testing.servers.mail import _Fault
from tests.support.five_networks import ADDRESSES, NETWORKS, NUMBERS, Five, open_five
from tests.support.installation import accident

PUBLICATIONS = 5_000
WAITING = 540
"""How many of them, the last ones, nothing has delivered yet: on five channels that is 2,700 deliveries."""

OUTAGE = timedelta(minutes=30)
"""The age of the oldest publication that waits."""

_STAGES = (Stage.OPENING, Stage.UPDATE, Stage.UPDATE)
_PEOPLE: Mapping[str, Sequence[str]] = {"email": ADDRESSES[:1], "sms": NUMBERS[:1]}
_WORKER = """
import json, logging, sys
from contextlib import closing
from pathlib import Path
import apprise, atproto, requests_oauthlib, tweepy   # what the first post would wait for
from tests.benchmarks.soak import opened
logging.disable(logging.WARNING)
with closing(opened(Path(sys.argv[1]), json.loads(sys.argv[2]))) as publisher:
    print("ready", flush=True)
    sys.stdin.readline()
    with publisher.worker():
        sys.stdin.readline()
"""

Options = Mapping[str, dict[str, Any]]


def opened(folder: Path, options: Options) -> Publisher:
    """Return a publisher as a worker opens it: with the library's own lease and backoff."""
    journal = open_journal(str(folder / "journal.db"), keys=Keys.load(folder / "keys"))
    return Publisher(Installation(journal=journal, channels=_channels(options), zone=PARIS, sender=SENDER))


def _channels(options: Options) -> list[ChannelConfig]:
    people = {name: (lambda people=people: people) for name, people in _PEOPLE.items()}
    return [configure_channel(name, name, given, recipients=people.get(name)) for name, given in options.items()]


@dataclass(kw_only=True)
class Soak:
    """One installation with a backlog.

    Attributes:
        folder: Where its journal and keys are.
        five: Its networks.
        options: Its channels.
        journal: Its journal, in this process.
    """

    folder: Path
    five: Five
    options: Options
    journal: Journal

    def disturb(self, share: float) -> None:
        """Let this share of all calls fail, on each network in its ways, and the same ones each time."""
        for number, name in enumerate(("x", "mastodon", "bluesky", "sms")):
            getattr(self.five, name).disturb(_chooser(random.Random(number), share))  # noqa: S311 - no secret
        chance = random.Random(9)  # noqa: S311 - the same
        self.five.mail._faults += [
            _Fault("MAIL", reply, None, lambda _, __: chance.random() < share / 2)
            for reply in ("451 4.3.0 try again later", "421 4.3.2 shutting down")
        ]

    def left(self) -> int:
        """Return how many deliveries are not settled."""
        table = schema.delivery
        query = select(func.count()).where(table.c.state.in_([Outcome.WAITING, Outcome.SENDING]))
        with self.journal.read() as connection:
            return int(connection.execute(query).scalar() or 0)

    def drain(self, *, seconds: float, share: float = 1.0, workers: int = 2) -> Drained:
        """Let workers deliver until that share of what waits is settled, or for that many seconds at most."""
        enough = round(self.left() * (1 - share))
        drained = Drained()
        started = [_start(self.folder, self.options) for _ in range(workers)]
        try:
            for worker in started:
                assert worker.stdout is not None
                assert worker.stdout.readline() == "ready\n"
            began = time.monotonic()
            for worker in started:
                _send_line(worker)
            while not drained.left or (drained.left[-1] > enough and drained.seconds[-1] < seconds):
                time.sleep(0.5)
                drained.seconds.append(time.monotonic() - began)
                drained.left.append(self.left())
            for worker in started:
                _send_line(worker)
            assert [worker.wait(60) for worker in started] == [0] * workers
        finally:
            for worker in started:
                worker.kill()
                worker.communicate()
        return drained


@dataclass
class Drained:
    """Return how many deliveries were left after how many seconds."""

    seconds: list[float] = field(default_factory=list)
    left: list[int] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Deliveries settled in a second."""
        return (WAITING * len(NETWORKS) - self.left[-1]) / self.seconds[-1]


@contextmanager
def soaking(folder: Path) -> Iterator[Soak]:
    """Open an installation whose backlog is as old as the outage, on networks without rate limits."""
    with ExitStack() as stack:
        five = stack.enter_context(open_five(folder))
        five.x.posts_left = five.x.day_left = five.bluesky.points_left = 10**6
        five.mastodon.rules = replace(five.mastodon.rules, limits=False)
        five.keys.save(folder / "keys")
        journal = open_journal(str(folder / "journal.db"), keys=five.keys, create=True)
        stack.callback(journal.close)
        options = {name: five.options(name) for name in NETWORKS}
        fill(journal, _channels(options))
        yield Soak(folder=folder, five=five, options=options, journal=journal)


# --- the backlog


def fill(journal: Journal, channels: Sequence[ChannelConfig]) -> None:
    """Write all publications, and deliver all but the last ones."""
    began = SystemClock().now() - OUTAGE
    with journal.write():
        for number in range(PUBLICATIONS):
            journal.publications.add(
                _draft(channels, number, began + OUTAGE / WAITING * (number + WAITING - PUBLICATIONS))
            )
            if number + 1 == PUBLICATIONS - WAITING:
                _settle_all(journal)


def _settle_all(journal: Journal) -> None:
    table, people = schema.delivery, schema.recipient
    ref = PostRef(account="police34.example", id="before").model_dump_json()
    with journal.write() as connection:
        connection.execute(update(table).values(state=Outcome.POSTED, attempts=1, ref=ref, settled_at=1))
        connection.execute(update(people).values(state=Outcome.POSTED, attempts=1))


def _draft(channels: Sequence[ChannelConfig], number: int, at: datetime) -> NewPublication:
    """Return a publication. Half of them are standalone, the others are incidents of three messages each."""
    group, place = divmod(number, 2 * len(_STAGES))
    in_course = place < len(_STAGES)
    incident = f"2026-{group:06d}" if in_course else None
    lifecycle = Lifecycle(stage=_STAGES[place] if in_course else Stage.STANDALONE, incident=incident)
    message = accident(headline=f"Accident numéro {number}", lifecycle=lifecycle)
    answers = tuple(f"{number - place + before:026d}" for before in range(place)) if in_course else ()
    publication = f"{number:026d}"
    return NewPublication(
        id=publication,
        key=f"key {number}",
        digest=message.digest(),
        message=message,
        status=IncidentStatus.OPEN if in_course else IncidentStatus.STANDALONE,
        expected_sequence=place + 1 if in_course else 0,
        actor="desk",
        at=at,
        due_at=at + timedelta(hours=8) if in_course else None,
        posts=tuple(_rendered(channel, publication, message, answers, at) for channel in channels),
        with_recipients=frozenset(channel.name for channel in channels if channel.name in _PEOPLE),
    )


def _rendered(
    channel: ChannelConfig, publication: str, message: Message, answers: tuple[str, ...], at: datetime
) -> RenderedPost:
    post = Post(
        key=hashlib.sha256(f"{publication} {channel.name}".encode()).hexdigest(),
        account=channel.account,
        stage=message.stage,
        category=message.category,
        language="fr",
        text=f"{message.headline}, avenue de Toulouse. Évitez le secteur.",
        title=message.headline,
        created_at=at,
    )
    return RenderedPost(
        target=Target(channel=channel.name, account=channel.account, language="fr", reply_to=answers),
        standalone=post,
        reply=post if answers else None,
    )


# --- what goes wrong

_FAULTS: Sequence[tuple[Reply, bool]] = (
    (Answer.rate_limited(retry_after=1), False),
    (Answer.rate_limited(), False),  # as a proxy formats it
    (Answer.json({"error": "InternalServerError", "message": "oh"}, 500), False),
    (Answer.json({"error": "Busy", "message": "busy"}, 503, headers={"Retry-After": "1"}), False),
    (Disconnect(), False),
    (Disconnect(), True),
)


def _chooser(chance: random.Random, share: float) -> Callable[[RecordedRequest], tuple[Reply, bool] | None]:
    return lambda _seen: chance.choice(_FAULTS) if chance.random() < share else None


# --- workers


def _start(folder: Path, options: Options) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - our own interpreter, our own text
        [sys.executable, "-c", _WORKER, str(folder), json.dumps(options)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )


def _send_line(worker: subprocess.Popen[str]) -> None:
    assert worker.stdin is not None
    worker.stdin.write("\n")
    worker.stdin.flush()
