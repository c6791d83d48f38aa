"""Hosts with engines of their own, and servers for them; what needs a server is marked `runners`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from desk import Desk, open_desk
from journal.postgres import Server, binaries


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server."""
    programs = binaries()
    if programs is None:
        pytest.skip("there is no PostgreSQL server: apt-get install postgresql")
    started = Server(programs)
    yield started
    started.end()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """An installation whose networks are on the loopback, described by a settings file."""
    with open_desk(tmp_path) as opened:
        opened.write_settings()
        yield opened
