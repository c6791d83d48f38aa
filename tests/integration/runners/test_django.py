"""A publication inside `atomic()` is published if that commits, and never if it rolls back."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from django.core import checks
from django.core.management import CommandError, call_command
from django.db import connections, transaction
from django.test import override_settings

from policenotify.delivery.service import Supervisor
from policenotify.delivery.worker import Worker
from policenotify.errors import IdempotencyConflict, InvalidTransition, JournalTakenAway, MissingExtra
from policenotify.events import Event, EventKind
from policenotify.integrations.django import _process_publisher, open_publisher, publish, publisher, signals
from policenotify.model.history import Outcome
from tests.support.installation import INCIDENT, Desk, accident, open_desk
from tests.support.patience import LONG
from tests.support.postgresql import USER, Server


class Runner:
    """An engine of the project that counts how often it is woken."""

    woke = 0

    @property
    def publisher(self) -> Any:
        opened = _process_publisher.publisher
        opened.runners[:] = [self]
        return opened

    def enqueue(self, connection: Any) -> None:
        """Do nothing, for it is notified after the commit."""

    def on_commit(self) -> None:
        self.woke += 1


runner = Runner()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """An installation whose networks are on the loopback, described by a settings file."""
    with open_desk(tmp_path) as opened:
        opened.write_settings()
        yield opened


@pytest.fixture
def hosted(desk: Desk) -> Path:
    """The settings of the installation, which say that the journal is the project's."""
    file = desk.folder / "policenotify.toml"
    file.write_text(file.read_text("utf-8").replace('journal = "journal.db"', 'journal = "django"'), "utf-8")
    return file


on_each_database = pytest.mark.parametrize(
    "database", ["default", pytest.param("server", marks=pytest.mark.runners)], indirect=True
)


@pytest.fixture(params=["default"])
def database(request: pytest.FixtureRequest, desk: Desk, hosted: Path) -> Iterator[Any]:
    """The project's database, with the journal's tables and one of its own."""
    alias = request.param
    there: dict[str, Any] = {"NAME": str(desk.folder / "project.sqlite3"), "OPTIONS": {"transaction_mode": "IMMEDIATE"}}
    server: Server | None = None
    if alias == "server":
        server = request.getfixturevalue("server")
        more = {"application_name": "project", "options": "-c lock_timeout=9s"}
        there = {"NAME": server.database(), "USER": USER, "HOST": str(server.folder), "PORT": str(server.port)}
        there["OPTIONS"] = more
    project = connections[alias]
    project.close()
    project.settings_dict.update(there)
    runner.woke = 0
    how = {"SETTINGS": hosted, "DATABASE": alias, "RUNNER": f"{__name__}.runner"}
    with override_settings(POLICENOTIFY=how):
        call_command("migrate", "policenotify", database=alias, verbosity=0)
        with project.cursor() as cursor:
            cursor.execute("CREATE TABLE accident (id TEXT)")
        yield project
        _process_publisher.close()
    project.close()
    if server is not None:
        server.drop(there["NAME"])


def _note(database: Any) -> None:
    with database.cursor() as cursor:
        cursor.execute("INSERT INTO accident VALUES (%s)", [INCIDENT])


def _noted(database: Any) -> int:
    with database.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM accident")
        return int(cursor.fetchone()[0])


@on_each_database
def test_atomic_commits_all_of_it_and_then_wakes_the_runner(database: Any, desk: Desk) -> None:
    alias = database.alias
    with transaction.atomic(using=alias):
        _note(database)
        opened = publish(accident(), key="open", actor="cad")
        with transaction.atomic(using=alias):
            publish(opened.update("Une voie rouverte"), key="update", actor="cad")
        assert publish(accident(), key="open", actor="cad").repeated
        assert publisher().operations.publication("open") is None
        assert (runner.woke, opened.on("bluesky").outcome) == (0, Outcome.WAITING)
    assert runner.woke == 3
    assert _noted(database) == 1
    call_command("policenotify", "drain", "--budget", "30")
    first, second = desk.bluesky.posts
    assert second.parent == first.uri
    _note(database)  # the project's own connection is as it was
    assert _noted(database) == 2


@on_each_database
def test_a_rollback_leaves_nothing(database: Any, desk: Desk) -> None:
    alias = database.alias
    with transaction.atomic(using=alias):
        _note(database)
        publish(accident(), key="open", actor="cad")
        transaction.set_rollback(True, using=alias)
    with transaction.atomic(using=alias):
        with transaction.atomic(using=alias):
            publish(accident(), key="open", actor="cad")
            transaction.set_rollback(True, using=alias)
        _note(database)
    assert (publisher().operations.publication("open"), runner.woke, _noted(database)) == (None, 0, 1)
    publisher().drain(LONG)
    assert desk.bluesky.posts == ()


@on_each_database
def test_a_failed_call_leaves_the_transaction_usable_and_a_broken_one_is_refused(database: Any) -> None:
    alias = database.alias
    with transaction.atomic(using=alias):
        publish(accident(), key="open", actor="cad")
        with pytest.raises(IdempotencyConflict):
            publish(accident(headline="Autre"), key="open", actor="cad")
        with pytest.raises(InvalidTransition):
            publish(accident(), key="again", actor="cad")
        with pytest.raises(ValueError, match="wait: nothing can be delivered before you commit"):
            publish(accident(), key="open", actor="cad", wait=LONG)
        _note(database)
    assert _noted(database) == 1
    with transaction.atomic(using=alias):
        transaction.set_rollback(True, using=alias)
        with pytest.raises(transaction.TransactionManagementError):
            publish(accident(), key="open", actor="cad")


def test_without_a_transaction_it_is_journalled_at_once(database: Any, desk: Desk) -> None:
    assert publish(accident(), key="open", actor="cad").on("bluesky").outcome is Outcome.WAITING
    assert (runner.woke, desk.bluesky.posts) == (1, ())
    told = publish(accident(), key="open", actor="cad", wait=LONG)
    assert told.on("bluesky").outcome is Outcome.POSTED
    assert database.get_autocommit()


@pytest.mark.usefixtures("database")
def test_the_worker_delivers_until_it_is_stopped(desk: Desk, manager: socket.socket) -> None:
    publish(accident(), key="open", actor="cad")
    handler = signal.getsignal(signal.SIGTERM)

    def end() -> None:
        while not desk.mail.mails or not desk.bluesky.posts:
            threading.Event().wait(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=end, daemon=True).start()
    call_command("policenotify", "worker")
    assert signal.getsignal(signal.SIGTERM) is handler
    assert len(desk.bluesky.posts) == 1
    told = [manager.recv(99)]
    while told[-1] != b"STOPPING=1":
        told.append(manager.recv(99))
    assert told[0] == b"READY=1"


@pytest.mark.usefixtures("database", "desk")
@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 3), ("", 7)])
def test_a_worker_that_ends_badly_says_so(name: str, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = Worker.stop

    def serve(_self: Supervisor, running: Worker, _signals: object) -> str:
        stop(running)
        running.failure = None if name else JournalTakenAway("The journal was removed.")
        return name

    monkeypatch.setattr(Supervisor, "serve", serve)
    monkeypatch.setattr(Worker, "stop", lambda _self, **_timeout: False)
    with pytest.raises(CommandError, match="policenotify worker ended") as refused:
        call_command("policenotify", "worker")
    assert refused.value.returncode == code


def test_migrate_reports_what_it_did(database: Any, desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("migrate", database=database.alias)
    assert "  Journal of policenotify: " in capsys.readouterr().out
    call_command("policenotify", "migrate")
    assert "has its tables already" in capsys.readouterr().out
    (desk.folder / "keys").unlink()
    for command in ("migrate", "worker"):
        with pytest.raises(CommandError):
            call_command("policenotify", command)
        assert "keys" in capsys.readouterr().err
    assert database.introspection.table_names().count("pn_meta") == 1


def test_without_the_driver_the_extra_is_named(hosted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert connections["server"].vendor == "postgresql"  # which is loaded with whatever driver Django has
    monkeypatch.setitem(sys.modules, "psycopg.pq", None)
    with (
        override_settings(POLICENOTIFY={"SETTINGS": hosted, "DATABASE": "server"}),
        pytest.raises(MissingExtra, match="postgres"),
    ):
        open_publisher()


@pytest.mark.usefixtures("database")
def test_a_projects_tests_in_memory_are_let_be() -> None:
    assert _checked("default") == []
    with override_settings(POLICENOTIFY={"DATABASE": "memory"}):
        call_command("migrate", "policenotify", database="memory", verbosity=0)
        assert connections["memory"].introspection.table_names() == ["django_migrations"]
        assert [found.id for found in _checked("memory")] == ["policenotify.W001"]
        assert _checked("server") == []


def _checked(alias: str) -> list[Any]:
    """Return what `manage.py check --database` finds in a database."""
    return list(checks.run_checks(tags=[checks.Tags.database], databases=[alias]))


# --- signals


@on_each_database
def test_what_happens_is_sent_as_signals_once_each(database: Any, caplog: pytest.LogCaptureFixture) -> None:
    told: list[Event] = []

    def fail(**_more: Any) -> None:
        raise ValueError

    def note(sender: EventKind, event: Event, **_more: Any) -> None:
        assert sender is event.kind
        assert not database.in_atomic_block
        told.append(event)

    kinds = (EventKind.PUBLISHED, EventKind.POSTED, EventKind.HELD)
    for kind, receive in product(kinds, (fail, note)):
        signals.journal_event.connect(receive, sender=kind)
    try:
        publisher().drain(LONG)
        with transaction.atomic(using=database.alias):
            published = publish(accident(), key="open", actor="cad")
        publisher().drain(LONG)
        publisher().events.close(10)
    finally:
        for kind, receive in product(kinds, (fail, note)):
            signals.journal_event.disconnect(receive, sender=kind)
    channels = [event.channel for event in told if event.kind is EventKind.POSTED]
    assert [event.kind for event in told] == [EventKind.PUBLISHED, *[EventKind.POSTED] * len(channels)]
    assert sorted(channels) == sorted(receipt.channel for receipt in published)
    assert "Subscriber" not in caplog.text


def test_the_receiver_of_the_page_is_called(capsys: pytest.CaptureFixture[str]) -> None:
    page = Path(__file__).parents[3] / "docs" / "howto" / "django.md"
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    [receiving] = [block for block in blocks if "@receiver" in block]
    receivers: dict[str, Any] = {}
    exec(receiving, receivers)  # noqa: S102 - our own page
    refused = Event(
        number=1, at=datetime.now(UTC), kind=EventKind.REFUSED, publication="0" * 26, channel="sky", delivery=1
    )
    signals.send(refused)
    assert capsys.readouterr().out == "refused sky\n"
