"""Posts deleted by hand: between publications, and between a failed attempt and its retry.

One installation, three networks and one clock that does not move, so that what readers see when a post arrives is
known exactly.
"""

from __future__ import annotations

import random
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from policenotify.channel import Channel, Post, PostRef
from policenotify.delivery.attempt import DeliveryAttempt
from policenotify.journal import open_journal
from policenotify.journal.database import schema
from policenotify.journal.keys import Keys
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.message import Message
from policenotify.model.receipt import Publication, Receipt
from policenotify.networks.registry import configure_channel
from policenotify.publishing.installation import Installation
from policenotify.publishing.publisher import Publisher
from policenotify.testing import Answer, Disconnect, FakeBlueskyServer, FakeMastodonServer
from policenotify.testing.fakes import FakeClock
from policenotify.testing.samples import PARIS, SENDER
from policenotify.testing.servers.http import Reply
from tests.acceptance.crash.installation_process import turn_of
from tests.support.installation import accident
from tests.support.network_options import bluesky_options

SOFTWARE = ("bluesky", "gotosocial", "mastodon")

_LEASE = timedelta(minutes=3)
_INCIDENTS = 3
_MOST_UPDATES = 4
_DELETES = 0.35  # how often a post is deleted, after each step
_FAILS = 0.5  # how often an attempt goes wrong
_HOURS = 0.2  # how often a retry comes hours later
_LIMIT = 60  # attempts of one publication
_WRITE, _READ = 0, 1
_PLACES: dict[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "bluesky": (("POST", "/xrpc/com.atproto.repo.putRecord"), ("GET", "/xrpc/com.atproto.repo.getRecord")),
    "mastodon": (("POST", "/api/v1/statuses"), ("GET", "/api/v1/statuses/*")),
    "gotosocial": (("POST", "/api/v1/statuses"), ("GET", "/api/v1/statuses/*")),
}
_FAULTS: tuple[tuple[int, Reply, bool], ...] = (
    (_WRITE, Answer.rate_limited(retry_after=60), False),
    (_WRITE, Answer.json({"error": "InternalServerError", "message": "oh"}, 500), False),
    (_WRITE, Answer.json({"error": "InternalServerError", "message": "oh"}, 500), True),
    (_WRITE, Disconnect(), False),
    (_WRITE, Disconnect(reset=True), True),
    (_WRITE, Disconnect("half"), True),
    (_READ, Answer.json({"error": "InternalServerError", "message": "oh"}, 500), False),
    (_READ, Disconnect(), False),
    (_READ, Answer.html("<h1>Portal</h1>"), False),
)


@dataclass(frozen=True)
class Landed:
    """A post at the moment at which it was published.

    Attributes:
        seen: Readers see it.
        newest: The newest earlier post of its incident that readers see, if any.
    """

    id: str
    text: str
    parent: str | None
    seen: bool
    newest: str | None


@dataclass
class Hands:
    """One installation, and an operator who deletes posts."""

    seed: int
    publisher: Publisher
    clock: FakeClock
    servers: dict[str, Any]
    channels: dict[str, Channel]
    chance: random.Random
    landed: dict[str, dict[str, Landed]] = field(default_factory=lambda: {name: {} for name in SOFTWARE})
    counted: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def play(self) -> str:
        """Publish some incidents, and return the figures. Raises `AssertionError` where readers miss anything."""
        for incident in range(_INCIDENTS):
            self._incident(incident)
        self._judge()
        told = "\n".join(self.wrong)
        assert not told, f"seed {self.seed}:\n{told}"
        return f"seed {self.seed}: " + ", ".join(f"{name} {count}" for name, count in sorted(self.counted.items()))

    def _incident(self, incident: int) -> None:
        life = Lifecycle(stage=Stage.OPENING, incident=f"2026-{incident:04d}")
        headline = f"Accident {incident} de la rocade, point"
        at = self.clock.now()
        said = self._publish(incident, 0, accident(headline=f"{headline} 0", starts_at=at, lifecycle=life))
        updates = self.chance.randrange(_MOST_UPDATES + 1)
        for sequence in range(1, updates + 1):
            said = self._publish(incident, sequence, said.update(f"{headline} {sequence}", starts_at=at))
        last = said.cancel if self.chance.random() < 0.2 else said.end
        self._publish(incident, updates + 1, last(f"{headline} {updates + 1}"))

    def _publish(self, incident: int, sequence: int, message: Message) -> Publication:
        self.clock.pass_by(60)
        self._delete(incident)
        key = f"{incident}.{sequence}"
        said = self.publisher.publish(message, key=key, actor="desk", wait=0)
        for name in SOFTWARE:
            for _ in range(_LIMIT):
                if self._attempted(name, incident):
                    break
            else:
                self.wrong.append(f"{name} {key}: there is no end to it")
        return said

    def _attempted(self, name: str, incident: int) -> bool:
        """Make the next attempt on a channel. Return True when none is left."""
        journal = self.publisher.journal
        due = journal.deliveries.due([name]).get(name)
        if due is None:
            return True
        if due > (now := self.clock.now()):
            self.clock.pass_by((due - now).total_seconds())
        claimed = journal.deliveries.claim(name, "desk/1", lease=_LEASE)
        if claimed is None:
            return False
        if self.chance.random() < _FAILS:
            place, fault, effect = self.chance.choice(_FAULTS)
            self.servers[name].fail_next(*_PLACES[name][place], fault, effect=effect)
        attempts = DeliveryAttempt(
            journal=journal,
            channel=self.channels[name],
            config=self.publisher.installation.channel_configs[name],
            clock=self.clock,
            lease=_LEASE,
            backoff=lambda _: timedelta(minutes=1),
        )
        attempts.run(claimed)
        self.counted["attempts"] += 1
        self.servers[name].recover()
        self._notice(name)
        self._delete(incident)
        if self.chance.random() < _HOURS and claimed.not_after is None:  # what expires would not be sent any more
            self.clock.pass_by(self.chance.uniform(60, 7200))
        return False

    def _notice(self, name: str) -> None:
        """Remember how readers see what is new."""
        posts, profile = _posts(self.servers[name]), _ids(self.servers[name].profile)
        for number, (id_, text, parent) in enumerate(posts):
            if id_ in self.landed[name]:
                continue
            incident, _ = turn_of(text)
            before = [other for other, words, _ in posts[:number] if turn_of(words)[0] == incident and other in profile]
            self.landed[name][id_] = Landed(id_, text, parent, id_ in profile, before[-1] if before else None)

    def _delete(self, incident: int) -> None:
        """Delete some posts of the incident, but none whose attempt is still in doubt."""
        for name, receipt in self._receipts(incident):
            if receipt.ref is None or receipt.outcome is not Outcome.POSTED or self.chance.random() >= _DELETES / 3:
                continue
            if receipt.ref.id in {id_ for id_, *_ in _posts(self.servers[name])}:
                self.servers[name].remove(receipt.ref.id)
                self.counted[f"{name} deleted"] += 1

    def _receipts(self, incident: int) -> Iterator[tuple[str, Receipt]]:
        for sequence in range(_MOST_UPDATES + 2):
            said = self.publisher.operations.publication(f"{incident}.{sequence}")
            for receipt in said or ():
                yield receipt.channel, receipt

    # --- what is true in the end

    def _judge(self) -> None:
        with self.publisher.journal.read() as connection:
            query = select(schema.delivery, schema.publication.c.key.label("said")).join(
                schema.publication, schema.publication.c.id == schema.delivery.c.publication
            )
            rows = connection.execute(query).all()
        receipts = {
            receipt.delivery: receipt for incident in range(_INCIDENTS) for _, receipt in self._receipts(incident)
        }
        for name in SOFTWARE:
            copies = Counter(turn_of(landed.text) for landed in self.landed[name].values())
            again = {mark: count for mark, count in copies.items() if count > 1}
            self._must(not again, f"{name}: said more than once: {again}")
        for row in rows:
            self._judge_one(row, receipts[row.id])

    def _judge_one(self, row: Any, receipt: Receipt) -> None:
        named = f"{row.channel} {row.said} ({row.attempts} attempts)"
        self.counted[f"{row.channel} {receipt.outcome}"] += 1
        self._must(receipt.outcome is Outcome.POSTED, f"{named}: lost, {receipt}")
        if receipt.outcome is not Outcome.POSTED:
            return
        landed = self.landed[row.channel].get(PostRef.read(row.ref).id)
        if landed is None:
            self._must(holds=False, what=f"{named}: lost, the receipt names {row.ref}")
            return
        incident, sequence = turn_of(landed.text)
        self._must(f"{incident}.{sequence}" == row.said, f"{named}: the receipt names another post")
        self._must(landed.seen, f"{named}: nobody saw it")
        self._must(landed.parent == landed.newest, f"{named}: hangs under {landed.parent}, not {landed.newest}")
        alone = landed.parent is None and not row.said.endswith(".0")
        self._must(receipt.standalone is alone, f"{named}: standalone is stated as {receipt.standalone}")
        wording = row.standalone if landed.parent is None or row.reply is None else row.reply
        self._must(_words(Post.read(wording).text) == _words(landed.text), f"{named}: it has the other wording")
        self.counted[f"{row.channel} alone"] += alone

    def _must(self, holds: bool, what: str) -> None:  # noqa: FBT001 - reads as an assertion
        if not holds:
            self.wrong.append(what)


def _posts(server: FakeBlueskyServer | FakeMastodonServer) -> list[tuple[str, str, str | None]]:
    return [(_id(post), post.text, post.parent) for post in server.posts]


def _ids(posts: Iterable[Any]) -> set[str]:
    return set(map(_id, posts))


def _id(post: Any) -> str:
    return str(post.uri if hasattr(post, "uri") else post.id)


def _words(text: str) -> str:
    return " ".join(text.split())


@contextmanager
def hands(folder: Path, seed: int, start: datetime) -> Iterator[Hands]:
    """Yield an installation on Bluesky, GoToSocial and Mastodon."""
    clock = FakeClock(start)
    with ExitStack() as stack:
        bluesky = stack.enter_context(FakeBlueskyServer("police34.example", now=clock.now))
        gotosocial = stack.enter_context(FakeMastodonServer(software="gotosocial", now=clock.now))
        mastodon = stack.enter_context(FakeMastodonServer(now=clock.now))
        bluesky.logins_left = bluesky.points_left = 100_000
        servers = {"bluesky": bluesky, "gotosocial": gotosocial, "mastodon": mastodon}
        options: dict[str, dict[str, Any]] = {
            "bluesky": bluesky_options(bluesky),
            **{
                name: {"handle": server.handle, "token": server.token, "server": server.url}
                for name, server in (("gotosocial", gotosocial), ("mastodon", mastodon))
            },
        }
        ready = [
            configure_channel(name, "bluesky" if name == "bluesky" else "mastodon", {**options[name], "timeout": 2.0})
            for name in SOFTWARE
        ]
        journal = open_journal(
            str(folder / "journal.db"), keys=Keys.create(secrets.token_bytes), clock=clock, create=True
        )
        publisher = stack.enter_context(
            Publisher(Installation(journal=journal, channels=ready, zone=PARIS, sender=SENDER, clock=clock))
        )
        channels = {how.name: how.open(clock, journal.channels.state_store(how.name)) for how in ready}
        for channel in channels.values():
            stack.callback(channel.close)
        yield Hands(seed, publisher, clock, servers, channels, random.Random(seed))  # noqa: S311 - a test's dice
