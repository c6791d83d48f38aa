"""A journal for each test, and other processes on the same one."""

from __future__ import annotations

import secrets
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from policenotify.journal import open_journal
from policenotify.journal.database.migrate import migrate
from policenotify.journal.database.postgresql import grants
from policenotify.journal.journal import Journal
from policenotify.journal.keys import Keys
from policenotify.testing.fakes import FakeClock
from tests.support.journal import Desk
from tests.support.patience import PATIENCE
from tests.support.postgresql import APPLICATION, USER, Server, running


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what depends on the database on both of them."""
    if metafunc.definition.get_closest_marker("databases"):
        both = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
        metafunc.parametrize("place", both, indirect=True)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server."""
    yield from running()


@pytest.fixture(scope="session")
def template(server: Server) -> str:
    """A database with the journal's tables, to be copied."""
    name = server.database()
    migrate(server.url(name), keys=Keys.create(secrets.token_bytes))
    server.ask(grants(APPLICATION), database=name)
    return name


NewJournal = Callable[[Keys], str]


@pytest.fixture
def new_journal(request: pytest.FixtureRequest, server: Server, template: str) -> Iterator[NewJournal]:
    """Make journals on PostgreSQL for some keys, and return their URLs.

    Tests use them as the application does, except in modules that state `AS_OWNER = True`: they purge or move.
    """
    user = USER if getattr(request.module, "AS_OWNER", False) else APPLICATION
    made: list[str] = []

    def make(keys: Keys) -> str:
        made.append(server.database(template))
        server.ask("UPDATE pn_meta SET value = %s WHERE name = 'keys'", keys.fingerprint, database=made[-1])
        return server.url(made[-1], user)

    yield make
    for name in made:
        server.drop(name)


@pytest.fixture
def place(request: pytest.FixtureRequest, keys: Keys) -> str:
    """Return the URL of a journal on PostgreSQL, or an empty text for a file in the test's folder."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return ""
    make: NewJournal = request.getfixturevalue("new_journal")
    return make(keys)


@pytest.fixture
def keys() -> Keys:
    return Keys.create(secrets.token_bytes)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the journal's tables, to be copied."""
    made = tmp_path_factory.mktemp("empty") / "journal.db"
    open_journal(str(made), keys=Keys.create(secrets.token_bytes), create=True).close()
    return made


@pytest.fixture
def desk(tmp_path: Path, keys: Keys, clock: FakeClock, place: str, empty: Path) -> Iterator[Desk]:
    if not place:
        shutil.copy(empty, tmp_path)
        with closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as file:
            file.execute("UPDATE pn_meta SET value = ? WHERE name = 'keys'", (keys.fingerprint,))
    made = Desk(tmp_path, keys=keys, clock=clock, url=place)
    yield made
    made.journal.close()


@pytest.fixture
def journal(desk: Desk) -> Journal:
    return desk.journal


_PROGRAM = """
import secrets, sys
from pathlib import Path
from tests.support.journal import *
folder = Path(sys.argv[1])
keys = Keys.load(folder / "keys.json")
def opened(first=int(sys.argv[2])):
    return Desk(folder, keys=keys, clock=FakeClock(), first=first, url=sys.argv[3])
def at_once():
    print("ready", flush=True)
    sys.stdin.readline()
"""

Program = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def program(tmp_path: Path, keys: Keys, place: str) -> Iterator[Program]:
    """Start a process with its own `Desk` on the same journal. `at_once()` in its text waits for `go`."""
    keys.save(tmp_path / "keys.json")
    started: list[subprocess.Popen[str]] = []

    def start(text: str) -> subprocess.Popen[str]:
        code = f"sys.path.insert(0, {str(Path(__file__).parents[3])!r})\n"
        process = subprocess.Popen(  # noqa: S603 - this very test's text
            [
                sys.executable,
                "-c",
                f"import sys\n{code}{_PROGRAM}{text}",
                str(tmp_path),
                str(1000 * len(started) + 1000),
                place,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def together(program: Program) -> Callable[..., list[str]]:
    """Run one text in several processes that pass `at_once()` together. Return the last line of each."""

    def run(text: str, *, processes: int = 2) -> list[str]:
        started = [program(text) for _ in range(processes)]
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in started:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        said = [process.communicate(timeout=PATIENCE)[0] for process in started]
        assert [process.returncode for process in started] == [0] * processes
        return [one.strip().splitlines()[-1] for one in said]

    return run
