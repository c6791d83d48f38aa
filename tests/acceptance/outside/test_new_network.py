"""The files written by `networks new` pass the checks unchanged. The page's test proves the contract."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.outside.environments import Environment, run, uv_program

pytestmark = pytest.mark.outside

NAME = "a234567890x234567x90"  # the longest that there is


def test_it_builds_and_is_typed_however_long_its_name(
    environment: Callable[..., Environment], reader: dict[str, str], tmp_path: Path
) -> None:
    desk = environment("cli,testing")
    desk.run("policenotify", "networks", "new", NAME, at=tmp_path)
    package = tmp_path / f"policenotify-{NAME}"
    run([uv_program(), "build", "--quiet", "--wheel"], at=package)
    [built] = package.glob("dist/*.whl")
    into = ("--quiet", "--python", str(desk.folder))
    run([uv_program(), "pip", "install", *into, str(built), reader["WHEEL"], "--group", "dev"], at=package, **reader)

    [shown] = json.loads(desk.run("policenotify", "networks", NAME, "--json", at=tmp_path))["networks"]
    assert (shown["ready"], shown["package"]) == (True, f"policenotify-{NAME}")
    assert list(shown["schema"]["properties"]) == ["token", "server", "timeout"]
    assert all(option["meaning"] for option in shown["options"])
    for tool in (("mypy",), ("ruff", "check"), ("ruff", "format", "--check")):
        desk.run(*tool, at=package)
