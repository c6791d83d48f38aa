"""A Django project as its page describes it, in its own processes: `manage.py`, its tests, and the example views."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from policenotify.testing.servers.bluesky import FakeBlueskyServer

pytestmark = pytest.mark.slow

_ROOT = Path(__file__).parents[3]
_PAGE, _, _TUTORIAL = (_ROOT / "docs/howto/django.md").read_text("utf-8").partition("\n## A back office ")
_BLOCKS = re.findall(r"```python\n(.*?)```", _PAGE, re.DOTALL)
_SET_UP, _PUBLISH = (next(block for block in _BLOCKS if word in block) for word in ("INSTALLED_APPS", "accident = "))
_TESTS = "\n".join(block for block in _BLOCKS if "Mixin" in block)
_MANAGE = """
import os
from django.core.management import execute_from_command_line
import sys
os.environ["DJANGO_SETTINGS_MODULE"] = "project"
execute_from_command_line(sys.argv)
"""
_PROJECT = """
from pathlib import Path
BASE_DIR = Path(__file__).parent
SECRET_KEY = "of a test"
DATABASES = {"default": {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": BASE_DIR / "project.sqlite3",
    "OPTIONS": {"transaction_mode": "IMMEDIATE"},
    "TEST": {"NAME": BASE_DIR / "test.sqlite3"},
}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "Europe/Paris"
ROOT_URLCONF = "urls"
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
"""
_URLS = """
from django.urls import include, path
urlpatterns = [path("police/", include("django_views"))]
"""
_VIEWS_TEST = """
import json
from django.contrib.auth.models import Permission, User
from django.test import TransactionTestCase
from policenotify.integrations.django import publisher
from policenotify.integrations.django.testing import RecordingMixin

TIP = {"category": "scam_cyber", "headline": "Faux conseiller bancaire", "instruction": "Raccrochez."}
SEVERE = {"category": "fire", "headline": "Incendie", "severity": "Severe"}


class TestViews(RecordingMixin, TransactionTestCase):
    def agent(self, *permissions):
        user = User.objects.create_user("brigadier")
        for codename in permissions:
            user.user_permissions.add(Permission.objects.get(content_type__app_label="policenotify", codename=codename))
        self.client.force_login(user)

    def send(self, message, key="tip-7"):
        headers = {"Idempotency-Key": key} if key else {}
        body = json.dumps(message)
        return self.client.post("/police/messages", body, content_type="application/json", headers=headers)

    def test_an_agent_with_the_permission_publishes(self):
        self.agent("publish")
        first, again = self.send(TIP), self.send(TIP)
        assert (first.status_code, again.status_code) == (202, 202), first.content
        assert first.json()["id"] == again.json()["id"]
        assert (first.json()["actor"], again.json()["repeated"]) == ("brigadier", True)
        assert self.client.get("/police/publications/tip-7").json()["id"] == first.json()["id"]
        assert self.client.get("/police/publications/tip-9").status_code == 404
        assert self.send({**TIP, "headline": "Autre"}).status_code == 409
        assert self.send({"category": "scam_cyber"}).status_code == 400
        assert self.send(TIP, key="").status_code == 400
        assert self.send(SEVERE, "fire").status_code == 422
        publisher().journal.stop("chef")
        assert self.send(TIP, "other").status_code == 503

    def test_an_agent_without_it_does_not(self):
        self.agent()
        assert self.send(TIP).status_code == 403
        assert self.client.get("/police/publications/tip-7").status_code == 403
        assert publisher().operations.publication("tip-7") is None
"""
_ACCOUNT = """
[channels.bluesky]
network = "bluesky"
handle = "{server.handle}"
service = "{server.url}"
password = {{ file = "secrets/bluesky" }}
"""


@dataclass(frozen=True)
class Project:
    folder: Path
    server: FakeBlueskyServer

    def run(self, line: str, code: int | None = 0, **more: str) -> str:
        """Run a line of a shell, and return all that it prints."""
        words = shlex.split(line)
        start = [sys.executable, "-c", "from policenotify.cli import main; main()"]
        command = {"python": [sys.executable, "-W", "error::RuntimeWarning"], "policenotify": start}[words[0]]
        done = subprocess.run(  # noqa: S603 - our own interpreter, our own page
            [*command, *words[1:]],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            umask=0o022,  # as most users have it
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(self.folder), str(_ROOT / "examples" / "web")]),
                **more,
            },
        )
        assert code in {None, done.returncode}, f"{line}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def connect(self) -> None:
        """Replace the console by the account, as the page asks for."""
        settings = self.folder / "policenotify.toml"
        head = settings.read_text("utf-8").partition("[channels.")[0]
        settings.write_text(f"{head}{_ACCOUNT.format(server=self.server)}", "utf-8")
        (self.folder / "secrets" / "bluesky").write_text(self.server.password)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    (tmp_path / "manage.py").write_text(_MANAGE)
    (tmp_path / "project.py").write_text(_PROJECT + _SET_UP + 'INSTALLED_APPS += ["django.contrib.sessions"]\n')
    (tmp_path / "urls.py").write_text(_URLS)
    (tmp_path / "test_page.py").write_text(_PUBLISH.partition("with ")[0] + _TESTS)
    with FakeBlueskyServer("police34.example") as server:
        yield Project(tmp_path, server)


def test_every_line_of_its_page_runs(project: Project) -> None:
    lines = "".join(re.findall(r"```sh\n(.*?)```", _PAGE, re.DOTALL)).splitlines()
    published = False
    for line in lines:
        if line.startswith("pip "):
            continue
        if line.startswith("python manage.py policenotify drain"):
            (project.folder / "say.py").write_text(f"import django\ndjango.setup()\n{_PUBLISH}")
            project.run("python say.py", DJANGO_SETTINGS_MODULE="project")
            published = True
        told = project.run(line.replace("--budget 50", "--budget 20"), code=None if line.endswith("doctor") else 0)
        if line == "policenotify init --django":
            project.connect()
            assert not (project.folder / "policenotify.db").exists()
        if line.endswith("doctor"):
            assert "WRONG" not in told
    assert published
    assert len(project.server.posts) == 1
    assert "2026-4711" in told
    project.run("python manage.py check --database default --fail-level WARNING")


def test_the_tests_of_the_page_and_of_the_example_views_leave_nothing_in_the_journal(project: Project) -> None:
    project.run("policenotify init --django")
    project.connect()
    (project.folder / "test_views.py").write_text(_VIEWS_TEST)
    project.run("python manage.py test")


def test_the_tutorial_makes_a_back_office_from_an_empty_folder(tmp_path: Path) -> None:
    with FakeBlueskyServer("police34.example") as unused:
        project, count = Project(tmp_path, unused), 0
        for language, block in re.findall(r"```(sh|toml|python)\n(.*?)```", _TUTORIAL, re.DOTALL):
            if language == "sh":
                for line in block.splitlines():
                    project = _step(project, line)
                continue
            name, text = block.removeprefix("# ").split("\n", 1)
            count += sum(bool(line.strip()) for line in text.splitlines())
            with (project.folder / name).open("w" if language == "toml" else "a", encoding="utf-8") as file:
                file.write(text)
        project.run("python manage.py check --database default --deploy")
        project.run("python manage.py makemigrations --check --dry-run")
        assert count <= 80


def _step(project: Project, line: str) -> Project:
    """Run a line of the tutorial in a shell, and return the project in the folder in which the next one runs."""
    match line.split():
        case ["cd", name]:
            return Project(project.folder / name, project.server)
        case ["mkdir", name]:
            (project.folder / name).mkdir()
        case ["django-admin", *rest]:
            project.run(shlex.join(["python", "-m", "django", *rest]))
        case ["python", "manage.py", "createsuperuser", *_]:
            project.run(f"{line} --noinput --email claire@police34.example", DJANGO_SUPERUSER_PASSWORD="x")
        case ["python", "manage.py", "showmigrations", *_]:
            assert "[X] 0001_initial" in project.run(line)
        case ["python", "manage.py", "test"]:
            assert "Ran 2 tests" in project.run(line)
        case [name, *_] if name != "pip":
            project.run(line)
    return project
