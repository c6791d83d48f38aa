"""Publications that are taken back while workers deliver them, with kills and cut networks.

The logs of the networks are the truth: after the call has returned, they see only what was begun before.
"""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Timer
from typing import Any, Literal

from sqlalchemy import exists, func, select

from policenotify.channel import Operation
from policenotify.delivery.batch import CHUNK
from policenotify.journal.database import schema
from policenotify.model.history import Outcome
from policenotify.publishing.publisher import Publisher
from policenotify.testing import Answer, Disconnect
from policenotify.testing.servers.http import RecordedRequest, Reply
from tests.acceptance.crash.ends import Scene, _key, _message, _until
from tests.acceptance.crash.installation_process import turn_of
from tests.acceptance.crash.mass_sms import numbers

HOW = ("withdraw", "cancel", "end", "stop", "abort")
How = Literal["withdraw", "cancel", "end", "stop", "abort"]
CHANNELS = ("x", "bluesky", "email", "sms")

_WHY = "Publié par erreur, mauvaise rue."
_POSTS = {"x": "/2/tweets", "bluesky": "/xrpc/com.atproto.repo.putRecord"}
_LATER = Answer.rate_limited(retry_after=1)
_FAULTS: tuple[tuple[float, float, Reply, bool], ...] = (  # shares of posts and of SMS
    (0.20, 0.01, Disconnect(), False),
    (0.20, 0.01, Disconnect(reset=True), True),
    (0.05, 0.00, Answer.json({"error": "InternalServerError", "message": "oh"}, 500), True),
    (0.10, 0.00, _LATER, False),
)
_UNSETTLED = (Outcome.WAITING, Outcome.SENDING)
_WORKERS = 2
_SMS_AT_ONCE = 4
_MARKED = {"email": CHUNK, "sms": _SMS_AT_ONCE}
_delivery, _publication = schema.delivery, schema.publication

Turn = tuple[int, int]
Key = tuple[str, int, int, str]
"""A channel, an incident, a point of it, and the address of a person, empty for a post."""


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What was taken back, and what was under way when the call had returned.

    Attributes:
        turns: What it concerns.
        channels: Where.
        seen_at: When that had been read.
        until: When it goes on, after a stop.
        begun: The posts whose attempt had begun, and the people who were marked.
    """

    how: How
    turns: frozenset[Turn]
    channels: tuple[str, ...]
    seen_at: datetime
    until: datetime | None
    begun: frozenset[Key]


@dataclass
class TakenBack:
    """An installation with two workers, and what is taken back."""

    played: Scene
    publisher: Publisher
    taken: list[Taken] = field(default_factory=list)
    counted: Counter[str] = field(default_factory=Counter)
    doubts: int = 0  # people who may get a message twice
    asked_later: Counter[Key] = field(default_factory=Counter)  # posts that were refused until later

    def play(self, how: How, incident: int) -> None:
        """Publish, take it back at some instant, and note what was under way then."""
        played, chance = self.played, self.played.chance
        self._disturb()
        _until(lambda: self._count(_delivery.c.has_recipients) < 3, "the lists before do not end")
        turns = [(incident, 0)]
        before = played.calls()
        self._publish(*turns[0])
        if chance.random() < 0.3:
            self._wait(before)
            turns.append((incident, 1))
            self._publish(*turns[1])
        self._wait(before)
        trouble = chance.choice(("none", "none", "kill", "cut"))
        if trouble == "kill":
            killer = Timer(chance.uniform(0, 0.03), self._kill)
            killer.start()
        elif trouble == "cut":
            played.x.refuse_connections()
            played.bluesky.refuse_connections()
        turn = chance.choice(turns)
        self._take_back(how, turn)
        self._note(how, turns, turn)
        if how == "stop":
            time.sleep(chance.uniform(0.1, 0.6))
            self.taken[-1] = replace(self.taken[-1], until=self.publisher.clock.now())
            self.publisher.resume(actor="desk")
        if trouble == "kill":
            killer.join()
            played.start("work")
        self.counted[f"{how} {trouble}"] += 1

    def _publish(self, incident: int, point: int) -> None:
        message = _message(self.publisher, incident, point)
        self.publisher.publish(message, key=_key(incident, point), actor="desk", wait=0)
        self.played.turns.append((incident, point))

    def _wait(self, before: int) -> None:
        """Wait for some calls, and for a moment."""
        chance = self.played.chance
        enough = before + chance.choice((0, 1, 2, chance.randrange(3, 80)))
        until = time.monotonic() + chance.uniform(0, 3)
        while self.played.calls() < enough and time.monotonic() < until:
            time.sleep(0.001)
        time.sleep(chance.choice((0.0, chance.uniform(0, 0.02), chance.uniform(0, 0.5))))

    def _take_back(self, how: How, turn: Turn) -> None:
        name, publisher = _key(*turn), self.publisher
        found = publisher.publication(name)
        assert found is not None
        closing_turn = (turn[0], 2)
        headline = f"Accident {turn[0]} de la rocade, point 2"
        match how:
            case "withdraw":
                publisher.withdraw(name, actor="desk", reason=_WHY, wait=0)
            case "abort":
                publisher.abort_sending(name, actor="desk", reason=_WHY)
            case "stop":
                publisher.stop(actor="desk", reason=_WHY)
            case "cancel" | "end":
                message = found.cancel(headline) if how == "cancel" else found.end(headline)
                publisher.publish(message, key=_key(*closing_turn), actor="desk", wait=0)
                self.played.turns.append(closing_turn)

    def _note(self, how: How, turns: list[Turn], turn: Turn) -> None:
        """Read what is under way now that the call has returned."""
        attempt, doubtful, begun = schema.attempt, set[Key](), set[Key]()
        has_begun = exists().where(attempt.c.delivery == _delivery.c.id, attempt.c.ended_at.is_(None))
        open_posts = (
            select(_delivery, _publication.c.key.label("turn"), has_begun.label("begun"))
            .join(_publication, _publication.c.id == _delivery.c.publication)
            .where(_delivery.c.operation == Operation.POST, ~_delivery.c.has_recipients, _delivery.c.parent.is_(None))
            .where(_delivery.c.state.in_(_UNSETTLED))
        )
        with self.played.journal.read() as connection:
            for row in connection.execute(open_posts):
                key = (row.channel, *_turn(row.turn), "")
                if row.in_doubt:
                    doubtful.add(key)
                # What waits before an end goes out before it, unless it is in doubt.
                if row.begun or (how == "end" and not row.in_doubt):
                    begun.add(key)
        marked = [(each["channel"], *each["turn"], each["address"]) for each in self.played._people(Outcome.SENDING)]
        seen_at = self.publisher.clock.now()
        of_one, of_all = frozenset({turn}), frozenset(turns)
        concerns = {"withdraw": of_one, "abort": of_one, "stop": frozenset(self.played.turns)}.get(how, of_all)
        channels = ("email", "sms") if how == "abort" else CHANNELS
        under_way = frozenset(each for each in {*begun, *marked} if each[1:3] in concerns and each[0] in channels)
        self.taken.append(
            Taken(how=how, turns=concerns, channels=channels, seen_at=seen_at, until=None, begun=under_way)
        )
        self.counted[f"{how} marked"] += sum(bool(each[3]) for each in under_way)
        self.counted[f"{how} begun"] += sum(not each[3] for each in under_way)
        self.counted[f"{how} in doubt"] += sum(each[1:3] in concerns for each in doubtful)
        for channel, at_once in _MARKED.items():
            most = at_once * _WORKERS * (1 + self.played.kills)
            self.played.must(sum(each[0] == channel for each in marked) <= most, f"{channel}: too many are marked")

    # --- trouble

    def _disturb(self) -> None:
        for server in (self.played.x, self.played.bluesky, self.played.sms):
            server.recover()
            server.disturb(self._fault_of)
        self.played.x.lag = timedelta(seconds=self.played.chance.choice((0, 15)))
        self.played.mail.recover()
        self.played.latencies()
        if self.played.chance.random() < 0.3:
            delivered = self.played.chance.random() < 0.5
            self.doubts += delivered
            self.played.mail.hang_up("DATA", delivered=delivered)

    def _fault_of(self, seen: RecordedRequest) -> tuple[Reply, bool] | None:
        drawn = self.played.chance.random()
        for of_posts, of_people, fault, effect in _FAULTS:
            drawn -= of_posts if seen.path in _POSTS.values() else of_people if "text" in seen.query else 0
            if drawn < 0:
                self.doubts += effect
                if fault is _LATER:
                    channel = next(name for name, path in _POSTS.items() if path == seen.path)
                    self.asked_later[(channel, *turn_of(seen.body.decode()), "")] += 1
                return fault, effect
        return None

    def _kill(self) -> None:
        worker = self.played.chance.choice([each for each in self.played.started if each.is_alive()])
        self.played.end(worker, signal.SIGKILL)
        self.played.kills += 1
        self.doubts += CHUNK + _SMS_AT_ONCE

    # --- what is true then

    def judge(self) -> Counter[str]:
        """Let all be settled, and return the figures. What came too late, was lost or doubled is in `Scene.wrong`."""
        played = self.played
        for server in (played.x, played.bluesky):
            server.recover()
        played.finish()
        calls = sorted(self._calls())
        for each in self.taken:
            self._nothing_is_late(each, calls)
        self._posts()
        self._people()
        self.counted["kills"] = played.kills
        return self.counted

    def _calls(self) -> Iterator[tuple[datetime, Key]]:
        """Yield all calls that publish, as the networks saw them."""
        for seen in self.played.x.requests:
            if seen.method == "POST" and seen.path == _POSTS["x"]:
                yield seen.at, ("x", *turn_of(seen.json()["text"]), "")
        for seen in self.played.bluesky.requests:
            if seen.path == _POSTS["bluesky"]:
                yield seen.at, ("bluesky", *turn_of(json.loads(seen.body)["record"]["text"]), "")
        for seen in self.played.sms.requests:
            if "text" in seen.query:
                address = "+" + seen.query["to"][0].strip(" +")
                yield seen.at, ("sms", *turn_of(seen.query["text"][0]), address)
        for mail in self.played.mail.mails:
            body = mail.message.get_body(("plain",))
            assert body is not None
            yield mail.at, ("email", *turn_of(body.get_content()), mail.recipient)

    def _nothing_is_late(self, taken: Taken, calls: list[tuple[datetime, Key]]) -> None:
        late: Counter[Key] = Counter(
            key
            for at, key in calls
            if at > taken.seen_at and (taken.until is None or at < taken.until)
            if key[0] in taken.channels and key[1:3] in taken.turns
        )
        self.counted[f"{taken.how} finished"] += late.total()
        for key, count in late.items():
            allowed = int(key in taken.begun)
            if allowed and taken.how == "end":  # it is still to go out before the end
                allowed += self.asked_later[key]
            self.counted[f"{taken.how} late"] += max(0, count - allowed)
            self.played.must(count <= allowed, f"{taken.how}: {key} came {count} times, {allowed} allowed")

    def _posts(self) -> None:
        """What readers see of each post is what its outcome is."""
        deletes = self.played.orders.on_cancellation == "delete"
        gone = {turn for each in self.taken if each.how == "withdraw" for turn in each.turns}
        if deletes:
            gone |= {turn for each in self.taken if each.how == "cancel" for turn in each.turns}
        with self.played.journal.read() as connection:
            rows = connection.execute(
                select(_delivery.c.channel, _delivery.c.state, _publication.c.key.label("turn"))
                .join(_publication, _publication.c.id == _delivery.c.publication)
                .where(_delivery.c.channel.in_(_POSTS), _delivery.c.operation == Operation.POST)
            ).all()
        for channel in _POSTS:
            shown = Counter(turn_of(post.text) for post in getattr(self.played, channel).posts)
            for row in rows:
                if row.channel != channel:
                    continue
                turn = _turn(row.turn)
                self.counted[f"{channel} {row.state}"] += 1
                final = {Outcome.POSTED, Outcome.SUPERSEDED, Outcome.DELETED, Outcome.SKIPPED}
                self.played.must(row.state in final, f"{channel} {turn}: {row.state}")
                there = shown.pop(turn, 0)
                self.played.must(
                    there == (row.state == Outcome.POSTED), f"{channel} {turn}: {row.state}, {there} times"
                )
                self.played.must(not there or turn not in gone, f"{channel} {turn}: taken back, and it is there")
            self.played.must(not shown, f"{channel}: {shown} is not in the journal")

    def _people(self) -> None:
        """Who has what: all that is told, nobody twice, and the end of an incident all who got anything of it."""
        reached, got = self.played.reached(), dict[tuple[str, Turn], set[str]]()
        again = 0
        for person in self.played._people():
            channel, turn, state = person["channel"], person["turn"], person["state"]
            have = reached[channel].pop((*turn, person["address"]), 0)
            self.counted[f"{channel} {state}"] += 1
            again += max(0, have - 1)
            if state in {Outcome.POSTED, Outcome.HELD}:
                got.setdefault((channel, turn), set()).add(person["address"])
            right = {Outcome.POSTED: have >= 1, Outcome.SUPERSEDED: have == 0, Outcome.HELD: True}
            self.played.must(right.get(state, False), f"{person}: {have} times")
        for channel, rest in reached.items():
            self.played.must(not rest, f"{channel}: {rest} is out, and not in the journal")
        self.counted["again"] = again
        self.played.must(again <= self.doubts * (self.played.orders.on_unknown == "resend"), f"{again} again")
        concerned = {turn for each in self.taken if each.how != "stop" for turn in each.turns}
        for incident in {incident for incident, _ in self.played.turns}:
            points = sorted(point for other, point in self.played.turns if other == incident)
            for channel in _MARKED:
                newest = (channel, (incident, points[-1]))
                if points[-1] == 2:
                    those = set().union(*(got.get((channel, (incident, point)), set()) for point in points[:-1]))
                elif (incident, points[-1]) not in concerned:
                    those = set(self.played.people[channel])
                else:
                    continue
                lost = those - got.get(newest, set())
                self.played.must(not lost, f"{newest}: {len(lost)} of {len(those)} are lost")

    def _count(self, *which: Any) -> int:
        open_ = select(func.count()).select_from(_delivery).where(_delivery.c.state.in_(_UNSETTLED), *which)
        with self.played.journal.read() as connection:
            return int(connection.execute(open_).scalar_one())


def _turn(key: str) -> Turn:
    _, incident, point = key.split()
    return int(incident), int(point)


def take_back(played: Scene, rounds: int) -> Counter[str]:
    """Take publications back in each way, so many times, in any order. Return the figures."""
    people = played.chance.choice((60, 200))
    played.people = {
        "email": tuple(f"lecteur{number:04d}@journal.example" for number in range(people)),
        "sms": numbers(people),
    }
    options = {**played.orders.options, "sms": {**played.orders.options["sms"], "parallel": _SMS_AT_ONCE}}
    cancels: Literal["reply", "delete"] = played.chance.choice(("reply", "delete"))
    played.orders = replace(played.orders, people=played.people, options=options, on_cancellation=cancels)
    order = [how for how in HOW for _ in range(rounds)]
    played.chance.shuffle(order)
    for worker in [played.start("work") for _ in range(_WORKERS)]:
        played.ready(worker)
    with closing(played.orders.publisher()) as publisher:
        scene = TakenBack(played, publisher)
        for incident, how in enumerate(order):
            scene.play(how, incident)  # type: ignore[arg-type]  # one of them
            played.ends += 1
        for worker in played.started:
            if worker.is_alive():
                played.end(worker)
        return scene.judge()
