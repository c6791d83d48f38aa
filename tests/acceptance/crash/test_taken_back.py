"""After a call that takes something back has returned, networks see only what was begun before.

Workers are killed and networks are cut meanwhile. The logs of the networks are the truth.
"""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Timer
from typing import Literal

import pytest
from sqlalchemy import exists, func, select

from policenotify.channel import CHUNK, Operation
from policenotify.journal.database import schema
from policenotify.model.history import Outcome
from policenotify.model.message import Message
from policenotify.publishing.publisher import Publisher
from policenotify.testing import Answer, Disconnect
from policenotify.testing.servers.http import RecordedRequest, Reply
from tests.acceptance.crash.ends import Scene, _key, _message, _until, scene, turn_of_mail
from tests.acceptance.crash.installation_process import turn_of
from tests.support.figures import survived
from tests.support.postgresql import Server, running

SEED = int(os.environ.get("POLICENOTIFY_CRASH_SEED", "2026"))
HOW = ("withdraw", "cancel", "end", "stop", "abort")
CANCELS: tuple[Literal["reply", "delete"], ...] = ("reply", "delete")
ON_UNKNOWN: tuple[Literal["hold", "resend"], ...] = ("hold", "resend")
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
_FINAL = {Outcome.POSTED, Outcome.SUPERSEDED, Outcome.DELETED, Outcome.SKIPPED}
_WORKERS = 2
_MARKED = {"email": CHUNK, "sms": 4}
_delivery, _publication = schema.delivery, schema.publication

Turn = tuple[int, int]
Key = tuple[str, int, int, str]
"""A channel, an incident, a point of it, and the address of a person, empty for a post."""


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What was taken back, and what was under way when the call had returned."""

    how: str
    turns: frozenset[Turn]
    channels: tuple[str, ...]
    seen_at: datetime
    begun: frozenset[Key]  # posts whose attempt had begun, and people who were marked
    until: datetime | None = None  # when it goes on, after a stop


@dataclass
class TakenBack:
    """An installation with two workers, and what is taken back."""

    played: Scene
    publisher: Publisher
    taken: list[Taken] = field(default_factory=list)
    counted: Counter[str] = field(default_factory=Counter)
    doubts: int = 0  # people who may get a message twice
    asked_later: Counter[Key] = field(default_factory=Counter)  # posts that were refused until later

    def play(self, how: str, incident: int) -> None:
        """Publish, take it back at some instant, and note what was under way then."""
        played, chance = self.played, self.played.chance
        self._disturb()
        _until(lambda: self._open_lists() < 3, "the lists before do not end")
        turns, before = [(incident, point) for point in range(chance.choice((1, 1, 2)))], played.calls()
        for point in turns:
            self._publish(_message(self.publisher, *point), point)
            self._wait(before)
        trouble = chance.choice(("none", "none", "kill", "cut"))
        if trouble == "kill":
            killer = Timer(chance.uniform(0, 0.03), self._kill)
            killer.start()
        elif trouble == "cut":
            played.x.refuse_connections()
            played.bluesky.refuse_connections()
        self._take_back(how, turn := chance.choice(turns))
        self._note(how, turns, turn)
        if how == "stop":
            time.sleep(chance.uniform(0.1, 0.6))
            self.taken[-1] = replace(self.taken[-1], until=self.publisher.installation.timer.now())
            self.publisher.operations.resume(actor="desk")
        if trouble == "kill":
            killer.join()
            played.start("work")
        self.counted[f"{how} {trouble}"] += 1

    def _publish(self, message: Message, turn: Turn) -> None:
        self.publisher.publish(message, key=_key(*turn), actor="desk", wait=0)
        self.played.turns.append(turn)

    def _wait(self, before: int) -> None:
        """Wait for some calls, and for a moment."""
        chance = self.played.chance
        enough = before + chance.choice((0, 1, 3, chance.randrange(5, 40), chance.randrange(5, 80)))
        until = time.monotonic() + chance.uniform(0, 3)
        while self.played.calls() < enough and time.monotonic() < until:
            time.sleep(0.001)
        time.sleep(chance.choice((0.0, chance.uniform(0, 0.02), chance.uniform(0, 0.5))))

    def _take_back(self, how: str, turn: Turn) -> None:
        name, publisher = _key(*turn), self.publisher
        found = publisher.operations.publication(name)
        assert found is not None
        headline = f"Accident {turn[0]} de la rocade, point 2"
        match how:
            case "withdraw":
                publisher.withdraw(name, actor="desk", reason=_WHY, wait=0)
            case "abort":
                publisher.operations.abort_sending(name, actor="desk", reason=_WHY)
            case "stop":
                publisher.operations.stop(actor="desk", reason=_WHY)
            case _:
                message = found.cancel(headline) if how == "cancel" else found.end(headline)
                self._publish(message, (turn[0], 2))

    def _note(self, how: str, turns: list[Turn], turn: Turn) -> None:
        """Read what is under way now that the call has returned."""
        attempt, begun = schema.attempt, set[Key]()
        of_one, of_all = frozenset({turn}), frozenset(turns)
        concerns = {"withdraw": of_one, "abort": of_one, "stop": frozenset(self.played.turns)}.get(how, of_all)
        has_begun = exists().where(attempt.c.delivery == _delivery.c.id, attempt.c.ended_at.is_(None))
        open_posts = (
            select(_delivery, _publication.c.key.label("turn"), has_begun.label("begun"))
            .join(_publication, _publication.c.id == _delivery.c.publication)
            .where(_delivery.c.operation == Operation.POST, ~_delivery.c.has_recipients, _delivery.c.parent.is_(None))
            .where(_delivery.c.state.in_(_UNSETTLED))
        )
        with self.played.journal.read() as connection:
            for row in connection.execute(open_posts):
                self.counted[f"{how} in doubt"] += row.in_doubt and _turn(row.turn) in concerns
                # What waits before an end goes out before it, unless it is in doubt.
                if row.begun or (how == "end" and not row.in_doubt):
                    begun.add((row.channel, *_turn(row.turn), ""))
        marked = [(each["channel"], *each["turn"], each["address"]) for each in self.played._people(Outcome.SENDING)]
        seen_at = self.publisher.installation.timer.now()
        channels = ("email", "sms") if how == "abort" else CHANNELS
        under_way = frozenset(each for each in {*begun, *marked} if each[1:3] in concerns and each[0] in channels)
        self.taken.append(Taken(how=how, turns=concerns, channels=channels, seen_at=seen_at, begun=under_way))
        self.counted[f"{how} marked"] += sum(bool(each[3]) for each in under_way)
        self.counted[f"{how} begun"] += sum(not each[3] for each in under_way)
        for channel, at_once in _MARKED.items():
            most = at_once * _WORKERS * (1 + self.played.kills)
            self.played.must(sum(each[0] == channel for each in marked) <= most, f"{channel}: too many are marked")

    def _open_lists(self) -> int:
        lists = select(func.count()).where(_delivery.c.has_recipients, _delivery.c.state.in_(_UNSETTLED))
        with self.played.journal.read() as connection:
            return int(connection.execute(lists).scalar_one())

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
                    channel = "x" if seen.path == _POSTS["x"] else "bluesky"
                    self.asked_later[(channel, *turn_of(seen.body.decode()), "")] += 1
                return fault, effect
        return None

    def _kill(self) -> None:
        worker = self.played.chance.choice([each for each in self.played.started if each.is_alive()])
        self.played.kills += 1  # before it: what it marked is counted from now on, and another worker goes on at once
        self.doubts += sum(_MARKED.values())
        self.played.end(worker, signal.SIGKILL)

    # --- what is true then

    def judge(self) -> Counter[str]:
        """Let all be settled, and return the figures. What came too late, was lost or doubled is in `Scene.wrong`."""
        self.played.x.recover()
        self.played.bluesky.recover()
        self.played.finish()
        self._nothing_is_late()
        self._readers_have_what_receipts_state()
        self._people_have_what_receipts_state()
        self.counted["kills"] = self.played.kills
        return self.counted

    def _calls(self) -> Iterator[tuple[datetime, Key]]:
        """Yield all calls that publish, as the networks saw them."""
        for seen in self.played.x.requests:
            if seen.method == "POST" and seen.path == _POSTS["x"]:
                yield seen.at, ("x", *turn_of(seen.json()["text"]), "")
        for seen in self.played.bluesky.requests:
            if seen.path == _POSTS["bluesky"]:
                yield seen.at, ("bluesky", *turn_of(seen.json()["record"]["text"]), "")
        for seen in self.played.sms.requests:
            if "text" in seen.query:
                yield seen.at, ("sms", *turn_of(seen.query["text"][0]), "+" + seen.query["to"][0].strip(" +"))
        for mail in self.played.mail.mails:
            yield mail.at, ("email", *turn_of_mail(mail), mail.recipient)

    def _nothing_is_late(self) -> None:
        calls = sorted(self._calls())
        for taken in self.taken:
            late = Counter(
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

    def _readers_have_what_receipts_state(self) -> None:
        deleting = {"withdraw", "cancel"} if self.played.orders.on_cancellation == "delete" else {"withdraw"}
        gone = {turn for each in self.taken if each.how in deleting for turn in each.turns}
        shown = Counter((name, *turn_of(post.text)) for name in _POSTS for post in getattr(self.played, name).posts)
        query = select(_delivery.c.channel, _delivery.c.state, _publication.c.key.label("turn"))
        query = query.join(_publication, _publication.c.id == _delivery.c.publication)
        query = query.where(_delivery.c.channel.in_(_POSTS), _delivery.c.operation == Operation.POST)
        with self.played.journal.read() as connection:
            for row in connection.execute(query):
                turn = _turn(row.turn)
                there = shown.pop((row.channel, *turn), 0)
                self.counted[f"{row.channel} {row.state}"] += 1
                right = row.state in _FINAL and there == (row.state == Outcome.POSTED)
                right = right and not (there and turn in gone)
                self.played.must(right, f"{row.channel} {turn}: {row.state}, and {there} are there")
        self.played.must(not shown, f"{shown} is not in the journal")

    def _people_have_what_receipts_state(self) -> None:
        """All that holds, nobody twice, and the end of an incident all who got anything of it."""
        played, again = self.played, 0
        reached, got = played.reached(), dict[tuple[str, int, int], set[str]]()
        for person in played._people():
            channel, turn, state = person["channel"], person["turn"], person["state"]
            have = reached[channel].pop((*turn, person["address"]), 0)
            self.counted[f"{channel} {state}"] += 1
            again += max(0, have - 1)
            if state in {Outcome.POSTED, Outcome.HELD}:
                got.setdefault((channel, *turn), set()).add(person["address"])
            right = {Outcome.POSTED: have >= 1, Outcome.SUPERSEDED: have == 0, Outcome.HELD: True}
            played.must(right.get(state, False), f"{person}: {have} times")
        played.must(not any(reached.values()), f"{reached} is out, and not in the journal")
        self.counted["again"] = again
        played.must(again <= self.doubts * (played.orders.on_unknown == "resend"), f"{again} again")
        taken = {turn for each in self.taken if each.how != "stop" for turn in each.turns}
        newest = dict(sorted(played.turns))  # the last point of each incident
        for channel, (incident, point) in itertools.product(_MARKED, newest.items()):
            those = set(played.people[channel])
            if point == 2:
                those = got.get((channel, incident, 0), set()) | got.get((channel, incident, 1), set())
            if (incident, point) not in taken:
                lost = those - got.get((channel, incident, point), set())
                played.must(not lost, f"{channel} {incident}.{point}: {len(lost)} of {len(those)} are lost")


def _turn(key: str) -> Turn:
    _, incident, point = key.split()
    return int(incident), int(point)


def _take_back(played: Scene, rounds: int) -> Counter[str]:
    """Take publications back in each way, so many times, in any order. Return the figures."""
    telephones = tuple(f"+3363998{number:04d}" for number in range(played.chance.choice((40, 120))))
    played.people = {"email": tuple(f"lecteur{each[1:]}@journal.example" for each in telephones), "sms": telephones}
    options = {**played.orders.options, "sms": {**played.orders.options["sms"], "parallel": _MARKED["sms"]}}
    cancels = played.chance.choice(CANCELS)
    played.orders = replace(played.orders, people=played.people, options=options, on_cancellation=cancels)
    order = [how for how in HOW for _ in range(rounds)]
    played.chance.shuffle(order)
    for worker in [played.start("work") for _ in range(_WORKERS)]:
        played.ready(worker)
    with closing(played.orders.publisher()) as publisher:
        taken = TakenBack(played, publisher)
        for incident, how in enumerate(order):
            taken.play(how, incident)
            played.ends += 1
        for worker in filter(BaseProcess.is_alive, played.started):
            played.end(worker)
        return taken.judge()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    yield from running()


def _run(folder: Path, scenes: int, rounds: int, server: Server | None) -> None:
    """Play scenes, two at once, with so many rounds of each kind."""
    urls = [server.url(server.database()) if server else "" for _ in range(scenes)]

    def one(number: int) -> tuple[Counter[str], list[str]]:
        place, on_unknown = folder / str(number), ON_UNKNOWN[number % 2]
        with scene(place, SEED + number, on_unknown, *CHANNELS, fast=True, url=urls[number]) as played:
            return _take_back(played, rounds), played.wrong

    counted, wrong = Counter[str](), list[str]()
    with ThreadPoolExecutor(2) as threads:
        for figures, faults in threads.map(one, range(scenes)):
            counted += figures
            wrong += faults
    survived(f"taken back, {'PostgreSQL' if server else 'SQLite'}", scenes * rounds * len(HOW), counted, len(wrong))
    assert not wrong, f"{len(wrong)} faults:\n" + "\n".join(wrong[:40])
    assert sum(counted[f"{how} marked"] + counted[f"{how} in doubt"] for how in HOW), "nothing was under way"


@pytest.mark.parametrize("on_server", [False, True], ids=["sqlite", "postgresql"])
@pytest.mark.parametrize(
    ("scenes", "rounds"),
    [pytest.param(2, 1, marks=pytest.mark.crash), pytest.param(10, 10, marks=pytest.mark.deep)],
    ids=["some", "hundreds"],
)
def test_nothing_is_sent_once_it_is_taken_back(
    tmp_path: Path, scenes: int, rounds: int, request: pytest.FixtureRequest, *, on_server: bool
) -> None:
    _run(tmp_path, scenes, rounds, request.getfixturevalue("server") if on_server else None)
