"""System checks, migrations and commands of a Django project, on its own journal or on none."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core import checks
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import override_settings

from policenotify.cli import main
from policenotify.errors import SettingsError
from policenotify.integrations.django import close, open_publisher, publish, publisher
from policenotify.journal import open_journal
from policenotify.journal.database.schema import SCHEMA_VERSION
from policenotify.journal.keys import Keys
from tests.support.installation import INCIDENT, accident

_SETTINGS = """
schema_version = 1
sender = "Police nationale de l'Hérault"
zone = "Europe/Paris"
journal = "django"
keys = "keys"

[channels.dossier]
network = "feed"
url = "https://alertes.police.example/"
publisher = "Police"
folder = "{posts}"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A project whose journal is not made yet."""
    Keys.create(secrets.token_bytes).save(tmp_path / "keys")
    posts = tmp_path / "posts"
    posts.mkdir()
    (tmp_path / "policenotify.toml").write_text(_SETTINGS.format(posts=posts), "utf-8")
    database = connections["default"]
    database.close()
    database.settings_dict.update({"NAME": str(tmp_path / "project.sqlite3")})
    database.settings_dict["OPTIONS"] = {"transaction_mode": "IMMEDIATE"}
    with override_settings(POLICENOTIFY={"SETTINGS": tmp_path / "policenotify.toml"}):
        yield tmp_path
        close()
    database.close()


def _migrate() -> None:
    call_command("migrate", "policenotify", verbosity=0)


def _rewrite(folder: Path, old: str, new: str) -> None:
    file = folder / "policenotify.toml"
    assert old in file.read_text("utf-8")
    file.write_text(file.read_text("utf-8").replace(old, new), "utf-8")


def _found(**project: Any) -> list[tuple[str, str]]:
    how = {**settings.POLICENOTIFY, **project}
    with override_settings(POLICENOTIFY=how):
        return [(each.id, f"{each.msg} {each.hint or ''}") for each in checks.run_checks() if "policenotify" in each.id]


# --- checks


@pytest.mark.usefixtures("folder")
def test_a_right_project_has_no_finding() -> None:
    assert _found() == []
    assert _found(RUNNER="") == []  # of an environment variable that is not set


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("project", "code", "words"),
    [
        ({"SETTING": "x"}, "E001", "Did you mean 'SETTINGS'?"),
        ({"DATABASE": "defaults"}, "E002", "Did you mean 'default'?"),
        ({"DATABASE": "other"}, "E002", "only in a file of SQLite or on PostgreSQL"),
        ({"RUNNER": "nowhere.at.all"}, "E003", "cannot be imported"),
        ({"RUNNER": "sys.maxsize"}, "E003", "`publisher`"),
        ({"RUNNER": 5}, "E003", ""),
        ({"SETTINGS": ["policenotify.toml"]}, "W003", ""),
        ({"RUNNER": "policenotify.integrations.django.publish"}, "E003", "`publisher`"),
        ({"SETTINGS": "/nowhere.toml"}, "W003", "/nowhere.toml"),
    ],
)
def test_a_wrong_value_of_the_project_is_found(project: dict[str, Any], code: str, words: str) -> None:
    [(found, text)] = _found(**project)
    assert (found, words in text) == (f"policenotify.{code}", True), text


@pytest.mark.usefixtures("folder")
def test_what_is_not_a_table_is_found() -> None:
    with override_settings(POLICENOTIFY="policenotify.toml"):
        found = [each.id for each in checks.run_checks(databases=["default"]) if "policenotify" in each.id]
        with pytest.raises(SettingsError, match="must be a dict"):
            open_publisher()
    assert found == ["policenotify.E001"]


def test_wrong_settings_of_one_channel_are_left_to_doctor(folder: Path) -> None:
    _rewrite(folder, "folder =", "folders =")
    assert _found() == []


# --- no phantom


def test_settings_that_name_another_journal_are_refused_everywhere(folder: Path) -> None:
    _migrate()
    _rewrite(folder, '"django"', '"phantom.db"')
    keys = Keys.load(folder / "keys")
    phantom = open_journal(str(folder / "phantom.db"), keys=keys, create=True)
    [(code, text)] = _found()
    assert code == "policenotify.E004"
    assert 'journal = "django"' in text
    with pytest.raises(SettingsError, match="journal of its own"):
        open_publisher()
    for command in ("stop", "status", "resolve", "resume", "drain", "doctor"):
        with pytest.raises(CommandError, match="journal of its own"):
            call_command("policenotify", command)
    assert phantom.stopped() is None
    phantom.close()


@pytest.mark.parametrize("command", ["stop", "status", "drain", "resolve 1 --posted"])
def test_the_command_line_finds_the_journal_only_in_the_project(
    folder: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "--settings", str(folder / "policenotify.toml")])
    assert ended.value.code == 6
    assert f"python manage.py policenotify {command.split(maxsplit=1)[0]}" in " ".join(capsys.readouterr().err.split())


# --- migrations


def test_showmigrations_lists_what_is_there(folder: Path) -> None:
    assert _shown() == ["[ ] 0001_initial"]
    (folder / "keys").rename(folder / "away")
    with pytest.raises(CommandError, match="keys"):
        _migrate()
    assert _shown() == ["[ ] 0001_initial"]
    assert not [name for name in connections["default"].introspection.table_names() if name.startswith("pn_")]
    (folder / "away").rename(folder / "keys")
    _migrate()
    assert _shown() == ["[X] 0001_initial"]
    assert publisher().operations.incidents() == ()
    call_command("makemigrations", "policenotify", check=True, dry_run=True, verbosity=0)


@pytest.mark.parametrize(("before", "after"), [(0o644, 0o600), (0o600, 0o600)])
def test_a_new_file_is_closed_to_others(folder: Path, before: int, after: int) -> None:
    file = folder / "project.sqlite3"
    file.touch()
    file.chmod(before)
    _migrate()
    assert file.stat().st_mode & 0o777 == after
    file.chmod(0o644)  # by somebody, later: that is for them to decide
    assert "chmod 600" in _run("status", code=6)


def test_a_file_that_others_write_is_left_to_its_owner(folder: Path) -> None:
    file = folder / "project.sqlite3"
    file.touch()
    file.chmod(0o666)
    with pytest.raises(CommandError, match="open to others"):
        _migrate()
    assert file.stat().st_mode & 0o777 == 0o666
    assert _shown() == ["[ ] 0001_initial"]


def test_another_database_gets_no_tables_and_those_of_a_moved_journal_are_made(folder: Path) -> None:
    with override_settings(POLICENOTIFY={**settings.POLICENOTIFY, "DATABASE": "server"}):
        _migrate()
    assert "pn_meta" not in connections["default"].introspection.table_names()
    _migrate()  # listed as applied, and the journal is to be there now
    assert "pn_meta" in connections["default"].introspection.table_names()
    assert folder.exists()


def test_wrong_settings_keep_no_other_app_from_its_tables(folder: Path) -> None:
    (folder / "keys").rename(folder / "away")
    call_command("migrate", "contenttypes", verbosity=0)
    assert "django_content_type" in connections["default"].introspection.table_names()
    (folder / "away").rename(folder / "keys")
    _migrate()
    (folder / "keys").rename(folder / "away")
    with pytest.raises(CommandError, match="keys"):
        call_command("migrate", "sessions", verbosity=0)
    assert "django_session" in connections["default"].introspection.table_names()


def test_each_version_of_the_tables_has_its_migration() -> None:
    from django.db.migrations.loader import MigrationLoader  # noqa: PLC0415 - of this test

    ours = [name for app, name in MigrationLoader(None).disk_migrations if app == "policenotify"]
    assert len(ours) == SCHEMA_VERSION, "a new version of the tables needs a migration that calls create_journal"


def _shown() -> list[str]:
    out = StringIO()
    call_command("showmigrations", "policenotify", stdout=out, no_color=True)
    return [line.strip() for line in out.getvalue().splitlines()[1:]]


# --- commands


def _run(command: str, *arguments: str, code: int = 0) -> str:
    out = StringIO()
    try:
        with redirect_stdout(out), redirect_stderr(out):
            call_command("policenotify", command, *arguments)
    except CommandError as error:
        assert error.returncode == code, (error, out.getvalue())  # noqa: PT017 - it is one of two ways
    else:
        assert code == 0, out.getvalue()
    return out.getvalue()


def test_the_commands_run_on_the_projects_journal(folder: Path) -> None:
    assert "no_worker" not in _run("status", "--json", code=6)
    assert "pn_meta" not in connections["default"].introspection.table_names()
    _migrate()
    publish(accident(), key="open", actor="cad")
    assert json.loads(_run("status", "--json", code=5))["incidents"][0]["id"] == INCIDENT
    _run("stop", "--reason", "Compte compromis ?")
    stopped = publisher().operations.status().stopped
    assert stopped is not None
    assert "Compte compromis ?" in str(stopped)
    _run("resume")
    assert publisher().operations.status().stopped is None
    assert "1 posted" in _run("drain", "--budget", "20")
    assert "WRONG" not in _run("doctor")
    assert "no delivery" in _run("resolve", "4711", "--posted", code=2)
    campaigns = folder / "campagnes"
    campaigns.mkdir()
    assert "Usage: policenotify campaign" in _run("campaign", "--help")
    _run("status", "--nonsense", code=2)
    assert "Usage: policenotify status" in _run("status", "--help")
