"""Random failures of the networks, a process killed at random instants, and its successor."""

from __future__ import annotations

import random
import secrets
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Literal

from policenotify.journal.keys import Keys
from policenotify.testing import (
    Answer,
    Disconnect,
    FakeBlueskyServer,
    FakeMailServer,
    FakeSmsServer,
    FakeXServer,
    NoResponse,
)
from policenotify.testing.servers.http import RecordedRequest, Reply
from tests.acceptance.crash.installation_process import LOST, PROCESSES, FastClock, Installation, work
from tests.support.network_options import bluesky_options, mail_options, sms_options, x_options
from tests.support.patience import short

_TIMEOUT = min(short(0.5), 3.0)  # of the clients, in seconds on the wall: a server that answers is never too slow
_HANGS = NoResponse(2 * _TIMEOUT)
_LAGS = timedelta(seconds=15)  # half of what the network X waits before it believes that a post is not there
_SHARE = 0.6  # of the processes publish something before they are killed
_AGAIN = 2  # turns that each process publishes again, like a caller without an answer
_NEW = 2  # and turns that are new

_FAULTS: tuple[tuple[float, Reply, bool], ...] = (
    (0.05, Answer.rate_limited(retry_after=1), False),
    (0.04, Answer.json({"error": "InternalServerError", "message": "oh"}, 500), False),
    (0.02, Answer.json({"error": "InternalServerError", "message": "oh"}, 500), True),
    (0.04, _HANGS, True),
    (0.03, _HANGS, False),
    (0.04, Disconnect(reset=True), True),
    (0.02, Disconnect("half"), True),
    (0.03, Disconnect(), False),
)


@dataclass
class Scene:
    """One journal, its networks, and what was done to them."""

    seed: int
    installation: Installation
    x: FakeXServer
    bluesky: FakeBlueskyServer
    mail: FakeMailServer
    sms: FakeSmsServer
    chance: random.Random
    kills: int = 0
    mail_doubts: int = 0  # mails that were taken with a cut connection in place of the answer
    sms_doubts: Counter[tuple[str, str]] = field(default_factory=Counter)  # by number and text

    @property
    def next_turn(self) -> int:
        """The first turn that `publish` has not returned for."""
        if not self.installation.returned.exists():
            return 0
        whole, _, _ = self.installation.returned.read_bytes().rpartition(b"\n")
        return max((int(line) for line in whole.split()), default=-1) + 1

    def kill_one(self) -> None:
        """Start a process and kill it at some instant."""
        self._disturb()
        first = self.next_turn
        process = self._start(max(0, first - _AGAIN), first + _NEW, until_done=False)
        self._wait()
        assert process.is_alive(), f"seed {self.seed}: a desk died by itself, after {self.kills} kills"
        process.kill()
        process.join()
        self.kills += 1

    def _start(self, first: int, last: int, *, until_done: bool) -> BaseProcess:
        """Start a process that publishes these turns."""
        process = PROCESSES.Process(
            target=work, args=(self.installation, first, last), kwargs={"until_done": until_done}, daemon=True
        )
        process.start()
        return process

    def _wait(self) -> None:
        """Wait until a publication has returned or so many calls were made, and then a moment."""
        until = time.monotonic() + self.chance.uniform(0.2, 3)
        if self.chance.random() < _SHARE:
            returned = self.next_turn
            while self.next_turn == returned and time.monotonic() < until:
                time.sleep(0.005)
        else:
            enough = self._asked() + self.chance.randrange(10)
            while self._asked() < enough and time.monotonic() < until:
                time.sleep(0.005)
        time.sleep(self.chance.uniform(0, 0.1))

    def _asked(self) -> int:
        return sum(len(server.requests) for server in (self.x, self.bluesky, self.sms)) + self.mail.sessions

    def finish(self) -> None:
        """Let the networks recover, and a last process publish and deliver what is left."""
        for server in (self.x, self.bluesky, self.sms, self.mail):
            server.recover()
        first = self.next_turn
        turns = 12  # the plan ends where all incidents of a block have ended
        process = self._start(max(0, first - _AGAIN), -(-(first + 1) // turns) * turns, until_done=True)
        process.join()
        assert process.exitcode in {0, LOST}, f"seed {self.seed}: the last desk did not finish"

    def _disturb(self) -> None:
        for server in (self.x, self.bluesky, self.sms):
            server.disturb(self._fault_of)
        self.mail.recover()
        for _ in range(self.chance.randrange(3)):
            match self.chance.randrange(6):
                case 0:
                    self.mail.hang_up("DATA", delivered=True, silence=2 * _TIMEOUT)
                    self.mail_doubts += 1
                case 1:
                    self.mail.hang_up("DATA", delivered=True)
                    self.mail_doubts += 1
                case 2:
                    self.mail.hang_up("DATA", silence=2 * _TIMEOUT)
                case 3:
                    self.mail.hang_up(self.chance.choice(("MAIL", "RCPT", "DATA")))
                case 4:
                    self.mail.refuse("*", 451, "4.7.1 come back later", times=2)
                case _:
                    self.mail.fail_next("MAIL", 421, "4.3.0 the server is broken")

    def _fault_of(self, seen: RecordedRequest) -> tuple[Reply, bool] | None:
        drawn = self.chance.random()
        for share, fault, effect in _FAULTS:
            drawn -= share
            if drawn < 0:
                if effect and "text" in seen.query:
                    self.sms_doubts[seen.query["to"][0], seen.query["text"][0]] += 1
                return fault, effect
        return None


@contextmanager
def scene(folder: Path, seed: int, on_unknown: Literal["resend", "hold"], *, repeats: bool) -> Iterator[Scene]:
    """Yield an installation without a publication. With *repeats* X takes the same text as often as it is sent."""
    start = datetime.now(UTC)
    now = FastClock(start).now
    with ExitStack() as stack:
        x, bluesky = (
            stack.enter_context(FakeXServer(now=now)),
            stack.enter_context(FakeBlueskyServer("police34.example", now=now)),
        )
        mail, sms = stack.enter_context(FakeMailServer(now=now)), stack.enter_context(FakeSmsServer())
        x.lag, x.posts_left = _LAGS, 100_000
        bluesky.logins_left = bluesky.points_left = 100_000
        if repeats:
            x.duplicate_window = timedelta(0)
        Keys.create(secrets.token_bytes).save(folder / "keys")
        options = {
            "x": x_options(x),
            "bluesky": bluesky_options(bluesky),
            "email": mail_options(mail),
            "sms": sms_options(sms),
        }
        installation = Installation(
            folder=folder,
            start=start,
            options={name: {"timeout": _TIMEOUT, **given} for name, given in options.items()},
            on_unknown=on_unknown,
        )
        installation.make_journal().close()
        yield Scene(seed, installation, x, bluesky, mail, sms, random.Random(seed))  # noqa: S311 - no secret is made
