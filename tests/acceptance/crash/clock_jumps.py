"""An installation whose clock is set at random instants, beside networks with right clocks."""

from __future__ import annotations

import random
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from policenotify.channel import ChannelConfig, Operation, SupportsSend
from policenotify.journal.keys import Keys
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.receipt import Receipt
from policenotify.networks.registry import configure_channel
from policenotify.publishing.publisher import Publisher
from policenotify.testing import Answer, Disconnect, FakeBlueskyServer, FakeClock, FakeMastodonServer, FakeXServer
from policenotify.testing.servers.http import RecordedRequest, Reply
from tests.support.installation import accident, open_journal_publisher
from tests.support.network_options import bluesky_options, mastodon_options, x_options

Kind = Literal["delay", "between", "waiting", "window"]
KINDS: tuple[Kind, ...] = ("delay", "between", "waiting", "window")
NETWORKS = ("x", "mastodon", "gotosocial", "bluesky")

_START = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
_CALL: Mapping[str, tuple[str, str]] = {
    "x": ("POST", "/2/tweets"),
    "mastodon": ("POST", "/api/v1/statuses"),
    "gotosocial": ("POST", "/api/v1/statuses"),
    "bluesky": ("POST", "/xrpc/com.atproto.repo.putRecord"),
}
_LEAST, _MOST = 3.0, 6 * 3600.0  # seconds by which the clock is set
_SOON = timedelta(milliseconds=1)
_LEASE = timedelta(minutes=2)
_ROUNDS = 120
_PATIENCE = timedelta(minutes=45)  # the longest waits, one after another; who waits longer waits for the old time


@dataclass
class Scene:
    """One installation, one network, and one clock that is set once."""

    kind: Kind
    network: str
    sign: int
    seed: int
    server: Any
    clock: FakeClock
    publisher: Publisher
    chance: random.Random
    jumped: float = 0.0
    counted: Counter[str] = field(default_factory=Counter)

    # --- what happens

    def play(self) -> None:
        """Publish, cut, set the clock, and go on until all is settled."""
        several = self.chance.randrange(2, 6) if self.kind == "waiting" else self.chance.randrange(1, 3)
        for number in range(several):
            self._trouble()
            if self.kind == "between" and number == several - 1 and self.chance.random() < 0.5:
                self._jump_within_the_next_call(_CALL[self.network][1])
            killed = self.kind != "waiting" and self.chance.random() < 0.3
            self._publish(number, tries=not killed)
            if killed:
                self._killed()
        if self.kind == "delay":
            self._pass(self.chance.uniform(0, 28), jumps_after=self.chance.uniform(0, 28))
        elif self.kind == "window":
            self.server.disturb(lambda seen: (Answer(500), False) if seen.path == _CALL[self.network][1] else None)
            minutes = self.chance.uniform(30, 75)
            self._pass(60 * minutes, jumps_after=self.chance.uniform(0, 60 * minutes))
            self.server.recover()
        elif self.chance.random() < 0.3:
            self._jump_within_the_next_call("")
        else:
            self._pass(self.chance.uniform(0, 60), jumps_after=0.0)
        self._settle()
        for number in range(several):
            self.publisher.publish(
                self.publisher.operations.incident(f"I{number}").end(f"Fin de l'accident {number} de la rocade"),
                key=f"end {number}",
                actor="desk",
                wait=timedelta(0),
            )
        self._settle()

    def _trouble(self) -> None:
        """Script the result of the next call."""
        if self.kind == "waiting":
            self.server.fail_next(*_CALL[self.network], Answer.rate_limited(retry_after=self.chance.randrange(5, 600)))
            return
        fault: Reply = self.chance.choice((Disconnect(), Disconnect(reset=True), Answer(500)))
        out = self.chance.random() < 0.6
        self.counted["cut after it was taken" if out else "cut before"] += 1
        self.server.fail_next(*_CALL[self.network], fault, effect=out)

    def _publish(self, number: int, *, tries: bool) -> None:
        message = accident(
            headline=f"Accident {number} de la rocade",
            lifecycle=Lifecycle(stage=Stage.OPENING, incident=f"I{number}"),
        )
        self.publisher.publish(message, key=f"opening {number}", actor="desk", wait=timedelta(0))
        if tries:
            self.publisher.drain(_SOON)

    def _killed(self) -> None:
        """Claim the next delivery as a process that may have sent it and was killed. Its lease must run out."""
        journal, how = self.publisher.journal, self.publisher.installation.channel_configs[self.network]
        claimed = journal.deliveries.claim(how.name, "elsewhere:1/boot/7/7/slot", lease=_LEASE)
        if (
            claimed is None
            or claimed.in_doubt
            or claimed.operation is not Operation.POST
            or claimed.request is not None
        ):
            return
        self.counted["killed"] += 1
        channel = how.open(self.clock, journal.channels.state_store(how.name))
        assert isinstance(channel, SupportsSend)
        assert claimed.standalone is not None
        request = channel.prepare(claimed.standalone, ())
        journal.deliveries.begin(claimed, request, "standalone")
        try:
            channel.send(request)
        except Exception:  # noqa: BLE001 - a killed process reports nothing
            self.counted["killed in doubt"] += 1
        finally:
            channel.close()

    def _jump(self) -> None:
        if not self.jumped:
            self.jumped = self.sign * _LEAST * (_MOST / _LEAST) ** self.chance.random()
            self.clock.jump(self.jumped)

    def _jump_within_the_next_call(self, path: str) -> None:
        def within(seen: RecordedRequest) -> None:
            if seen.path.startswith(path):
                self._jump()

        self.server.disturb(within)

    def _pass(self, seconds: float, *, jumps_after: float) -> None:
        """Let time pass by, from what is due to what is due next, and set the clock somewhere on the way."""
        until, jumps_at = self.clock.monotonic() + seconds, self.clock.monotonic() + jumps_after
        while (left := until - self.clock.monotonic()) > 0.001:
            due = self.publisher.drain(_SOON)
            step = left if due is None else min(left, max(0.5, (due - self.clock.now()).total_seconds()))
            if not self.jumped and self.clock.monotonic() + step >= jumps_at:
                self.clock.pass_by(max(0.0, jumps_at - self.clock.monotonic()))
                self._jump()
                continue
            self.clock.pass_by(step)

    def _settle(self) -> None:
        """Go on until nothing waits any more, except what waits for the old time."""
        began = self.clock.monotonic()
        for _ in range(_ROUNDS):
            due = self.publisher.drain(_SOON)
            if due is None:
                break
            self.clock.pass_by(max(0.5, (due - self.clock.now()).total_seconds() + self.chance.uniform(0, 2)))
            waited = timedelta(seconds=self.clock.monotonic() - began)
            assert waited < _PATIENCE, f"{self}: something has waited for {waited}"
        self._jump()  # at the latest now

    def __str__(self) -> str:
        return f"{self.network}, {self.kind}, set by {self.jumped:.0f} s, seed {self.seed}"

    # --- what is true then

    def judge(self) -> Counter[str]:
        """Return the figures. Raise `AssertionError` if a post was lost or doubled or a receipt is false."""
        key = "uri" if self.network == "bluesky" else "id"
        posts = {str(getattr(post, key)): post.text for post in self.server.posts}
        wrong = []
        for name, receipt in self._receipts():
            mark = f"accident {name.rpartition(' ')[2]} de la rocade"
            there = [
                post
                for post, text in posts.items()
                if mark in text.casefold() and text.startswith("✅") == name.startswith("end")
            ]
            self.counted[str(receipt.outcome)] += 1
            if len(there) > 1:
                wrong.append(f"{name} doubled: {there}")
            if receipt.outcome is Outcome.POSTED and [receipt.ref and receipt.ref.id] != there:
                wrong.append(f"{name} posted: {receipt.ref}, and there is {there}")
            elif receipt.outcome is not Outcome.POSTED and there:
                wrong.append(f"{name} is out, and its receipt says {receipt}")
            elif receipt.outcome is not Outcome.POSTED and not self._may_be_silent(name, receipt):
                wrong.append(f"{name} lost: {receipt}")
        assert not wrong, f"{self}:\n" + "\n".join(wrong)
        return self.counted

    def _may_be_silent(self, name: str, receipt: Receipt) -> bool:
        """Check expired deliveries: only a clock set forward lets an opening expire."""
        return name.startswith("opening") and receipt.outcome is Outcome.SUPERSEDED

    def _receipts(self) -> Iterator[tuple[str, Receipt]]:
        for published in self.publisher.journal.publications.latest(100):
            for receipt in published:
                yield str(published.key), receipt


@contextmanager
def scene(folder: Path, kind: Kind, network: str, sign: int, seed: int) -> Iterator[Scene]:
    """Yield an installation without a publication."""
    clock = FakeClock(_START, run="the machine")

    def theirs() -> datetime:
        return _START + timedelta(seconds=clock.monotonic())

    with ExitStack() as stack:
        server, channel = _network(stack, network, theirs)
        keys = Keys.create(secrets.token_bytes)
        publisher = stack.enter_context(open_journal_publisher(folder / f"{seed}.db", keys, channel, clock=clock))
        publisher.journal.deliveries.recover()
        yield Scene(kind, network, sign, seed, server, clock, publisher, random.Random(seed))  # noqa: S311 - no secret


def _network(stack: ExitStack, network: str, now: Any) -> tuple[Any, ChannelConfig]:
    server: Any
    if network == "x":
        server = stack.enter_context(FakeXServer(now=now))
        server.lag = timedelta(seconds=5)
        server.duplicate_window = timedelta(0)  # nothing but looking keeps a post from being there twice
        server.posts_left = 10_000
        options = x_options(server)
        return server, configure_channel("x", "x", {**options, "timeout": 2.0})
    if network == "bluesky":
        server = stack.enter_context(FakeBlueskyServer("police34.example", now=now))
        server.logins_left = server.points_left = 10_000
        options = bluesky_options(server)
        return server, configure_channel(network, "bluesky", {**options, "timeout": 2.0})
    software: Any = network
    server = stack.enter_context(FakeMastodonServer(now=now, software=software))
    options = mastodon_options(server)
    return server, configure_channel(network, "mastodon", {**options, "timeout": 2.0})
