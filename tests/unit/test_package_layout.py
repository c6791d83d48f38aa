"""The package as a whole: cheap imports, documented names, explained exemptions."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import policenotify

_SOURCE = Path(policenotify.__file__).parent
_FILES = sorted(_SOURCE.rglob("*.py"))
_HEAVY = (
    "atproto", "atproto_client", "apprise", "httpx", "requests", "sqlalchemy", "cryptography", "PIL", "click", "rich",
    "jinja2", "mastodon", "oauthlib", "regex", "aiosmtpd", "smtplib", "tweepy", "cronsim", "holidays",
    "icalendar",
)  # fmt: skip


def _in_a_new_interpreter(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)  # noqa: S603 - our own code
    return done.stdout


def test_touching_every_public_name_loads_no_sdk_and_no_sql_toolkit() -> None:
    code = f"""
import sys, policenotify
for name in policenotify.__all__:
    getattr(policenotify, name)
print([name for name in {_HEAVY!r} if name in sys.modules])
"""
    assert _in_a_new_interpreter(code).strip() == "[]"


def test_importing_the_package_loads_nothing_at_all() -> None:
    code = "import sys; before = set(sys.modules); import policenotify; print(sorted(set(sys.modules) - before))"
    assert "pydantic" not in _in_a_new_interpreter(code)


def test_the_public_names_are_pinned() -> None:
    assert sorted(policenotify.__all__) == policenotify.__all__
    typed = {
        alias.name
        for node in ast.walk(ast.parse((_SOURCE / "__init__.py").read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("policenotify.")
        for alias in node.names
    }
    assert typed == set(policenotify.__all__)
    assert set(policenotify.__all__) <= set(dir(policenotify))


def test_every_public_name_is_documented() -> None:
    assert [name for name in policenotify.__all__ if not inspect.getdoc(getattr(policenotify, name))] == []


_DJANGO = "policenotify.integrations.django"
_OF_A_PROJECT = {  # Django imports models, and what needs them, only in a project
    f"{_DJANGO}.{name}" for name in ("admin", "decisions", "migrations.0001_initial", "models")
}


def test_every_module_imports_and_is_documented() -> None:
    names = [one.name for one in pkgutil.walk_packages([str(_SOURCE)], "policenotify.")]
    ours = [name for name in names if not name.startswith("policenotify.testing") and name not in _OF_A_PROJECT]
    assert set(names) >= _OF_A_PROJECT
    assert [name for name in ours if not importlib.import_module(name).__doc__] == []
    _in_a_new_interpreter(
        "import django, django.conf, importlib\n"
        "apps = [f'django.contrib.{name}' for name in ('admin', 'auth', 'contenttypes', 'messages')]\n"
        "django.conf.settings.configure(INSTALLED_APPS=[*apps, 'policenotify.integrations.django'])\n"
        f"django.setup()\nassert all(importlib.import_module(name).__doc__ for name in {sorted(_OF_A_PROJECT)!r})"
    )


def test_every_exemption_carries_its_reason() -> None:
    missing = [
        f"{path.relative_to(_SOURCE)}:{number}"
        for path in _FILES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for mark in ("# noqa", "# type: ignore", "# pragma")
        if mark in line and not line.partition(mark)[2].partition("  #")[2] and " - " not in line.partition(mark)[2]
    ]
    assert missing == []


def test_an_installation_with_all_networks_has_no_test_tools() -> None:
    """Each package there may be attacked, and an SMTP server most of all."""
    required = metadata.requires("policenotify") or []
    extras = {re.split(r"[\[\]]", line)[1]: line for line in required if line.startswith("policenotify[")}
    [everything] = [names for names, line in extras.items() if line.endswith("extra == 'all'")]
    offered = set(metadata.metadata("policenotify").get_all("Provides-Extra") or [])
    assert offered - {*everything.split(",")} == {
        "all",
        "celery",
        "demo",
        "django",
        "procrastinate",
        "telemetry",
        "testing",
        "web",
    }
