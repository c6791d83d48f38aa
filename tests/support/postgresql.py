"""A PostgreSQL server for the tests, in a folder of its own that is deleted afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.ports import free_port

if TYPE_CHECKING:
    import psycopg

USER = "postgres"
APPLICATION = "application"
"""A role that has what `policenotify migrate --grant-to` grants, and owns none."""
GUARDED = "desk"
"""A role that needs a password, and comes by the loopback."""


def binaries() -> Path | None:
    """Return the folder of the newest server's programs as in Debian, else the path."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda place: float(place.parent.name))
    found = shutil.which("pg_ctl")
    return places[-1] if places else Path(found).parent if found else None


def running() -> Iterator[Server]:
    """Yield a server. Skip the test if its programs are missing."""
    programs = binaries()
    if programs is None:
        pytest.skip("there is no PostgreSQL server: apt-get install postgresql")
    pytest.importorskip("psycopg", reason="there is no driver: pip install 'policenotify[postgres]'")
    started = Server(programs)
    yield started
    started.end()


class Server:
    """One server, reached by a socket without a password, or by the loopback with one."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self.folder = Path(tempfile.mkdtemp(prefix="pn-", dir="/tmp"))  # a socket’s path is short
        self.prepare()
        # The server refuses to run as root.
        self._user = USER if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(self.folder, self._user)
        self.port = free_port()
        self._made = 0
        how = ["-E", "UTF8", "--locale=C", "--no-sync", "-A", "scram-sha-256", "--auth-local=trust"]
        self._run("initdb", "-U", USER, *how, *self.layout)
        self.start()
        self.ask(f"CREATE ROLE {APPLICATION} LOGIN")

    layout: tuple[str, ...] = ()
    """Further options of `initdb`."""
    durable = False
    """A commit outlives a crash of the server."""

    def prepare(self) -> None:
        """Do something with the folder, before the server is made there."""

    def environment(self) -> dict[str, str]:
        """Return the environment of the server's programs."""
        return dict(os.environ)

    def program(self, name: str) -> Path:
        """Return the path of one of its programs."""
        return self._programs / name

    def _run(self, program: str, *args: str) -> None:
        subprocess.run(  # noqa: S603 - the server's own programs
            [self._programs / program, "-D", self.folder / "data", *args],
            user=self._user,
            cwd=self.folder,
            env=self.environment(),
            check=True,
            stdout=subprocess.DEVNULL,
        )

    def start(self) -> None:
        settings = {
            "fsync": "off",  # nothing here outlives the tests
            "full_page_writes": "off",
            "synchronous_commit": "on" if self.durable else "off",
            "max_connections": "60",
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.folder),
            "port": str(self.port),
            "shared_buffers": "32MB",
        }
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        self._run("pg_ctl", "-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        """At once, as a power cut does."""
        self._run("pg_ctl", "-w", "-m", "immediate", "stop")

    def end(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def url(self, database: str, user: str = USER) -> str:
        return f"postgresql://{user}@/{database}?host={self.folder}&port={self.port}"

    def guarded_url(self, database: str, password: str) -> str:
        return f"postgresql://{GUARDED}:{password}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        import psycopg  # noqa: PLC0415 - without a server the driver may be missing

        return psycopg.connect(self.url(database), autocommit=True)

    def ask(self, statement: str, *values: object, database: str = "postgres") -> list[tuple[object, ...]]:
        with self.connect(database) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def database(self, template: str = "template0", more: str = "") -> str:
        """Create a database and return its name."""
        self._made += 1
        name = f"pn_{self._made}"
        self.ask(f"CREATE DATABASE {name} TEMPLATE {template} {more}")
        return name

    def drop(self, database: str) -> None:
        self.ask(f"DROP DATABASE {database} WITH (FORCE)")
