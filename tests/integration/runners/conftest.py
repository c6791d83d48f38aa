"""Hosts with task queues, and servers for them. Tests that need a server are marked `runners`."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections
from django.test import override_settings
from django.test.utils import setup_test_environment, teardown_test_environment

from policenotify.journal.database.migrate import migrate
from policenotify.journal.keys import Keys
from policenotify.testing.publisher import Recording
from policenotify.testing.servers.bluesky import FakeBlueskyServer
from tests.integration.runners.site_process import Site, SiteProcesses
from tests.support.django_project import configure
from tests.support.network_options import bluesky_options
from tests.support.postgresql import USER, Server, running
from tests.support.redis_server import PROGRAM, RedisServer

_SETTINGS = """
schema_version = 1
sender = "Police nationale de l'Hérault"
zone = "Europe/Paris"
journal = "django"
keys = "keys"

[channels.bluesky]
network = "bluesky"
handle = "police34.example"
password = "of-a-test"

[channels.presse]
network = "email"
url = "mailtos://police:secret@mail.example"
recipients = { file = "presse.txt" }
on_unknown = "hold"

[[approval]]
categories = ["police_operation"]

[[approval]]
categories = ["armed_threat"]
authenticated = true
"""

_incidents = count(1)

configure()  # once in a process, before a test module imports models


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server."""
    yield from running()


@pytest.fixture(scope="module", params=["default"])
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A project with its journal and its users in one database, migrated once."""
    folder, alias = tmp_path_factory.mktemp("project"), request.param
    Keys.create(secrets.token_bytes).save(folder / "keys")
    (folder / "policenotify.toml").write_text(_SETTINGS, "utf-8")
    (folder / "presse.txt").write_text("redaction@journal.example", "utf-8")
    there: dict[str, Any] = {"NAME": str(folder / "project.sqlite3"), "OPTIONS": {"transaction_mode": "IMMEDIATE"}}
    server: Server | None = None
    if alias == "server":
        server = request.getfixturevalue("server")
        there = {"NAME": server.database(), "USER": USER, "HOST": str(server.folder), "PORT": str(server.port)}
        there["OPTIONS"] = {}
    users = connections["default"]
    users.close()
    before = dict(users.settings_dict), dict(connections[alias].settings_dict)
    users.settings_dict.update({"NAME": str(folder / "project.sqlite3"), "OPTIONS": {"transaction_mode": "IMMEDIATE"}})
    connections[alias].settings_dict.update(there)
    connections[alias].settings_dict["TEST"] = {"NAME": there["NAME"]}
    how = {"SETTINGS": folder / "policenotify.toml", "DATABASE": alias}
    setup_test_environment()
    with override_settings(POLICENOTIFY=how):
        call_command("migrate", verbosity=0)
        if alias != "default":
            call_command("migrate", "policenotify", database=alias, verbosity=0)
        yield folder
    teardown_test_environment()
    for connection, was in zip((users, connections[alias]), before, strict=True):
        connection.close()
        connection.settings_dict.update(was)
    if server is not None:
        server.drop(there["NAME"])


@pytest.fixture
def desk(project: Path, policenotify_django: Recording) -> Recording:  # noqa: ARG001 - it is there
    """What the project publishes; an empty journal for each test."""
    return policenotify_django


@pytest.fixture
def incident() -> str:
    return f"2026-{next(_incidents)}"


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
