"""A host of an installation and its task queue, each in a process of its own until it is killed."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from textwrap import dedent
from typing import Any

from policenotify.cli import main as program
from policenotify.journal import open_journal
from policenotify.journal.clock import SystemClock
from policenotify.journal.keys import Keys
from policenotify.model.rate import Rate
from policenotify.networks.registry import configure_channel
from policenotify.publishing.installation import Installation
from policenotify.publishing.publisher import Publisher
from policenotify.testing.samples import PARIS, SENDER
from tests.support.installation import soon

RATE = "12 per 1 s, 2 at once"
_SLOW_TO_LOAD = (
    "atproto",
    "celery.bin.celery",
    "celery.apps.worker",
    "celery.concurrency.prefork",
    "policenotify.cli.commands.delivery",
    "policenotify.networks.bluesky.channel",
    "procrastinate",
    "psycopg",
    "redis",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite",
)


@dataclass(frozen=True, kw_only=True)
class Site:
    """One installation: its journal, its account on Bluesky, and the host's engine.

    Attributes:
        journal: Its path or URL.
        broker: URL of the broker, for Celery.
        every: How often the host's engine looks for itself, in seconds.
        host: The name of another host, on which it then seems to be.
        ahead: By how many seconds that host's clock is.
    """

    folder: str
    journal: str
    bluesky: Mapping[str, str]
    broker: str = ""
    every: int = 1
    host: str = ""
    ahead: float = 0

    def publisher(self) -> Publisher:
        keys = Path(self.folder) / "keys"
        if not keys.exists():
            Keys.create(secrets.token_bytes).save(keys)
        return Publisher(
            Installation(
                journal=open_journal(self.journal, keys=Keys.load(keys), create=True),
                channels=[configure_channel("bluesky", "bluesky", self.bluesky, rate=Rate.read(RATE))],
                zone=PARIS,
                sender=SENDER,
                backoff=soon,
            )
        )

    def write_settings(self) -> str:
        """Write a settings file for it and return its path."""
        account = "\n".join(f'{name} = "{value}"' for name, value in self.bluesky.items())
        told = f"""
            schema_version = 1
            sender = "{SENDER}"
            journal = "{self.journal}"
            keys = "keys"

            [channels.bluesky]
            network = "bluesky"
            rate = "{RATE}"
        """
        path = Path(self.folder) / "policenotify.toml"
        path.write_text(dedent(told) + account, encoding="utf-8")
        return str(path)

    def procrastinate(self) -> Any:
        """The host's app and its runner."""
        from procrastinate import App, PsycopgConnector  # noqa: PLC0415 - one engine in a process

        from policenotify.integrations.procrastinate import ProcrastinateRunner  # noqa: PLC0415 - the same

        app = App(connector=PsycopgConnector(conninfo=self.journal))
        return app, ProcrastinateRunner(app, self.publisher, every=timedelta(seconds=self.every))

    def celery(self) -> Any:
        """The host's app and its runner."""
        from celery import Celery  # noqa: PLC0415 - the same

        from policenotify.integrations.celery import CeleryRunner  # noqa: PLC0415 - the same

        app = Celery("host", broker=self.broker, set_as_current=False)
        app.conf.update(
            beat_schedule_filename=f"{self.folder}/beat",
            beat_max_loop_interval=1,
            broker_connection_retry_on_startup=True,
            worker_redirect_stdouts=False,
        )
        return app, CeleryRunner(app, self.publisher, every=timedelta(seconds=self.every))


def run(site: Site, runner: str) -> None:
    """Deliver until killed."""
    match runner:
        case "thread":  # of a host that does something else
            with site.publisher().worker():
                signal.pause()
        case "process":
            program(["worker", "--settings", site.write_settings()])
        case "procrastinate":
            app, _ = site.procrastinate()
            with app.open():
                app.run_worker(concurrency=2, install_signal_handlers=False, fetch_job_polling_interval=1)
        case _:
            app, _ = site.celery()
            app.worker_main(["worker", "-B", "-c", "2", "-l", "WARNING", "--without-gossip", "--without-mingle"])


class SiteProcesses:
    """A process with all loaded, of which hosts are forked: each starts in a moment, and is killed alone."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter, our own module
            [sys.executable, "-m", __name__],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "C_FORCE_ROOT": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @contextmanager
    def running(self, site: Site, runner: str) -> Iterator[int]:
        """A process that delivers and leads a group with all its children. It is killed at the end."""
        into, out = self._process.stdin, self._process.stdout
        assert into is not None
        assert out is not None
        into.write(json.dumps([asdict(site), runner]) + "\n")
        into.flush()
        process = int(out.readline())
        try:
            yield process
        finally:
            kill(process)

    def end(self) -> None:
        self._process.communicate()


def kill(process: int) -> None:
    """At once, with all that it has started."""
    with suppress(ProcessLookupError):
        while True:
            os.killpg(process, signal.SIGKILL)
            time.sleep(0.01)


def _main() -> None:
    for module in _SLOW_TO_LOAD:
        import_module(module)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no parent waits for them
    for line in sys.stdin:
        site, runner = json.loads(line)
        if (process := os.fork()) == 0:
            _be_a_host(Site(**site), runner)
        print(process, flush=True)  # noqa: T201 - how it answers


def _be_a_host(site: Site, runner: str) -> None:
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        _be_elsewhere(site)
        sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115 - for as long as the process lives
        for number, name, mode in ((0, os.devnull, os.O_RDONLY), (1, os.devnull, os.O_WRONLY)):
            os.dup2(os.open(name, mode), number)
        os.dup2(os.open(Path(site.folder) / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
        run(site, runner)
    except BaseException:  # noqa: BLE001 - a forked process must not go on in its parent's loop
        traceback.print_exc()
    os._exit(1)


def _be_elsewhere(site: Site) -> None:
    """Another host has another name, and a clock of its own."""
    if site.host:
        socket.gethostname = lambda: site.host
    right = SystemClock.now
    wrong = lambda clock: right(clock) + timedelta(seconds=site.ahead)  # noqa: E731 - a method
    SystemClock.now = wrong  # type: ignore[method-assign]


if __name__ == "__main__":
    _main()
