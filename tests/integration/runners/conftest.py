"""Hosts with task queues, and servers for them. Tests that need a server are marked `runners`."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from policenotify.journal.database.migrate import migrate
from policenotify.journal.keys import Keys
from policenotify.testing.servers.bluesky import FakeBlueskyServer
from tests.integration.runners.site_process import Site, SiteProcesses
from tests.support.django_project import configure
from tests.support.installation import Desk, open_desk
from tests.support.network_options import bluesky_options
from tests.support.postgresql import Server, running
from tests.support.redis_server import PROGRAM, RedisServer

configure()  # once in a process, before a test module imports models


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server."""
    yield from running()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """An installation whose networks are on the loopback, described by a settings file."""
    with open_desk(tmp_path) as opened:
        opened.write_settings()
        yield opened


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A Redis server."""
    if PROGRAM is None:
        pytest.skip("there is no Redis server: apt-get install redis-server")
    started = RedisServer()
    yield started
    started.end()


@pytest.fixture(scope="session")
def site_processes() -> Iterator[SiteProcesses]:
    """Yield the process that forks hosts."""
    started = SiteProcesses()
    yield started
    started.end()


@pytest.fixture
def bluesky() -> Iterator[FakeBlueskyServer]:
    """The one network of a site."""
    with FakeBlueskyServer("police34.example") as server:
        yield server


NewSite = Callable[..., Site]


@pytest.fixture
def new_site(request: pytest.FixtureRequest, tmp_path: Path, bluesky: FakeBlueskyServer) -> Iterator[NewSite]:
    """Makes a site on a database, with what its host's engine needs."""
    made: list[str] = []

    def make(database: str, engine: str = "", **how: Any) -> Site:
        Keys.create(secrets.token_bytes).save(tmp_path / "keys")
        journal = str(tmp_path / "journal.db")
        if database == "server":
            server: Server = request.getfixturevalue("server")
            made.append(server.database())
            journal = server.url(made[-1])
            migrate(journal, keys=Keys.load(tmp_path / "keys"))
        if engine == "celery":
            redis: RedisServer = request.getfixturevalue("redis_server")
            redis.client.flushall()
            how["broker"] = redis.url
        account = bluesky_options(bluesky)
        site = Site(folder=str(tmp_path), journal=journal, bluesky=account, **how)
        if engine == "procrastinate":
            app, _ = site.procrastinate()
            with app.open():
                app.schema_manager.apply_schema()
        return site

    yield make
    for name in made:
        request.getfixturevalue("server").drop(name)
