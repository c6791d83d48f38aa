"""An installation that an operator watches: a Django project on PostgreSQL, a worker, and three networks."""

from __future__ import annotations

import asyncio
import html
import json
import logging
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any, Final

import httpx
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import Client, override_settings
from django.test.utils import setup_test_environment, teardown_test_environment
from prometheus_client.parser import text_string_to_metric_families

from policenotify import Lifecycle, Publication
from policenotify.events import Event, EventKind
from policenotify.integrations.django import close, publish, publisher, signals
from policenotify.journal.keys import Keys
from policenotify.log import JsonFormatter
from policenotify.model.lifecycle import Stage
from policenotify.testing import FakeBlueskyServer, FakeMastodonServer, FakeSmsServer
from policenotify.web import monitoring
from tests.support.django_project import configure
from tests.support.failing_server import FailingServer
from tests.support.installation import accident
from tests.support.network_options import sms_options
from tests.support.postgresql import USER

BUDGET: Final = 10.0
"""Seconds within which everything is seen, on a machine that does nothing else."""

RETRY: Final = 30.0
"""Seconds within which what waited is out: its pauses have grown meanwhile."""

CHANNELS: Final = ("bluesky", "mastodon", "sms")
NUMBERS: Final = ("+33639980001", "+33639980002", "+33639980003")  # ARCEP: numbers reserved for fiction
OFFICER: Final = "claire"
_ADMIN: Final = "/admin/policenotify"
_SETTINGS: Final = """
schema_version = 1
sender = "Police nationale de l'Hérault"
zone = "Europe/Paris"
journal = "django"
keys = "keys"

[channels.bluesky]
network = "bluesky"
handle = "{hour.bluesky.handle}"
password = "{hour.bluesky.password}"
service = "{hour.bluesky.url}"

[channels.mastodon]
network = "mastodon"
handle = "{hour.mastodon.handle}"
token = "{hour.mastodon.token}"
server = "{hour.mastodon.url}"

[channels.sms]
network = "sms"
url = "{sms}"
recipients = {{ file = "numbers.txt" }}
on_unknown = "hold"
timeout = 1
"""


class _Lines(logging.Handler):
    """Keeps the lines of this process's log."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


class _Slowness:
    """How much longer everything takes because other programs use this machine, too."""

    def __init__(self) -> None:
        self._used = self._passed = 0.0

    def measure(self) -> None:
        """Work for a twentieth of a second, and rest as long."""
        used, began = time.thread_time(), time.monotonic()
        while time.thread_time() - used < 0.05:
            pass
        self._used += time.thread_time() - used
        self._passed += time.monotonic() - began
        time.sleep(0.05)

    @property
    def factor(self) -> float:
        return max(1.0, self._passed / self._used)


@dataclass
class Hour:
    """The installation, and what an operator sees of it."""

    folder: Path
    server: FailingServer
    bluesky: FakeBlueskyServer
    mastodon: FakeMastodonServer
    sms: FakeSmsServer
    database: str = ""
    url: str = ""
    worker: subprocess.Popen[bytes] | None = None
    events: list[Event] = field(default_factory=list)
    log: _Lines = field(default_factory=_Lines)
    client: Client = field(default_factory=Client)
    published: dict[str, Publication] = field(default_factory=dict)
    scraped: list[str] = field(default_factory=list)
    _before: tuple[int, int, int] = (0, 0, 0)  # lines and events of what happened before

    # --- what happens

    def start_worker(self) -> None:
        environment = {
            **os.environ,
            "POLICENOTIFY_JOURNAL": self.url,
            "POLICENOTIFY_SETTINGS": str(self.folder / "policenotify.toml"),
        }
        with (self.folder / "worker.log").open("ab") as log:
            program = Path(sys.executable).with_name("policenotify")
            command = [str(program), "worker", "--log", "json", "--log-level", "info"]
            self.worker = subprocess.Popen(command, stderr=log, stdout=subprocess.DEVNULL, env=environment)  # noqa: S603 - our own interpreter

    def kill_worker(self) -> None:
        """Kill it at once, if there is one."""
        if self.worker is not None:
            self.worker.kill()
            self.worker.wait()

    def end_worker(self) -> int:
        """End it as a service manager does, and return its exit code."""
        assert self.worker is not None
        self.worker.send_signal(signal.SIGTERM)
        return self.worker.wait(timeout=40)

    def publish(self, street: str) -> Publication:
        """Publish an opening, in the web process, and leave it to the worker."""
        number = len(self.published) + 1
        message = accident(
            headline=f"Accident {street}", lifecycle=Lifecycle(stage=Stage.OPENING, incident=self.incident(number))
        )
        made = publish(message, key=f"hour-{number}", actor=OFFICER)
        self.published[street] = made
        return made

    def publish_until_it_fails(self) -> None:
        """Publish again and again. The first messages still fit into pages of the database that are there."""
        for number in range(50):
            self.publish(f"quai {number}")

    @staticmethod
    def incident(number: int) -> str:
        return f"2026-47{number:03}"

    # --- what is seen

    def seen(self, what: str, within: float = BUDGET, **windows: Callable[[], object]) -> None:
        """Wait until each window shows it. Each returns something that is true if it does."""
        began, missing, slowness = time.monotonic(), dict(windows), _Slowness()
        while missing := {name: window for name, window in missing.items() if not window()}:
            slowness.measure()
            if time.monotonic() - began > within * slowness.factor:
                raise AssertionError(f"{what} is not seen in: {', '.join(missing)}\n{self._state()}")
        self._before = (len(self.log.lines), len(self._worker_lines()), len(self.events))

    def _state(self) -> str:
        own, theirs, events = self._before
        lines = [*self.log.lines[own:], *self._worker_lines()[theirs:]]
        return "\n".join([*lines, *map(repr, self.events[events:]), str(self.status()), self.page("channelrow")])

    def _worker_lines(self) -> list[str]:
        path = self.folder / "worker.log"
        text = path.read_text("utf-8") if path.exists() else ""
        whole, _, _ = text.rpartition("\n")
        return [line for line in whole.splitlines() if line.startswith("{")]

    def logged(self, words: str, *, level: str, event: str | None = None, **about: object) -> bool:
        """Return whether the log of the worker or of the web process has a new line."""
        own, theirs, _ = self._before
        lines = [json.loads(line) for line in (*self.log.lines[own:], *self._worker_lines()[theirs:])]
        expected = {"level": level, "event": event, **about}
        return any(
            words in line["message"] and all(line.get(name) == value for name, value in expected.items())
            for line in lines
        )

    def told(self, kind: EventKind, **about: object) -> bool:
        """Return whether Django has sent a new signal."""
        publisher().events.wake()
        new = self.events[self._before[2] :]
        return any(event.kind is kind and about.items() <= event.model_dump().items() for event in new)

    def get(self, path: str) -> httpx.Response:
        """Ask `policenotify.web` for metrics or health."""

        async def request() -> httpx.Response:
            transport = httpx.ASGITransport(monitoring(publisher().monitor))
            async with httpx.AsyncClient(transport=transport, base_url="http://monitor.example") as client:
                return await client.get(path)

        return asyncio.run(request())

    def metric(self, name: str, **labels: str) -> float | None:
        """Return a value as Prometheus scrapes it."""
        text = self.get("/metrics").text
        self.scraped.append(text)
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == f"policenotify_{name}" and labels.items() <= sample.labels.items():
                    return float(sample.value)
        return None

    def page(self, path: str, **query: str) -> str:
        """Return the words of a page of the admin, without its tags."""
        answer = self.client.get(f"{_ADMIN}/{path}/", query)
        words = " ".join(html.unescape(re.sub(r"<[^>]*>", " ", answer.content.decode())).split())
        return words if answer.status_code == 200 else f"{answer.status_code}: {words}"

    def press(self, path: str, **fields: object) -> None:
        """Press a button of a page of the admin."""
        answer = self.client.post(f"{_ADMIN}/{path}/", fields)
        assert answer.status_code == 302, answer.content.decode()

    def status(self) -> tuple[int, str]:
        """Run `manage.py policenotify status`. Return its exit code and its words."""
        out = StringIO()
        try:
            with redirect_stdout(out), redirect_stderr(out):
                call_command("policenotify", "status")
        except CommandError as error:
            return error.returncode, " ".join(out.getvalue().split())
        return 0, " ".join(out.getvalue().split())

    def shows(self, code: int, *words: str) -> bool:
        """Return whether the status has an exit code and some words."""
        found, text = self.status()
        return found == code and all(word in text for word in words)

    def all_posted(self) -> bool:
        """Return whether everything that was published is out."""
        return all(
            receipt.outcome == "posted"
            for name in self.published
            for receipt in (publisher().operations.publication(self.published[name].id) or ())
        )

    def look_for_held(self) -> bool:
        """Settle each person of whom it is not known whether they have a message, after a look at their telephone."""
        for held in publisher().operations.held():
            for person in publisher().journal.sendings.in_doubt_with_addresses(held.delivery, OFFICER):
                assert person.address is not None
                has_it = any(held.headline in message.text for message in self.sms.phone(person.address))
                publisher().operations.resolve(held.delivery, actor=OFFICER, posted=has_it, people=[person.key])
        return self.all_posted()

    # --- at the end

    def texts(self, network: str) -> list[str]:
        """Return what readers have: a text for each post, or for each telephone that has it."""
        if network == "sms":
            return [message.text for message in self.sms.messages]
        posts: Sequence[Any] = getattr(self, network).posts
        return [post.text for post in posts]

    def out(self) -> list[str]:
        """Return all that left for operators: log, events and metrics."""
        lines = [*self.log.lines, *self._worker_lines(), *(event.model_dump_json() for event in self.events)]
        return [*lines, *self.scraped]


@contextmanager
def open_hour(folder: Path, programs: Path) -> Iterator[Hour]:
    """Make the project, with its journal in a database of its own and an officer who has logged in."""
    configure()
    with ExitStack() as stack:
        server = FailingServer(programs)
        stack.callback(server.end)
        hour = Hour(
            folder,
            server,
            stack.enter_context(FakeBlueskyServer("police34.example")),
            stack.enter_context(FakeMastodonServer()),
            stack.enter_context(FakeSmsServer()),
        )
        Keys.create(secrets.token_bytes).save(folder / "keys")
        (folder / "numbers.txt").write_text("\n".join(NUMBERS), "utf-8")
        (folder / "policenotify.toml").write_text(
            _SETTINGS.format(hour=hour, sms=sms_options(hour.sms)["url"]), "utf-8"
        )
        database = server.database()
        hour.database, hour.url = database, server.url(database)
        there = {"NAME": database, "USER": USER, "HOST": str(server.folder), "PORT": str(server.port), "OPTIONS": {}}
        users = {"NAME": str(folder / "users.sqlite3"), "OPTIONS": {"transaction_mode": "IMMEDIATE"}}
        for name, place in (("default", users), ("server", there)):
            stack.enter_context(_placed(name, place))
        setup_test_environment()
        stack.callback(teardown_test_environment)
        where = {"SETTINGS": folder / "policenotify.toml", "DATABASE": "server"}
        stack.enter_context(override_settings(POLICENOTIFY=where))
        call_command("migrate", verbosity=0)
        call_command("migrate", "policenotify", database="server", verbosity=0)
        stack.callback(close)
        user = apps.get_model("auth.User").objects.create_user(OFFICER, is_staff=True)
        permissions = apps.get_model("auth.Permission").objects.filter(content_type__app_label="policenotify")
        user.user_permissions.set(permissions)
        hour.client.force_login(user)
        stack.enter_context(_listening(hour))
        stack.callback(hour.kill_worker)
        yield hour


@contextmanager
def _placed(name: str, place: Mapping[str, Any]) -> Iterator[None]:
    connection = connections[name]
    connection.close()
    before = dict(connection.settings_dict)
    connection.settings_dict.update(place)
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict.update(before)


@contextmanager
def _listening(hour: Hour) -> Iterator[None]:
    """Collect the log of this process, and the signals that Django sends."""
    logger = logging.getLogger("policenotify")
    level = logger.level
    logger.addHandler(hour.log)
    logger.setLevel(logging.INFO)

    def receive(event: Event, **_more: object) -> None:
        hour.events.append(event)

    signals.journal_event.connect(receive)
    publisher().events.register()
    try:
        yield
    finally:
        signals.journal_event.disconnect(receive)
        logger.removeHandler(hour.log)
        logger.setLevel(level)
