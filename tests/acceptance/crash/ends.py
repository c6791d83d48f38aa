"""Ends other than kill -9: lists cut short, processes halted past their lease, hosts of one name.

The logs of the networks are the truth.
"""

from __future__ import annotations

import itertools
import json
import os
import quopri
import random
import secrets
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import func, select

from policenotify.channel import PostRef
from policenotify.delivery.service import ended_by_signals
from policenotify.journal import leases
from policenotify.journal.clock import SystemClock
from policenotify.journal.database import schema
from policenotify.journal.database.migrate import migrate
from policenotify.journal.journal import Journal
from policenotify.journal.keys import Keys
from policenotify.journal.lists.recipients import recipient_key
from policenotify.model.cap import Severity
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.publishing.publisher import Publisher
from policenotify.testing import FakeBlueskyServer, FakeMailServer, FakeSmsServer, FakeXServer
from policenotify.testing.servers.mail import Mail
from tests.acceptance.crash.installation_process import LOST, PROCESSES, FastClock, Installation, turn_of
from tests.support.installation import accident
from tests.support.network_options import bluesky_options, mail_options, sms_options, x_options

LEASE = timedelta(seconds=40)
"""By the desks' clock, which runs ten times as fast as the wall's."""

Task = Literal["wait", "budget", "work", "publish"]
_NUMBERS = tuple(f"+336399800{number:02d}" for number in range(24))  # ARCEP: numbers reserved for fiction
_ADDRESSES = tuple(f"lecteur{number:02d}@journal.example" for number in range(24))
_AT_ONCE = {"email": len(_ADDRESSES), "sms": 5}  # people who are marked at once: a chunk of mails, `parallel` of SMS
_SETTLED = 300.0  # seconds on the wall in which all must be settled once nothing disturbs any more

_FOREVER = 3_600.0  # seconds: no process of a test is needed for longer


@dataclass(frozen=True, kw_only=True)
class Orders(Installation):
    """The task of a process, and its installation."""

    lease: timedelta = LEASE
    task: Task = "work"
    turns: tuple[tuple[int, int], ...] = ()  # incident and point of what it publishes
    seconds: float = 0.0  # its wait or budget, by its own clock
    boot: str = ""  # it runs on a host of the same name, of another boot


def obey(orders: Orders) -> None:
    """Carry orders out, in a process of its own."""
    if orders.boot:
        twin = f"{leases.host_of(leases.this_machine())}/{orders.boot}:1"
        leases.this_machine = lambda: twin  # type: ignore[assignment]  # without its cache
    with ExitStack() as stack:
        signals = stack.enter_context(ended_by_signals())
        publisher = stack.enter_context(closing(orders.publisher()))
        told = stack.enter_context((orders.folder / "receipts").open("a"))
        for turn in orders.turns:
            wait = timedelta(seconds=orders.seconds if orders.task == "wait" else 0)
            published = publisher.publish(_message(publisher, *turn), key=_key(*turn), actor="desk", wait=wait)
            if orders.task == "wait":
                _write(told, turn, published)
        if orders.task == "budget":
            publisher.drain(timedelta(seconds=orders.seconds))
            for turn in orders.turns:
                _write(told, turn, publisher.operations.publication(_key(*turn)))
        if orders.task == "work":
            with publisher.worker():
                (orders.folder / f"ready {os.getpid()}").touch()
                signals.wait(_FOREVER)
    (orders.folder / f"ended {os.getpid()}").touch()


def _write(told: Any, turn: tuple[int, int], published: Any) -> None:
    counts = {one.channel: dict(one.recipients) for one in published if one.recipients is not None}
    told.write(json.dumps([*turn, counts]) + "\n")
    told.flush()


def _key(incident: int, point: int) -> str:
    return f"turn {incident} {point}"


def _message(publisher: Publisher, incident: int, point: int) -> Any:
    headline = f"Accident {incident} de la rocade, point {point}"
    if point == 0:
        return accident(
            headline=headline,
            severity=Severity.SEVERE if incident % 2 else Severity.MODERATE,
            starts_at=publisher.installation.timer.now(),
            lifecycle=Lifecycle(stage=Stage.OPENING, incident=f"2026-{incident:04d}"),
        )
    before = publisher.operations.publication(_key(incident, point - 1))
    assert before is not None
    return before.update(headline, instruction="Évitez le secteur.", starts_at=publisher.installation.timer.now())


@dataclass
class Scene:
    """One journal, its networks, and the processes that are started on it."""

    seed: int
    orders: Orders
    journal: Journal
    x: FakeXServer
    bluesky: FakeBlueskyServer
    mail: FakeMailServer
    sms: FakeSmsServer
    chance: random.Random
    started: list[BaseProcess] = field(default_factory=list)
    people: dict[str, tuple[str, ...]] = field(default_factory=dict)  # on the lists
    turns: list[tuple[int, int]] = field(default_factory=list)
    ends: int = 0
    kills: int = 0
    wrong: list[str] = field(default_factory=list)

    # --- what happens

    def start(self, task: Task, *turns: tuple[int, int], **more: Any) -> BaseProcess:
        """Start a process."""
        people = self.people = self.people or {
            "sms": tuple(self.chance.sample(_NUMBERS, self.chance.randrange(12, 24))),
            "email": tuple(self.chance.sample(_ADDRESSES, self.chance.randrange(12, 24))),
        }
        self.turns += turns
        orders = replace(self.orders, people=people, task=task, turns=turns, **more)
        process = PROCESSES.Process(target=obey, args=(orders,))
        process.start()
        self.started.append(process)
        return process

    def end(self, process: BaseProcess, number: int = signal.SIGTERM) -> None:
        """Send a signal, and wait for the process's end."""
        assert process.pid is not None
        if number == signal.SIGTERM:
            self.ready(process)
        os.kill(process.pid, number)
        self.joined(process, code=-number if number == signal.SIGKILL else 0)

    def joined(self, process: BaseProcess, code: int = 0) -> None:
        process.join(_SETTLED)
        ended = process.exitcode in {code, LOST}
        if code == 0:
            ended = ended and (self.orders.folder / f"ended {process.pid}").exists()
        self.must(ended, f"a process ended with {process.exitcode}")

    def latencies(self) -> None:
        """The networks answer faster or slower than before."""
        self.sms.latency = self.x.latency = self.chance.uniform(0, 0.04)
        self.mail.latency = self.chance.uniform(0, 0.04)

    def ready(self, process: BaseProcess) -> None:
        """Wait until the process works."""
        _until((self.orders.folder / f"ready {process.pid}").exists, "no worker")

    def calls(self) -> int:
        return len(self.sms.messages) + len(self.mail.mails) + len(self.x.posts)

    def attempts(self) -> int:
        with self.journal.read() as connection:
            return int(connection.execute(select(func.count()).select_from(schema.attempt)).scalar_one())

    def halt(self, process: int) -> None:
        """Halt a process at some instant at which it does not hold the journal, for a file allows one writer."""
        while True:
            os.kill(process, signal.SIGSTOP)
            _until(partial(_is_halted, process), "a process does not halt")
            if not self.journal_is_locked():
                return
            os.kill(process, signal.SIGCONT)
            time.sleep(0.001)

    def journal_is_locked(self) -> bool:
        with closing(sqlite3.connect(self.orders.folder / "journal.db", timeout=0, isolation_level=None)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return True
            connection.execute("ROLLBACK")
            return False

    # --- what is true

    def must(self, holds: bool, what: str) -> None:  # noqa: FBT001 - reads as an assertion
        if not holds:
            self.wrong.append(f"seed {self.seed}, {self.ends} ends: {what}")

    def reached(self) -> dict[str, Counter[tuple[int, int, str]]]:
        """Return how often each recipient has each post, by channel."""
        mails: Counter[tuple[int, int, str]] = Counter()
        for mail in self.mail.mails:
            mails[(*turn_of_mail(mail), mail.recipient)] += 1
        return {"sms": Counter((*turn_of(one.text), one.to) for one in self.sms.messages), "email": mails}

    def check_receipts(self) -> None:
        """Check that receipts equal what the networks have, except for the recipient under way."""
        path = self.orders.folder / "receipts"
        if not path.exists():
            return
        reached = self.reached()
        for line in path.read_text().splitlines():
            incident, point, counts = json.loads(line)
            for channel, people in counts.items():
                have = sum(count for (i, p, _), count in reached[channel].items() if (i, p) == (incident, point))
                posted, sending = people.get("posted", 0), people.get("sending", 0)
                self.must(posted <= have <= posted + sending, f"{channel} {incident}.{point}: {people}, and {have} are")
                self.must(not {"held", "unconfirmed"} & people.keys(), f"{channel} {incident}.{point}: {people}")
        path.unlink()

    def check_no_doubts(self) -> None:
        """Check that after an end other than a kill each recipient is posted or waits, as the networks have it."""
        reached = self.reached()
        for person in self._people():
            have = reached[person["channel"]][(*person["turn"], person["address"])]
            doubtful = person["in_doubt"] or person["state"] in {Outcome.SENDING, Outcome.HELD}
            self.must(not doubtful, f"{person}: in doubt")
            self.must(have == (person["state"] == Outcome.POSTED), f"{person}: {have} times")

    def finish(self) -> None:
        """Let a last worker deliver what is left, and judge all."""
        self.sms.latency = self.x.latency = self.mail.latency = 0
        self.mail.recover()
        last = self.start("work")
        _until(lambda: not self.journal.publications.unfinished_ids() or self._only_held(), "there is no end to it")
        self.end(last)

    def _only_held(self) -> bool:
        table = schema.delivery
        with self.journal.read() as connection:
            some = select(table.c.id).where(table.c.state.in_([Outcome.WAITING, Outcome.SENDING])).limit(1)
            return connection.execute(some).first() is None

    def judge(self, *, kills: int = 0, halts: int = 0) -> Counter[str]:
        """Return the figures. A kill or a halt leaves at most those in doubt who were marked at once.

        So many processes were halted past their lease. One that is halted between the check of the lease and the answer
        sends late, which the guarantees state.
        """
        reached, counted = self.reached(), Counter[str]()
        again, held = Counter[str](), Counter[str]()
        for person in self._people():
            have = reached[person["channel"]].pop((*person["turn"], person["address"]), 0)
            counted[f"{person['channel']} {person['state']}"] += 1
            held[person["channel"]] += person["state"] == Outcome.HELD
            again[person["channel"]] += max(0, have - 1)
            match person["state"]:
                case Outcome.POSTED:
                    self.must(have >= 1, f"{person}: lost")
                case Outcome.SUPERSEDED:
                    self.must(have == 0, f"{person}: out, and called superseded")
                case Outcome.HELD:
                    pass
                case _:
                    self.must(holds=False, what=f"{person}: never sent")
        for channel, rest in reached.items():
            self.must(not rest, f"{channel}: {rest} is out, and not in the journal")
        for channel, at_once in _AT_ONCE.items():
            doubts = at_once * (kills + halts)
            self.must(held[channel] + again[channel] <= doubts, f"{channel}: {held} held, {again} again, of {doubts}")
        resends = self.orders.on_unknown == "resend"
        self.must(resends or not again.total(), f"{again} again though what is in doubt is held")
        self._all_are_on_their_lists()
        self._posts_are_out_once(counted, halts)
        assert not self.wrong, "\n".join(self.wrong)
        return counted + Counter({f"{channel} again": count for channel, count in again.items()})

    def _people(self, *states: Outcome) -> Iterator[dict[str, Any]]:
        """Yield the people of all lists, or those in one of these states."""
        addresses = {recipient_key(self.journal.keys, each): each for each in itertools.chain(*self.people.values())}
        recipient, one, said, person = schema.recipient, schema.delivery, schema.publication, schema.person
        query = (
            select(one.c.channel, said.c.key.label("turn"), person.c.key, recipient.c.state, recipient.c.in_doubt)
            .join(one, one.c.id == recipient.c.delivery)
            .join(person, person.c.id == recipient.c.person)
            .join(said, said.c.id == one.c.publication)
        )
        if states:
            query = query.where(recipient.c.state.in_(states))
        with self.journal.read() as connection:
            rows = connection.execute(query).all()
        for row in rows:
            _, incident, point = row.turn.split()
            yield {
                "channel": row.channel,
                "turn": (int(incident), int(point)),
                "address": addresses[row.key],
                "state": row.state,
                "in_doubt": row.in_doubt,
            }

    def _all_are_on_their_lists(self) -> None:
        """Each post goes to people of its list, and the last one of an incident, which none supersedes, to all."""
        have: dict[tuple[int, int, str], set[str]] = {}
        for person in self._people():
            have.setdefault((*person["turn"], person["channel"]), set()).add(person["address"])
        last = {incident: max(point for other, point in self.turns if other == incident) for incident, _ in self.turns}
        for (incident, point), (channel, people) in itertools.product(self.turns, self.people.items()):
            reached = have.get((incident, point, channel), set())
            is_right = reached == set(people) if point == last[incident] else reached <= set(people)
            self.must(is_right, f"{channel} {incident}.{point}: its list")

    def _posts_are_out_once(self, counted: Counter[str], halts: int) -> None:
        """On X, which can be asked: what the journal calls posted is out once, and nothing else is.

        A second copy is of an attempt of a halted process, which began before another one took the post over.
        """
        table = schema.delivery
        with self.journal.read() as connection:
            rows = connection.execute(select(table.c.state, table.c.ref).where(table.c.channel == "x")).all()
        refs = Counter(PostRef.read(row.ref).id for row in rows if row.state == Outcome.POSTED)
        counted |= Counter(f"x {row.state}" for row in rows)
        out = Counter(post.id for post in self.x.posts)
        marks = Counter(turn_of(post.text) for post in self.x.posts)
        late = {mark: copies - 1 for mark, copies in marks.items() if copies > 1}
        counted["x again"] += sum(late.values())
        self.must(refs <= out and (out - refs).total() == sum(late.values()), f"x: {len(refs)} posted, {len(out)} out")
        tried = self._owners_of_attempts() if late else {}
        self.must(all(len(tried[_key(*mark)]) > again for mark, again in late.items()), f"x: {late} are out again")
        self.must(sum(late.values()) <= halts, f"x: {late} are out again after {halts} halts")
        final = {Outcome.POSTED, Outcome.SUPERSEDED}
        self.must({row.state for row in rows} <= final, f"x: {Counter(row.state for row in rows)}")

    def _owners_of_attempts(self) -> dict[str, set[str]]:
        """Return which processes tried each publication on X, by its key."""
        tried, one, said = schema.attempt, schema.delivery, schema.publication
        query = (
            select(said.c.key, tried.c.owner)
            .join(one, one.c.id == tried.c.delivery)
            .join(said, said.c.id == one.c.publication)
            .where(one.c.channel == "x")
        )
        owners: dict[str, set[str]] = {}
        with self.journal.read() as connection:
            for row in connection.execute(query):
                owners.setdefault(row.key, set()).add(row.owner)
        return owners


def turn_of_mail(mail: Mail) -> tuple[int, int]:
    """Return what `turn_of` does of a mail's plain text. The library's parser takes forty times as long."""
    return turn_of(quopri.decodestring(mail.raw).decode())


def _is_halted(process: int) -> bool:
    """Return whether all threads are stopped (proc_pid_stat(5)): the signal does not wait for that."""
    tasks = [path.read_text("utf-8", "replace") for path in Path(f"/proc/{process}/task").glob("*/stat")]
    return all(stat.rpartition(")")[2].split()[0] == "T" for stat in tasks)


def _until(true: Any, otherwise: str) -> None:
    until = time.monotonic() + _SETTLED
    while not true():
        assert time.monotonic() < until, otherwise
        time.sleep(0.01)


@contextmanager
def scene(
    folder: Path, seed: int, on_unknown: Literal["resend", "hold"], *channels: str, fast: bool, url: str = ""
) -> Iterator[Scene]:
    """Yield an installation without a publication, with its journal in a file or in the empty database at *url*."""
    start = datetime.now(UTC)
    now = FastClock(start).now if fast else SystemClock().now
    folder.mkdir()
    with ExitStack() as stack:
        x, bluesky, mail, sms = (
            stack.enter_context(FakeXServer(now=now)),
            stack.enter_context(FakeBlueskyServer("police34.example", now=now)),
            stack.enter_context(FakeMailServer(now=now)),
            stack.enter_context(FakeSmsServer(now=now)),
        )
        x.posts_left, x.duplicate_window = 100_000, timedelta(0)  # it takes a second one
        bluesky.logins_left = bluesky.points_left = 100_000
        keys = Keys.create(secrets.token_bytes)
        keys.save(folder / "keys")
        options: dict[str, dict[str, Any]] = {
            "x": x_options(x),
            "bluesky": bluesky_options(bluesky),
            "email": mail_options(mail),
            "sms": sms_options(sms),
        }
        if url:
            migrate(url, keys=keys)
        orders = Orders(
            folder=folder,
            url=url,
            start=start,
            options={name: {"timeout": 5.0, **options[name]} for name in channels},
            on_unknown=on_unknown,
            people={},
            fast=fast,
        )
        journal = orders.make_journal()
        stack.callback(journal.close)
        played = Scene(seed, orders, journal, x, bluesky, mail, sms, random.Random(seed))  # noqa: S311 - no secret is made
        try:
            yield played
        finally:
            for process in played.started:
                if process.is_alive():
                    process.kill()


# --- the kinds of ends


def cut_lists(played: Scene, task: Task, ends: int, number: int = signal.SIGTERM) -> Counter[str]:
    """End processes in the middle of lists: by a signal, by the wait of a publish, by the budget of a drain."""
    killed = number == signal.SIGKILL
    incident = point = 0
    for _ in range(ends):
        if point == 2 or played.chance.random() < 0.6:  # what follows goes to who is on the list now, and was before
            incident, point = incident + 1, 0
        played.latencies()
        turn = (incident, point)
        if task == "work":
            process = played.start("work", turn)
            before = played.calls()
            enough, until = played.chance.randrange(1, 40), time.monotonic() + 4
            while played.calls() < before + enough and time.monotonic() < until:
                time.sleep(0.002)
            time.sleep(played.chance.uniform(0, 0.02))
            played.end(process, number)
        else:
            played.joined(played.start(task, turn, seconds=played.chance.uniform(0.05, 0.8)))
        played.ends += 1
        point += 1
        if not killed:
            played.check_receipts()
            played.check_no_doubts()
    played.finish()
    return played.judge(kills=ends * killed)


def halt(played: Scene, ends: int) -> Counter[str]:
    """Halt a worker past its lease while another one goes on, then wake it."""
    lease = LEASE.total_seconds() / 10
    other = played.start("work")
    for number in range(ends):
        played.latencies()
        halted = played.start("work")
        played.ready(halted)
        before = played.attempts()
        assert halted.pid is not None
        assert other.pid is not None
        played.halt(other.pid)  # so that it is the first that takes it; it is woken within its lease
        played.joined(played.start("publish", (number, 0)))
        until = time.monotonic() + 5
        while played.attempts() == before and time.monotonic() < until:
            time.sleep(0.0005)
        time.sleep(played.chance.choice((0.0, 0.0, played.chance.uniform(0, 0.1))))
        played.halt(halted.pid)
        os.kill(other.pid, signal.SIGCONT)
        time.sleep(lease * 1.1)
        _until(played._only_held, "the other does not go on")
        os.kill(halted.pid, signal.SIGCONT)
        time.sleep(0.1)
        played.end(halted)
        played.ends += 1
    played.end(other)
    played.finish()
    return played.judge(halts=ends)


def twins(played: Scene, ends: int) -> Counter[str]:
    """Let two hosts of one name work on one journal, and kill one of them now and then."""
    # No lease ends meanwhile, however long a busy machine keeps a process waiting: only who was killed is taken over.
    machines = [{"boot": boot, "lease": timedelta(hours=1)} for boot in ("first-boot", "second-boot")]
    alive = [played.start("work", **each) for each in machines]
    kills = 0
    for number in range(ends):
        played.latencies()
        before = played.calls()
        published = played.start("publish", (number, 0), **machines[number % 2])
        if played.chance.random() < 0.25:
            _until(lambda before=before: played.calls() > before, "nobody delivers")
            time.sleep(played.chance.uniform(0, 0.2))
            which = played.chance.randrange(2)
            played.end(alive[which], signal.SIGKILL)
            kills += 1
            alive[which] = played.start("work", **machines[which])
        played.joined(published)
        _until(played._only_held, "there is no end to it")
        played.ends += 1
    for process in alive:
        played.end(process)
    played.finish()
    with played.journal.read() as connection:
        taken = connection.execute(
            select(func.count()).select_from(schema.event).where(schema.event.c.kind == "interrupted")
        ).scalar_one()
    played.must(taken <= 3 * kills, f"{taken} take-overs, {kills} kills")
    return played.judge(kills=kills) + Counter(kills=kills, takeovers=taken)
