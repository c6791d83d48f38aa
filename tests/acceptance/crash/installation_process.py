"""An installation in a process of its own, which publishes and delivers until it is killed."""

from __future__ import annotations

import gc
import multiprocessing
import os
import re
import secrets
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any, Literal

from policenotify.channel import ChannelConfig
from policenotify.journal import open_journal
from policenotify.journal.clock import SystemClock
from policenotify.journal.journal import Journal
from policenotify.journal.keys import Keys
from policenotify.model.cap import Severity
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.message import Message
from policenotify.model.receipt import Publication
from policenotify.networks.registry import configure_channel
from policenotify.publishing.publisher import Publisher
from tests.support.audiences import listed
from tests.support.installation import accident, open_journal_publisher

PEOPLE: Mapping[str, tuple[str, ...]] = {
    "email": ("redaction@journal.example", "standard@mairie.example", "t.dupont@habitant.example"),
    "sms": ("+33639980001", "+33639980002", "+33639980003"),  # ARCEP: numbers reserved for fiction
}
SPEED = 10
"""How much faster time runs here than on the wall: what waits half a minute is found out in three seconds."""

_TURNS = (Stage.OPENING, Stage.UPDATE, Stage.UPDATE, Stage.END)
_SIDE_BY_SIDE = 3  # incidents that are open at once
_FOREVER = timedelta(hours=1)
_NOWHERE: Mapping[str, dict[str, Any]] = {
    "x": {
        "handle": "police34",
        **dict.fromkeys(("consumer_key", "consumer_secret", "access_token", "access_token_secret"), "1-nothing"),
        "service": "http://127.0.0.1:9",
    },
    "bluesky": {"handle": "police34.example", "password": "abcd-efgh-ijkl-mnop", "service": "http://127.0.0.1:9"},
    "email": {"url": "mailto://127.0.0.1:9/?from=alerte@police34.example&mode=insecure"},
    "sms": {"url": "form://127.0.0.1:9/?method=GET&:to={recipient}"},
}
_SLOW_TO_LOAD = (
    "apprise",
    "atproto_client.models.dot_dict",
    "atproto",
    "tweepy",
    "requests_oauthlib",
    "sqlalchemy.dialects.sqlite",
)


PROCESSES = multiprocessing.get_context("forkserver")
"""Forks processes from one that has loaded everything, so that each starts in a moment."""
PROCESSES.set_forkserver_preload(["tests.acceptance.crash.ends", "tests.acceptance.crash.preloaded"])

LOST = 255
"""The exit code of a process whose own the fork server has lost, as happens (multiprocessing.popen_forkserver)."""


class FastClock(SystemClock):
    """The machine's clock, running faster since *start*, the same in all processes and fake servers."""

    def __init__(self, start: datetime) -> None:
        self._start = start

    def now(self) -> datetime:
        return self._start + SPEED * (super().now() - self._start)

    def monotonic(self) -> float:
        return SPEED * super().monotonic()

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds / SPEED)


@dataclass(frozen=True, kw_only=True)
class Installation:
    """The settings that all processes of one journal share."""

    folder: Path
    start: datetime
    options: Mapping[str, dict[str, Any]]
    on_unknown: Literal["resend", "hold"]
    on_cancellation: Literal["reply", "delete"] = "reply"
    people: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: PEOPLE)
    url: str = ""  # of its journal, if that is not in a file
    fast: bool = True  # time runs faster than on the wall; else a process has its five seconds to end
    lease: timedelta = timedelta(minutes=3)

    @property
    def returned(self) -> Path:
        """Which publications `publish` has returned, a number on each line: it survives a kill, as the journal must."""
        return self.folder / "returned"

    @property
    def journal(self) -> str:
        return self.url or str(self.folder / "journal.db")

    @property
    def keys(self) -> Keys:
        return Keys.load(self.folder / "keys")

    @property
    def clock(self) -> SystemClock:
        return FastClock(self.start) if self.fast else SystemClock()

    def make_journal(self) -> Journal:
        """Make the journal, as `policenotify init` does. On a server it must be there."""
        return open_journal(self.journal, keys=self.keys, clock=self.clock, create=not self.url)

    def publisher(self) -> Publisher:
        channels = [self._channel(network) for network in self.options]
        how: dict[str, Any] = {"clock": self.clock, "lease": self.lease, "backoff": _backoff, "create": False}
        return open_journal_publisher(self.journal, self.keys, *channels, **how)

    def _channel(self, network: str) -> ChannelConfig:
        return configure_channel(
            network,
            network,
            self.options[network],
            audiences=listed(network, partial(self.people.__getitem__, network)) if network in self.people else (),
            on_unknown=self.on_unknown,
            on_cancellation=self.on_cancellation if network in {"x", "bluesky"} else "reply",
        )


def _backoff(age: timedelta) -> timedelta:
    return min(max(age / 4, timedelta(seconds=1)), timedelta(seconds=8))


@dataclass(frozen=True)
class Turn:
    """One publication of the plan: a turn of an incident."""

    number: int

    @property
    def incident(self) -> int:
        block, place = divmod(self.number, _SIDE_BY_SIDE * len(_TURNS))
        return block * _SIDE_BY_SIDE + place % _SIDE_BY_SIDE

    @property
    def sequence(self) -> int:
        return self.number % (_SIDE_BY_SIDE * len(_TURNS)) // _SIDE_BY_SIDE

    @property
    def stage(self) -> Stage:
        taken_back = self.incident % 5 == 4
        return Stage.CANCELLATION if _TURNS[self.sequence] is Stage.END and taken_back else _TURNS[self.sequence]

    @property
    def key(self) -> str:
        return f"turn {self.number}"

    @property
    def headline(self) -> str:
        return f"Accident {self.incident} de la rocade, point {self.sequence}"

    def message(self, publisher: Publisher, start: datetime) -> Message:
        """Return the message, the same in every process and at every time."""
        if self.stage is Stage.OPENING:
            severity = Severity.SEVERE if self.incident % 3 == 0 else Severity.MODERATE
            life = Lifecycle(stage=Stage.OPENING, incident=f"2026-{self.incident:04d}")
            return accident(headline=self.headline, severity=severity, starts_at=start, lifecycle=life)
        before = publisher.operations.publication(Turn(self.number - _SIDE_BY_SIDE).key)
        assert before is not None, f"{self.key}: what it goes on from was never journalled"
        says: dict[Stage, Callable[[Publication], Message]] = {
            Stage.UPDATE: lambda said: said.update(self.headline, instruction="Évitez le secteur.", starts_at=start),
            Stage.END: lambda said: said.end(self.headline),
            Stage.CANCELLATION: lambda said: said.cancel(self.headline),
        }
        return says[self.stage](before)


def turn_of(text: str) -> tuple[int, int]:
    """Return incident and sequence of a text that contains a headline of the plan."""
    found = re.search(r"accident (\d+) de la rocade, point (\d+)", " ".join(text.split()), re.IGNORECASE)
    assert found is not None, text
    return int(found[1]), int(found[2])


def work(installation: Installation, first: int, last: int, *, until_done: bool) -> None:
    """Publish a part of the plan and deliver until killed, or with *until_done* until nothing is due any more."""
    returned = os.open(installation.returned, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    with closing(installation.publisher()) as publisher:
        Thread(target=publisher.drain, args=(_FOREVER,), daemon=True).start()  # beside it, as a worker does
        for number in range(first, last):
            turn = Turn(number)
            waits = timedelta(seconds=number % 2)
            publisher.publish(turn.message(publisher, installation.start), key=turn.key, actor="desk", wait=waits)
            os.write(returned, f"{number}\n".encode())
        while publisher.drain(_FOREVER) is not None or not until_done:
            assert publisher.installation.timer.now() < installation.start + _FOREVER, "there is no end to it"
            publisher.installation.timer.sleep(0.5)


def warm_up() -> None:
    """Load and compile all modules once for the processes forked from this one. Nothing is sent."""
    for module in _SLOW_TO_LOAD:
        import_module(module)
    for network in _NOWHERE:  # all their modules: some are loaded only when something is sent
        package = import_module(f"policenotify.networks.{network}")
        for found in walk_packages(package.__path__, f"{package.__name__}."):
            import_module(found.name)
    with TemporaryDirectory() as folder:
        Keys.create(secrets.token_bytes).save(Path(folder) / "keys")
        start = datetime.now(UTC)
        nowhere = Installation(folder=Path(folder), start=start, options=_NOWHERE, on_unknown="hold")
        nowhere.make_journal().close()
        with closing(nowhere.publisher()) as publisher:
            for number in range(0, 12, 3):
                turn = Turn(number)
                publisher.publish(turn.message(publisher, start), key=turn.key, actor="desk", wait=timedelta(0))
    gc.collect()
    gc.freeze()  # what is loaded stays: no child goes through it again
