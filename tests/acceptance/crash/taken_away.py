"""A journal taken away at random instants under a worker, and put back when the worker has ended."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from signal import SIGKILL

from policenotify.cli.exit_codes import Exit
from policenotify.journal import open_journal
from policenotify.journal.keys import Keys
from tests.acceptance.crash.installation_process import Turn
from tests.acceptance.crash.kills import Scene, scene
from tests.acceptance.crash.process_pool import ProcessPool, process_pool

_SUFFIXES = ("", "-wal", "-shm")
_NEW = 3  # turns that are published before each worker starts
_UNDER_WAY = {"x": 2, "bluesky": 2, "sms": 2 * 3}
"""How many posts may still arrive after the journal is gone: what the two slots of a channel were just sending."""
_WORKER = "tests.acceptance.crash.watched_worker"
_NOBODY = 65534


@dataclass
class TakenAway:
    """A scene whose journal is taken away."""

    scene: Scene
    workers: ProcessPool
    done: Counter[str] = field(default_factory=Counter)
    _other: bool = False  # another journal was put in place of the right one

    @property
    def journal(self) -> Path:
        return self.scene.installation.journal

    def take_away(self) -> None:
        """Publish something, start a worker, take the journal away at some instant, and put it back."""
        ways: dict[str, Callable[[], None]] = {
            "deleted": self._delete,
            "another": self._replace_by_another,
            "copy": self._replace_by_a_copy,
            "log": lambda: self._beside("-wal").unlink(),
            "read-only": lambda: None,
        }
        way = self.scene.chance.choice(list(ways))
        self.scene._disturb()
        self.publish(_NEW)
        if way == "read-only":
            self._make_read_only()
        else:
            self._take_away(way, ways[way])
        self.done[way] += 1

    def publish(self, count: int) -> None:
        """Publish the next turns of the plan without delivering."""
        installation = self.scene.installation
        with closing(installation.publisher()) as publisher:
            first = self.scene.next_turn
            for number in range(first, first + count):
                turn = Turn(number)
                message = turn.message(publisher, installation.start)
                publisher.publish(message, key=turn.key, actor="desk", wait=timedelta(0))
                with installation.returned.open("a", encoding="ascii") as returned:
                    returned.write(f"{number}\n")

    def _take_away(self, way: str, does: Callable[[], None]) -> None:
        alarms = self._alarms()
        self.workers.start(str(alarms), 0)
        self._wait()
        for suffix in _SUFFIXES:
            os.link(self._beside(suffix), self._beside(f"{suffix}.kept"))
        does()
        arrived = self._arrived()
        assert self.workers.wait() == Exit.TAKEN_AWAY, self._named(way)
        lines = alarms.read_text("utf-8").splitlines()
        told = [line for line in lines if "has ended without a word" not in line]  # of workers killed before
        assert len(told) == 1, f"{self._named(way)}: {told}"
        assert "while it was in use. This process sends nothing more." in told[0]
        for network, most in _UNDER_WAY.items():
            more = self._arrived()[network] - arrived[network]
            assert more <= most, f"{self._named(way)}: {more} posts on {network} after the journal was gone"
        if self._other:
            self._nothing_is_in_the_other()
        for suffix in _SUFFIXES:
            self._beside(suffix).unlink(missing_ok=True)
            if suffix != "-shm":
                os.link(self._beside(f"{suffix}.kept"), self._beside(suffix))
            self._beside(f"{suffix}.kept").unlink()

    def _make_read_only(self) -> None:
        """Deny writing: a running worker goes on or waits, a new one sends nothing, and no alarm is raised."""
        folder, alarms = self.scene.installation.folder, self._alarms()
        user = _NOBODY if os.geteuid() == 0 else 0
        self._give_to(user or os.geteuid())
        worker = self.workers.start(str(alarms), user)
        self._wait()
        modes = {path: path.stat().st_mode for path in (folder, *folder.glob("journal.db*"))}
        for path in modes:
            path.chmod(0o500 if path == folder else 0o400)
        time.sleep(self.scene.chance.uniform(0, 0.5))
        os.kill(worker, SIGKILL)  # until it is waited for, no other process gets its number
        assert self.workers.wait() == -SIGKILL, alarms.read_text("utf-8")
        arrived = self._arrived()
        worker = self.workers.start(str(alarms), user)
        time.sleep(1)
        os.kill(worker, SIGKILL)
        assert self.workers.wait() in {-SIGKILL, Exit.NO_JOURNAL}
        assert self._arrived() == arrived
        for path, mode in modes.items():
            path.chmod(mode)
        self._give_to(os.geteuid())
        assert "while it was in use" not in alarms.read_text("utf-8")

    def _give_to(self, user: int) -> None:
        folder = self.scene.installation.folder
        for path in (folder, *folder.iterdir()):
            os.chown(path, user, -1)

    def _delete(self) -> None:
        for suffix in _SUFFIXES:
            self._beside(suffix).unlink()

    def _replace_by_another(self) -> None:
        self._delete()
        keys = Keys.load(self.scene.installation.folder / "keys")
        open_journal(str(self.journal), keys=keys, create=True).close()
        self._other = True

    def _replace_by_a_copy(self) -> None:
        copy = self._beside(".copy")
        shutil.copy(self.journal, copy)
        copy.replace(self.journal)

    def _nothing_is_in_the_other(self) -> None:
        self._other = False
        with closing(sqlite3.connect(self.journal)) as other:
            for table in ("pn_publication", "pn_delivery", "pn_attempt", "pn_runner", "pn_channel", "pn_event"):
                assert other.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table  # noqa: S608 - ours

    def _wait(self) -> None:
        """Until some instant: the worker has the journal open, and has perhaps delivered something."""
        until = time.monotonic() + self.scene.chance.uniform(0.1, 2)
        enough = self.scene._asked() + self.scene.chance.randrange(12)
        opened = time.monotonic() + 20
        while not self._beside("-shm").exists() and time.monotonic() < opened:
            time.sleep(0.005)
        while self.scene._asked() < enough and time.monotonic() < until:
            time.sleep(0.005)
        time.sleep(self.scene.chance.uniform(0, 0.1))

    def _arrived(self) -> dict[str, int]:
        """Return what readers have by now."""
        scene = self.scene
        return {"x": len(scene.x.posts), "bluesky": len(scene.bluesky.posts), "sms": len(scene.sms.messages)}

    def _beside(self, suffix: str) -> Path:
        return self.journal.with_name(f"{self.journal.name}{suffix}")

    def _alarms(self) -> Path:
        place = self.scene.installation.folder / f"alarms {self.done.total()}"
        place.touch()
        return place

    def _named(self, way: str) -> str:
        return f"seed {self.scene.seed}, {way} after {self.done.total()}"


@contextmanager
def taken_away(folder: Path, seed: int) -> Iterator[TakenAway]:
    """An installation without a publication, and its workers."""
    with scene(folder, seed, "hold", repeats=True) as played, process_pool(played.installation, _WORKER) as forked:
        yield TakenAway(played, forked)
